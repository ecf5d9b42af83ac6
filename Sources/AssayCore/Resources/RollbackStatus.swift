import JSON
import KubernetesModel

/// That what serves has become bad, and how far the way back to what served before is.
public struct RollbackStatus: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Seen, and perhaps over in a moment.
        case degraded = "Degraded"
        /// The revision of before comes up; users are led to it once it is there.
        case rollingBack = "RollingBack"
        /// It did not come up; what serves is left as it is.
        case failed = "Failed"
    }

    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// No pod of it is ready, through a fault of its own.
        case unready = "Unready"
        /// It exceeds a bound of `spec.serving.rollout.analysis`.
        case analysisFailed = "AnalysisFailed"
    }

    /// What serves.
    public var from: String
    /// What served before.
    public var to: String
    public var state: State
    public var reason: Reason
    /// When the state began.
    public var since: Timestamp
    public var message: String

    public init(from: String, to: String, state: State, reason: Reason, since: Timestamp, message: String) {
        self.from = from
        self.to = to
        self.state = state
        self.reason = reason
        self.since = since
        self.message = message
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        from = try cursor["from"].string()
        to = try cursor["to"].string()
        state = try cursor["state"].requiredEnum()
        reason = try cursor["reason"].requiredEnum()
        guard let since = try cursor["since"].optionalTimestamp() else { throw cursor["since"].failure("is required") }
        self.since = since
        message = try cursor["message"].optionalString() ?? ""
    }

    public var json: JSONValue {
        [
            "from": .string(from), "to": .string(to), "state": .string(state.rawValue),
            "reason": .string(reason.rawValue), "since": .string(since.description), "message": .string(message),
        ]
    }
}
