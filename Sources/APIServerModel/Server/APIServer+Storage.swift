import JSON
import KubernetesModel

extension APIServer {
    func entry(_ resource: ServedResource, namespace: String?, name: String) -> StoredEntry? {
        let key = StoredEntry.key(namespace: resource.type.isNamespaced ? namespace ?? "" : nil, name: name)
        return storages[resource.storageKey]?[key]
    }

    /// The object that a request names, or 404.
    func existing(_ request: ResourceRequest) throws(APIFailure) -> StoredEntry {
        let name = request.name ?? ""
        guard let entry = entry(request.resource, namespace: request.namespace, name: name) else {
            throw .notFound(request.type, name)
        }
        return entry
    }

    func entry(_ type: ResourceType, namespace: String? = nil, name: String) -> StoredEntry? {
        guard let resource = registry[type: type] else { return nil }
        return entry(resource, namespace: namespace, name: name)
    }

    func entries(_ type: ResourceType, namespace: String? = nil) -> ArraySlice<StoredEntry> {
        guard let resource = registry[type: type] else { return [] }
        return storages[resource.storageKey]?.entries(namespace: namespace) ?? []
    }

    /// Stores a version of an object under the next resource version and tells the watches.
    @discardableResult
    mutating func store(_ json: JSONValue, _ resource: ServedResource, previous: StoredEntry?) -> StoredEntry {
        resourceVersion += 1
        let entry = StoredEntry(json: resource.stored(json), revision: resourceVersion)
        record(StoredChange(kind: previous == nil ? .added : .modified, entry: entry, previous: previous), resource)
        return entry
    }

    /// Removes an object from storage, at once.
    @discardableResult
    mutating func remove(_ entry: StoredEntry, _ resource: ServedResource) -> StoredEntry {
        resourceVersion += 1
        let last = StoredEntry(json: entry.json, revision: resourceVersion)
        record(StoredChange(kind: .deleted, entry: last, previous: entry), resource)
        didRemove(entry, resource)
        return last
    }

    private mutating func record(_ change: StoredChange, _ resource: ServedResource) {
        storages[resource.storageKey, default: ObjectStorage()].record(change, window: options.historyWindow)
        watchers.note(change, in: resource.storageKey)
        if change.mayLeaveGarbage { needsCollection = true }
    }

    /// What else a removal changes.
    private mutating func didRemove(_ entry: StoredEntry, _ resource: ServedResource) {
        if resource.type == .customResourceDefinitions { withdrawDefinition(entry) }
    }

    /// Forgets the changes up to now, as etcd does every five minutes: watches and pages from before then get a 410.
    public mutating func compact() {
        // Also of kinds that never had an object, as a real server does.
        for resource in registry.stored {
            storages[resource.storageKey, default: ObjectStorage()].compact(upTo: resourceVersion)
        }
    }

    /// Every stored object of a type, for tests and for the owner's own look around.
    public func objects(_ type: ResourceType, namespace: String? = nil) -> [JSONValue] {
        guard let resource = registry[type: type] else { return [] }
        return entries(type, namespace: namespace).map { resource.presented($0.json) }
    }

    public func object(_ type: ResourceType, _ key: ObjectKey) -> JSONValue? {
        guard let resource = registry[type: type] else { return nil }
        return entry(resource, namespace: key.namespace, name: key.name).map { resource.presented($0.json) }
    }
}

extension ServedResource {
    /// The form in which a document of this version is kept.
    func stored(_ json: JSONValue) -> JSONValue {
        type == .events ? EventConversion.core(json) : json
    }

    /// A stored document in this version.
    func presented(_ json: JSONValue) -> JSONValue {
        if json["apiVersion"]?.string == type.apiVersion { return json }
        if type == .events { return EventConversion.eventsV1(json) }
        var json = json
        json["apiVersion"] = .string(type.apiVersion)
        return json
    }
}
