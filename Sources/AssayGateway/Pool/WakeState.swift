/// What came of an attempt to wake a revision.
public enum WakeOutcome: Sendable, Hashable {
    /// It was scaled up, by us or by somebody else.
    case awake
    /// It could not be, for this reason.
    case failed(String)
}

/// Whether a revision has to be woken now, and how long a failure counts.
///
/// Requests that come while one attempt is under way, or after one that worked, start no other; after one that failed they
/// are refused with its reason until the next is due.
package struct WakeState: Sendable, Hashable {
    package enum Phase: Sendable, Hashable {
        case resting
        case waking
        /// Its pods are on their way; asked again after this moment if they are not there.
        case woken(askAgainAt: Duration)
        case failed(String, until: Duration)
    }

    package enum Decision: Sendable, Hashable {
        /// Start an attempt, and hold the request.
        case start
        /// Hold the request.
        case hold
        /// Refuse it, with this reason; after so long it may be tried again.
        case refuse(String, after: Duration)
    }

    package private(set) var phase = Phase.resting
    private var failures = 0
    private var asked = 0
    /// When the first request came that found it asleep.
    private var began: Duration?

    /// A request needs a pod and there is none.
    package mutating func request(now: Duration) -> Decision {
        switch phase {
        case .resting: break
        case .waking: return .hold
        case .woken(let moment): if now < moment { return .hold }
        case .failed(let reason, let until): if now < until { return .refuse(reason, after: until - now) }
        }
        phase = .waking
        asked += 1
        if began == nil { began = now }
        return .start
    }

    /// An attempt is over.
    package mutating func finished(_ outcome: WakeOutcome, now: Duration) {
        switch outcome {
        case .awake:
            failures = 0
            phase = .woken(askAgainAt: now + .seconds(min(30, 5 * asked)))
        case .failed(let reason):
            failures += 1
            phase = .failed(reason, until: now + .seconds(min(30, 1 << min(5, failures - 1))))
        }
    }

    /// A pod answers.
    ///
    /// - Returns: how long the cold start took that this ends; nil where it ends none.
    package mutating func ready(now: Duration) -> Duration? {
        if phase == .resting { return nil }
        defer { self = WakeState() }
        return began.map { now - $0 }
    }
}
