import JSON
import KubernetesModel

/// How far the candidate is on its way to all requests.
public struct RolloutStatus: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Proven; it gets requests when a person has said so.
        case awaitingApproval = "AwaitingApproval"
        /// What serves sleeps, and is woken first, so that there is something to share requests with.
        case waking = "Waking"
        case progressing = "Progressing"
        /// Too little was measured in time; what served gets all requests until a person decides.
        case inconclusive = "Inconclusive"
    }

    /// The candidate's name.
    public var revision: String
    public var state: State
    /// From 1 on; 0 before the first.
    public var step: Int
    /// When it got its first request.
    public var startTime: Timestamp?
    /// When the step or the wait began.
    public var since: Timestamp
    /// An approval has been taken account of and still stands: for another it must be taken back and given again.
    public var approved: Bool?
    /// What was measured of it since it became a canary, as far as the operator that leads has heard.
    public var requests: Int64?
    public var errorRate: Double?
    /// The upper bound of the histogram's bucket that it is in.
    public var latencyP99Seconds: Double?
    public var message: String?

    public init(revision: String, state: State, step: Int = 0, since: Timestamp) {
        self.revision = revision
        self.state = state
        self.step = step
        self.since = since
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        revision = try cursor["revision"].string()
        state = try cursor["state"].requiredEnum()
        step = try cursor["step"].optionalInt() ?? 0
        startTime = try cursor["startTime"].optionalTimestamp()
        guard let since = try cursor["since"].optionalTimestamp() else { throw cursor["since"].failure("is required") }
        self.since = since
        approved = try cursor["approved"].optionalBool()
        requests = try cursor["requests"].optionalInteger()
        errorRate = try cursor["errorRate"].optionalDouble()
        latencyP99Seconds = try cursor["latencyP99Seconds"].optionalDouble()
        message = try cursor["message"].optionalString()
    }

    public var json: JSONValue {
        func number(_ value: Double?) -> JSONValue? {
            value.map { Int64(exactly: $0).map(JSONValue.integer) ?? .number($0) }
        }
        var result: JSONValue = [
            "revision": .string(revision), "state": .string(state.rawValue), "step": JSONValue(step),
            "since": .string(since.description),
        ]
        result["startTime"] = JSONValue(startTime?.description)
        if let approved { result["approved"] = .bool(approved) }
        if let requests { result["requests"] = .integer(requests) }
        result["errorRate"] = number(errorRate)
        result["latencyP99Seconds"] = number(latencyP99Seconds)
        result["message"] = JSONValue(message)
        return result
    }

    /// Whether it takes requests, or is about to.
    var isOn: Bool { state == .waking || state == .progressing }

    /// Without what only says how far it is.
    var withoutFigures: RolloutStatus {
        var result = self
        (result.requests, result.errorRate, result.latencyP99Seconds, result.message) = (nil, nil, nil, nil)
        return result
    }
}
