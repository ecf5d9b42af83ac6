/// A time source that stands still until it is told to advance.
///
/// `advance(by:)` wakes the sleepers whose moment has come, in the order of their moments; among equal ones the first
/// to sleep wakes first. Sleeping honours cancellation.
public final class ManualTime: TimeSource {
    private struct Sleeper {
        let id: UInt64
        let at: Duration
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Duration
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        /// Tasks that were cancelled before they came to sleep.
        var cancelled: Set<UInt64> = []
        var observers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Locked<State>
    private let epoch: Duration

    /// - Parameter epoch: what `wallNow()` is at the start; 2026-01-01T00:00:00Z unless told.
    public init(epoch: Duration = .seconds(1_767_225_600)) {
        self.epoch = epoch
        state = Locked(State(now: .zero))
    }

    public func monotonicNow() -> Duration { state.withLock { $0.now } }
    public func wallNow() -> Duration { epoch + monotonicNow() }

    /// How many tasks sleep now.
    public var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    public func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        if duration <= .zero { return }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                enter(id: id, duration: duration, continuation)
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func enter(id: UInt64, duration: Duration, _ continuation: CheckedContinuation<Void, any Error>) {
        let (isCancelled, woken) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
            if state.cancelled.remove(id) != nil { return (true, []) }
            state.sleepers.append(Sleeper(id: id, at: state.now + duration, continuation: continuation))
            let count = state.sleepers.count
            let woken = state.observers.filter { $0.count <= count }.map(\.continuation)
            state.observers.removeAll { $0.count <= count }
            return (false, woken)
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
        for observer in woken { observer.resume() }
    }

    private func cancel(_ id: UInt64) {
        let sleeper = state.withLock { state -> Sleeper? in
            guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.sleepers.remove(at: index)
        }
        sleeper?.continuation.resume(throwing: CancellationError())
    }

    /// Moves the time and wakes whom it concerns.
    public func advance(by duration: Duration) {
        let woken = state.withLock { state -> [Sleeper] in
            state.now += duration
            let now = state.now
            let due = state.sleepers.filter { $0.at <= now }.sorted { ($0.at, $0.id) < ($1.at, $1.id) }
            state.sleepers.removeAll { $0.at <= now }
            return due
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }

    /// Returns once at least `count` tasks sleep: what a test awaits before it advances the time.
    public func waitForSleepers(_ count: Int) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let ready = state.withLock { state -> Bool in
                if state.sleepers.count >= count { return true }
                state.observers.append((count, continuation))
                return false
            }
            if ready { continuation.resume() }
        }
    }
}
