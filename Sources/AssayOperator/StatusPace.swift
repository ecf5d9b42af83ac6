import AssayCore
import Concurrency
import KubernetesModel

/// When each object's status was written last, for as long as that holds back what concerns progress alone.
///
/// It may be lost with the process: progress is then told a little early.
final class StatusPace: Sendable {
    private struct State {
        var written: [ObjectKey: Duration] = [:]
        var mostAfterSweep = 0
    }

    private let state = Locked(State())

    /// How many objects are remembered.
    var count: Int { state.withLock { $0.written.count } }

    func note(_ key: ObjectKey, now: Duration) {
        state.withLock { state in
            state.written[key] = now
            // Whatever is older holds nothing back. Doubling between two sweeps makes each write pay for at most two.
            guard state.written.count > 2 * state.mostAfterSweep + 64 else { return }
            state.written = state.written.filter { now - $0.value < StatusWrite.progressInterval }
            state.mostAfterSweep = state.written.count
        }
    }

    /// How long this write has to wait; nil when it may be made.
    func wait(_ write: StatusWrite, _ key: ObjectKey, now: Duration) -> Duration? {
        guard write.isProgressAlone, let last = state.withLock({ $0.written[key] }) else { return nil }
        let left = StatusWrite.progressInterval - (now - last)
        return left > .zero ? left : nil
    }
}
