/// Where each pod may have only so many requests at a time: whoever waits takes its turn among those of all event loops.
///
/// A connection is dialled only where there is room, and reserves none. So a request may find, once it has a connection, that
/// another was sooner; the connection is kept, and its loop is the first to be asked when there is room again.
extension RevisionPool {
    /// Whether pods may have only so many.
    var isBounded: Bool { waiting.line != nil }

    /// Begins or ceases to share what each pod may have with the other loops.
    mutating func setBounded(_ bounded: Bool) {
        guard let line, bounded != isBounded else { return }
        for state in endpoints { line.slots.adjust(state.endpoint.pod, by: bounded ? state.inUse : -state.inUse) }
        waiting.line = bounded ? line : nil
    }

    func room(at state: EndpointState<Connection>) -> Int { line?.slots.room(at: state.endpoint.pod) ?? .max }

    /// Takes out the request that has waited longest, if it is its turn and a connection is free to a pod that has room.
    package mutating func takeTurn() -> (request: Request, connection: Connection)? {
        takeTurn(avoiding: nil).map { ($0.request, $0.connection) }
    }

    /// - Parameter avoided: a pod that is taken only where there is no other.
    /// - Returns: also how many more its loop had at that pod.
    mutating func takeTurn(
        avoiding avoided: EndpointID?
    ) -> (request: Request, connection: Connection, others: Int)? {
        guard isBounded, let line, !waiting.isEmpty else { return nil }
        var usable: [Int] = []
        if !isHolding {
            usable = endpoints.indices.filter { !endpoints[$0].idle.isEmpty && !endpoints[$0].isLeaving }
            if endpoints.count > 1 { usable.removeAll { endpoints[$0].id == avoided } }
        }
        guard let taken = line.slots.take(usable.map { endpoints[$0].endpoint.pod }, by: line.member) else {
            return nil
        }
        let index = usable[taken]
        guard let request = waiting.popFirst(), let idle = endpoints[index].idle.popLast() else { return nil }
        endpoints[index].inUse += 1
        return (request, idle.connection, endpoints[index].inUse - 1)
    }

    /// An exchange is over: its place is the next one's, on whichever loop that waits.
    mutating func releaseTurn(_ connection: Connection, _ index: Int, isUsable: Bool, now: Duration) -> Released {
        let (id, pod) = (endpoints[index].id, endpoints[index].endpoint.pod)
        let isKept = isUsable && !endpoints[index].isLeaving
        let hasNext = isKept && !isHolding && !waiting.isEmpty
        if let line, line.slots.release(pod, by: line.member, hasNext: hasNext), let request = waiting.popFirst() {
            return .reuse(request)
        }
        endpoints[index].inUse -= 1
        guard isKept else {
            forgetIfSpent(id)
            return .close
        }
        endpoints[index].idle.append(.init(connection: connection, since: now))
        return .kept
    }
}
