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

    /// In the order in which they came. They are few, so that a search costs less than a table.
    var endpoints: [EndpointState<Connection>] = []
    private var nextID: EndpointID = 0
    private var rotation = 0
    package internal(set) var waiting: HoldQueue<Request>
    /// Requests wait, and none is given a connection, whatever is free.
    package var isHolding = false
    private let settings: Settings

    /// How the loops share what each pod may have, wherever that is bounded.
    let line: SlotLine?

    package init(_ settings: Settings, budget: HoldBudget, line: SlotLine? = nil) {
        self.settings = settings
        self.line = line
        waiting = HoldQueue(budget: budget)
    }

    /// Whether a pod is known to take requests.
    package var isAvailable: Bool { endpoints.contains { $0.isOpen && !$0.isLeaving } }

    private func index(_ id: EndpointID) -> Int? { endpoints.firstIndex { $0.id == id } }

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
        if isBounded {
            guard let ticket = waiting.append(request, bytes: bytes, deadline: deadline()) else { return .refused }
            // Whoever came before it has looked for room.
            if waiting.count == 1, let next = takeTurn(avoiding: avoided) {
                return .connection(
                    next.connection, dialToFreerPod(than: next.others, avoiding: avoided, now: now))
            }
            return .waiting(ticket, dials(avoiding: avoided, now: now))
        }
        if !isHolding, waiting.isEmpty, let index = idlest(avoiding: avoided),
            let idle = endpoints[index].idle.popLast()
        {
            let dial = dialToFreerPod(than: endpoints[index].inUse, avoiding: avoided, now: now)
            endpoints[index].inUse += 1
            return .connection(idle.connection, dial)
        }
        guard let ticket = waiting.append(request, bytes: bytes, deadline: deadline()) else { return .refused }
        return .waiting(ticket, dials(avoiding: avoided, now: now))
    }

    /// Takes out those that wait for which a connection is free.
    package mutating func resume() -> [(request: Request, connection: Connection)] {
        var result: [(request: Request, connection: Connection)] = []
        if isHolding { return result }
        if isBounded {
            while let next = takeTurn() { result.append(next) }
            return result
        }
        while !waiting.isEmpty, let index = idlest(avoiding: nil), let idle = endpoints[index].idle.popLast() {
            guard let request = waiting.popFirst() else { break }
            endpoints[index].inUse += 1
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
    private mutating func idlest(avoiding avoided: EndpointID?) -> Int? {
        if endpoints.count == 1 { return 0 }
        var best: Int?
        var least = Int.max
        for offset in endpoints.indices {
            let index = (rotation + offset) % endpoints.count
            if endpoints[index].idle.isEmpty || endpoints[index].id == avoided || endpoints[index].inUse >= least {
                continue
            }
            (best, least) = (index, endpoints[index].inUse)
        }
        if !endpoints.isEmpty { rotation = (rotation + 1) % endpoints.count }
        return best
    }

    private mutating func dialToFreerPod(than inUse: Int, avoiding avoided: EndpointID?, now: Duration) -> Dial? {
        if endpoints.count < 2 { return nil }
        for index in endpoints.indices where endpoints[index].isUntouched(and: inUse) {
            if endpoints[index].id == avoided { continue }
            endpoints[index].beginDial(now: now)
            return Dial(id: endpoints[index].id, endpoint: endpoints[index].endpoint, isProbe: false)
        }
        return nil
    }

    // MARK: Connections

    /// The connections that the waiting requests need now and that may be made.
    package mutating func dials(avoiding avoided: EndpointID? = nil, now: Duration) -> [Dial] {
        if isHolding { return [] }
        // What becomes of an attempt that nobody knows the end of is not waited for, if there is another pod.
        var wanted = waiting.count
        for state in endpoints where state.isOpen && !state.isMute(now: now) { wanted -= state.dialing }
        var result: [Dial] = []
        while wanted > 0, let index = nextToDial(avoiding: avoided, now: now) {
            let state = endpoints[index]
            endpoints[index].beginDial(now: now)
            result.append(Dial(id: state.id, endpoint: state.endpoint, isProbe: !state.isOpen))
            wanted -= 1
        }
        return result
    }

    private func nextToDial(avoiding avoided: EndpointID?, now: Duration) -> Int? {
        var best: (index: Int, rank: Int)?
        for (index, state) in endpoints.enumerated() {
            if state.isLeaving || state.connections >= settings.connectionsPerPod { continue }
            if isBounded, state.isOpen, state.dialing + state.idle.count >= room(at: state) { continue }
            var rank = state.connections * 2 + (state.id == avoided ? 1 << 20 : 0)
            switch state.gate {
            case .open: if state.dialing >= settings.dialsPerPod || state.isMute(now: now) { continue }
            case .closed(_, let retryAt):
                if state.dialing > 0 || retryAt > now { continue }
                rank += 1 << 16
            case .waiting: continue
            }
            // Among equals the turn changes, so that few requests do not all go to the first.
            if index < rotation { rank += 1 }
            if best.map({ rank < $0.rank }) ?? true { best = (index, rank) }
        }
        return best?.index
    }

    /// When the next attempt to reach a pod is due; nil where nobody waits for one.
    package func nextAttempt() -> Duration? {
        if waiting.isEmpty || isHolding { return nil }
        var earliest: Duration?
        for state in endpoints where state.dialing == 0 && !state.isLeaving {
            if case .closed(_, let retryAt) = state.gate { earliest = min(earliest ?? retryAt, retryAt) }
        }
        return earliest
    }

    /// A connection is made. It is in use by the request that is returned, or idle; then whoever waits may have a turn.
    package mutating func connected(_ connection: Connection, _ id: EndpointID, now: Duration) -> Released {
        guard let index = index(id) else { return .close }
        endpoints[index].endDial(now: now)
        if endpoints[index].isLeaving {
            forgetIfSpent(id)
            return .close
        }
        endpoints[index].gate = .open
        if isBounded {
            // Whose turn it is shows ``takeTurn(avoiding:)``.
            endpoints[index].idle.append(.init(connection: connection, since: now))
            return .kept
        }
        endpoints[index].inUse += 1
        return release(connection, id, isUsable: true, now: now)
    }

    /// A pod that was asked answers, and its connection cannot be used for more.
    mutating func probed(_ id: EndpointID, now: Duration) {
        guard let index = index(id) else { return }
        endpoints[index].endDial(now: now)
        endpoints[index].gate = .open
        forgetIfSpent(id)
    }

    /// A connection could not be made.
    package mutating func dialFailed(_ id: EndpointID, now: Duration) {
        guard let index = index(id) else { return }
        var state = endpoints[index]
        state.endDial(now: now)
        var failures = 0
        if case .closed(let count, _) = state.gate { failures = count }
        if state.gate != .waiting {
            state.gate = .closed(failures: failures + 1, retryAt: now + state.delay(after: failures + 1))
        }
        endpoints[index] = state
        forgetIfSpent(id)
    }

    /// An exchange is over.
    ///
    /// - Parameter isUsable: whether the connection can carry another one.
    package mutating func release(_ connection: Connection, _ id: EndpointID, isUsable: Bool, now: Duration) -> Released
    {
        guard let index = index(id) else { return .close }
        if isBounded { return releaseTurn(connection, index, isUsable: isUsable, now: now) }
        if !isUsable || endpoints[index].isLeaving {
            endpoints[index].inUse -= 1
            forgetIfSpent(id)
            return .close
        }
        if !isHolding, let request = waiting.popFirst() { return .reuse(request) }
        endpoints[index].inUse -= 1
        endpoints[index].idle.append(.init(connection: connection, since: now))
        return .kept
    }

    /// A connection without a request has ended.
    package mutating func idleClosed(_ connection: Connection, _ id: EndpointID) {
        guard let index = index(id) else { return }
        endpoints[index].idle.removeAll { $0.connection === connection }
        forgetIfSpent(id)
    }

    /// A connection broke while a pod had a request, and nothing came back.
    ///
    /// - Parameter wasKept: it has carried an exchange before. Then a server may have ended, and all that was kept with it: a
    ///   request that may be sent again is not to meet one such connection after another.
    /// - Returns: its idle connections, if they are not trusted any more.
    package mutating func noteBreak(_ id: EndpointID, wasKept: Bool, now: Duration) -> [Connection] {
        guard let index = index(id) else { return [] }
        endpoints[index].breaks += 1
        let needsRest = endpoints[index].breaks >= settings.breaksBeforeRest && endpoints[index].isOpen
        if needsRest { endpoints[index].gate = .closed(failures: 1, retryAt: now + settings.rest) }
        guard needsRest || wasKept else { return [] }
        defer { endpoints[index].idle.removeAll() }
        return endpoints[index].idle.map(\.connection)
    }

    /// A pod has answered.
    package mutating func noteAnswer(_ id: EndpointID) {
        if let index = index(id), endpoints[index].breaks > 0 { endpoints[index].breaks = 0 }
    }

    /// Takes out connections that have been idle for too long, and returns them.
    package mutating func expireIdle(now: Duration) -> [Connection] {
        var old: [Connection] = []
        for index in endpoints.indices {
            let count = endpoints[index].idle.prefix { $0.since + settings.idleTimeout <= now }.count
            old += endpoints[index].idle.prefix(count).map(\.connection)
            endpoints[index].idle.removeFirst(count)
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
        for place in endpoints.indices {
            var state = endpoints[place]
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
            endpoints[place] = state
        }
        endpoints.removeAll(where: \.isSpent)
        rotation = 0
        for endpoint in left {
            endpoints.append(EndpointState(nextID, endpoint, now: now))
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

    mutating func forgetIfSpent(_ id: EndpointID) {
        guard let index = index(id), endpoints[index].isSpent else { return }
        endpoints.remove(at: index)
        rotation = 0
    }
}
