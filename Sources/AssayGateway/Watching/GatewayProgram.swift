import AssayCore
import Concurrency
import ControllerRuntime
import HTTPTransport
import KubernetesClient
import KubernetesModel
import Logging
import ServiceLifecycle

/// The gateway as a program: watches MLModels and serving pods, and routes by what it was told last.
///
/// It asks nobody for leave to serve: without an API server it goes on with the routes that it has, and only what sleeps
/// cannot be woken.
public struct GatewayProgram: Service {
    private let configuration: GatewayConfiguration
    private let gateway: Gateway
    private let models = Store<ModelRecord>()
    private let pods = Store<PodRecord>()
    private let modelReflector: Reflector<ModelRecord>
    private let podReflector: Reflector<PodRecord>
    private let metrics: MetricsRegistry
    private let health = HealthChecks()
    private let isDraining = Locked(false)
    private let time: any TimeSource
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void
    private let onTelling: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - configuration: how it runs.
    ///   - cluster: which server, as whom.
    ///   - transport: carries the requests there.
    ///   - onPorts: told which ports the models are served at, whenever that changes.
    ///   - onListening: told where health and metrics are served, once they are.
    ///   - onTelling: told where the load is told, once it is.
    public init(
        configuration: GatewayConfiguration, cluster: ClientConfiguration, transport: any HTTPTransport,
        time: any TimeSource = SystemTime(), logger: Logger,
        onPorts: @escaping @Sendable (Set<Int>) -> Void = { _ in },
        onListening: @escaping @Sendable (Int) -> Void = { _ in },
        onTelling: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.time = time
        self.onTelling = onTelling
        // Every model has a series for each of its revisions.
        let metrics = MetricsRegistry(descriptions: GatewayMetrics.descriptions, seriesLimit: 10_000)
        ProcessMetrics.add(to: metrics)
        let metered = MeteredTransport(transport, host: cluster.transport.server, registry: metrics, time: time)
        let client = KubernetesClient(
            transport: metered, credentials: cluster.credentials, time: time, logger: logger)
        gateway = Gateway(
            configuration.gateway, waker: ClientWaker(client: client),
            callers: ClientCallerReviews(client: client, time: time, logger: logger),
            metrics: GatewayMetrics(metrics), time: time, logger: logger, onListening: onPorts)
        modelReflector = Reflector(
            client: client, type: .mlModels, namespace: configuration.namespace, store: models, time: time,
            logger: logger, metrics: metrics)
        podReflector = Reflector(
            client: client, type: .pods, namespace: configuration.namespace,
            labelSelector: "\(Label.managedBy)=\(Label.manager),\(Label.model)", store: pods, time: time,
            logger: logger, metrics: metrics)
        self.configuration = configuration
        self.metrics = metrics
        self.logger = logger
        self.onListening = onListening
        follow()
    }

    private func follow() {
        models.subscribe { [gateway] in gateway.take($0) }
        pods.subscribe { [gateway] in gateway.take($0) }
        health.addReflector("mlmodels", modelReflector)
        health.addReflector("pods", podReflector)
        health.add(.ready, "ports") { [gateway] in gateway.openingHealth }
        health.add(.ready, "serving") { [isDraining] in
            isDraining.withLock { $0 } ? .unhealthy("about to stop") : .healthy
        }
    }

    /// Runs until a graceful shutdown, which lets the requests in flight end, or until the task is cancelled. Throws where
    /// the health server cannot listen.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let address = configuration.health {
                let server = GatewayStatusServer(address: address, checks: health, metrics: metrics, logger: logger)
                group.addTask { try await server.run(onListening: onListening) }
            }
            if let load = configuration.load {
                let server = LoadServer(
                    address: load.address, directory: load.directory,
                    load: { [gateway, isDraining] in try await gateway.load(isEnding: isDraining.withLock { $0 }) },
                    time: time, logger: logger)
                group.addTask { try await server.run(onListening: onTelling) }
            }
            if let directory = configuration.tlsDirectory {
                let follower = CertificateFollower(
                    directory: directory, time: time, logger: logger,
                    use: { [gateway, metrics] context, end in
                        gateway.renew(context)
                        metrics.gauge("assay_gateway_certificate_expiration_timestamp_seconds").set(
                            Double(end.components.seconds))
                    })
                group.addTask { await follower.run() }
            }
            group.addTask { await modelReflector.run() }
            group.addTask {
                async let told: Void = tellOfBeginning()
                await podReflector.run()
                try await told
            }
            group.addTask {
                try await withGracefulShutdownHandler {
                    try await gateway.run()
                } onGracefulShutdown: {
                    isDraining.withLock { $0 = true }
                    gateway.shutdown()
                }
            }
            // The gateway ends when told to; the others only fail, or are cancelled.
            defer { group.cancelAll() }
            try await group.next()
        }
        logger.info("stopped")
    }

    private func tellOfBeginning() async throws {
        try await models.waitForSync()
        try await pods.waitForSync()
        gateway.completeBeginning()
    }
}
