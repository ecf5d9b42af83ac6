/// How far a pod has come on its way to serving.
package enum PodProgress: Int, Sendable, Hashable, Comparable {
    case none
    /// It has a node.
    case bound
    /// Its init containers, which fetch what it serves, are done.
    case fetched
    /// The container that serves runs.
    case started

    package static func < (left: PodProgress, right: PodProgress) -> Bool { left.rawValue < right.rawValue }
}

/// The way from a request that found its revision asleep to the pod that has it, by one monotonic clock: each moment is when the
/// gateway saw it, for the pod's own times are of other machines, and whole seconds.
package struct ColdStart: Sendable, Hashable {
    /// What the time went to, one after the other.
    package enum Phase: String, Sendable, Hashable, CaseIterable {
        /// Until the API server has answered.
        case patch
        /// Until the first pod has a node.
        case schedule
        /// Until its init containers are done.
        case fetch
        /// Until its container runs.
        case start
        /// Until it answers.
        case ready
        /// Until it has the first byte of the first request.
        case forward
    }

    /// How long one of them took.
    package struct Part: Sendable, Hashable {
        package var phase: Phase
        package var duration: Duration
    }

    /// When the request came.
    let began: Duration
    private var ends: [Phase: Duration] = [:]

    init(began: Duration) { self.began = began }

    /// A phase is over. Only the first time counts, and nothing once a pod answers: what the kubelet tells later was before that.
    mutating func end(_ phase: Phase, now: Duration) {
        if ends[phase] == nil, ends[.ready] == nil { ends[phase] = now }
    }

    func isOver(_ phase: Phase) -> Bool { ends[phase] != nil }

    /// All phases, which together are the whole. One whose end nobody saw, or saw too late, has no time of its own: the next has it. Of
    /// those that were seen at once the first has the time.
    ///
    /// - Parameter end: when the first request was forwarded.
    func parts(until end: Duration) -> [Part] {
        var last = began
        return Phase.allCases.map { phase in
            let until = max(last, phase == .forward ? end : ends[phase] ?? last)
            defer { last = until }
            return Part(phase: phase, duration: until - last)
        }
    }
}
