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

    private let program: Operator
    private let ownImage: OwnImage
    private let health: OperatorConfiguration.Address?
    private let push: PushService?
    private let loads: GatewayLoads?
    private let models: WorkQueue
    private let trainingJobs: WorkQueue
    /// Told where pushes are taken, once they are.
    private let onTakingPushes: @Sendable (Int) -> Void
    /// Told where health and metrics are served, once they are.
    private let onListening: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - configuration: how it runs.
    ///   - cluster: which server, as whom.
    ///   - transport: carries the requests there.
    ///   - gatewayReader: asks the gateway's pods what they have to do; without it nothing is scaled by that.
    ///   - seed: of all that is random in it, which is the spread of waits.
    public init(
        configuration: OperatorConfiguration, cluster: ClientConfiguration, transport: any HTTPTransport,
        gatewayReader: (any GatewayReader)? = nil, time: any TimeSource = SystemTime(),
        seed: UInt64 = .random(in: .min ... .max), logger: Logger,
        onListening: @escaping @Sendable (Int) -> Void = { _ in },
        onTakingPushes: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        var program = Operator(
            name: Self.controllerName, instance: configuration.instance, version: Self.version,
            election: configuration.election, configuration: cluster, transport: transport,
            metrics: MetricsRegistry(
                descriptions: OperatorMetrics.descriptions), time: time,
            seed: seed,
            logger: logger)
        var caches = Caches()
        caches.watch(in: &program, namespace: configuration.namespace)
        if let gateway = configuration.gateway {
            caches.gateway = GatewayCaches(gateway, in: &program, namespace: configuration.namespace)
        }
        let loads = Self.loads(configuration, gatewayReader, program, caches)
        OperatorMetrics(registry: program.metrics).follow(caches)
        let ownImage = OwnImage(
            told: configuration.image, pod: configuration.pod, client: program.client, time: time, logger: logger,
            metrics: program.metrics)
        let push = configuration.push.map { [program] in PushService($0, in: program, caches) }
        let policies = PolicyReader(client: program.client, level: configuration.podSecurity, time: time)
        let trainingJobs = Self.addController(
            TrainingJobKind(
                client: program.client, caches: caches, policies: policies,
                operatorImage: { ownImage.current?.reference }, push: push),
            to: &program, caches, configuration)
        let models = Self.addController(
            MLModelKind(
                client: program.client, caches: caches, loads: loads, policies: policies,
                namespace: configuration.namespace,
                operatorImage: { ownImage.current?.reference }),
            to: &program, caches, configuration)
        caches.route(trainingJobs: trainingJobs, models: models)
        caches.gateway?.route(models, caches)
        program.run(inBackground: { await ownImage.learn() })
        self.program = program
        self.ownImage = ownImage
        self.push = push
        self.loads = loads
        self.models = models
        self.trainingJobs = trainingJobs
        self.onListening = onListening
        self.onTakingPushes = onTakingPushes
        health = configuration.health
    }

    private static func loads(
        _ configuration: OperatorConfiguration, _ reader: (any GatewayReader)?, _ program: Operator, _ caches: Caches
    ) -> GatewayLoads? {
        guard let reader, let gateway = configuration.gateway, let cache = caches.gateway else { return nil }
        let elector = program.elector
        let isLeader: @Sendable () -> Bool = { elector?.isLeader ?? true }
        let keeper = PushKeeper(
            secret: gateway.secret, names: [GatewayAccess.serverName], needsToken: true, client: program.client,
            time: program.time, isLeader: isLeader)
        let access = GatewayAccessKeeper(keeper, time: program.time)
        return GatewayLoads(
            reader: reader, access: { try await access.current() }, gateway: cache, caches: caches, time: program.time,
            isLeader: isLeader, complaints: PushComplaints(logger: program.logger))
    }

    private static func addController<Kind: Reconciled>(
        _ kind: Kind, to program: inout Operator, _ caches: Caches, _ configuration: OperatorConfiguration
    ) -> WorkQueue {
        let reconciler = Reconciler(
            kind: kind, client: program.client, caches: caches, events: program.events, time: program.time,
            logger: program.logger)
        return program.controller(
            of: Kind.type, workers: configuration.workers, drainDeadline: configuration.drainDeadline,
            reconcile: { await reconciler.reconcile($0) })
    }

    /// The image that it runs and its pull secrets; nil outside of a pod, and until its pod was read.
    public var image: OperatorImage? { ownImage.current }

    /// Runs until a graceful shutdown or until the task is cancelled. Throws where the health server cannot listen, and
    /// ``LeadershipLost``.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let health {
                let server = StatusServer(
                    address: health, checks: program.health, metrics: program.metrics, debug: program.debug,
                    logger: program.logger)
                group.addTask { try await server.run(onListening: onListening) }
            }
            if let push {
                group.addTask { try await push.run(queue: trainingJobs, onListening: onTakingPushes) }
            }
            if let loads { group.addTask { await loads.run(queue: models) } }
            group.addTask { try await program.run() }
            // Whichever ends first ends the others: the servers only fail, the controllers end when told to.
            try await group.next()
            group.cancelAll()
        }
        program.logger.info("stopped")
    }

    /// Gives the lease back where ``run()`` was cancelled, for then it could not.
    public func release() async { await program.release() }
}
