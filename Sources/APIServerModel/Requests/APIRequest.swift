/// Who asks, as the owner of the server has authenticated them.
public struct UserInfo: Sendable, Hashable {
    public var name: String
    public var groups: [String]

    public init(name: String, groups: [String] = []) {
        self.name = name
        self.groups = groups
    }

    /// May do everything, whatever the rules say.
    public static let admin = UserInfo(name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"])
}

/// A request as it came over HTTP.
public struct APIRequest: Sendable {
    public var method: String
    /// Path and query in origin form, still percent-encoded: `/api/v1/pods?limit=5`.
    public var target: String
    /// Names in lower case.
    public var headers: [String: String]
    public var body: [UInt8]
    /// Nil: no credentials were given, or none that are known.
    public var user: UserInfo?

    public init(
        method: String, target: String, headers: [String: String] = [:], body: [UInt8] = [], user: UserInfo? = .admin
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.user = user
    }
}

/// Which watch of a server.
public struct WatchID: Sendable, Hashable, Comparable {
    public let rawValue: Int
    public static func < (left: WatchID, right: WatchID) -> Bool { left.rawValue < right.rawValue }
}

/// Whose output is asked for; it lives on the pod's node, so the owner of the server answers.
public struct PodLogRequest: Sendable, Hashable {
    public var namespace: String
    public var name: String
    public var uid: String
    public var nodeName: String
    /// Nil: the only container, or the one that `kubectl.kubernetes.io/default-container` names.
    public var container: String?
    public var follow = false
    public var previous = false
    public var timestamps = false
    public var tailLines: Int?
    public var limitBytes: Int?
    public var sinceSeconds: Int?
    public var sinceTime: String?
}

/// What the server answers.
public struct APIResponse: Sendable {
    public enum Content: Sendable {
        case bytes([UInt8])
        /// A stream of lines, to be taken with ``APIServer/takeEvents(_:)`` as they come.
        case watch(WatchID)
        /// The owner fetches the output from the node.
        case podLogs(PodLogRequest)
    }

    public var status: Int
    public var contentType: String
    /// Further headers, for example `Warning` (RFC 9110 as of Kubernetes 1.19) and `Retry-After`.
    public var headers: [(name: String, value: String)]
    public var content: Content

    public init(
        status: Int, contentType: String = "application/json", headers: [(name: String, value: String)] = [],
        content: Content
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.content = content
    }

    /// The body; empty for streams.
    public var body: [UInt8] {
        if case .bytes(let bytes) = content { bytes } else { [] }
    }
}
