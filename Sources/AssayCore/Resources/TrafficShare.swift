import JSON
import KubernetesModel

/// What a model's status says about the requests that a revision gets.
public struct TrafficShare: Sendable, Hashable {
    /// How a revision stands.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Takes requests.
        case serving = "Serving"
        /// Takes its share of them while it is watched.
        case canary = "Canary"
        /// About to hibernate: it takes requests, and each of them keeps it awake.
        case draining = "Draining"
        /// Has no pods; a request wakes it.
        case hibernating = "Hibernating"
        /// Kept running and takes none.
        case warm = "Warm"
    }

    /// The revision's name.
    public var revision: String
    /// Its part of the requests, relative to the other weights of the model; 0 to 100.
    public var weight: Int
    /// How it stands.
    public var state: State
    /// Since when.
    public var since: Timestamp?

    public init(revision: String, weight: Int, state: State, since: Timestamp? = nil) {
        self.since = since
        self.revision = revision
        self.weight = weight
        self.state = state
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        revision = try cursor["revision"].string()
        weight = try cursor["weight"].optionalInt() ?? 0
        guard (0...100).contains(weight) else { throw cursor["weight"].failure("must be 0 to 100") }
        state = try cursor["state"].requiredEnum()
        since = try cursor["since"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "revision": .string(revision), "weight": JSONValue(weight), "state": .string(state.rawValue),
        ]
        result["since"] = JSONValue(since?.description)
        return result
    }

    /// Whether requests may go there.
    public var takesRequests: Bool { weight > 0 && state != .warm }
}
