import AssayCore
import Concurrency
import ControllerRuntime
import HTTPTransport
import KubernetesClient
import KubernetesModel
import Logging
import ServiceLifecycle

/// The daemon: watches both kinds and makes the cluster look as they say.
///
/// Everything it knows is in the cluster. It may be killed at any moment and started again.
public struct AssayOperator: Service {
    public static let controllerName = "assay.dev/operator"
    public static let version = "0.1.0"

    let configuration: OperatorConfiguration
    let client: KubernetesClient
    let time: any TimeSource
    let logger: Logger
    let metrics: MetricsRegistry
    let debug: DebugState
    private let ownImage: OwnImage
    private let seed: UInt64
    /// Told where health and metrics are served, once they are.
    let onListening: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - host: the API server's, for metrics.
    ///   - seed: of all that is random in it, which is the spread of waits.
    public init(
        configuration: OperatorConfiguration, transport: any HTTPTransport, credentials: Credentials, host: String,
        time: any TimeSource = SystemTime(), seed: UInt64 = .random(in: .min ... .max), logger: Logger,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.time = time
        self.logger = logger
        self.onListening = onListening
        metrics = MetricsRegistry(descriptions: OperatorMetrics.descriptions)
        ProcessMetrics.add(to: metrics)
        debug = DebugState(version: Self.version, time: time)
        let metered = MeteredTransport(transport, host: host, registry: metrics, time: time)
        debug.addRequests(metered.log)
        self.seed = seed
        let random = Locked(SeededGenerator(seed: seed))
        client = KubernetesClient(
            transport: metered, credentials: credentials, time: time, random: { random.withLock { $0.unit() } },
            logger: logger)
        ownImage = OwnImage(
            pod: configuration.pod, client: client, time: time, logger: logger, metrics: metrics)
    }

    /// The image that it runs and its pull secrets; nil outside of a pod, and until its pod was read.
    public var image: OperatorImage? { ownImage.current }

    /// Runs until a graceful shutdown or until the task is cancelled. Throws where the health server cannot listen.
    public func run() async throws {
        let caches = Caches()
        let checks = HealthChecks()
        caches.addReadiness(to: checks)
        OperatorMetrics(registry: metrics).follow(caches)
        let events = EventRecorder(
            client: client, controller: Self.controllerName, instance: configuration.instance, time: time,
            logger: logger, metrics: metrics)
        let policies = PolicyReader(client: client, level: configuration.podSecurity, time: time)

        let trainingJobs = controller(
            "trainingjob", TrainingJobKind(client: client, caches: caches, policies: policies), caches, events, checks)
        let models = controller(
            "mlmodel", MLModelKind(client: client, caches: caches, policies: policies), caches, events, checks)
        caches.route(trainingJobs: trainingJobs.queue, models: models.queue)

        try await withThrowingTaskGroup(of: Void.self) { group in
            if let address = configuration.health {
                let server = StatusServer(
                    address: address, checks: checks, metrics: metrics, debug: debug, logger: logger)
                group.addTask { try await server.run(onListening: onListening) }
            }
            group.addTask {
                await run(caches: caches, events: events, checks: checks, controllers: [trainingJobs, models])
            }
            // Whichever ends first ends the other: the status server only fails, the controllers end when told to.
            try await group.next()
            group.cancelAll()
        }
    }

    private func controller<Kind: Reconciled>(
        _ name: String, _ kind: Kind, _ caches: Caches, _ events: EventRecorder, _ checks: HealthChecks
    ) -> Controller {
        let queue = WorkQueue(name: name, time: time, metrics: metrics)
        checks.addQueue(queue)
        debug.addQueue(queue)
        let reconciler = Reconciler(
            kind: kind, client: client, caches: caches, events: events, time: time, logger: logger)
        return Controller(
            name: name, type: Kind.type, workers: configuration.workers, queue: queue,
            drainDeadline: configuration.drainDeadline,
            time: time, logger: logger, metrics: metrics, waitForCaches: { try await caches.waitForSync() },
            reconcile: { await reconciler.reconcile($0) })
    }

    /// The controllers end first, on the order to stop; then the events that wait are sent; then the watches end.
    private func run(
        caches: Caches, events: EventRecorder, checks: HealthChecks, controllers: [Controller]
    ) async {
        await withTaskGroup(of: Void.self) { background in
            caches.run(
                in: &background, client: client, namespace: configuration.namespace, time: time, seed: seed,
                logger: logger, metrics: metrics, checks: checks, debug: debug)
            background.addTask { await ownImage.learn() }
            await withTaskGroup(of: Void.self) { recording in
                recording.addTask { await events.run() }
                await withTaskGroup(of: Void.self) { working in
                    for controller in controllers { working.addTask { await controller.run() } }
                }
                events.stop()
                await recording.waitForAll()
            }
            background.cancelAll()
        }
        logger.info("stopped")
    }
}
