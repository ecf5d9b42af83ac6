import JSON
import KubernetesModel

/// What the server says it serves: the documents under `/api` and `/apis`.
public enum Discovery {
    /// The content type of aggregated discovery (KEP-3352); `version` is `v2` or `v2beta1`, as the client asked.
    public static func aggregatedContentType(_ version: String) -> String {
        "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList"
    }

    /// `/api`
    public static func coreVersions(serverAddress: String) -> JSONValue {
        [
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [
                ["clientCIDR": "0.0.0.0/0", "serverAddress": .string(serverAddress)]
            ],
        ]
    }

    /// `/apis`
    public static func groupList(_ definitions: [ResourceDefinition]) -> JSONValue {
        [
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": .array(groups(definitions).compactMap { groupDocument($0, definitions) }),
        ]
    }

    /// `/apis/batch`; nil for a group that is not served.
    public static func group(_ name: String, _ definitions: [ResourceDefinition]) -> JSONValue? {
        guard var result = groupDocument(name, definitions) else { return nil }
        result["kind"] = "APIGroup"
        result["apiVersion"] = "v1"
        return result
    }

    /// `/api/v1`, `/apis/batch/v1`; nil for a version that is not served.
    public static func resourceList(
        group: String, version: String, _ definitions: [ResourceDefinition]
    ) -> JSONValue? {
        let served = definitions.filter { $0.type.group == group && $0.type.version == version }
        if served.isEmpty { return nil }
        let apiVersion = group.isEmpty ? version : "\(group)/\(version)"
        return [
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(apiVersion),
            "resources": .array(served.flatMap(resources)),
        ]
    }

    /// `/api` (`isCore`) or `/apis` as one document with every resource in it.
    public static func aggregated(
        isCore: Bool, version: String, _ definitions: [ResourceDefinition]
    ) -> JSONValue {
        let names = isCore ? [""] : groups(definitions)
        let items: [JSONValue] = names.map { name in
            let versions: [JSONValue] = Self.versions(of: name, definitions).map { version in
                let served = definitions.filter { $0.type.group == name && $0.type.version == version }
                return [
                    "version": .string(version), "freshness": "Current",
                    "resources": .array(served.map(aggregatedResource)),
                ]
            }
            let metadata: JSONValue = name.isEmpty ? [:] : ["name": .string(name)]
            return ["metadata": metadata, "versions": .array(versions)]
        }
        return [
            "kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/\(version)"),
            "metadata": [:], "items": .array(items),
        ]
    }

    /// The named groups, in the order in which they were defined.
    static func groups(_ definitions: [ResourceDefinition]) -> [String] {
        var seen: Set<String> = [""]
        return definitions.map(\.type.group).filter { seen.insert($0).inserted }
    }

    /// A group's versions, the preferred one first: released before beta before alpha, newer before older.
    static func versions(of group: String, _ definitions: [ResourceDefinition]) -> [String] {
        let all = Set(definitions.filter { $0.type.group == group }.map(\.type.version))
        return all.sorted { VersionPriority($0) > VersionPriority($1) }
    }

    private static func groupDocument(_ name: String, _ definitions: [ResourceDefinition]) -> JSONValue? {
        let versions: [JSONValue] = versions(of: name, definitions).map {
            ["groupVersion": .string("\(name)/\($0)"), "version": .string($0)]
        }
        guard let preferred = versions.first else { return nil }
        return ["name": .string(name), "versions": .array(versions), "preferredVersion": preferred]
    }
}

extension Discovery {
    private static func resources(of definition: ResourceDefinition) -> [JSONValue] {
        let type = definition.type
        var main: JSONValue = [
            "name": .string(type.plural), "singularName": .string(definition.singular),
            "namespaced": .bool(type.isNamespaced), "kind": .string(type.kind),
            "verbs": JSONValue(definition.verbs),
        ]
        if !definition.shortNames.isEmpty { main["shortNames"] = JSONValue(definition.shortNames) }
        if !definition.categories.isEmpty { main["categories"] = JSONValue(definition.categories) }
        return [main]
            + definition.subresources.map { name in
                let kind = subresourceKind(name, of: type)
                var result: JSONValue = [
                    "name": .string("\(type.plural)/\(name)"), "singularName": "",
                    "namespaced": .bool(type.isNamespaced), "kind": .string(kind.kind),
                    "verbs": JSONValue(kind.verbs),
                ]
                if kind.group != type.group || kind.version != type.version {
                    result["group"] = .string(kind.group)
                    result["version"] = .string(kind.version)
                }
                return result
            }
    }

    private static func aggregatedResource(_ definition: ResourceDefinition) -> JSONValue {
        let type = definition.type
        var result: JSONValue = [
            "resource": .string(type.plural), "singularResource": .string(definition.singular),
            "scope": type.isNamespaced ? "Namespaced" : "Cluster", "verbs": JSONValue(definition.verbs),
            "responseKind": responseKind(type.group, type.version, type.kind),
        ]
        if !definition.shortNames.isEmpty { result["shortNames"] = JSONValue(definition.shortNames) }
        if !definition.categories.isEmpty { result["categories"] = JSONValue(definition.categories) }
        if !definition.subresources.isEmpty {
            result["subresources"] = .array(
                definition.subresources.map { name in
                    let kind = subresourceKind(name, of: type)
                    return [
                        "subresource": .string(name), "verbs": JSONValue(kind.verbs),
                        "responseKind": responseKind(kind.group, kind.version, kind.kind),
                    ]
                })
        }
        return result
    }

    private static func responseKind(_ group: String, _ version: String, _ kind: String) -> JSONValue {
        ["group": .string(group), "version": .string(version), "kind": .string(kind)]
    }

    private struct SubresourceKind {
        var group: String
        var version: String
        var kind: String
        var verbs: [String]
    }

    private static func subresourceKind(_ name: String, of type: ResourceType) -> SubresourceKind {
        func own(_ verbs: [String]) -> SubresourceKind {
            SubresourceKind(group: type.group, version: type.version, kind: type.kind, verbs: verbs)
        }
        switch name {
        case "scale":
            return SubresourceKind(
                group: "autoscaling", version: "v1", kind: "Scale", verbs: ["get", "patch", "update"])
        case "log": return own(["get"])
        case "binding": return SubresourceKind(group: "", version: "v1", kind: "Binding", verbs: ["create"])
        case "eviction": return SubresourceKind(group: "policy", version: "v1", kind: "Eviction", verbs: ["create"])
        case "token":
            return SubresourceKind(
                group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", verbs: ["create"])
        case "finalize": return own(["update"])
        default: return own(["get", "patch", "update"])
        }
    }
}

/// The order of API versions: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, then everything else
/// (`k8s.io/apimachinery/pkg/version.CompareKubeAwareVersionStrings`).
struct VersionPriority: Comparable {
    private var stage = 0
    private var major = 0
    private var minor = 0
    private let text: String

    init(_ text: String) {
        self.text = text
        guard text.hasPrefix("v") else { return }
        let rest = text.dropFirst()
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let major = Int(digits) else { return }
        let suffix = rest[digits.endIndex...]
        for (name, stage) in [("beta", 2), ("alpha", 1)] where suffix.hasPrefix(name) {
            guard let minor = Int(suffix.dropFirst(name.count)) else { return }
            (self.stage, self.major, self.minor) = (stage, major, minor)
        }
        if suffix.isEmpty { (stage, self.major) = (3, major) }
    }

    static func < (left: VersionPriority, right: VersionPriority) -> Bool {
        let order = (left.stage, left.major, left.minor)
        let other = (right.stage, right.major, right.minor)
        // Names outside the scheme sort by the alphabet, the first one preferred.
        return order == other ? left.text > right.text : order < other
    }
}
