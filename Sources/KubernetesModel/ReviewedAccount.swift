import JSON

/// The service account that a bearer token stands for, by the word of a `TokenReview`.
public struct ReviewedAccount: Sendable, Hashable {
    /// What a token may be bound to.
    public struct Pod: Sendable, Hashable {
        /// In the account's namespace.
        public var name: String
        /// Of this very pod.
        public var uid: String

        /// A pod by its parts.
        public init(name: String, uid: String) {
            self.name = name
            self.uid = uid
        }
    }

    /// Where it is.
    public var namespace: String
    /// Within that.
    public var name: String
    /// The pod that the token ends with; nil where it is bound to none.
    public var pod: Pod?

    /// An account by its parts.
    public init(namespace: String, name: String, pod: Pod? = nil) {
        self.namespace = namespace
        self.name = name
        self.pod = pod
    }

    /// As the API server calls it: `system:serviceaccount:NAMESPACE:NAME`.
    public var userName: String { "system:serviceaccount:\(namespace):\(name)" }

    /// Reads such a name; nil where it is somebody else's, or could not be a service account's.
    public init?(userName: String) {
        let parts = userName.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount",
            Self.isName(parts[2]), Self.isName(parts[3])
        else { return nil }
        self.init(namespace: String(parts[2]), name: String(parts[3]))
    }

    /// Of `a` to `z`, digits, points and hyphens, as names of objects are: it may stand in a header field as it is.
    private static func isName(_ text: Substring) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-.".utf8.contains(byte)
            }
    }

    /// What is posted to ask whose a token is.
    public static func question(token: String, audience: String) -> JSONValue {
        ["spec": ["token": .string(token), "audiences": [.string(audience)]]]
    }

    /// Reads the answer. Nil unless the token is good for this very audience, and a service account's: a server that knows
    /// nothing of audiences has not looked whether it is.
    public init?(review: JSONValue, audience: String) {
        let status = review["status"]
        guard status?["authenticated"] == true,
            (status?["audiences"]?.array ?? []).contains(.string(audience)),
            let user = status?["user", "username"]?.string
        else { return nil }
        self.init(userName: user)
        let extra = status?["user", "extra"]
        guard let pod = extra?["authentication.kubernetes.io/pod-name"]?[0]?.string,
            let uid = extra?["authentication.kubernetes.io/pod-uid"]?[0]?.string, !pod.isEmpty, !uid.isEmpty
        else { return }
        self.pod = Pod(name: pod, uid: uid)
    }
}
