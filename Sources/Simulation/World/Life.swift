import Concurrency

/// One life of an operator's process: from its start to a crash or the end of the simulation.
final class Life: Sendable {
    private struct State {
        var isOver = false
        var mourners: [@Sendable () -> Void] = []
    }

    /// So many writes behind is the first list of each kind.
    let behind: Int
    /// Until then watches that begin at such a list say nothing.
    let catchesUp: Duration
    private let state = Locked(State())

    init(behind: Int, catchesUp: Duration) {
        self.behind = behind
        self.catchesUp = catchesUp
    }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// Nothing of this process reaches the world any more.
    func end() {
        let mourners = state.withLock { state in
            state.isOver = true
            defer { state.mourners = [] }
            return state.mourners
        }
        for mourner in mourners { mourner() }
    }

    func onDeath(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.mourners.append(body) } }
}
