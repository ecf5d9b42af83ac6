import JSON
import KubernetesModel

/// A Kubernetes API server as a state machine: requests in, answers and watch events out.
///
/// It has no clock, no task and no I/O: the owner passes the time, authenticates users, carries bytes, and calls
/// ``tick(now:)`` about once a second. The same options and the same requests at the same times give the same answers.
/// A copy is a snapshot; it costs nothing until one of the two is written to.
public struct APIServer: Sendable {
    public let options: APIServerOptions
    /// The version of the whole store: every write has the next one.
    public internal(set) var resourceVersion: UInt64 = 0
    /// Writes that changed something.
    public internal(set) var writes: [RequestKind: Int] = [:]
    /// All requests about objects, those included that were refused.
    public internal(set) var requests: [RequestKind: Int] = [:]

    var registry = Registry()
    var storages: [StorageKey: ObjectStorage] = [:]
    var watchers = WatcherSet()
    var generator: SeededGenerator
    /// The latest time that was passed in.
    var now: Timestamp
    /// Set by whatever may leave something to collect, so that an idle tick costs nothing.
    var needsCollection = false
    var nextEventSweep: Timestamp
    /// As of which version the quotas' status was last brought up to date.
    var quotaRevision: UInt64 = 0
    /// Of service accounts, by TokenRequest.
    var tokens: [String: IssuedToken] = [:]
    /// Set when the definitions changed and the published documents must be made anew.
    var documents = PublishedDocuments()

    public init(options: APIServerOptions = .init(), now: Timestamp) {
        self.options = options
        self.now = now
        nextEventSweep = now
        generator = SeededGenerator(seed: options.seed)
        for resource in ServedResource.builtIn { registry.serve(resource) }
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] { createNamespace(name) }
        if case .rbac = options.authorization { createAdministrators() }
    }

    /// Answers one request. A watch is opened, and its identifier is the answer's content.
    public mutating func handle(_ request: APIRequest, now: Timestamp) -> APIResponse {
        self.now = max(self.now, now)
        do throws(APIFailure) {
            return try respond(to: request)
        } catch {
            return Self.response(to: error)
        }
    }

    static func response(to failure: APIFailure) -> APIResponse {
        var headers: [(name: String, value: String)] = []
        if let seconds = failure.retryAfterSeconds { headers.append(("Retry-After", String(seconds))) }
        if let text = failure.plainText {
            return APIResponse(status: failure.code, contentType: "text/plain", content: .bytes(Array(text.utf8)))
        }
        return APIResponse(status: failure.code, headers: headers, content: .bytes(failure.json.serializedBytes()))
    }

    private mutating func respond(to request: APIRequest) throws(APIFailure) -> APIResponse {
        let target = RequestTarget(request.target)
        let route = try Route(target, method: request.method, registry: registry)
        switch route {
        case .health: return APIResponse(status: 200, contentType: "text/plain", content: .bytes(Array("ok".utf8)))
        case .version: return Self.json(versionDocument)
        default: break
        }
        guard let user = request.user else { throw .unauthorized }
        guard case .resource(let resourceRequest) = route else {
            return try document(route, request, target)
        }
        let context = RequestContext(request, target: target, user: user, now: now)
        var response: APIResponse
        do throws(APIFailure) {
            try authorize(resourceRequest, target, user: user)
            response = try perform(resourceRequest, context)
        } catch {
            note(resourceRequest, context, code: error.code)
            throw error
        }
        note(resourceRequest, context, code: response.status)
        if let warning = resourceRequest.resource.definition.deprecationWarning {
            response.headers.append(Self.header(warning: warning))
        }
        return response
    }

    static func json(_ value: JSONValue, status: Int = 200) -> APIResponse {
        APIResponse(status: status, content: .bytes(value.serializedBytes()))
    }

    private mutating func perform(
        _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        guard request.resource.definition.verbs.contains(request.verb.rawValue) || request.subresource != nil else {
            throw .methodNotAllowed
        }
        if request.verb.writes { try context.checkWriteOptions(request.verb) }
        if request.verb.writes, context.isDryRun {
            // The state before is kept aside and put back.
            let before = self
            defer { self = before }
            return try performWrite(request, context)
        }
        switch request.verb {
        case .get: return try get(request, context)
        case .list: return try list(request, context)
        case .watch: return try watch(request, context)
        default:
            let before = resourceVersion
            let response = try performWrite(request, context)
            if resourceVersion != before { writes[kind(of: request, context, code: response.status), default: 0] += 1 }
            return response
        }
    }

    private mutating func performWrite(
        _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        if let subresource = request.subresource { return try writeSubresource(subresource, request, context) }
        switch request.verb {
        case .create: return try create(request, context)
        case .update: return try update(request, context)
        case .patch: return try patch(request, context)
        case .delete: return try delete(request, context)
        case .deletecollection: return try deleteCollection(request, context)
        case .get, .list, .watch: throw .methodNotAllowed
        }
    }
}

extension ResourceRequest.Verb {
    var writes: Bool {
        switch self {
        case .get, .list, .watch: false
        default: true
        }
    }
}
