import JSON
import KubernetesModel

/// Who may do what.
public enum Authorization: Sendable {
    case allowAll
    /// By the stored Roles and bindings; `system:masters` may do everything.
    case rbac
    case custom(@Sendable (AuthorizationRequest) -> Bool)
}

/// What is to be authorized, in the words of RBAC.
public struct AuthorizationRequest: Sendable, Hashable {
    public var user: UserInfo
    public var verb: String
    public var group: String
    public var resource: String
    public var subresource: String?
    public var namespace: String?
    public var name: String?
}

/// What a server is started with.
public struct APIServerOptions: Sendable {
    /// Of every uid and generated name.
    public var seed: UInt64 = 1
    /// How many changes of each resource are kept for watches and for pages of lists.
    public var historyWindow = 1000
    /// How long an Event lives.
    public var eventTimeToLive: Duration = .seconds(3600)
    /// How often an idle watch that asks for bookmarks gets one.
    public var bookmarkInterval: Duration = .seconds(60)
    /// Where Services get their addresses: an IPv4 range.
    public var serviceAddresses = "10.96.0.0/16"
    /// What discovery names as the server's own address, `127.0.0.1:6443`.
    public var serverAddress = ""
    public var gitVersion = "v1.31.0"
    public var authorization = Authorization.allowAll
    /// What tokens of service accounts are for unless a request for one says so; the first is their issuer too.
    public var apiAudiences = ["https://kubernetes.default.svc.cluster.local"]
    /// The admission plugin OwnerReferencesPermissionEnforcement, which is off by default, and on in OpenShift.
    public var enforcesOwnerPermissions = false
    /// A watch from a forgotten version is refused by a 410 status instead of an ERROR event; servers do either.
    public var refusesExpiredWatches = false
    /// What every namespace's `kube-root-ca.crt` holds; nil leaves it out.
    public var rootCertificate: String?
    /// Reads a YAML body (of server-side apply); without it only JSON is read, which is what kubectl sends.
    public var decodeYAML: (@Sendable ([UInt8]) -> JSONValue?)?

    public init() {}
}
