import JSON
import KubernetesModel

/// Every resource that is served: the built-in ones and those of the CustomResourceDefinitions.
struct Registry: Sendable {
    private(set) var resources: [ServedKey: ServedResource] = [:]
    /// The versions of each group: every request asks for one.
    private var versions: [String: Set<String>] = [:]

    mutating func serve(_ resource: ServedResource) {
        resources[resource.key] = resource
        versions[resource.key.group, default: []].insert(resource.key.version)
    }

    mutating func remove(group: String, plural: String) {
        resources = resources.filter { $0.key.group != group || $0.key.plural != plural }
        let rest = Set(resources.keys.filter { $0.group == group }.map(\.version))
        versions[group] = rest.isEmpty ? nil : rest
    }

    subscript(group: String, version: String, plural: String) -> ServedResource? {
        resources[ServedKey(group: group, version: version, plural: plural)]
    }

    subscript(type type: ResourceType) -> ServedResource? { self[type.group, type.version, type.plural] }

    /// Whether anything is served under a group and version.
    func hasVersion(group: String, version: String) -> Bool {
        versions[group]?.contains(version) ?? false
    }

    func hasGroup(_ group: String) -> Bool { versions[group] != nil }

    /// In the order in which discovery lists them: the built-in ones, then the custom ones by name.
    var definitions: [ResourceDefinition] {
        BuiltinKinds.all + sorted.filter(\.isCustom).map(\.definition)
    }

    /// One resource per kind of stored object, in a fixed order.
    var stored: [ServedResource] {
        var seen: Set<StorageKey> = []
        return sorted.filter { seen.insert($0.storageKey).inserted }
    }

    /// All, by group, version and plural.
    var sorted: [ServedResource] {
        resources.values.sorted {
            ($0.type.group, $0.type.version, $0.type.plural) < ($1.type.group, $1.type.version, $1.type.plural)
        }
    }
}
