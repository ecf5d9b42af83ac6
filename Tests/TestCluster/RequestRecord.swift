/// Which requests are counted together.
public struct RequestRecord: Sendable, Hashable {
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
    public var isSuccess: Bool { (200..<300).contains(code) }
}
