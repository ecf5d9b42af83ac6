/// Which requests are counted together.
public struct RequestKind: Sendable, Hashable {
    public var user: String
    /// The client's program, as its user agent says: `kubectl`, `assay`.
    public var agent: String
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`
    public var verb: String
    /// `jobs.batch`, `trainingjobs.assay.dev/status`
    public var resource: String
    /// Nil for requests across namespaces and for kinds outside of them.
    public var namespace: String?
    /// The answer's HTTP status.
    public var code: Int

    /// Whether such a request may change something.
    public var writes: Bool { !["get", "list", "watch"].contains(verb) }
}

extension APIServer {
    func kind(of request: ResourceRequest, _ context: RequestContext, code: Int) -> RequestKind {
        RequestKind(
            user: context.user.name, agent: context.agent, verb: request.verb.rawValue,
            resource: request.subresource.map { "\(request.type)/\($0)" } ?? "\(request.type)",
            namespace: request.namespace, code: code)
    }

    /// Counts a request, of as many kinds as tests can look at.
    mutating func note(_ request: ResourceRequest, _ context: RequestContext, code: Int) {
        let kind = kind(of: request, context, code: code)
        guard requests.count < 10_000 || requests[kind] != nil else { return }
        requests[kind, default: 0] += 1
    }

    /// How many writes a user has made that changed something; of one verb, if it is given.
    public func writeCount(user: String, verb: String? = nil) -> Int {
        Self.count(writes) { $0.user == user && (verb == nil || $0.verb == verb) }
    }

    /// How many writes a program has sent, those included that changed nothing or were refused.
    public func writeRequestCount(agent: String) -> Int {
        Self.count(requests) { $0.agent == agent && $0.writes }
    }

    private static func count(_ counts: [RequestKind: Int], _ isCounted: (RequestKind) -> Bool) -> Int {
        counts.reduce(0) { $0 + (isCounted($1.key) ? $1.value : 0) }
    }
}

/// How writes are counted.
public enum WriteCount {
    public typealias Key = RequestKind
}
