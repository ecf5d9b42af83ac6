import AssayCore

/// What an event loop knows of a revision: its route, its pods and who waits for them, and which of the pods may be trusted
/// around its sleep.
///
/// While it drains nothing more is sent to its pods: what comes is held, and called for by that. Once it sleeps, the pods that it
/// had until then may be going, whatever the watch says so far.
package struct RevisionState<Connection: AnyObject, Request: AnyObject> {
    package typealias Pool = RevisionPool<Connection, Request>

    package private(set) var route: RevisionRoute
    package var pool: Pool
    /// Pods that it had when it was sent to sleep.
    private var distrusted: Set<String> = []

    /// - Parameter line: of the loop that this is, among those that share what each pod may have.
    package init(
        _ route: RevisionRoute, _ settings: Pool.Settings, budget: HoldBudget, line: SlotLine? = nil, now: Duration
    ) {
        self.route = route
        pool = Pool(settings, budget: budget, line: line)
        pool.setBounded(route.concurrency != nil)
        if route.share.state == .hibernating { distrusted = Set(route.endpoints.map(\.pod)) }
        pool.isHolding = route.share.state == .draining
        _ = pool.update(endpoints, now: now)
    }

    /// Its pods, as far as requests may be given to them.
    private var endpoints: [Endpoint] {
        distrusted.isEmpty ? route.endpoints : route.endpoints.filter { !distrusted.contains($0.pod) }
    }

    private var sleeps: Bool { route.share.state == .hibernating || route.share.state == .draining }

    /// Requests may go there, and a pod is there for them.
    package var canTakeRequests: Bool { route.share.takesRequests && pool.isAvailable }

    /// Its pods answer, and whoever waits does so because they have all that they may.
    package var isBusy: Bool { route.concurrency ?? 0 > 0 && pool.isAvailable }

    /// A request that comes now has to wake it.
    package var needsWaking: Bool { sleeps && endpoints.isEmpty }

    /// Asks for a connection, see ``RevisionPool/acquire(_:avoiding:bytes:deadline:now:)``.
    ///
    /// - Parameter isWaking: an attempt to wake it is under way, or has worked: then it is worth waiting longer.
    package mutating func acquire(
        _ request: Request, avoiding avoided: Pool.EndpointID?, bytes: Int, isWaking: @autoclosure () -> Bool,
        limits: GatewayLimits, now: Duration
    ) -> Pool.Acquired {
        let isLong = sleeps || isBusy
        return pool.acquire(
            request, avoiding: avoided, bytes: bytes,
            deadline: now + (isLong || isWaking() ? limits.wakeTimeout : limits.unreadyTimeout), now: now)
    }

    /// Takes its route as it is now, and counts what its pods have where that is bounded.
    ///
    /// - Returns: idle connections that are to be closed, and requests that have waited and now have one.
    package mutating func update(
        _ route: RevisionRoute, now: Duration
    ) -> (closing: [Connection], resumed: [(request: Request, connection: Connection)]) {
        let (before, after) = (self.route.share.state, route.share.state)
        if after != .hibernating {
            distrusted = []
        } else if before != .hibernating {
            distrusted = Set((self.route.endpoints + route.endpoints).map(\.pod))
        }
        self.route = route
        pool.isHolding = after == .draining
        let closing = pool.update(endpoints, now: now)
        pool.setBounded(route.concurrency != nil)
        return (closing, pool.resume())
    }
}
