import APIServerModel
import Concurrency

/// A breach of an invariant.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
    public var invariant: String
    public var detail: String

    public var description: String { "\(invariant): \(detail)" }
}

/// Checks every state of the server as it comes.
final class Checker: Sendable {
    private struct State {
        var violation: Violation?
        var wasServed = false
        var states = 0
    }

    private let state = Locked(State())
    private let node: ScriptedNode
    private let trace: Trace

    init(node: ScriptedNode, trace: Trace) {
        self.node = node
        self.trace = trace
    }

    /// The first breach.
    var violation: Violation? { state.withLock { $0.violation } }
    var statesChecked: Int { state.withLock { $0.states } }

    func check(_ write: SimulatedServer.Write?, _ server: APIServer) {
        let wasServed = state.withLock { $0.wasServed }
        let moment = Moment(
            server: server, write: write, wasServed: wasServed, accuracy: { self.node.accuracy(ofRun: $0) },
            isAccepted: { self.node.isAccepted(revision: $0) })
        for invariant in Invariant.all {
            if let detail = invariant.breach(moment) { fail(Violation(invariant: invariant.name, detail: detail)) }
        }
        let isServed = server.isServed(Person.key)
        state.withLock { state in
            state.wasServed = isServed
            state.states += 1
        }
    }

    func fail(_ violation: Violation) {
        trace.add("VIOLATION \(violation)")
        state.withLock { $0.violation = $0.violation ?? violation }
    }
}
