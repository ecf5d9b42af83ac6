import JSON
import KubernetesModel

/// One open watch: what it selects, and what it has not yet been taken.
struct Watcher: Sendable {
    enum Pending: Sendable {
        case change(String, StoredEntry)
        case bookmark(revision: UInt64, endsInitialEvents: Bool)
        case failure(APIFailure)
    }

    let resource: ServedResource
    let namespace: String?
    let labels: LabelSelector
    let fields: FieldSelector
    let representation: Representation
    let includeObject: String
    let wantsBookmarks: Bool
    /// Nil: for ever.
    let deadline: Timestamp?
    /// Only changes after this one are sent.
    var startRevision: UInt64 = 0
    var pending: [Pending] = []
    var lastActivity: Timestamp
    var sentHeaders = false
    /// Nothing comes after what is pending.
    var isEnded = false

    /// A client that does not read is cut off, as the real server does; it resumes from where it was.
    static let maximumPending = 100_000

    func selects(_ entry: StoredEntry) -> Bool {
        guard namespace == nil || entry.namespace == namespace else { return false }
        return labels.matches(entry.labels)
            && (fields.isEmpty || fields.matches(resource.presented(entry.json)))
    }

    /// What a change looks like through this watch's selectors; nil when it cannot be seen.
    func event(for change: StoredChange) -> Pending? {
        let before = change.previous.map(selects) ?? false
        if change.kind == .deleted { return before ? .change("DELETED", change.entry) : nil }
        switch (before, selects(change.entry)) {
        case (false, true): return .change("ADDED", change.entry)
        case (true, true): return .change("MODIFIED", change.entry)
        case (true, false):
            // The last state that was selected, with the version of the change.
            return change.previous.map { .change("DELETED", StoredEntry(json: $0.json, revision: change.revision)) }
        case (false, false): return nil
        }
    }

    mutating func note(_ change: StoredChange) -> Bool {
        guard !isEnded, change.revision > startRevision, let event = event(for: change) else { return false }
        pending.append(event)
        if pending.count > Self.maximumPending {
            pending = []
            isEnded = true
        }
        return true
    }

    /// What is pending, as lines of the response.
    mutating func takeLines(now: Timestamp) -> [[UInt8]] {
        let presenter = Presenter(resource, representation, includeObject: includeObject, now: now)
        if !pending.isEmpty { lastActivity = now }
        let lines = pending.map { line($0, presenter) }
        pending = []
        return lines
    }

    private mutating func line(_ event: Pending, _ presenter: Presenter) -> [UInt8] {
        let type: String
        let object: [UInt8]
        switch event {
        case .change(let name, let entry):
            type = name
            object = presenter.bytes(entry, withHeaders: !sentHeaders)
            sentHeaders = true
        case .bookmark(let revision, let endsInitialEvents):
            type = "BOOKMARK"
            object = presenter.bookmark(revision: revision, endsInitialEvents: endsInitialEvents).serializedBytes()
        case .failure(let failure):
            type = "ERROR"
            object = failure.json.serializedBytes()
        }
        var line: [UInt8] = []
        line.reserveCapacity(object.count + 40)
        line += "{\"type\":\"\(type)\",\"object\":".utf8
        line += object
        line += "}\n".utf8
        return line
    }
}

/// The open watches.
struct WatcherSet: Sendable {
    private(set) var watchers: [WatchID: Watcher] = [:]
    private var byStorage: [StorageKey: Set<WatchID>] = [:]
    private var ready: Set<WatchID> = []
    private var lastID = 0

    mutating func add(_ watcher: Watcher) -> WatchID {
        lastID += 1
        let id = WatchID(rawValue: lastID)
        byStorage[watcher.resource.storageKey, default: []].insert(id)
        if !watcher.pending.isEmpty || watcher.isEnded { ready.insert(id) }
        watchers[id] = watcher
        return id
    }

    mutating func remove(_ id: WatchID) {
        guard let watcher = watchers.removeValue(forKey: id) else { return }
        byStorage[watcher.resource.storageKey]?.remove(id)
        ready.remove(id)
    }

    mutating func note(_ change: StoredChange, in storage: StorageKey) {
        guard let ids = byStorage[storage] else { return }
        for id in ids where watchers[id]?.note(change) ?? false { ready.insert(id) }
    }

    mutating func takeReady() -> [WatchID] {
        defer { ready = [] }
        return ready.sorted()
    }

    mutating func takeLines(_ id: WatchID, now: Timestamp) -> (lines: [[UInt8]], isEnded: Bool) {
        ready.remove(id)
        guard let lines = watchers[id]?.takeLines(now: now), let isEnded = watchers[id]?.isEnded else {
            return ([], true)
        }
        if isEnded { remove(id) }
        return (lines, isEnded)
    }

    /// Ends watches whose time is over and sends bookmarks to those that have been quiet.
    mutating func tick(now: Timestamp, revision: UInt64, bookmarkInterval: Duration) {
        for (id, watcher) in watchers where !watcher.isEnded {
            if let deadline = watcher.deadline, deadline <= now {
                watchers[id]?.isEnded = true
                ready.insert(id)
            } else if watcher.wantsBookmarks, watcher.pending.isEmpty, now - watcher.lastActivity >= bookmarkInterval {
                watchers[id]?.pending.append(.bookmark(revision: revision, endsInitialEvents: false))
                ready.insert(id)
            }
        }
    }

    /// Ends the watches of a resource that is no longer served.
    mutating func end(_ storage: StorageKey) {
        for id in byStorage[storage] ?? [] {
            watchers[id]?.isEnded = true
            ready.insert(id)
        }
    }
}
