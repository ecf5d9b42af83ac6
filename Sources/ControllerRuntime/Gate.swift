import Concurrency

/// Closed at first, then open for good: what many tasks wait for.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var nextID: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, any Error>] = [:]
        var cancelled: Set<UInt64> = []
    }

    private let state = Locked(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters.sorted { $0.key < $1.key }.map(\.value)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once the gate is open; throws `CancellationError` when the task is cancelled first.
    func wait() async throws {
        if isOpen { return }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        // The handler may run after the wait was over; then nothing takes its mark away but this.
        defer {
            state.withLock { state in
                state.cancelled.remove(id)
                return
            }
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { enter(id, $0) }
        } onCancel: {
            cancel(id)
        }
    }

    private func enter(_ id: UInt64, _ continuation: CheckedContinuation<Void, any Error>) {
        enum Answer { case wait, open, cancelled }
        let answer = state.withLock { state -> Answer in
            // Cancellation may have come before the continuation existed.
            if state.cancelled.remove(id) != nil { return .cancelled }
            if state.isOpen { return .open }
            state.waiters[id] = continuation
            return .wait
        }
        switch answer {
        case .wait: break
        case .open: continuation.resume()
        case .cancelled: continuation.resume(throwing: CancellationError())
        }
    }

    private func cancel(_ id: UInt64) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
            if !state.isOpen { state.cancelled.insert(id) }
            return nil
        }
        waiter?.resume(throwing: CancellationError())
    }
}
