import JSON
import KubernetesModel

/// Documents that say what the server serves, made once per set of definitions.
struct PublishedDocuments: Sendable {
    private(set) var made: [String: [UInt8]] = [:]

    mutating func invalidate() { made = [:] }

    mutating func bytes(_ path: String, _ make: () -> JSONValue) -> [UInt8] {
        if let bytes = made[path] { return bytes }
        let bytes = make().serializedBytes()
        made[path] = bytes
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
        guard Negotiation.acceptsJSON(request.headers["accept"]) else {
            throw APIFailure(
                406, "NotAcceptable", "only the following media types are accepted: application/json")
        }
        let path = "/" + target.segments.joined(separator: "/")
        let resources = registry.sorted
        switch route {
        case .paths:
            return Self.json(["paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/readyz", "/version"]])
        case .coreVersions:
            return Self.json(["kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []])
        case .groups:
            return bytes(documents.bytes(path) { Self.groupList(resources) })
        case .group(let group):
            guard let found = Self.group(group, resources) else { throw .noSuchPath }
            return Self.json(found)
        case .resources(let group, let version):
            let listed = resources.filter { $0.type.group == group && $0.type.version == version }
            return bytes(documents.bytes(path) { Self.resourceList(group, version, listed) })
        default: throw .noSuchPath
        }
    }

    private func bytes(_ bytes: [UInt8]) -> APIResponse { APIResponse(status: 200, content: .bytes(bytes)) }

    private static func groupList(_ resources: [ServedResource]) -> JSONValue {
        let groups = Set(resources.map(\.type.group)).filter { !$0.isEmpty }.sorted()
        return [
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": .array(groups.compactMap { group($0, resources) }),
        ]
    }

    private static func group(_ name: String, _ resources: [ServedResource]) -> JSONValue? {
        let versions = Set(resources.filter { $0.type.group == name }.map(\.type.version)).sorted(by: >)
        guard let preferred = versions.first else { return nil }
        func version(_ version: String) -> JSONValue {
            ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)]
        }
        return [
            "kind": "APIGroup", "apiVersion": "v1", "name": .string(name), "versions": .array(versions.map(version)),
            "preferredVersion": version(preferred),
        ]
    }

    private static func resourceList(_ group: String, _ version: String, _ listed: [ServedResource]) -> JSONValue {
        var entries: [JSONValue] = []
        for resource in listed {
            let definition = resource.definition
            var entry: JSONValue = [
                "name": .string(resource.type.plural), "singularName": .string(definition.singular),
                "namespaced": .bool(resource.type.isNamespaced), "kind": .string(resource.type.kind),
                "verbs": JSONValue(definition.verbs.sorted()), "storageVersionHash": "",
            ]
            if !definition.shortNames.isEmpty { entry["shortNames"] = JSONValue(definition.shortNames) }
            if !definition.categories.isEmpty { entry["categories"] = JSONValue(definition.categories) }
            entries.append(entry)
            for subresource in definition.subresources.sorted() {
                var entry: JSONValue = [
                    "name": .string("\(resource.type.plural)/\(subresource)"), "singularName": "",
                    "namespaced": .bool(resource.type.isNamespaced), "kind": .string(resource.type.kind),
                    "verbs": ["get", "patch", "update"],
                ]
                if subresource == "scale" {
                    entry["group"] = "autoscaling"
                    entry["version"] = "v1"
                    entry["kind"] = "Scale"
                }
                if ["binding", "eviction", "token"].contains(subresource) { entry["verbs"] = ["create"] }
                if subresource == "log" { entry["verbs"] = ["get"] }
                entries.append(entry)
            }
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"), "resources": .array(entries),
        ]
    }
}
