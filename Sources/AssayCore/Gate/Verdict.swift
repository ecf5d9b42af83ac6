import JSON

/// What one rule says of one run.
public struct Verdict: Sendable, Hashable {
    public enum Evidence: String, Sendable, Hashable, CaseIterable {
        /// The step that has measured it read the artifact that is the holdout.
        case attested = "Attested"
        /// The container said which data it measured on.
        case selfReported = "SelfReported"
        /// It was measured on the candidate's server, from outside.
        case candidate = "Candidate"
    }

    public var metric: String
    /// The field of the threshold: `threshold`, `minAbsoluteChange`, …
    public var rule: String
    /// Nil of what the candidate has shown.
    public var split: Split?
    /// As reported; absent where nothing was.
    public var value: String?
    /// `≥ 0.93`
    public var bound: String
    /// The serving revision's value, of a rule that compares.
    public var baseline: String?
    public var evidence: Evidence
    public var passed: Bool
    public var why: String

    public init(
        metric: String, rule: String, split: Split?, value: String?, bound: String, baseline: String? = nil,
        evidence: Evidence = .selfReported, passed: Bool, why: String
    ) {
        self.metric = metric
        self.rule = rule
        self.split = split
        self.value = value
        self.bound = bound
        self.baseline = baseline
        self.evidence = evidence
        self.passed = passed
        self.why = why
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        metric = try cursor["metric"].string()
        rule = try cursor["rule"].string()
        split = try cursor["split"].optionalEnum()
        value = try cursor["value"].optionalString()
        bound = try cursor["bound"].string()
        baseline = try cursor["baseline"].optionalString()
        evidence = try cursor["evidence"].requiredEnum()
        passed = try cursor["passed"].bool()
        why = try cursor["why"].string()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "metric": .string(metric), "rule": .string(rule),
            "bound": .string(bound), "evidence": .string(evidence.rawValue), "passed": .bool(passed),
            "why": .string(why),
        ]
        result["split"] = JSONValue(split?.rawValue)
        result["value"] = JSONValue(value)
        result["baseline"] = JSONValue(baseline)
        return result
    }
}
