/// What the measurements of a canary say of it.
enum CanaryAnalysis: Sendable, Hashable {
    case passed
    /// Nothing can be said yet; why.
    case waiting(String)
    /// A bound is exceeded; the figures.
    case violated(String)

    /// - Parameter count: nil where nobody has listened in this step.
    init(_ count: CanaryCount?, by rules: RolloutSpec.Analysis) {
        guard let count else {
            self = .waiting("nothing was measured yet")
            return
        }
        if let figures = Self.violation(count.total, rules) ?? Self.violation(count.inStep, rules) {
            self = .violated(figures)
        } else if !count.isComplete {
            self = .waiting("a gateway does not say what it has measured")
        } else if count.inStep.requests < rules.neededRequests {
            self = .waiting("\(count.inStep.requests) of \(rules.neededRequests) requests")
        } else {
            self = .passed
        }
    }

    /// A bound that is exceeded, whatever the requests that are missing would be like.
    static func violation(_ load: RevisionLoad, _ rules: RolloutSpec.Analysis) -> String? {
        let least = rules.neededRequests
        if let most = rules.maxErrorRate, let rate = load.errorRate(ofAtLeast: least), rate > most {
            return "\(load.errors) of \(load.requests) requests failed (maxErrorRate \(Number.short(most)))"
        }
        if let text = rules.maxLatencyP99, let most = DurationText.seconds(text),
            let latency = load.latency(0.99, ofAtLeast: least), latency > most
        {
            return "the 99th percentile of \(load.requests) requests is \(Self.words(latency)) (maxLatencyP99 \(text))"
        }
        return nil
    }

    /// A bound of a bucket.
    private static func words(_ seconds: Double) -> String {
        let bounds = RevisionLoad.latencyBounds
        guard seconds.isFinite else { return "above \(Number.short(bounds[bounds.count - 1])) s" }
        let below = bounds.last { $0 < seconds } ?? 0
        return "between \(Number.short(below)) s and \(Number.short(seconds)) s"
    }
}
