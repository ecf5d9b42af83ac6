import JSON
import KubernetesModel

extension APIServer {
    /// Deletes what has lost its owners, finishes foreground and orphaning deletions, empties namespaces, until
    /// nothing is left to do (`pkg/controller/garbagecollector`).
    ///
    /// - Returns: whether anything was written.
    @discardableResult
    public mutating func collectGarbage(now: Timestamp) -> Bool {
        self.now = max(self.now, now)
        let start = resourceVersion
        // Each round may uncover more; chains of owners are short.
        for _ in 0..<32 where needsCollection {
            needsCollection = false
            let before = resourceVersion
            finishNamespaces()
            finishDefinitions()
            collectOnce()
            if resourceVersion == before { break }
            needsCollection = true
        }
        return resourceVersion != start
    }

    private mutating func collectOnce() {
        let graph = OwnerGraph(self)
        for item in graph.items where item.entry.isBeingDeleted { finishOwner(item, graph) }
        for item in graph.items where !item.owners.isEmpty { collect(item, graph) }
    }

    /// Takes the garbage collector's own finalizers off an owner once its dependents are dealt with.
    private mutating func finishOwner(_ item: OwnerGraph.Item, _ graph: OwnerGraph) {
        guard let entry = current(item) else { return }
        let finalizers = Set(entry.finalizers)
        let dependents = graph.dependents[entry.uid] ?? []
        if finalizers.contains(Self.orphanFinalizer) {
            for index in dependents { dropOwners(graph.items[index]) { $0 == entry.uid } }
            dropFinalizer(Self.orphanFinalizer, entry, item.resource)
        } else if finalizers.contains(Self.foregroundFinalizer) {
            let isBlocked = dependents.contains { index in
                let dependent = graph.items[index]
                return dependent.owners.contains { $0.uid == entry.uid && $0.blockOwnerDeletion }
                    && current(dependent) != nil
            }
            if !isBlocked { dropFinalizer(Self.foregroundFinalizer, entry, item.resource) }
        }
    }

    private mutating func collect(_ item: OwnerGraph.Item, _ graph: OwnerGraph) {
        guard let entry = current(item) else { return }
        if entry.isBeingDeleted, !entry.finalizers.contains(Self.foregroundFinalizer) { return }
        var solid = 0
        var dangling: Set<String> = []
        var waiting: Set<String> = []
        // The owners as they are now: an owner that was finished in this pass may have let go of the object.
        for owner in OwnerGraph.owners(of: entry) {
            guard let position = graph.positions[owner.uid], let live = current(graph.items[position]),
                live.namespace == nil || live.namespace == entry.namespace
            else {
                dangling.insert(owner.uid)
                continue
            }
            if live.isBeingDeleted, live.finalizers.contains(Self.foregroundFinalizer) {
                waiting.insert(owner.uid)
            } else {
                solid += 1
            }
        }
        if dangling.isEmpty, waiting.isEmpty { return }
        if solid > 0 {
            dropOwners(item) { dangling.contains($0) || waiting.contains($0) }
            return
        }
        var options = DeletionOptions()
        options.uid = entry.uid
        let hasDependents = !(graph.dependents[entry.uid] ?? []).isEmpty
        if !waiting.isEmpty, hasDependents {
            options.propagation = .foreground
        } else if entry.finalizers.contains(Self.orphanFinalizer) {
            options.propagation = .orphan
        } else if entry.finalizers.contains(Self.foregroundFinalizer) {
            options.propagation = .foreground
        } else {
            options.propagation = .background
        }
        do throws(APIFailure) {
            try delete(entry, item.resource, options)
        } catch {
            // The object changed under the same pass; the next one sees it as it is.
            needsCollection = true
        }
    }

    private func current(_ item: OwnerGraph.Item) -> StoredEntry? {
        let entry = storages[item.resource.storageKey]?[item.entry.key]
        return entry?.uid == item.entry.uid ? entry : nil
    }

    private mutating func dropFinalizer(_ finalizer: String, _ entry: StoredEntry, _ resource: ServedResource) {
        var json = entry.json
        let rest = entry.finalizers.filter { $0 != finalizer }
        json["metadata", "finalizers"] = rest.isEmpty ? nil : JSONValue(rest)
        _ = commit(json, over: entry, resource)
    }

    private mutating func dropOwners(_ item: OwnerGraph.Item, _ isDropped: (String) -> Bool) {
        guard let entry = current(item) else { return }
        var json = entry.json
        let rest = (entry.metadata["ownerReferences"]?.array ?? []).filter { !isDropped($0["uid"]?.string ?? "") }
        json["metadata", "ownerReferences"] = rest.isEmpty ? nil : .array(rest)
        _ = commit(json, over: entry, item.resource)
    }
}

/// Who owns whom, by uid.
struct OwnerGraph {
    struct Owner {
        var uid: String
        var blockOwnerDeletion: Bool
    }
    struct Item {
        var entry: StoredEntry
        var resource: ServedResource
        var owners: [Owner]
    }

    private(set) var items: [Item] = []
    private(set) var positions: [String: Int] = [:]
    private(set) var dependents: [String: [Int]] = [:]

    init(_ server: APIServer) {
        for resource in server.registry.stored where resource.type != .coreEvents {
            for entry in server.storages[resource.storageKey]?.entries ?? [] {
                let owners = Self.owners(of: entry)
                positions[entry.uid] = items.count
                for owner in owners { dependents[owner.uid, default: []].append(items.count) }
                items.append(Item(entry: entry, resource: resource, owners: owners))
            }
        }
    }

    static func owners(of entry: StoredEntry) -> [Owner] {
        (entry.metadata["ownerReferences"]?.array ?? []).map {
            Owner(uid: $0["uid"]?.string ?? "", blockOwnerDeletion: $0["blockOwnerDeletion"]?.bool ?? false)
        }
    }
}
