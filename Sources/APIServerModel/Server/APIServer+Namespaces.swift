import JSON
import KubernetesModel

extension APIServer {
    /// A namespace of the server's own.
    mutating func createNamespace(_ name: String) {
        guard let resource = registry[type: .namespaces] else { return }
        var json: JSONValue = [
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": [
                "name": .string(name), "uid": .string(generator.uid()),
                "creationTimestamp": .string(now.truncatedToSeconds.description),
            ],
        ]
        prepareNamespace(&json)
        let entry = store(json, resource, previous: nil)
        didCreate(entry, resource)
    }

    func prepareNamespace(_ json: inout JSONValue) {
        json["metadata", "labels", "kubernetes.io/metadata.name"] = json["metadata", "name"]
        json["spec"] = ["finalizers": ["kubernetes"]]
        json["status"] = ["phase": "Active"]
    }

    /// What every namespace has from the start.
    mutating func furnishNamespace(_ name: String) {
        func object(_ type: ResourceType, _ objectName: String, _ uid: String) -> JSONValue {
            [
                "apiVersion": .string(type.apiVersion), "kind": .string(type.kind),
                "metadata": [
                    "name": .string(objectName), "namespace": .string(name), "uid": .string(uid),
                    "creationTimestamp": .string(now.truncatedToSeconds.description),
                ],
            ]
        }
        if let accounts = registry[type: .serviceAccounts],
            entry(accounts, namespace: name, name: "default") == nil
        {
            store(object(.serviceAccounts, "default", generator.uid()), accounts, previous: nil)
        }
        if let certificate = options.rootCertificate, let maps = registry[type: .configMaps],
            entry(maps, namespace: name, name: "kube-root-ca.crt") == nil
        {
            var map = object(.configMaps, "kube-root-ca.crt", generator.uid())
            map["data"] = ["ca.crt": .string(certificate)]
            store(map, maps, previous: nil)
        }
    }

    mutating func terminateNamespace(
        _ old: StoredEntry, _ resource: ServedResource
    ) throws(APIFailure) -> StoredEntry {
        if ["default", "kube-system", "kube-public"].contains(old.name) {
            throw .forbidden(.namespaces, old.name, "this namespace may not be deleted")
        }
        if old.isBeingDeleted { return old }
        var json = old.json
        json["metadata", "deletionTimestamp"] = .string(now.truncatedToSeconds.description)
        json["metadata", "deletionGracePeriodSeconds"] = nil
        json["status", "phase"] = "Terminating"
        return store(json, resource, previous: old)
    }

    /// Deletes what is in namespaces that are going; lets those go that are empty.
    mutating func finishNamespaces() {
        guard let namespaces = registry[type: .namespaces] else { return }
        for entry in entries(.namespaces) where entry.isBeingDeleted {
            var json = entry.json
            guard emptyNamespace(entry.name) else {
                json["status", "conditions"] = remaining(in: entry)
                _ = commit(json, over: entry, namespaces)
                continue
            }
            json["spec", "finalizers"] = .array(
                (json["spec", "finalizers"]?.array ?? []).filter { $0 != "kubernetes" })
            _ = commit(json, over: entry, namespaces)
        }
    }

    /// What a namespace says of what holds it.
    private func remaining(in namespace: StoredEntry) -> JSONValue {
        var resources: [String] = []
        var finalizers: [String: Int] = [:]
        for resource in registry.stored where resource.type.isNamespaced {
            let left = storages[resource.storageKey]?.entries(namespace: namespace.name) ?? []
            guard !left.isEmpty else { continue }
            resources.append("\(resource.type.plural).\(resource.type.group) has \(left.count) resource instances")
            for finalizer in left.flatMap(\.finalizers) { finalizers[finalizer, default: 0] += 1 }
        }
        let held = finalizers.sorted { $0.key < $1.key }.map { "\($0.key) in \($0.value) resource instances" }
        let old = namespace.json["status", "conditions"]?.array ?? []
        func condition(_ type: String, _ reason: String, _ text: String, _ list: [String]) -> JSONValue {
            let before = old.first { $0["type"]?.string == type }
            return [
                "type": .string(type), "status": "True", "reason": .string(reason),
                "message": .string(text + list.joined(separator: ", ")),
                "lastTransitionTime": before?["lastTransitionTime"]
                    ?? .string(now.truncatedToSeconds.description),
            ]
        }
        var conditions: [JSONValue] = []
        if !resources.isEmpty {
            conditions.append(
                condition(
                    "NamespaceContentRemaining", "SomeResourcesRemain", "Some resources are remaining: ", resources))
        }
        if !held.isEmpty {
            conditions.append(
                condition(
                    "NamespaceFinalizersRemaining", "SomeFinalizersRemain",
                    "Some content in the namespace has finalizers remaining: ", held))
        }
        return .array(conditions)
    }

    /// - Returns: whether nothing is left.
    private mutating func emptyNamespace(_ name: String) -> Bool {
        var isEmpty = true
        for resource in registry.stored where resource.type.isNamespaced {
            for entry in storages[resource.storageKey]?.entries(namespace: name) ?? [] {
                var options = DeletionOptions()
                options.propagation = .background
                do throws(APIFailure) {
                    let isGone = entry.isBeingDeleted ? false : try delete(entry, resource, options).isGone
                    if !isGone { isEmpty = false }
                } catch {
                    isEmpty = false
                }
            }
        }
        return isEmpty
    }
}
