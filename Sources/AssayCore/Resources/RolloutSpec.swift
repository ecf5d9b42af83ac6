import JSON

/// How a candidate that is proven takes the place of what serves: little by little, and watched.
public struct RolloutSpec: Sendable, Hashable {
    public struct Step: Sendable, Hashable {
        /// Of 100 requests, how many the candidate gets.
        public var weight: Int
        /// For how long at least, as 2m.
        public var pause: String

        public init(weight: Int, pause: String) {
            self.weight = weight
            self.pause = pause
        }

        init(json cursor: JSONCursor) throws(JSONShapeError) {
            weight = try cursor["weight"].int()
            pause = try cursor["pause"].string()
        }

        var json: JSONValue { ["weight": JSONValue(weight), "pause": .string(pause)] }

        var pauseTime: Duration { DurationText.duration(pause) ?? .zero }
    }

    /// What the gateway's measurements of the candidate must not exceed.
    public struct Analysis: Sendable, Hashable {
        /// The part of its requests that end in a status of 500 or more, or in a broken answer.
        public var maxErrorRate: Double?
        /// As 250ms.
        public var maxLatencyP99: String?
        /// As many requests are needed in each step.
        public var minRequests: Int?

        public static let defaultMinRequests = 50

        public init(maxErrorRate: Double? = nil, maxLatencyP99: String? = nil, minRequests: Int? = nil) {
            self.maxErrorRate = maxErrorRate
            self.maxLatencyP99 = maxLatencyP99
            self.minRequests = minRequests
        }

        init(json cursor: JSONCursor) throws(JSONShapeError) {
            maxErrorRate = try cursor["maxErrorRate"].optionalDouble()
            maxLatencyP99 = try cursor["maxLatencyP99"].optionalString()
            minRequests = try cursor["minRequests"].optionalInt()
        }

        var json: JSONValue {
            var result: JSONValue = [:]
            result["maxErrorRate"] = maxErrorRate.map { Int64(exactly: $0).map(JSONValue.integer) ?? .number($0) }
            result["maxLatencyP99"] = JSONValue(maxLatencyP99)
            if let minRequests { result["minRequests"] = JSONValue(minRequests) }
            return result
        }

        var neededRequests: Int64 { Int64(max(1, minRequests ?? Self.defaultMinRequests)) }
    }

    public enum Approval: String, Sendable, Hashable, CaseIterable {
        case automatic = "Automatic"
        /// A person lets it begin.
        case manual = "Manual"
    }

    /// In their order; after the last one it gets all requests.
    public var steps: [Step]
    public var analysis: Analysis?
    public var approval: Approval?
    /// The revision that a person has approved.
    public var approvedRevision: String?
    /// How long a step may wait, after its pause, for what it lacks; as 10m.
    public var progressDeadline: String?

    static let defaultProgressDeadline = Duration.seconds(600)

    public init(
        steps: [Step], analysis: Analysis? = nil, approval: Approval? = nil, approvedRevision: String? = nil,
        progressDeadline: String? = nil
    ) {
        self.steps = steps
        self.analysis = analysis
        self.approval = approval
        self.approvedRevision = approvedRevision
        self.progressDeadline = progressDeadline
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        steps = try cursor["steps"].map { element throws(JSONShapeError) in try Step(json: element) }
        analysis = cursor["analysis"].exists ? try Analysis(json: cursor["analysis"]) : nil
        approval = try cursor["approval"].optionalEnum()
        approvedRevision = try cursor["approvedRevision"].optionalString()
        progressDeadline = try cursor["progressDeadline"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["steps": JSONValue(steps.map(\.json))]
        result["analysis"] = analysis?.json
        result["approval"] = JSONValue(approval?.rawValue)
        result["approvedRevision"] = JSONValue(approvedRevision)
        result["progressDeadline"] = JSONValue(progressDeadline)
        return result
    }

    var stepDeadline: Duration {
        progressDeadline.flatMap(DurationText.duration) ?? Self.defaultProgressDeadline
    }

    /// The step of a number from 1 on; where there are fewer now, the last one.
    func step(_ number: Int) -> Step? { steps.isEmpty ? nil : steps[min(max(number, 1), steps.count) - 1] }
}
