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
    /// That it was woken has been told.
    private var isCounted = false
    /// From the first request that found it asleep until one is forwarded.
    private var coldStart: ColdStart?
    /// Pods that were there before, which tell nothing of a cold start.
    private var known: Set<String> = []
    /// Pods that have come since.
    private var come: Set<String> = []

    /// A request needs a pod and there is none.
    package mutating func request(now: Duration) -> Decision {
        switch phase {
        case .resting: break
        case .waking: return hold(now: now)
        case .woken(let moment): if now < moment { return hold(now: now) }
        case .failed(let reason, let until): if now < until { return .refuse(reason, after: until - now) }
        }
        _ = hold(now: now)
        phase = .waking
        asked += 1
        return .start
    }

    private mutating func hold(now: Duration) -> Decision {
        // One that is still to be forwarded is over with the next.
        if coldStart?.isOver(.ready) ?? true { begin(now: now) }
        return .hold
    }

    private mutating func begin(now: Duration) {
        endColdStart()
        coldStart = ColdStart(began: now)
        // Those for whom it was woken have gone meanwhile.
        if case .woken = phase { coldStart?.end(.patch, now: now) }
    }

    /// An attempt is over.
    ///
    /// - Returns: whether it is one to be counted: asking again for what does not come is not.
    @discardableResult
    package mutating func finished(_ outcome: WakeOutcome, now: Duration) -> Bool {
        switch outcome {
        case .awake:
            failures = 0
            phase = .woken(askAgainAt: now + .seconds(min(30, 5 * asked)))
            coldStart?.end(.patch, now: now)
            defer { isCounted = true }
            return !isCounted
        case .failed(let reason):
            failures += 1
            phase = .failed(reason, until: now + .seconds(min(30, 1 << min(5, failures - 1))))
            // Whoever waited is refused.
            endColdStart()
            return true
        }
    }

    /// A pod answers.
    package mutating func ready(now: Duration) {
        if phase == .resting { return }
        (phase, failures, asked, isCounted) = (.resting, 0, 0, false)
        coldStart?.end(.ready, now: now)
    }

    // MARK: The cold start

    /// A pod of the revision is there, and so far.
    package mutating func saw(_ pod: String, _ progress: PodProgress, now: Duration) {
        guard coldStart != nil else {
            known.insert(pod)
            return
        }
        guard !known.contains(pod) else { return }
        come.insert(pod)
        for (step, phase) in [(.bound, .schedule), (.fetched, .fetch), (.started, .start)]
            as [(PodProgress, ColdStart.Phase)]
        where progress >= step {
            coldStart?.end(phase, now: now)
        }
    }

    /// A pod of the revision has gone, or is about to.
    package mutating func lost(_ pod: String) {
        known.remove(pod)
        come.remove(pod)
    }

    /// A request that was held has been given to a pod.
    ///
    /// - Returns: the parts of the cold start that this ends; nil where it ends none.
    package mutating func forwarded(now: Duration) -> [ColdStart.Part]? {
        guard let coldStart, coldStart.isOver(.ready) else { return nil }
        endColdStart()
        return coldStart.parts(until: now)
    }

    /// No request waits any more, and none of them was forwarded.
    package mutating func nobodyWaits() { endColdStart() }

    private mutating func endColdStart() {
        coldStart = nil
        known.formUnion(come)
        come = []
    }
}
