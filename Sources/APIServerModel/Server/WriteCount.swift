/// Which writes are counted together.
public enum WriteCount {
    public struct Key: Sendable, Hashable {
        public var user: String
        public var verb: String
        /// `jobs.batch`, `trainingjobs.assay.dev/status`
        public var resource: String
    }
}

extension APIServer {
    mutating func count(_ request: ResourceRequest, _ context: RequestContext) {
        let resource = request.subresource.map { "\(request.type)/\($0)" } ?? "\(request.type)"
        writes[.init(user: context.user.name, verb: request.verb.rawValue, resource: resource), default: 0] += 1
    }

    /// How many writes a user has made that changed something; of one verb, if it is given.
    public func writeCount(user: String, verb: String? = nil) -> Int {
        writes.reduce(0) { total, entry in
            entry.key.user == user && (verb == nil || entry.key.verb == verb) ? total + entry.value : total
        }
    }
}
