import Concurrency
import ControllerRuntime

/// Whether the ports of all models that were there at the beginning have been opened. Before that a gateway that takes another's
/// place would refuse what the other takes; afterwards one port that cannot be opened is no reason to do without all others.
final class Opening: Sendable {
    private enum State {
        /// What models there are is not known yet.
        case waiting
        case missing(Set<Int>)
        case done
    }

    private let state = Locked(State.waiting)

    /// The routes are known, and these of their ports are not open.
    func note(missing ports: Set<Int>) {
        state.withLock { state in
            if case .done = state { return }
            state = ports.isEmpty ? .done : .missing(ports)
        }
    }

    var health: Health {
        switch state.withLock({ $0 }) {
        case .waiting: .unhealthy("the models are not known yet")
        case .missing(let ports):
            .unhealthy(
                "\(ports.count) of the models' ports are not open: \(ports.min().map(String.init) ?? "") and so on")
        case .done: .healthy
        }
    }
}
