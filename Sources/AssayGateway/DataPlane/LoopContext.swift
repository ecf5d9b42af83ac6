import AssayCore
import Concurrency
import ControllerRuntime
import HTTPServer
import KubernetesModel
import Logging
import NIOCore

/// What the loops report to the rest of the gateway.
struct GatewayPorts: Sendable {
    /// Asks for a revision to be woken.
    var wake: @Sendable (ObjectKey, RevisionRoute) -> Void
    var callers: CallerPort
    var metrics: GatewayMetrics
    var logger: Logger
}

/// How the loops find out who calls.
struct CallerPort: Sendable {
    /// The time since the Unix epoch.
    var now: @Sendable () -> Duration
    var remembered: @Sendable (String) -> CallerVerdict?
    var review: @Sendable (ReviewRequest) -> Void
}

/// One event loop's part of the gateway: its own connections to pods, so that a request never changes threads.
final class LoopContext {
    let loop: any EventLoop
    let limits: GatewayLimits
    let ports: GatewayPorts
    private var models: [ObjectKey: LoopModel] = [:]
    private var modelsByPort: [Int: LoopModel] = [:]
    private var modelsByHost: [String: LoopModel] = [:]
    private var clients: [ObjectIdentifier: ClientHandler] = [:]
    let refused: MetricSeries
    private var generator = SeededGenerator.system()
    private(set) var isDraining = false
    private var reviews = 0
    /// When a client has come last.
    private var lastArrival = Duration.zero
    private var isClosed = false
    private var sweep: Scheduled<Void>?

    init(loop: any EventLoop, limits: GatewayLimits, ports: GatewayPorts) {
        self.loop = loop
        self.limits = limits
        self.ports = ports
        refused = ports.metrics.registry.counter("assay_gateway_refused_requests_total")
    }

    /// By the loop's clock, which a test may turn.
    var now: Duration { .nanoseconds(Int64(clamping: loop.now.uptimeNanoseconds)) }

    func makeRequestID() -> String { RequestID.make(&generator) }

    // MARK: Routes

    /// Begins to close what has been idle for too long.
    func start() {
        sweep = loop.assumeIsolated().scheduleTask(in: .seconds(5)) {
            for model in self.models.values { model.expireIdle() }
            self.start()
        }
    }

    func stop() {
        sweep?.cancel()
        sweep = nil
        for key in models.keys { remove(key) }
        assign(ports: [:], hosts: [:])
    }

    func update(_ route: ModelRoute, shared: SharedModel) {
        let model = models[route.model] ?? LoopModel(shared, in: self)
        models[route.model] = model
        model.update(route)
    }

    func remove(_ key: ObjectKey) { models.removeValue(forKey: key)?.update(nil) }

    /// Takes who has which port and name now.
    func assign(ports: [Int: ObjectKey], hosts: [String: ObjectKey]) {
        modelsByPort = ports.compactMapValues { models[$0] }
        modelsByHost = hosts.compactMapValues { models[$0] }
    }

    func model(port: Int) -> LoopModel? { modelsByPort[port] }

    func model(host: String?) -> LoopModel? { host.flatMap { modelsByHost[RoutingTable.name($0)] } }

    func model(_ key: ObjectKey) -> LoopModel? { models[key] }

    // MARK: Clients

    var clientCount: Int { clients.count }

    /// Whether another client is taken.
    var admits: Bool { !isClosed && clients.count < limits.server.connections }

    func add(_ client: ClientHandler) {
        clients[ObjectIdentifier(client)] = client
        lastArrival = now
    }

    /// For how long no client has come.
    var quietTime: Duration { now - lastArrival }

    func remove(_ client: ClientHandler) { clients[ObjectIdentifier(client)] = nil }

    /// From now on each answer is the last on its connection.
    func drain() { isDraining = true }

    /// Whether one more request may wait for the word of who sent it.
    func beginReview() -> Bool {
        guard reviews < limits.reviewedRequests else { return false }
        reviews += 1
        return true
    }

    func endReview() { reviews -= 1 }

    /// Ends the connections that wait for a request.
    func closeIdle() {
        for client in clients.values { client.closeIfIdle() }
    }

    /// Ends what is left.
    func closeClients() {
        isClosed = true
        for client in clients.values { client.giveUp() }
    }
}

/// A model as one event loop sees it.
final class LoopModel {
    private(set) var route: ModelRoute?
    private(set) var revisions: [LoopRevision] = []
    let shared: SharedModel
    private let context: LoopContext

    init(_ shared: SharedModel, in context: LoopContext) {
        self.shared = shared
        self.context = context
    }

    /// - Parameter route: nil where the model is gone.
    func update(_ route: ModelRoute?) {
        self.route = route
        var left = Dictionary(revisions.map { ($0.name, $0) }) { first, _ in first }
        revisions = (route?.revisions ?? []).compactMap { revision in
            if let known = left.removeValue(forKey: revision.share.revision) { return known }
            return shared.revision(revision.share.revision).map {
                LoopRevision(revision, shared: $0, model: self, in: context)
            }
        }
        for (revision, route) in zip(revisions, route?.revisions ?? []) { revision.update(route) }
        for revision in left.values { revision.retire() }
        // What waited for a revision that takes no requests now goes where it would go if it came now.
        for revision in revisions where !revision.route.share.takesRequests { revision.sendElsewhere() }
        for revision in left.values { revision.sendElsewhere() }
        if let route { shared.applied(route.generation, by: ObjectIdentifier(context)) }
    }

    /// The revision that the next request goes to; nil where none takes any.
    func next() -> LoopRevision? {
        if revisions.count == 1 { return revisions[0].route.share.takesRequests ? revisions[0] : nil }
        if let index = shared.next(where: { revisions.indices.contains($0) && revisions[$0].canTakeRequests }) {
            return revisions[index]
        }
        // None has a pod: it is worth waiting for the one that most requests go to.
        return revisions.filter(\.route.share.takesRequests).max { $0.route.share.weight < $1.route.share.weight }
    }

    func expireIdle() {
        for revision in revisions { revision.expireIdle() }
    }
}
