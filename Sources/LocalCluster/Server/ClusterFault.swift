import APIServerModel
import KubernetesModel

/// Something that goes wrong with requests on purpose, for tests.
public struct ClusterFault: Sendable {
    public enum Effect: Sendable, Hashable {
        /// The request is answered so, and not carried out.
        case refuse(KubernetesStatus)
        /// The request is carried out after a while.
        case delay(Duration)
        /// The request is carried out, and its answer is lost.
        case loseAnswer
        /// The connection breaks before the request is carried out.
        case drop
    }

    public var effect: Effect
    /// How many requests it happens to.
    public var count: Int
    public var matches: @Sendable (APIRequest) -> Bool

    public init(_ effect: Effect, count: Int = 1, matches: @escaping @Sendable (APIRequest) -> Bool) {
        self.effect = effect
        self.count = count
        self.matches = matches
    }

    /// Happens to requests of a method and, if given, of a user, whose target contains `path`.
    public init(_ effect: Effect, count: Int = 1, method: String? = nil, path: String = "", user: String? = nil) {
        self.init(effect, count: count) { request in
            (method == nil || method == request.method) && (path.isEmpty || request.target.contains(path))
                && (user == nil || user == request.user?.name)
        }
    }
}
