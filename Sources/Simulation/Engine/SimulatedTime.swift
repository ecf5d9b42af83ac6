import Concurrency
import HeapModule

/// A clock that moves only when everything waits, and then to the next moment that somebody waits for.
///
/// Sleeping honours cancellation. Alarms are called at their moment, outside of any task.
final class SimulatedTime: TimeSource {
    private enum Waiter {
        case sleeper(CheckedContinuation<Void, any Error>)
        case alarm(@Sendable () -> Void)
    }

    private struct Moment: Comparable {
        var at: Duration
        var id: UInt64

        static func < (left: Moment, right: Moment) -> Bool { (left.at, left.id) < (right.at, right.id) }
    }

    private struct State {
        var now: Duration = .zero
        var lastID: UInt64 = 0
        var moments = Heap<Moment>()
        /// Those who were cancelled are missing here, and their moments are passed over.
        var waiters: [UInt64: Waiter] = [:]
        /// Tasks that were cancelled before they came to sleep.
        var cancelled: Set<UInt64> = []

        mutating func add(_ waiter: Waiter, id: UInt64, after delay: Duration) {
            waiters[id] = waiter
            moments.insert(Moment(at: now + max(.zero, delay), id: id))
        }

        mutating func nextID() -> UInt64 {
            lastID += 1
            return lastID
        }
    }

    /// 2026-01-01T00:00:00Z
    static let epoch: Duration = .seconds(1_767_225_600)
    private let state = Locked(State())

    func monotonicNow() -> Duration { state.withLock { $0.now } }
    func wallNow() -> Duration { Self.epoch + monotonicNow() }

    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        if duration <= .zero { return }
        let id = state.withLock { $0.nextID() }
        // The handler may run after the sleep was over; then nothing else takes its mark away.
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isCancelled = state.withLock { state -> Bool in
                    if state.cancelled.contains(id) { return true }
                    state.add(.sleeper(continuation), id: id, after: duration)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
                state.cancelled.insert(id)
                return nil
            }
            if case .sleeper(let continuation) = waiter { continuation.resume(throwing: CancellationError()) }
        }
    }

    /// Calls `body` once `delay` has passed.
    func alarm(after delay: Duration, _ body: @escaping @Sendable () -> Void) {
        state.withLock { state in
            let id = state.nextID()
            state.add(.alarm(body), id: id, after: delay)
        }
    }

    /// Forgets all alarms. Who made them may be held by them.
    func clear() {
        state.withLock { state in
            state.waiters = state.waiters.filter { if case .alarm = $0.value { false } else { true } }
        }
    }

    /// Moves to the next moment and wakes one who waits for it. False where nobody waits.
    func advance() -> Bool {
        let next = state.withLock { state -> Waiter? in
            while let moment = state.moments.popMin() {
                guard let waiter = state.waiters.removeValue(forKey: moment.id) else { continue }
                state.now = max(state.now, moment.at)
                return waiter
            }
            return nil
        }
        switch next {
        case .sleeper(let continuation): continuation.resume()
        case .alarm(let body): body()
        case nil: return false
        }
        return true
    }
}
