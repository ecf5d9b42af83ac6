import JSON

/// Bounds for one metric. Each bound that is set is a rule of its own.
public struct Threshold: Sendable, Hashable {
    public enum Direction: String, Sendable, Hashable, CaseIterable {
        case maximize = "Maximize"
        case minimize = "Minimize"
    }

    /// What a rule against the serving revision says while nothing serves.
    public enum WhenNoBaseline: String, Sendable, Hashable, CaseIterable {
        case pass = "Pass"
        case fail = "Fail"
    }

    /// Where a value comes from.
    public enum Source: String, Sendable, Hashable, CaseIterable {
        /// What the training has reported.
        case training = "Training"
        /// What was measured on the candidate's server before it may serve; see ``LoadSummary/names``.
        case candidate = "Candidate"
    }

    public var metric: String
    public var direction: Direction
    public var split: Split?
    public var threshold: Double?
    /// How much better than the serving revision, in the metric's unit; below 0, how much worse is borne.
    public var minAbsoluteChange: Double?
    /// The same in parts of the serving revision's absolute value.
    public var minRelativeChange: Double?
    /// How much worse the holdout may be than the train split.
    public var maxGeneralizationGap: Double?
    public var whenNoBaseline: WhenNoBaseline?
    /// The training unless given.
    public var source: Source?

    public init(
        metric: String, direction: Direction, split: Split? = nil, threshold: Double? = nil,
        minAbsoluteChange: Double? = nil, minRelativeChange: Double? = nil, maxGeneralizationGap: Double? = nil,
        whenNoBaseline: WhenNoBaseline? = nil, source: Source? = nil
    ) {
        self.metric = metric
        self.direction = direction
        self.split = split
        self.threshold = threshold
        self.minAbsoluteChange = minAbsoluteChange
        self.minRelativeChange = minRelativeChange
        self.maxGeneralizationGap = maxGeneralizationGap
        self.whenNoBaseline = whenNoBaseline
        self.source = source
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        metric = try cursor["metric"].string()
        direction = try cursor["direction"].requiredEnum()
        split = try cursor["split"].optionalEnum()
        threshold = try cursor["threshold"].optionalDouble()
        minAbsoluteChange = try cursor["minAbsoluteChange"].optionalDouble()
        minRelativeChange = try cursor["minRelativeChange"].optionalDouble()
        maxGeneralizationGap = try cursor["maxGeneralizationGap"].optionalDouble()
        whenNoBaseline = try cursor["whenNoBaseline"].optionalEnum()
        source = try cursor["source"].optionalEnum()
    }

    public var json: JSONValue {
        var result: JSONValue = ["metric": .string(metric), "direction": .string(direction.rawValue)]
        result["split"] = JSONValue(split?.rawValue)
        for (name, value) in bounds { result[name] = value.map(Self.number) }
        result["whenNoBaseline"] = JSONValue(whenNoBaseline?.rawValue)
        result["source"] = JSONValue(source?.rawValue)
        return result
    }

    private var bounds: [(String, Double?)] {
        [
            ("threshold", threshold), ("minAbsoluteChange", minAbsoluteChange),
            ("minRelativeChange", minRelativeChange), ("maxGeneralizationGap", maxGeneralizationGap),
        ]
    }

    public var hasBound: Bool { bounds.contains { $0.1 != nil } }

    private static func number(_ value: Double) -> JSONValue {
        if let integer = Int64(exactly: value) { return .integer(integer) }
        return .number(value)
    }
}
