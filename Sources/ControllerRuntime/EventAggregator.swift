import DequeModule
import JSON
import KubernetesModel

/// Which events are written, and how, without I/O.
///
/// An event equal to one of the last ten minutes (in all but time) raises that one's count. The count is written when
/// it reaches a power of two, so that a thousand repetitions cost ten writes, and once more at the end. After client-go's
/// correlator (`tools/record/events_cache.go`): of events that differ in their notes alone, the tenth and those after it
/// are one; an object has 25 events at once and then one every five minutes. Unlike there, repetitions take no share of
/// the 25, for they cost next to nothing here.
struct EventAggregator: Sendable {
    enum Write: Sendable, Hashable {
        case create(JSONValue)
        case patch(ObjectKey, JSONValue)
    }

    enum Verdict: Sendable, Hashable {
        case queued
        /// Counted; the count is not written now.
        case suppressed
        case dropped
    }

    private struct Identity: Hashable {
        var regarding: ObjectReference
        var related: ObjectReference?
        var type: EventNote.Kind
        var reason: String
        var action: String
        /// Nil for one that stands for many.
        var note: String?

        init(_ note: EventNote) {
            regarding = note.regarding
            // The version differs from one reconcile to the next, and the event is the same.
            regarding.resourceVersion = ""
            related = note.related
            related?.resourceVersion = ""
            type = note.type
            reason = note.reason
            action = note.action
            self.note = note.note
        }
    }

    /// The notes of events that differ in nothing else.
    private struct Similar {
        var notes: Set<String>
        var lastSeen: Duration
    }

    private struct Known {
        var key: ObjectKey
        var count: Int64
        var writtenCount: Int64
        var lastSeen: Duration
        var lastObserved: Timestamp
    }

    static let window: Duration = .seconds(600)
    static let queueLimit = 1000
    static let memoryLimit = 4096
    static let noteLimit = 1024
    /// So many notes of one reason have events of their own.
    static let similarLimit = 9
    static let combinedPrefix = "(combined from similar events): "

    private let controller: String
    private let instance: String
    private var known: [Identity: Known] = [:]
    private var similar: [Identity: Similar] = [:]
    private var buckets: [ObjectReference: TokenBucket] = [:]
    private var pending = Deque<Identity>()
    /// The events to create; what is pending without one is a count to be written.
    private var fresh: [Identity: JSONValue] = [:]
    private var isPending: Set<Identity> = []
    private var isClosed = false
    private var sequence: UInt64 = 0
    private var nextSweep: Duration = .zero

    init(controller: String, instance: String) {
        self.controller = controller
        self.instance = instance
    }

    var pendingCount: Int { pending.count }

    mutating func record(_ note: EventNote, now: Duration, wall: Timestamp) -> Verdict {
        if isClosed { return .dropped }
        sweep(now)
        var note = note
        note.note = note.note.truncated(toUTF8: Self.noteLimit)
        note.reason = note.reason.truncated(toUTF8: 128)
        note.action = note.action.truncated(toUTF8: 128)
        var identity = Identity(note)
        if isOneOfMany(identity, now) {
            identity.note = nil
            note.note = (Self.combinedPrefix + note.note).truncated(toUTF8: Self.noteLimit)
        }
        if var entry = known[identity], now - entry.lastSeen < Self.window {
            entry.count += 1
            entry.lastSeen = now
            entry.lastObserved = wall
            known[identity] = entry
            // What waits to be created carries no count yet; it follows as soon as it differs.
            guard entry.count & (entry.count - 1) == 0 else { return .suppressed }
            return enqueue(identity) ? .queued : .suppressed
        }
        guard pending.count < Self.queueLimit, known.count < Self.memoryLimit, mayRecord(note.regarding, now) else {
            return .dropped
        }
        sequence += 1
        let key = eventKey(note.regarding, wall)
        known[identity] = Known(key: key, count: 1, writtenCount: 0, lastSeen: now, lastObserved: wall)
        fresh[identity] = json(note, key, wall)
        return enqueue(identity) ? .queued : .dropped
    }

    private mutating func enqueue(_ identity: Identity) -> Bool {
        if isPending.contains(identity) { return true }
        guard pending.count < Self.queueLimit else { return false }
        isPending.insert(identity)
        pending.append(identity)
        return true
    }

    /// The next write; the oldest event first.
    mutating func next() -> Write? {
        while let identity = pending.popFirst() {
            isPending.remove(identity)
            guard let entry = known[identity] else {
                fresh[identity] = nil
                continue
            }
            known[identity]?.writtenCount = entry.count
            if var event = fresh.removeValue(forKey: identity) {
                if entry.count > 1 { event["series"] = series(entry) }
                return .create(event)
            }
            if entry.count == entry.writtenCount { continue }
            return .patch(entry.key, ["series": series(entry)])
        }
        return nil
    }

    /// Puts every count that was held back in line.
    mutating func flush() {
        let behind = known.filter { $0.value.count != $0.value.writtenCount }
        for identity in behind.sorted(by: { $0.value.key < $1.value.key }).map(\.key) { _ = enqueue(identity) }
    }

    mutating func close() { isClosed = true }

    /// Whether so many events differ from this one in their notes alone that it is told together with others.
    private mutating func isOneOfMany(_ identity: Identity, _ now: Duration) -> Bool {
        guard let note = identity.note else { return true }
        var group = identity
        group.note = nil
        var entry = similar[group] ?? Similar(notes: [], lastSeen: now)
        if now - entry.lastSeen >= Self.window { entry.notes = [] }
        entry.lastSeen = now
        defer { if similar.count < Self.memoryLimit || similar[group] != nil { similar[group] = entry } }
        if entry.notes.contains(note) { return false }
        guard entry.notes.count < Self.similarLimit else { return true }
        entry.notes.insert(note)
        return false
    }

    private mutating func mayRecord(_ regarding: ObjectReference, _ now: Duration) -> Bool {
        var reference = regarding
        reference.resourceVersion = ""
        var bucket = buckets[reference] ?? TokenBucket(perSecond: 1.0 / 300, burst: 25)
        defer { buckets[reference] = bucket }
        return bucket.tryTake(now: now)
    }

    /// Forgets, once a minute, what is older than the window and objects that have their full share again.
    private mutating func sweep(_ now: Duration) {
        if now < nextSweep { return }
        nextSweep = now + .seconds(60)
        for (identity, entry) in known where now - entry.lastSeen >= Self.window && !isPending.contains(identity) {
            // A count still unwritten goes out first, and the entry with the next sweep.
            if entry.count != entry.writtenCount, enqueue(identity) { continue }
            known[identity] = nil
        }
        similar = similar.filter { now - $0.value.lastSeen < Self.window }
        for reference in Array(buckets.keys) {
            buckets[reference]?.refill(now)
            if buckets[reference]?.isFull == true { buckets[reference] = nil }
        }
    }

    // MARK: Documents

    /// The name is unique by time and a running number; at most 253 bytes.
    private func eventKey(_ regarding: ObjectReference, _ wall: Timestamp) -> ObjectKey {
        let parts = wall.sinceEpoch.components
        let nanos = UInt64(clamping: parts.seconds &* 1_000_000_000 &+ parts.attoseconds / 1_000_000_000)
        let suffix = "." + String(nanos &+ sequence, radix: 16)
        let name = regarding.name.truncated(toUTF8: 253 - suffix.utf8.count) + suffix
        // Of an object of the cluster. Older servers take no other namespace for it.
        return ObjectKey(namespace: regarding.namespace ?? "kube-system", name: name)
    }

    private func series(_ entry: Known) -> JSONValue {
        ["count": .integer(entry.count), "lastObservedTime": .string(entry.lastObserved.microTime)]
    }

    private func json(_ note: EventNote, _ key: ObjectKey, _ wall: Timestamp) -> JSONValue {
        var event: JSONValue = [
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": ["name": .string(key.name)],
            "eventTime": .string(wall.microTime), "type": .string(note.type.rawValue),
            "reason": .string(note.reason), "action": .string(note.action), "note": .string(note.note),
            "reportingController": .string(controller), "reportingInstance": .string(instance),
            "regarding": note.regarding.json,
        ]
        event["metadata", "namespace"] = JSONValue(key.namespace)
        if let related = note.related { event["related"] = related.json }
        return event
    }
}

extension String {
    /// The longest beginning of at most `limit` bytes that cuts no character.
    func truncated(toUTF8 limit: Int) -> String {
        if utf8.count <= limit { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: max(0, limit))
        while end > startIndex, end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
