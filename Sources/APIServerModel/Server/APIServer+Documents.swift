import JSON
import KubernetesModel

/// Documents that say what the server serves, made once per set of definitions.
struct PublishedDocuments: Sendable {
    private var made: [String: [UInt8]] = [:]

    mutating func invalidate() { made = [:] }

    /// A document in a form of its own.
    mutating func raw(_ name: String, _ make: () -> [UInt8]) -> [UInt8] {
        if let bytes = made[name] { return bytes }
        let bytes = make()
        made[name] = bytes
        return bytes
    }

    /// - Throws: 404 when there is no such document.
    mutating func bytes(_ name: String, _ make: () -> JSONValue?) throws(APIFailure) -> [UInt8] {
        if let bytes = made[name] { return bytes }
        guard let document = make() else { throw .noSuchPath }
        let bytes = document.serializedBytes()
        made[name] = bytes
        return bytes
    }
}

extension APIServer {
    var versionDocument: JSONValue {
        let numbers = options.gitVersion.drop { $0 == "v" }.split(separator: ".")
        return [
            "major": .string(String(numbers.first ?? "1")), "minor": .string(String(numbers.dropFirst().first ?? "0")),
            "gitVersion": .string(options.gitVersion), "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2026-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
        ]
    }

    /// Discovery and OpenAPI.
    mutating func document(
        _ route: Route, _ request: APIRequest, _ target: RequestTarget
    ) throws(APIFailure) -> APIResponse {
        let definitions = registry.definitions
        let accept = request.headers["accept"]
        if let version = Negotiation.aggregatedDiscovery(accept), let isCore = route.isDiscoveryRoot {
            let bytes = try documents.bytes("aggregated \(version) \(isCore)") {
                Discovery.aggregated(isCore: isCore, version: version, definitions)
            }
            return APIResponse(
                status: 200, contentType: Discovery.aggregatedContentType(version), content: .bytes(bytes))
        }
        if case .openAPI(["v2"]) = route {
            // The one form of it, whatever is asked for.
            let bytes = documents.raw("openapi v2") { OpenAPIv2.document(definitions) }
            return APIResponse(status: 200, contentType: OpenAPIv2.contentType, content: .bytes(bytes))
        }
        guard Negotiation.acceptsJSON(accept) else {
            throw APIFailure(
                406, "NotAcceptable", "only the following media types are accepted: application/json")
        }
        let address = options.serverAddress
        let bytes = try documents.bytes("/" + target.segments.joined(separator: "/")) {
            Self.document(route, definitions, serverAddress: address)
        }
        return APIResponse(status: 200, content: .bytes(bytes))
    }

    private static func document(
        _ route: Route, _ definitions: [ResourceDefinition], serverAddress: String
    ) -> JSONValue? {
        switch route {
        case .paths:
            return [
                "paths": [
                    "/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz",
                    "/version",
                ]
            ]
        case .coreVersions: return Discovery.coreVersions(serverAddress: serverAddress)
        case .groups: return Discovery.groupList(definitions)
        case .group(let group): return Discovery.group(group, definitions)
        case .resources(let group, let version):
            return Discovery.resourceList(group: group, version: version, definitions)
        case .openAPI(let path):
            switch (path.first, path.dropFirst().first, path.count) {
            case ("v3", nil, _): return OpenAPI.index(definitions)
            case ("v3", "api", 3): return OpenAPI.document(group: "", version: path[2], definitions)
            case ("v3", "apis", 4): return OpenAPI.document(group: path[2], version: path[3], definitions)
            default: return nil
            }
        case .health, .version, .resource: return nil
        }
    }
}

extension Route {
    /// Of `/api` (true) and `/apis` (false), which can be had with everything in them.
    fileprivate var isDiscoveryRoot: Bool? {
        switch self {
        case .coreVersions: true
        case .groups: false
        default: nil
        }
    }
}
