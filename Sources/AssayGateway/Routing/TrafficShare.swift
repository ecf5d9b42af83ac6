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

    /// A share.
    public init(revision: String, weight: Int, state: State) {
        self.revision = revision
        self.weight = weight
        self.state = state
    }

    /// Whether requests may go there.
    var takesRequests: Bool { weight > 0 && state != .warm }
}
