import AssayCore
import Concurrency
import ControllerRuntime
import HTTPServer
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import OpenSSL

/// All that trainings need to push: who serves, by which certificates, where pods find it, and what is taken.
final class PushService: Sendable {
    /// How often what is due is looked for; asking costs nothing until it is.
    private static let pause: Duration = .seconds(1)
    private static let certificatesInterval: Duration = .seconds(60)
    private static let endpointsInterval: Duration = .seconds(30)
    private static let retry: Duration = .seconds(5)

    private let configuration: OperatorConfiguration.Push
    private let caches: Caches
    private let client: KubernetesClient
    private let time: any TimeSource
    private let logger: Logger
    private let isLeader: @Sendable () -> Bool
    private let complaints: PushComplaints
    private let keeper: PushKeeper
    private let authorities: PushAuthorities
    let inbox = PushInbox()
    private let reviews: PushReviews
    private let metrics: PushMetrics
    private let listening = Locked<Int?>(nil)

    init(_ configuration: OperatorConfiguration.Push, in program: Operator, _ caches: Caches) {
        self.configuration = configuration
        self.caches = caches
        client = program.client
        time = program.time
        logger = program.logger
        let elector = program.elector
        isLeader = { elector?.isLeader ?? true }
        complaints = PushComplaints(logger: program.logger)
        keeper = PushKeeper(
            secret: configuration.secret, names: configuration.names, client: client, time: time, isLeader: isLeader)
        authorities = PushAuthorities(
            keeper: keeper, client: client, events: program.events, time: time, complaints: complaints)
        reviews = PushReviews(client: client, time: time, complaints: complaints)
        metrics = PushMetrics(registry: program.metrics)
        inbox.follow(caches.trainingJobs)
    }

    /// What pods are told.
    var channel: PushChannel { configuration.channel }

    /// Sees to it that the pods of a training find whom to trust.
    func prepare(_ training: ObjectMeta) async { await authorities.publish(for: training) }

    // MARK: Serving

    /// Serves until the task is cancelled; throws where it cannot listen.
    /// - Parameter queue: of the trainings whose status is to be looked at.
    func run(queue: WorkQueue, onListening: @escaping @Sendable (Int) -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (contexts, renewed) = AsyncStream.makeStream(of: TLSContext.self, bufferingPolicy: .bufferingNewest(1))
            group.addTask { await self.keep(renewed) }
            group.addTask { try await self.serve(contexts, queue, onListening) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func serve(
        _ contexts: AsyncStream<TLSContext>, _ queue: WorkQueue, _ onListening: @escaping @Sendable (Int) -> Void
    ) async throws {
        var iterator = contexts.makeAsyncIterator()
        // Without a certificate there is nothing to say.
        guard let first = await iterator.next() else { return }
        let answering = PushServer(
            caches: caches, reviews: reviews, inbox: inbox, queue: queue, time: time, isLeader: isLeader,
            metrics: metrics)
        var limits = HTTPServerLimits()
        limits.body = PushBody.longest
        let address = configuration.address
        // A push is taken in some microseconds of memory; most of them went into changes of thread.
        let server = HTTPServer(
            host: address.host, port: address.port, tls: first, limits: limits, handlersOn: .eventLoop, logger: logger,
            refusal: PushServer.refusal, handler: { await answering.answer($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run { port in
                    self.listening.withLock { $0 = port }
                    self.logger.info("taking pushes", metadata: ["address": "\(address.host):\(port)"])
                    onListening(port)
                }
            }
            group.addTask { for await context in contexts { server.renew(context) } }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    // MARK: Keeping

    private struct Due {
        var certificates: Duration?
        var endpoints: Duration?
        var serving: String?
        var wasLeader = false
    }

    /// Does what is due, until the task is cancelled.
    private func keep(_ contexts: AsyncStream<TLSContext>.Continuation) async {
        var due = Due()
        while !Task.isCancelled {
            await keepOnce(&due, contexts)
            do {
                try await time.sleep(for: Self.pause)
            } catch {
                break
            }
        }
        contexts.finish()
    }

    private func keepOnce(_ due: inout Due, _ contexts: AsyncStream<TLSContext>.Continuation) async {
        let now = time.monotonicNow()
        let leads = isLeader()
        // Who begins to lead does at once what only a leader does.
        if leads != due.wasLeader { due = Due(serving: due.serving, wasLeader: leads) }
        if due.certificates.map({ $0 <= now }) ?? true {
            let isDone = await keepCertificates(&due, contexts, leads)
            due.certificates = now + (isDone ? Self.certificatesInterval : Self.retry)
        }
        if leads, let port = listening.withLock({ $0 }), due.endpoints.map({ $0 <= now }) ?? true {
            due.endpoints = now + (await keepEndpoints(port) ? Self.endpointsInterval : Self.retry)
        }
    }

    private func keepCertificates(
        _ due: inout Due, _ contexts: AsyncStream<TLSContext>.Continuation, _ leads: Bool
    ) async -> Bool {
        do {
            // A standby without any waits for a leader to make one.
            guard let certificates = try await keeper.refresh(), let serving = certificates.serving else {
                return false
            }
            if serving.certificate != due.serving {
                contexts.yield(
                    try TLSContext(
                        serverCertificateChainPEM: Array(serving.certificate.utf8),
                        privateKeyPEM: Array((serving.key ?? "").utf8)))
                due.serving = serving.certificate
            }
            if leads { await authorities.publish(in: namespaces) }
            complaints.settle("certificates")
            return true
        } catch {
            complaints.tell("certificates", "what serves pushes cannot be kept", "\(error)")
            return false
        }
    }

    /// Those with a training that has pods, or will have.
    private var namespaces: Set<String> {
        Set(
            caches.trainingJobs.all().filter { $0.status.value?.isFinished != true }
                .compactMap(\.metadata.namespace))
    }

    /// Leads the Service here.
    private func keepEndpoints(_ port: Int) async -> Bool {
        guard let address = configuration.endpoint else { return true }
        var endpoints: JSONValue = [
            "metadata": ["labels": [Label.managedBy: .string(Label.manager)]],
            "subsets": [
                [
                    "addresses": [["ip": .string(address)]],
                    "ports": [["name": "push", "port": JSONValue(port), "protocol": "TCP"]],
                ]
            ],
        ]
        do throws(KubernetesError) {
            do throws(KubernetesError) {
                _ = try await client.mergePatch(
                    .endpoints, configuration.service, endpoints, fieldManager: FieldManager.spec)
            } catch {
                guard error.isNotFound else { throw error }
                endpoints["metadata", "name"] = .string(configuration.service.name)
                endpoints["metadata", "namespace"] = JSONValue(configuration.service.namespace)
                _ = try await client.create(.endpoints, endpoints, fieldManager: FieldManager.spec)
            }
            complaints.settle("endpoints")
            return true
        } catch {
            complaints.tell("endpoints", "the Service for pushes cannot be led to this replica", "\(error)")
            return false
        }
    }
}
