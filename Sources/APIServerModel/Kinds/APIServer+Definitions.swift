import JSON
import KubernetesModel

extension APIServer {
    /// Serves what a CustomResourceDefinition defines, and says so in its status.
    mutating func establishDefinition(_ entry: StoredEntry) {
        guard !entry.isBeingDeleted, let resource = registry[type: .customResourceDefinitions] else { return }
        let definitions: [ResourceDefinition]
        do throws(FieldError) {
            definitions = try CustomResources.definitions(from: entry.json)
        } catch {
            // Such a definition is refused before it is stored.
            return
        }
        let spec = entry.json["spec"] ?? [:]
        let group = spec["group"]?.string ?? ""
        if let conflict = nameConflict(entry) {
            refuseNames(entry, resource, conflict)
            return
        }
        let plural = spec["names", "plural"]?.string ?? ""
        registry.remove(group: group, plural: plural)
        for definition in definitions { registry.serve(ServedResource(definition)) }
        documents.invalidate()
        // What is stored is read with the defaults of today.
        if let served = registry.stored.first(where: {
            $0.isCustom && $0.type.group == group && $0.type.plural == plural
        }) {
            storages[served.storageKey]?.show { served.definition.applyDefaults($0) }
        }
        var json = entry.json
        let moment = JSONValue.string(now.truncatedToSeconds.description)
        func condition(_ type: String, _ reason: String, _ message: String) -> JSONValue {
            let old = (entry.json["status", "conditions"]?.array ?? []).first { $0["type"]?.string == type }
            return [
                "type": .string(type), "status": "True", "reason": .string(reason), "message": .string(message),
                "lastTransitionTime": old?["lastTransitionTime"] ?? moment,
            ]
        }
        let storage = (spec["versions"]?.array ?? []).filter { $0["storage"]?.bool == true }
            .compactMap { $0["name"]?.string }
        let stored = (json["status", "storedVersions"]?.array ?? []).compactMap(\.string)
        json["status"] = [
            "acceptedNames": spec["names"] ?? [:],
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "storedVersions": JSONValue(stored + storage.filter { !stored.contains($0) }),
        ]
        _ = commit(json, over: entry, resource)
    }

    /// Which of a definition's names another kind of its group has: the reason and the name.
    private func nameConflict(_ entry: StoredEntry) -> (reason: String, name: String)? {
        let names = entry.json["spec", "names"] ?? [:]
        let others = entries(.customResourceDefinitions).filter {
            $0.name != entry.name && $0.json["spec", "group"] == entry.json["spec", "group"]
        }.map { $0.json["status", "acceptedNames"] ?? [:] }
        func taken(_ fields: [String]) -> Set<String> {
            Set(
                others.flatMap { other in fields.flatMap { other[$0]?.array ?? [other[$0] ?? ""] } }.compactMap(
                    \.string))
        }
        let plain = taken(["plural", "singular", "shortNames"])
        let kinds = taken(["kind", "listKind"])
        let kind = names["kind"]?.string ?? ""
        for name in (names["shortNames"]?.array ?? []).compactMap(\.string) where plain.contains(name) {
            return ("ShortNamesConflict", name)
        }
        if kinds.contains(kind) { return ("KindConflict", kind) }
        let list = names["listKind"]?.string ?? kind + "List"
        return kinds.contains(list) ? ("ListKindConflict", list) : nil
    }

    /// A definition whose names are taken is kept, and nothing is served for it.
    private mutating func refuseNames(
        _ entry: StoredEntry, _ resource: ServedResource, _ conflict: (reason: String, name: String)
    ) {
        let moment = JSONValue.string(now.truncatedToSeconds.description)
        var json = entry.json
        json["status", "conditions"] = [
            [
                "type": "NamesAccepted", "status": "False", "reason": .string(conflict.reason),
                "message": .string("\"\(conflict.name)\" is already in use"), "lastTransitionTime": moment,
            ],
            [
                "type": "Established", "status": "False", "reason": "NotAccepted",
                "message": "not all names are accepted", "lastTransitionTime": moment,
            ],
        ]
        _ = commit(json, over: entry, resource)
    }

    /// Ends what a removed definition served. Its objects went before it, held by the finalizer.
    mutating func withdrawDefinition(_ entry: StoredEntry) {
        let group = entry.json["spec", "group"]?.string ?? ""
        let plural = entry.json["spec", "names", "plural"]?.string ?? ""
        registry.remove(group: group, plural: plural)
        let key = StorageKey(group: group, plural: plural)
        watchers.end(key)
        storages[key] = nil
        documents.invalidate()
        // Its names are free for who wanted them.
        for other in entries(.customResourceDefinitions)
        where other.uid != entry.uid && other.json["spec", "group"]?.string == group {
            let plural = other.json["spec", "names", "plural"]?.string ?? ""
            if !registry.stored.contains(where: { $0.storageKey == StorageKey(group: group, plural: plural) }) {
                establishDefinition(other)
            }
        }
    }

    static let definitionFinalizer = "customresourcecleanup.apiextensions.k8s.io"

    /// Deletes the objects of definitions that are going, then lets the definitions go.
    mutating func finishDefinitions() {
        guard let resource = registry[type: .customResourceDefinitions] else { return }
        for entry in entries(.customResourceDefinitions) where entry.isBeingDeleted {
            guard entry.finalizers.contains(Self.definitionFinalizer) else { continue }
            let key = StorageKey(
                group: entry.json["spec", "group"]?.string ?? "",
                plural: entry.json["spec", "names", "plural"]?.string ?? "")
            // Nothing was ever served for a definition whose names were taken.
            let served = registry.stored.first { $0.storageKey == key }
            for object in storages[key]?.entries ?? [] where !object.isBeingDeleted {
                guard let served else { continue }
                do throws(APIFailure) {
                    try delete(object, served, DeletionOptions())
                } catch {
                    needsCollection = true
                }
            }
            guard storages[key]?.entries.isEmpty ?? true else { continue }
            var json = entry.json
            let rest = entry.finalizers.filter { $0 != Self.definitionFinalizer }
            json["metadata", "finalizers"] = rest.isEmpty ? nil : JSONValue(rest)
            _ = commit(json, over: entry, resource)
        }
    }
}
