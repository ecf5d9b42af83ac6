import AssayCore
import AssayGateway
import KubernetesModel

/// One event loop of a simulated gateway, and the story's model as that loop sees it. Confined to the simulation's thread.
final class SimulatedLoop: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    let time: SimulatedTime
    let network: PodNetwork
    let limits = GatewayLimits()
    /// A planted mistake.
    let forwardsWhileDraining: Bool
    private unowned let gateway: SimulatedGateway
    private var route: ModelRoute?
    private var shared: SharedModel?
    private var revisions: [SimulatedRevision] = []
    /// Those that nobody routes to any more may still have requests.
    private var retired: [SimulatedRevision] = []
    private(set) var requests: [SimulatedRequest] = []
    /// Told, and not taken in yet.
    private var told: [(route: ModelRoute?, shared: SharedModel?)] = []

    init(_ gateway: SimulatedGateway, time: SimulatedTime, network: PodNetwork, forwardsWhileDraining: Bool) {
        self.gateway = gateway
        self.time = time
        self.network = network
        self.forwardsWhileDraining = forwardsWhileDraining
    }

    var now: Duration { time.monotonicNow() }
    var isOver: Bool { gateway.isOver }
    var isIdempotent: Bool { route?.isIdempotent ?? false }

    // MARK: Routes

    /// Takes a route a moment later, as a loop does that has other things to do; in the order in which they are told.
    func tell(_ route: ModelRoute?, shared: SharedModel?) {
        told.append((route, shared))
        time.alarm(after: network.milliseconds(0...3)) { [weak self] in
            guard let self, !isOver, !told.isEmpty else { return }
            let next = told.removeFirst()
            update(next.route, shared: next.shared)
        }
    }

    private func update(_ route: ModelRoute?, shared: SharedModel?) {
        if let shared, shared !== self.shared {
            retire(revisions)
            (revisions, self.shared) = ([], shared)
        }
        self.route = route
        var left = revisions
        revisions = (route?.revisions ?? []).compactMap { revision in
            if let index = left.firstIndex(where: { $0.name == revision.share.revision }) {
                return left.remove(at: index)
            }
            guard let shared, let part = shared.revision(revision.share.revision) else { return nil }
            return SimulatedRevision(revision, shared: part, model: shared, in: self)
        }
        for (revision, route) in zip(revisions, route?.revisions ?? []) { revision.update(route) }
        for revision in revisions where !revision.route.share.takesRequests { revision.sendElsewhere() }
        retire(left)
        if let route { shared?.applied(route.generation, by: ObjectIdentifier(self)) }
        if route == nil { self.shared = nil }
    }

    private func retire(_ left: [SimulatedRevision]) {
        for revision in left { revision.retire() }
        for revision in left { revision.sendElsewhere() }
        retired += left
    }

    private func next() -> SimulatedRevision? {
        if revisions.count == 1 { return revisions[0].route.share.takesRequests ? revisions[0] : nil }
        if let index = shared?.next(where: { revisions.indices.contains($0) && revisions[$0].canTakeRequests }) {
            return revisions[index]
        }
        return revisions.filter(\.route.share.takesRequests).max { $0.route.share.weight < $1.route.share.weight }
    }

    func expireIdle() { for revision in revisions { revision.expireIdle() } }

    func wakeFinished(_ revision: String, _ outcome: WakeOutcome) {
        revisions.first { $0.name == revision }?.wakeFinished(outcome)
    }

    func askToWake(_ revision: RevisionRoute) { gateway.askToWake(revision) }

    // MARK: Requests

    /// False where this loop knows of no such model.
    func take(_ request: SimulatedRequest) -> Bool {
        guard let shared else { return false }
        request.model = shared
        shared.meter.begin(now: now)
        requests.append(request)
        choose(request, avoiding: nil)
        return true
    }

    func choose(_ request: SimulatedRequest, avoiding avoided: Int?) {
        request.ticket = nil
        guard let revision = next() else { return answer(request, .unavailable("no revision serves", retryAfter: 5)) }
        request.revision = revision
        revision.connect(request, avoiding: avoided)
    }

    func answer(_ request: SimulatedRequest, _ answer: SimulatedRequest.Answer) {
        requests.removeAll { $0 === request }
        guard !request.isOver else { return }
        request.model?.meter.end(now: now)
        request.answer(answer)
    }

    /// The process ends: what it has is lost.
    func end(isFault: Bool) {
        let left = requests
        requests = []
        for request in left {
            if let connection = request.connection { network.hangUp(connection) }
            request.answer(.cut(isFault: isFault))
        }
    }
}
