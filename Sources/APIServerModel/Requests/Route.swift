import KubernetesModel

/// What a resource request is about.
struct ResourceRequest: Sendable {
    enum Verb: String, Sendable {
        case get, list, watch, create, update, patch, delete, deletecollection
    }

    var resource: ServedResource
    var verb: Verb
    var namespace: String?
    var name: String?
    var subresource: String?

    var type: ResourceType { resource.type }
}

/// Where a path leads.
enum Route: Sendable {
    case health(String)
    case version
    case paths
    case coreVersions
    case groups
    case group(String)
    case resources(group: String, version: String)
    case openAPI([String])
    case resource(ResourceRequest)

    init(_ target: RequestTarget, method: String, registry: Registry) throws(APIFailure) {
        let segments = target.segments
        switch segments.first {
        case nil: self = .paths
        case "healthz"?, "readyz"?, "livez"?:
            guard segments.dropFirst().allSatisfy({ ["ping", "log", "etcd"].contains($0) }) else { throw .noSuchPath }
            self = .health(segments[0])
        case "version"?:
            guard method == "GET" || method == "HEAD", segments.count == 1 else { throw .methodNotAllowed }
            self = .version
        case "openapi"?: self = .openAPI(Array(segments.dropFirst()))
        case "api"?:
            if segments.count == 1 {
                self = .coreVersions
            } else {
                self = try Self.versioned("", segments[1], Array(segments.dropFirst(2)), target, method, registry)
            }
        case "apis"?:
            switch segments.count {
            case 1: self = .groups
            case 2: self = .group(segments[1])
            default:
                self = try Self.versioned(
                    segments[1], segments[2], Array(segments.dropFirst(3)), target, method, registry)
            }
        default: throw .noSuchPath
        }
    }

    private static func versioned(
        _ group: String, _ version: String, _ path: [String], _ target: RequestTarget, _ method: String,
        _ registry: Registry
    ) throws(APIFailure) -> Route {
        guard registry.hasVersion(group: group, version: version) else {
            throw registry.hasGroup(group) ? .noSuchPath : .noSuchGroup
        }
        if path.isEmpty { return .resources(group: group, version: version) }
        var rest = path[...]
        var isWatch = target.flag("watch")
        // The old way to ask, by which one object can be watched too.
        let isWatchPath = rest.first == "watch"
        if isWatchPath {
            isWatch = true
            rest = rest.dropFirst()
        }
        var namespace: String?
        if group.isEmpty, rest.first == "namespaces" {
            let isOwnSubresource = rest.count == 3 && ["status", "finalize"].contains(rest.last ?? "")
            if rest.count >= 3, !isOwnSubresource {
                namespace = rest.dropFirst().first
                rest = rest.dropFirst(2)
            }
        } else if rest.first == "namespaces", rest.count >= 3 {
            namespace = rest.dropFirst().first
            rest = rest.dropFirst(2)
        }
        let parts = Array(rest)
        guard let plural = parts.first, let resource = registry[group, version, plural], parts.count <= 3 else {
            throw .noSuchPath
        }
        guard resource.type.isNamespaced || namespace == nil else { throw .noSuchPath }
        let name = parts.count > 1 ? parts[1] : nil
        guard name == nil || namespace != nil || !resource.type.isNamespaced else { throw .noSuchPath }
        let verb = try isWatchPath && method == "GET" ? .watch : verb(method, hasName: name != nil, isWatch: isWatch)
        let request = ResourceRequest(
            resource: resource, verb: verb, namespace: namespace, name: name,
            subresource: parts.count > 2 ? parts[2] : nil)
        return .resource(request)
    }

    private static func verb(
        _ method: String, hasName: Bool, isWatch: Bool
    ) throws(APIFailure) -> ResourceRequest.Verb {
        switch (method, hasName) {
        case ("GET", true), ("HEAD", true): return .get
        case ("GET", false), ("HEAD", false): return isWatch ? .watch : .list
        case ("POST", _): return .create
        case ("PUT", true): return .update
        case ("PATCH", true): return .patch
        case ("DELETE", true): return .delete
        case ("DELETE", false): return .deletecollection
        default: throw .methodNotAllowed
        }
    }
}
