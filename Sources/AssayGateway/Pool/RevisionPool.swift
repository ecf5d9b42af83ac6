/// The connections of one event loop to the pods of one revision, and the requests that wait for one.
///
/// A value that does no I/O: its functions say what is to be done, and its owner does it and tells what came of it. That
/// requests wait in one line, whether for a pod that is being started or for a connection to one, keeps them in order.
package struct RevisionPool<Connection: AnyObject, Request: AnyObject> {
    /// A pod, for as long as the pool knows it.
    package typealias EndpointID = Int
    package typealias Ticket = HoldQueue<Request>.Ticket

    package struct Settings: Sendable, Hashable {
        var connectionsPerPod: Int
        var dialsPerPod: Int
        var idleTimeout: Duration
        /// Connections in a row that break without an answer before a pod is given a rest.
        var breaksBeforeRest = 3
        /// How long that rest is.
        var rest: Duration = .milliseconds(100)

        package init(connectionsPerPod: Int, dialsPerPod: Int, idleTimeout: Duration) {
            self.connectionsPerPod = connectionsPerPod
            self.dialsPerPod = dialsPerPod
            self.idleTimeout = idleTimeout
        }

        package init(_ limits: GatewayLimits) {
            self.init(
                connectionsPerPod: limits.connectionsPerPod, dialsPerPod: limits.dialsPerPod,
                idleTimeout: limits.podIdleTimeout)
        }
    }

    /// A connection to be made.
    package struct Dial: Hashable {
        package var id: EndpointID
        package var endpoint: Endpoint
        /// It is not known to answer: it is asked first, as its probe says.
        package var isProbe: Bool
    }

    package enum Acquired {
        /// One that is free; and another to be made, to a pod that has less to do and none yet.
        case connection(Connection, Dial?)
        case waiting(Ticket, [Dial])
        /// Too many wait.
        case refused
    }

    /// What became of a connection that was given back.
    package enum Released {
        case reuse(Request)
        case kept
        case close
    }

    private(set) var endpoints: [EndpointID: EndpointState<Connection>] = [:]
    /// The ids in a fixed order, for the search.
    private(set) var order: [EndpointID] = []
    private var nextID: EndpointID = 0
    private var rotation = 0
    package private(set) var waiting: HoldQueue<Request>
    /// Requests wait, and none is given a connection, whatever is free.
    package var isHolding = false
    private let settings: Settings

    package init(_ settings: Settings, budget: HoldBudget) {
        self.settings = settings
        waiting = HoldQueue(budget: budget)
    }

    /// Whether a pod is known to take requests.
    package var isAvailable: Bool { order.contains { endpoints[$0].map { $0.isOpen && !$0.isLeaving } ?? false } }

    // MARK: Requests

    /// Asks for a connection.
    ///
    /// - Parameters:
    ///   - avoided: the pod that has just failed this request; another is taken if there is one.
    ///   - bytes: what has been read of the request.
    ///   - deadline: until when it may wait.
    package mutating func acquire(
        _ request: Request, avoiding avoided: EndpointID? = nil, bytes: Int, deadline: @autoclosure () -> Duration,
        now: Duration
    ) -> Acquired {
        if !isHolding, waiting.isEmpty, let id = idlest(avoiding: avoided) {
            let dial = dialToFreerPod(than: endpoints[id]?.inUse ?? 0, avoiding: avoided)
            endpoints[id]?.inUse += 1
            if let idle = endpoints[id]?.idle.popLast() { return .connection(idle.connection, dial) }
        }
        guard let ticket = waiting.append(request, bytes: bytes, deadline: deadline()) else { return .refused }
        return .waiting(ticket, dials(avoiding: avoided, now: now))
    }

    /// Takes out those that wait for which a connection is free.
    package mutating func resume() -> [(request: Request, connection: Connection)] {
        var result: [(request: Request, connection: Connection)] = []
        while !waiting.isEmpty, let id = idlest(avoiding: nil), let idle = endpoints[id]?.idle.popLast() {
            guard let request = waiting.popFirst() else { break }
            endpoints[id]?.inUse += 1
            result.append((request, idle.connection))
        }
        return result
    }

    /// A request does not wait any longer.
    package mutating func cancel(_ ticket: Ticket) { waiting.remove(ticket) }

    /// Takes out requests that have waited too long.
    package mutating func expire(now: Duration) -> [Request] { waiting.expire(now: now) }

    /// Takes out all requests that wait.
    package mutating func removeWaiting() -> [Request] { waiting.removeAll() }

    /// Of the pods with a free connection the one that has least to do; among equals, in turn.
    private mutating func idlest(avoiding avoided: EndpointID?) -> EndpointID? {
        if order.count == 1 { return endpoints[order[0]]?.idle.isEmpty == false ? order[0] : nil }
        var best: EndpointID?
        var least = Int.max
        for offset in order.indices {
            let id = order[(rotation + offset) % order.count]
            guard let state = endpoints[id], !state.idle.isEmpty, id != avoided, state.inUse < least else { continue }
            (best, least) = (id, state.inUse)
        }
        if !order.isEmpty { rotation = (rotation + 1) % order.count }
        return best
    }

    private mutating func dialToFreerPod(than inUse: Int, avoiding avoided: EndpointID?) -> Dial? {
        if order.count < 2 { return nil }
        for id in order where id != avoided {
            guard let state = endpoints[id], state.isOpen, !state.isLeaving, state.idle.isEmpty, state.dialing == 0,
                state.inUse < inUse
            else { continue }
            endpoints[id]?.dialing += 1
            return Dial(id: id, endpoint: state.endpoint, isProbe: false)
        }
        return nil
    }

    // MARK: Connections

    /// The connections that the waiting requests need now and that may be made.
    package mutating func dials(avoiding avoided: EndpointID? = nil, now: Duration) -> [Dial] {
        if isHolding { return [] }
        var wanted = waiting.count - order.reduce(0) { $0 + (endpoints[$1]?.dialing ?? 0) }
        var result: [Dial] = []
        while wanted > 0, let id = nextToDial(avoiding: avoided, now: now) {
            guard let state = endpoints[id] else { break }
            endpoints[id]?.dialing += 1
            result.append(Dial(id: id, endpoint: state.endpoint, isProbe: !state.isOpen))
            wanted -= 1
        }
        return result
    }

    private func nextToDial(avoiding avoided: EndpointID?, now: Duration) -> EndpointID? {
        var best: (id: EndpointID, rank: Int)?
        for (position, id) in order.enumerated() {
            guard let state = endpoints[id], !state.isLeaving, state.connections < settings.connectionsPerPod else {
                continue
            }
            var rank = state.connections * 2 + (id == avoided ? 1 << 20 : 0)
            switch state.gate {
            case .open: if state.dialing >= settings.dialsPerPod { continue }
            case .closed(_, let retryAt):
                if state.dialing > 0 || retryAt > now { continue }
                rank += 1 << 16
            case .waiting: continue
            }
            // Among equals the turn changes, so that few requests do not all go to the first.
            if position < rotation { rank += 1 }
            if best.map({ rank < $0.rank }) ?? true { best = (id, rank) }
        }
        return best?.id
    }

    /// When the next attempt to reach a pod is due; nil where nobody waits for one.
    package func nextAttempt() -> Duration? {
        if waiting.isEmpty || isHolding { return nil }
        var earliest: Duration?
        for state in endpoints.values where state.dialing == 0 && !state.isLeaving {
            if case .closed(_, let retryAt) = state.gate { earliest = min(earliest ?? retryAt, retryAt) }
        }
        return earliest
    }

    /// A connection is made. It is in use by the request that is returned, or idle.
    package mutating func connected(_ connection: Connection, _ id: EndpointID, now: Duration) -> Released {
        guard endpoints[id] != nil else { return .close }
        endpoints[id]?.dialing -= 1
        endpoints[id]?.inUse += 1
        if endpoints[id]?.isLeaving == true { return release(connection, id, isUsable: false, now: now) }
        endpoints[id]?.gate = .open
        return release(connection, id, isUsable: true, now: now)
    }

    /// A pod that was asked answers, and its connection cannot be used for more.
    mutating func probed(_ id: EndpointID) {
        endpoints[id]?.dialing -= 1
        endpoints[id]?.gate = .open
        forgetIfSpent(id)
    }

    /// A connection could not be made.
    package mutating func dialFailed(_ id: EndpointID, now: Duration) {
        guard var state = endpoints[id] else { return }
        state.dialing -= 1
        var failures = 0
        if case .closed(let count, _) = state.gate { failures = count }
        if state.gate != .waiting {
            state.gate = .closed(failures: failures + 1, retryAt: now + state.delay(after: failures + 1))
        }
        endpoints[id] = state
        forgetIfSpent(id)
    }

    /// An exchange is over.
    ///
    /// - Parameter isUsable: whether the connection can carry another one.
    package mutating func release(_ connection: Connection, _ id: EndpointID, isUsable: Bool, now: Duration) -> Released
    {
        guard let state = endpoints[id] else { return .close }
        if !isUsable || state.isLeaving {
            endpoints[id]?.inUse -= 1
            forgetIfSpent(id)
            return .close
        }
        if !isHolding, let request = waiting.popFirst() { return .reuse(request) }
        endpoints[id]?.inUse -= 1
        endpoints[id]?.idle.append(.init(connection: connection, since: now))
        return .kept
    }

    /// A connection without a request has ended.
    package mutating func idleClosed(_ connection: Connection, _ id: EndpointID) {
        endpoints[id]?.idle.removeAll { $0.connection === connection }
        forgetIfSpent(id)
    }

    /// A connection broke while a pod had a request, and nothing came back.
    package mutating func noteBreak(_ id: EndpointID, now: Duration) {
        guard var state = endpoints[id] else { return }
        state.breaks += 1
        if state.breaks >= settings.breaksBeforeRest, state.isOpen {
            state.gate = .closed(failures: 1, retryAt: now + settings.rest)
        }
        endpoints[id] = state
    }

    /// A pod has answered.
    package mutating func noteAnswer(_ id: EndpointID) {
        if let breaks = endpoints[id]?.breaks, breaks > 0 { endpoints[id]?.breaks = 0 }
    }

    /// Takes out connections that have been idle for too long, and returns them.
    package mutating func expireIdle(now: Duration) -> [Connection] {
        var old: [Connection] = []
        for id in order {
            guard let idle = endpoints[id]?.idle, let first = idle.first, first.since + settings.idleTimeout <= now
            else { continue }
            let count = idle.prefix { $0.since + settings.idleTimeout <= now }.count
            old += idle.prefix(count).map(\.connection)
            endpoints[id]?.idle.removeFirst(count)
        }
        return old
    }

    // MARK: Pods

    /// Takes the pods as they are now.
    ///
    /// - Returns: idle connections to pods that are gone or not ready any more.
    package mutating func update(_ current: [Endpoint], now: Duration) -> [Connection] {
        var closing: [Connection] = []
        var left = current
        for id in order {
            guard var state = endpoints[id] else { continue }
            let wasReady = state.endpoint.isReady
            let index = left.firstIndex { $0.pod == state.endpoint.pod && $0.address == state.endpoint.address }
            if let index, left[index].port == state.endpoint.port {
                take(left.remove(at: index), into: &state, now: now)
            } else {
                state.isLeaving = true
            }
            if state.isLeaving || (wasReady && !state.endpoint.isReady) {
                closing += state.idle.map(\.connection)
                state.idle.removeAll()
            }
            endpoints[id] = state
            forgetIfSpent(id)
        }
        for endpoint in left {
            endpoints[nextID] = EndpointState(endpoint, now: now)
            order.append(nextID)
            nextID += 1
        }
        return closing
    }

    private func take(_ endpoint: Endpoint, into state: inout EndpointState<Connection>, now: Duration) {
        let (was, isNow) = (state.endpoint.isReady, endpoint.isReady)
        state.endpoint = endpoint
        state.isLeaving = false
        if was == isNow { return }
        // What the gateway found out for itself the kubelet only confirms.
        if !isNow || !state.isOpen { state.gate = EndpointState<Connection>.gate(of: endpoint, now: now) }
    }

    private mutating func forgetIfSpent(_ id: EndpointID) {
        guard endpoints[id]?.isSpent == true else { return }
        endpoints[id] = nil
        order.removeAll { $0 == id }
        rotation = 0
    }
}
