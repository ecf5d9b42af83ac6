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
        registry.remove(group: group, plural: spec["names", "plural"]?.string ?? "")
        for definition in definitions { registry.serve(ServedResource(definition)) }
        documents.invalidate()
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

    /// Ends what a removed definition served. Its objects went before it, held by the finalizer.
    mutating func withdrawDefinition(_ entry: StoredEntry) {
        let group = entry.json["spec", "group"]?.string ?? ""
        let plural = entry.json["spec", "names", "plural"]?.string ?? ""
        registry.remove(group: group, plural: plural)
        let key = StorageKey(group: group, plural: plural)
        watchers.end(key)
        storages[key] = nil
        documents.invalidate()
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
            guard let served = registry.stored.first(where: { $0.storageKey == key }) else { continue }
            for object in storages[key]?.entries ?? [] where !object.isBeingDeleted {
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
