/// The numeric gate. It fails closed: what is missing, not a number, infinite or not comparable does not pass.
public enum Gate {
    /// What a comparing rule compares with.
    public struct Baseline: Sendable, Hashable {
        public var revision: String
        public var metrics: [Metric]
        /// The digest of the holdout that it was measured on; nil where that is not known.
        public var holdout: String?
        /// Why it could not be measured as what is compared with it was; nil where it was.
        public var problem: String?

        public init(revision: String, metrics: [Metric], holdout: String? = nil, problem: String? = nil) {
            self.problem = problem
            self.revision = revision
            self.metrics = metrics
            self.holdout = holdout
        }
    }

    public struct Outcome: Sendable, Hashable {
        public var verdicts: [Verdict]
        public var passed: Bool

        /// `accuracy 0.972 ≥ 0.93`, for the printed table: the first rule that failed, else the first.
        public var summary: String { verdicts.summary ?? "no gate" }
    }

    /// - Parameters:
    ///   - holdout: the digest of the holdout that the metrics were measured on; nil where that is not known.
    ///   - independence: whether training has read of it; nil where nobody has compared that.
    public static func judge(
        _ metrics: [Metric], by validation: MLModelSpec.Validation, holdout: String? = nil,
        independence: Independence? = nil, baseline: Baseline?
    ) -> Outcome {
        if validation.gate == MLModelSpec.Validation.Gate.none && validation.thresholds.isEmpty {
            return Outcome(verdicts: [], passed: true)
        }
        var verdicts: [Verdict] = []
        for threshold in validation.runThresholds {
            for rule in threshold.rules {
                var verdict = judge(rule, of: threshold, metrics: metrics, baseline: baseline)
                if rule.compares, verdict.split == .holdout, let why = baseline?.incomparable(on: holdout) {
                    verdict.passed = false
                    verdict.why = "\(why); \(verdict.why)"
                }
                if validation.requireAttested == true, verdict.evidence == .selfReported {
                    verdict.passed = false
                    verdict.why =
                        "the container's own word (SelfReported) is refused by requireAttested; \(verdict.why)"
                }
                verdicts.append(verdict)
            }
        }
        // Without a single rule nothing was proven; the candidate may still have something to show.
        guard !verdicts.isEmpty || validation.needsProof else { return Outcome(verdicts: [], passed: false) }
        if let verdict = overlap(independence, holdout: holdout, by: validation) { verdicts.append(verdict) }
        return Outcome(verdicts: verdicts, passed: verdicts.allSatisfy(\.passed))
    }

    static func judge(
        _ rule: Threshold.Rule, of threshold: Threshold, metrics: [Metric], baseline: Baseline?
    ) -> Verdict {
        let split = threshold.split ?? .holdout
        let isOfCandidate = threshold.source == .candidate
        let reported = metrics[threshold.metric, split]
        var verdict = Verdict(
            metric: threshold.metric, rule: rule.name, split: isOfCandidate ? nil : split,
            value: reported?.value.description, bound: rule.bound(threshold.direction), passed: false, why: "")
        verdict.evidence = isOfCandidate ? .candidate : reported?.evidence ?? .selfReported
        guard let reported else {
            verdict.why = missing(threshold.metric, isOfCandidate ? nil : split, among: metrics)
            return verdict
        }
        guard case .finite(let value) = reported.value else {
            verdict.why = unusable(reported.value)
            return verdict
        }
        switch rule {
        case .threshold(let bound):
            verdict.passed = threshold.direction == .maximize ? value >= bound : value <= bound
            verdict.why =
                "\(Number.short(value)) is \(verdict.passed ? "" : "not ")\(verdict.bound)"
        case .generalizationGap(let bound):
            judgeGap(&verdict, holdout: value, bound: bound, threshold: threshold, metrics: metrics)
        case .absoluteChange(let bound):
            compare(&verdict, value, bound, threshold, baseline, isRelative: false)
        case .relativeChange(let bound):
            compare(&verdict, value, bound, threshold, baseline, isRelative: true)
        }
        return verdict
    }

    /// In parts of the baseline's absolute value, so that a negative baseline does not turn the rule around. From 0 any
    /// change is infinite.
    private static func isEnough(
        _ improvement: ExactDecimal, _ bound: Double, partOf reference: Double
    ) -> Bool {
        if reference == 0 { return improvement.signum > 0 || (improvement.signum == 0 && bound <= 0) }
        return improvement >= ExactDecimal(bound) * ExactDecimal(abs(reference))
    }

    private static func compare(
        _ verdict: inout Verdict, _ value: Double, _ bound: Double, _ threshold: Threshold, _ baseline: Baseline?,
        isRelative: Bool
    ) {
        guard let baseline else {
            verdict.passed = threshold.whenNoBaseline == .pass
            verdict.why =
                verdict.passed
                ? "nothing serves yet, and whenNoBaseline is Pass"
                : "nothing serves yet to compare with; whenNoBaseline: Pass would let it pass"
            return
        }
        guard let other = baseline.metrics[threshold.metric, verdict.split ?? .holdout] else {
            verdict.why = "the revision that serves, \(baseline.revision), did not report \(threshold.metric)"
            return
        }
        verdict.baseline = other.value.description
        guard case .finite(let reference) = other.value else {
            verdict.why = "the value of the revision that serves, \(baseline.revision), is \(other.value)"
            return
        }
        let isMaximized = threshold.direction == .maximize
        let (better, worse) = isMaximized ? (value, reference) : (reference, value)
        let improvement = ExactDecimal(better) - ExactDecimal(worse)
        verdict.passed =
            isRelative
            ? isEnough(improvement, bound, partOf: reference) : improvement >= ExactDecimal(bound)
        // As people read it, in five digits.
        let changed = better == worse ? 0 : (better - worse) / (isRelative ? abs(reference) : 1)
        verdict.why =
            "\(Number.short(value)) against \(Number.short(reference)) of \(baseline.revision) is a change by "
            + "\(Number.signed(changed)), which is \(verdict.passed ? "" : "not ")\(verdict.bound)"
    }

    private static func judgeGap(
        _ verdict: inout Verdict, holdout: Double, bound: Double, threshold: Threshold, metrics: [Metric]
    ) {
        guard let reported = metrics[threshold.metric, .train] else {
            verdict.why = missing(threshold.metric, .train, among: metrics)
            return
        }
        guard case .finite(let train) = reported.value else {
            verdict.why = "the value on the train split is \(reported.value)"
            return
        }
        let (better, worse) = threshold.direction == .maximize ? (train, holdout) : (holdout, train)
        let gap = better - worse
        verdict.passed = ExactDecimal(bound) >= ExactDecimal(better) - ExactDecimal(worse)
        verdict.why =
            "\(Number.short(train)) on train and \(Number.short(holdout)) on holdout are \(Number.short(gap)) apart, "
            + "which is \(verdict.passed ? "" : "not ")\(verdict.bound)"
    }

    static func short(_ digest: String?) -> String {
        digest.map { String($0.prefix("sha256:".count + 12)) } ?? "one that is not known"
    }

    private static func missing(_ metric: String, _ split: Split?, among metrics: [Metric]) -> String {
        guard let split else { return "\(metric) was not measured on the candidate" }
        guard !metrics.isEmpty else {
            return "\(metric) was not reported for the split \(split.rawValue); no metric was"
        }
        let known = metrics.prefix(12).map { "\($0.name) (\($0.split.rawValue))" }.joined(separator: ", ")
        return "\(metric) was not reported for the split \(split.rawValue); reported were \(known)"
    }

    private static func unusable(_ value: MetricValue) -> String {
        switch value {
        case .finite: ""
        case .notANumber: "the value is not a number (NaN)"
        case .infinite: "the value is infinite"
        case .unparsable(let text): "the value \"\(text)\" is no number"
        }
    }
}

extension Gate.Baseline {
    /// Why its values of the holdout say nothing beside those that were measured on another; nil where they do.
    fileprivate func incomparable(on other: String?) -> String? {
        guard holdout == other else {
            let addition = problem.map { ": \($0)" } ?? ""
            return
                "the revision that serves, \(revision), was measured on another holdout (\(Gate.short(holdout)), and this "
                + "one on \(Gate.short(other)))\(addition)"
        }
        return problem.map { "the revision that serves, \(revision), was measured otherwise: \($0)" }
    }
}
