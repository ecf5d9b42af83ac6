extension Threshold {
    /// One bound of a threshold.
    enum Rule: Sendable, Hashable {
        case threshold(Double)
        case absoluteChange(Double)
        case relativeChange(Double)
        case generalizationGap(Double)

        /// With what serves.
        var compares: Bool {
            switch self {
            case .absoluteChange, .relativeChange: true
            case .threshold, .generalizationGap: false
            }
        }

        /// The field of the spec.
        var name: String {
            switch self {
            case .threshold: "threshold"
            case .absoluteChange: "minAbsoluteChange"
            case .relativeChange: "minRelativeChange"
            case .generalizationGap: "maxGeneralizationGap"
            }
        }

        /// `≥ 0.93`
        func bound(_ direction: Direction) -> String {
            switch self {
            case .threshold(let value): "\(direction == .maximize ? "≥" : "≤") \(Number.exact(value))"
            case .absoluteChange(let value), .relativeChange(let value): "≥ \(Number.signed(value))"
            case .generalizationGap(let value): "≤ \(Number.exact(value))"
            }
        }
    }

    /// The bounds that are set, in a fixed order.
    var rules: [Rule] {
        [
            threshold.map(Rule.threshold), minAbsoluteChange.map(Rule.absoluteChange),
            minRelativeChange.map(Rule.relativeChange), maxGeneralizationGap.map(Rule.generalizationGap),
        ].compactMap { $0 }
    }
}

extension Number {
    /// With its sign, as changes are written.
    static func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + short(value) }
}

extension [Verdict] {
    /// What the printed table shows: the first rule that failed, else the first; nil without rules.
    var summary: String? { (first { !$0.passed } ?? first)?.summary }

    /// What failed, in words, of the first few.
    var refusal: String {
        filter { !$0.passed }.prefix(4).map {
            let place = $0.split.map { " on \($0.rawValue)" } ?? ""
            return "\($0.metric) \($0.rule)\(place) (\($0.evidence.rawValue)): \($0.why)"
        }.joined(separator: "; ")
    }
}

extension Verdict {
    /// The rule of what a candidate shows beside metrics: as it was recorded, refused, passed.
    static let shown = "proof"

    /// `accuracy 0.972 ≥ 0.93`, `accuracy 0.9 < 0.93`, `accuracy not reported`.
    public var summary: String {
        guard rule != Self.shown else { return "\(metric) \(value ?? "not shown")" }
        if rule == Gate.overlapRule { return overlapSummary }
        guard let value else { return "\(metric) not reported" }
        guard case .finite(let number) = MetricValue(text: value) else { return "\(metric) is \(value)" }
        let name = split.flatMap { $0 == .holdout ? nil : "\(metric) (\($0.rawValue))" } ?? metric
        switch rule {
        case "threshold": return "\(name) \(Number.short(number)) \(relation)"
        case "maxGeneralizationGap": return "\(name) gap \(relation)"
        default:
            guard let baseline else { return "\(name) \(Number.short(number)), no baseline" }
            return "\(name) \(Number.short(number)) vs \(Self.shortened(baseline)), \(relation)"
        }
    }

    private var overlapSummary: String {
        guard let value, case .finite(let number) = MetricValue(text: value) else { return "independence unproven" }
        return "overlap \(Number.short(number)) \(relation)"
    }

    /// The bound, turned round where it did not hold. A value that holds and is refused all the same (as a mere word)
    /// says so.
    private var relation: String {
        if passed { return bound }
        if why.hasPrefix("the container's own word") { return "SelfReported" }
        if bound.hasPrefix("≥") { return "<" + bound.dropFirst() }
        if bound.hasPrefix("≤") { return ">" + bound.dropFirst() }
        return bound
    }

    private static func shortened(_ text: String) -> String {
        if case .finite(let number) = MetricValue(text: text) { return Number.short(number) }
        return text
    }
}
