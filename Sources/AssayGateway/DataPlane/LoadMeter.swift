import Concurrency

/// Counts the requests that a model has, in flight or held, and for how long, over all event loops.
package final class LoadMeter: Sendable {
    struct Reading: Sendable, Hashable {
        var active = 0
        /// Since the beginning.
        var requests: Int64 = 0
        /// The time that requests were active, all together.
        var busySeconds = 0.0
    }

    private struct State {
        var reading = Reading()
        var since = Duration.zero

        /// Loops read their clocks now and then, so that one may be a little behind.
        mutating func advance(to now: Duration) {
            guard now > since else { return }
            let (seconds, attoseconds) = (now - since).components
            reading.busySeconds += Double(reading.active) * (Double(seconds) + Double(attoseconds) * 1e-18)
            since = now
        }
    }

    private let state = Locked(State())

    package func begin(now: Duration) {
        state.withLock { state in
            state.advance(to: now)
            state.reading.active += 1
            state.reading.requests += 1
        }
    }

    package func end(now: Duration) {
        state.withLock { state in
            state.advance(to: now)
            state.reading.active -= 1
        }
    }

    func read(now: Duration) -> Reading {
        state.withLock { state in
            state.advance(to: now)
            return state.reading
        }
    }
}
