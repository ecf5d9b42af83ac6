import JSON
import KubernetesModel

/// The state of a ``Store``, without locks or callbacks: what is known, and what each piece of news changes.
struct StoreContents<Object: CachedObject>: Sendable {
    struct Entry {
        var object: Object
        /// The list in which the object was last seen; sweeps what a re-list did not mention.
        var list: UInt32
    }

    struct Write {
        var resourceVersion: String
        /// The number of lists begun before the write: a list begun later contains it.
        var list: UInt32
        /// What was written, for the case that it is gone before it shows.
        var object: Object?
    }

    private(set) var entries: [ObjectKey: Entry] = [:]
    /// Keys by the uids of all their owners.
    private var owners: [String: Set<ObjectKey>] = [:]
    private(set) var quarantine: [ObjectKey: Quarantine] = [:]
    private(set) var observedVersion = ""
    private(set) var undecodable = 0
    private var writes: [ObjectKey: Write] = [:]
    private var list: UInt32 = 0
    private var staged: [Object] = []

    subscript(key: ObjectKey) -> Object? { entries[key]?.object }
    var objects: [Object] { entries.values.map(\.object) }
    var count: Int { entries.count }

    func owned(by uid: String) -> [Object] {
        (owners[uid] ?? []).sorted().compactMap { entries[$0]?.object }
    }

    // MARK: Listing

    mutating func beginList() {
        list &+= 1
        staged = []
    }

    /// Takes an item of a list. Nothing of it shows before ``finishList(resourceVersion:)``. An object that did not change
    /// is neither decoded nor held twice.
    mutating func stage(_ item: JSONValue) -> (ObjectKey, Quarantine)? {
        let identity = Identity(item)
        let known = entries[identity.key]
        if let metadata = known?.object.metadata, metadata.uid == identity.uid,
            metadata.resourceVersion == identity.resourceVersion, !identity.resourceVersion.isEmpty
        {
            entries[identity.key]?.list = list
            quarantine[identity.key] = nil
            return nil
        }
        switch decode(item, identity) {
        case .success(let object):
            staged.append(object)
            return nil
        case .failure(let reason):
            // The last version that could be read stays, if it is of this very object.
            if known?.object.metadata.uid == identity.uid { entries[identity.key]?.list = list }
            return reason.map { (identity.key, $0) }
        }
    }

    /// Makes the list's content the store's: one step for readers. Returns what really changed.
    mutating func finishList(resourceVersion: String) -> [StoreChange<Object>] {
        var changes: [StoreChange<Object>] = []
        let fresh = staged
        staged = []
        entries.reserveCapacity(entries.count + fresh.count)
        for object in fresh { changes += put(object) }
        if entries.count > 0 {
            for key in entries.filter({ $0.value.list != list }).keys.sorted() { changes += remove(key) }
        }
        changes += lostWrites(told: changes)
        for key in quarantine.keys where entries[key] == nil && quarantine[key]?.list != list { quarantine[key] = nil }
        observedVersion = resourceVersion
        writes = writes.filter { $0.value.list >= list }
        pruneWrites()
        return changes
    }

    // MARK: Events

    mutating func apply(_ item: JSONValue) -> (changes: [StoreChange<Object>], refused: (ObjectKey, Quarantine)?) {
        let identity = Identity(item)
        note(identity)
        switch decode(item, identity) {
        case .success(let object): return (put(object), nil)
        case .failure(let reason):
            // Another object took the name: what is stored is gone, whatever the new one looks like.
            let old = entries[identity.key]?.object.metadata.uid
            let changes = old != nil && old != identity.uid ? remove(identity.key) : []
            return (changes, reason.map { (identity.key, $0) })
        }
    }

    mutating func delete(_ item: JSONValue) -> [StoreChange<Object>] {
        let identity = Identity(item)
        note(identity)
        quarantine[identity.key] = nil
        let written = writes[identity.key]?.object
        let changes = remove(identity.key)
        guard changes.isEmpty, let written, written.metadata.uid == identity.uid else { return changes }
        writes[identity.key] = nil
        return [.deleted(written)]
    }

    mutating func bookmark(_ resourceVersion: String) {
        observedVersion = resourceVersion
        pruneWrites()
    }

    // MARK: Own writes

    mutating func noteWritten(
        _ key: ObjectKey, resourceVersion: String, as object: Object?
    ) -> [StoreChange<Object>] {
        if ResourceVersion.covers(observedVersion, resourceVersion) == true {
            writes[key] = nil
            return isLost(object, key) ? object.map { [.deleted($0)] } ?? [] : []
        }
        writes[key] = Write(resourceVersion: resourceVersion, list: list, object: object)
        return []
    }

    /// The deletions of what was written before this list, never showed, and is not in the list.
    private func lostWrites(told changes: [StoreChange<Object>]) -> [StoreChange<Object>] {
        if writes.isEmpty { return [] }
        let told = Set(changes.filter(\.isDeletion).map(\.object.metadata.uid))
        return writes.filter { $0.value.list < list && isLost($0.value.object, $0.key) }
            .sorted { $0.key < $1.key }
            .compactMap { $0.value.object }
            .filter { !told.contains($0.metadata.uid) }.map { .deleted($0) }
    }

    private func isLost(_ object: Object?, _ key: ObjectKey) -> Bool {
        object.map { $0.metadata.uid != entries[key]?.object.metadata.uid } ?? false
    }

    mutating func forgetWritten(_ key: ObjectKey) { writes[key] = nil }

    mutating func hasSeenOwnWrites(_ key: ObjectKey) -> Bool {
        guard let write = writes[key] else { return true }
        // A watch delivers a kind in the order of its versions, so anything later covers the write.
        let seen = [observedVersion, entries[key]?.object.metadata.resourceVersion ?? ""].contains {
            !$0.isEmpty && ResourceVersion.covers($0, write.resourceVersion) == true
        }
        if seen { writes[key] = nil }
        return seen
    }

    var pendingWrites: Int { writes.count }

    private mutating func pruneWrites() {
        if writes.isEmpty { return }
        let observedVersion = observedVersion
        writes = writes.filter { ResourceVersion.covers(observedVersion, $0.value.resourceVersion) != true }
    }

    // MARK: Parts

    private mutating func note(_ identity: Identity) {
        if !identity.resourceVersion.isEmpty { observedVersion = identity.resourceVersion }
        if let write = writes[identity.key], identity.resourceVersion == write.resourceVersion {
            writes[identity.key] = nil
        }
    }

    /// A failure without a value was reported before.
    private enum Decoded {
        case success(Object)
        case failure(Quarantine?)
    }

    private mutating func decode(_ item: JSONValue, _ identity: Identity) -> Decoded {
        let reason: String
        do throws(JSONShapeError) {
            let object = try Object(json: item)
            if object.metadata.name.isEmpty { throw JSONShapeError(path: "metadata.name", message: "is required") }
            quarantine[identity.key] = nil
            return .success(object)
        } catch {
            reason = error.description
        }
        undecodable += 1
        let entry = Quarantine(
            uid: identity.uid, resourceVersion: identity.resourceVersion, reason: reason, list: list)
        let known = quarantine.updateValue(entry, forKey: identity.key)
        return .failure(
            known?.uid == entry.uid && known?.resourceVersion == entry.resourceVersion ? nil : entry)
    }

    private mutating func put(_ object: Object) -> [StoreChange<Object>] {
        let key = object.metadata.key
        guard let old = entries.updateValue(Entry(object: object, list: list), forKey: key)?.object else {
            index(object, key)
            return [.added(object)]
        }
        if old.metadata.ownerReferences != object.metadata.ownerReferences {
            unindex(old, key)
            index(object, key)
        }
        if old.metadata.uid != object.metadata.uid { return [.deleted(old), .added(object)] }
        let isSame =
            old.metadata.resourceVersion == object.metadata.resourceVersion && !old.metadata.resourceVersion.isEmpty
        return isSame ? [] : [.modified(old: old, new: object)]
    }

    private mutating func remove(_ key: ObjectKey) -> [StoreChange<Object>] {
        guard let old = entries.removeValue(forKey: key)?.object else { return [] }
        unindex(old, key)
        return [.deleted(old)]
    }

    private mutating func index(_ object: Object, _ key: ObjectKey) {
        for owner in object.metadata.ownerReferences { owners[owner.uid, default: []].insert(key) }
    }

    private mutating func unindex(_ object: Object, _ key: ObjectKey) {
        for owner in object.metadata.ownerReferences {
            owners[owner.uid]?.remove(key)
            if owners[owner.uid]?.isEmpty == true { owners[owner.uid] = nil }
        }
    }
}

/// Which version of which object a document is, read without decoding the rest.
private struct Identity {
    let key: ObjectKey
    let uid: String
    let resourceVersion: String

    init(_ item: JSONValue) {
        let metadata = item["metadata"]
        key = ObjectKey(namespace: metadata?["namespace"]?.string, name: metadata?["name"]?.string ?? "")
        uid = metadata?["uid"]?.string ?? ""
        resourceVersion = metadata?["resourceVersion"]?.string ?? ""
    }
}
