import DequeModule
import HeapModule
import KubernetesModel

/// Where in a ``WorkQueue`` a key waits.
public enum WorkPriority: Sendable, Hashable {
    /// Somebody changed something.
    case normal
    /// Work that is due without any news, such as the first look at every object after a start. It gives way to the
    /// other, but takes at least every eighth turn.
    case background
}

/// The work queue's state, without locks or waiting (after client-go's `workqueue`).
///
/// A key waits at most once, and is worked on by at most one worker; what is added meanwhile waits until that is done.
struct WorkQueueState: Sendable {
    private struct Delayed: Comparable {
        var due: Duration
        var order: UInt64
        var key: ObjectKey

        static func < (left: Delayed, right: Delayed) -> Bool { (left.due, left.order) < (right.due, right.order) }
    }

    private struct Waiting {
        var since: Duration
        var priority: WorkPriority
    }

    let limits: WorkQueueLimits
    private var normal = Deque<ObjectKey>()
    private var background = Deque<ObjectKey>()
    /// Every key that waits: also those which are being worked on and will wait again.
    private var dirty: [ObjectKey: Waiting] = [:]
    /// When the work on a key began.
    private var processing: [ObjectKey: Duration] = [:]
    private var delayed = Heap<Delayed>()
    /// The earliest moment at which each delayed key is due. Entries of the heap that say otherwise are stale.
    private var due: [ObjectKey: Duration] = [:]
    private var order: UInt64 = 0
    private var failures: [ObjectKey: Int] = [:]
    private var bucket: TokenBucket
    /// The latest starts of work on each key, as many as the limit.
    private var starts: [ObjectKey: [Duration]] = [:]
    private var startsLimit = 4096
    /// Keys in line; the lines themselves may hold stale places besides.
    private(set) var readyCount = 0
    private var normalInARow = 0
    private(set) var isShutDown = false
    private var takesQueued = true
    /// Why the latest attempts at some keys failed, for people.
    private var troubles: [ObjectKey: Trouble] = [:]
    /// How often a key came to wait that did not wait already.
    private(set) var adds: UInt64 = 0
    /// How often a key was put off.
    private(set) var retries: UInt64 = 0

    struct Trouble {
        var count: Int
        var error: String
    }

    /// Of how many failing keys the reason is kept.
    static let troubleLimit = 256

    init(limits: WorkQueueLimits) {
        self.limits = limits
        bucket = TokenBucket(perSecond: limits.perSecond, burst: limits.burst)
    }

    var processingCount: Int { processing.count }
    var delayedCount: Int { due.count }
    var isFinished: Bool { isShutDown && (readyCount == 0 || !takesQueued) }

    // MARK: Adding

    /// True where the key came to wait in line.
    mutating func add(_ key: ObjectKey, _ priority: WorkPriority, now: Duration) -> Bool {
        if isShutDown { return false }
        if let waiting = dirty[key] {
            guard waiting.priority == .background, priority == .normal else { return false }
            // It moves up; its place in the other line becomes stale, and `take` passes over it.
            dirty[key]?.priority = .normal
            if processing[key] == nil { normal.append(key) }
            return false
        }
        dirty[key] = Waiting(since: now, priority: priority)
        adds += 1
        if processing[key] != nil { return false }
        enqueue(key, priority)
        return true
    }

    private mutating func enqueue(_ key: ObjectKey, _ priority: WorkPriority) {
        readyCount += 1
        switch priority {
        case .normal: normal.append(key)
        case .background: background.append(key)
        }
    }

    /// True where the earliest deadline moved nearer, so that whoever sleeps until it must look again.
    mutating func add(_ key: ObjectKey, after delay: Duration, now: Duration) -> Bool {
        if isShutDown { return false }
        countRetry()
        return putOff(key, until: now + delay)
    }

    mutating func countRetry() { retries += 1 }

    private mutating func putOff(_ key: ObjectKey, until moment: Duration) -> Bool {
        if let known = due[key], known <= moment { return false }
        let earliest = nextDeadline
        due[key] = moment
        order += 1
        delayed.insert(Delayed(due: moment, order: order, key: key))
        // Stale entries stay in the heap until due; many of them mean that it is time to clean up.
        if delayed.count > 64, delayed.count > 4 * due.count { rebuildDelayed() }
        return earliest.map { moment < $0 } ?? true
    }

    private mutating func rebuildDelayed() {
        let live = delayed.unordered.filter { due[$0.key] == $0.due }
        delayed = Heap(live)
    }

    /// The delay that the limits ask for after one more failure of `key`.
    mutating func retryDelay(_ key: ObjectKey, now: Duration) -> Duration {
        let count = failures[key, default: 0] + 1
        failures[key] = count
        return max(limits.delay(afterFailure: count), bucket.reserve(now: now))
    }

    mutating func forget(_ key: ObjectKey) {
        failures[key] = nil
        troubles[key] = nil
    }

    mutating func noteTrouble(_ key: ObjectKey, _ error: String) {
        if let known = troubles[key] {
            troubles[key] = Trouble(count: known.count + 1, error: error)
        } else if troubles.count < Self.troubleLimit {
            troubles[key] = Trouble(count: 1, error: error)
        }
    }

    func failureCount(_ key: ObjectKey) -> Int { failures[key] ?? 0 }

    // MARK: Taking

    var nextDeadline: Duration? { delayed.min?.due }

    /// Moves what is due to the line.
    mutating func promote(now: Duration) {
        while let first = delayed.min, first.due <= now {
            delayed.removeMin()
            guard due[first.key] == first.due else { continue }
            due[first.key] = nil
            _ = add(first.key, .normal, now: now)
        }
    }

    /// The next key, and since when it has waited. It stays taken until ``done(_:now:)``.
    mutating func take(now: Duration) -> (key: ObjectKey, waited: Duration)? {
        if isFinished { return nil }
        while let (key, line) = pop() {
            guard let waiting = dirty[key], waiting.priority == line, processing[key] == nil else { continue }
            readyCount -= 1
            dirty[key] = nil
            if let moment = tooSoon(key, now: now) {
                _ = putOff(key, until: moment)
                continue
            }
            processing[key] = now
            return (key, now - waiting.since)
        }
        return nil
    }

    private mutating func pop() -> (ObjectKey, WorkPriority)? {
        let backgroundTurn = normalInARow >= 7 && !background.isEmpty
        if !backgroundTurn, let key = normal.popFirst() {
            normalInARow += 1
            return (key, .normal)
        }
        normalInARow = 0
        return background.popFirst().map { ($0, .background) } ?? normal.popFirst().map { ($0, .normal) }
    }

    /// The moment from which `key` may be worked on again, where it had its share of the last second. Otherwise notes
    /// that work on it begins.
    private mutating func tooSoon(_ key: ObjectKey, now: Duration) -> Duration? {
        guard limits.perKeyAndSecond > 0 else { return nil }
        var recent = (starts[key] ?? []).filter { now - $0 < .seconds(1) }
        if recent.count >= limits.perKeyAndSecond, let first = recent.first { return first + .seconds(1) }
        recent.append(now)
        starts[key] = recent
        if starts.count > startsLimit {
            starts = starts.filter { now - ($0.value.last ?? .zero) < .seconds(1) }
            startsLimit = max(4096, 2 * starts.count)
        }
        return nil
    }

    /// The work on `key` is over. Returns how long it took, and whether the key came to wait in line again.
    mutating func done(_ key: ObjectKey, now: Duration) -> (took: Duration, isReady: Bool)? {
        guard let since = processing.removeValue(forKey: key) else { return nil }
        guard let waiting = dirty[key] else { return (now - since, false) }
        enqueue(key, waiting.priority)
        return (now - since, true)
    }

    // MARK: Observing and ending

    /// For how long each key in work has been.
    func running(now: Duration) -> [(key: ObjectKey, duration: Duration)] {
        processing.map { ($0.key, now - $0.value) }
    }

    /// The keys that failed when last worked on, those that failed most first.
    func failing(now: Duration) -> [WorkQueueReport.Failing] {
        troubles.map { key, trouble in
            WorkQueueReport.Failing(
                key: key, failures: trouble.count, error: trouble.error,
                next: dirty[key] == nil ? due[key].map { max(.zero, $0 - now) } : .zero)
        }.sorted { ($1.failures, $0.key) < ($0.failures, $1.key) }
    }

    mutating func shutDown(takingQueued: Bool) {
        isShutDown = true
        takesQueued = takesQueued && takingQueued
        delayed = Heap()
        due = [:]
    }
}
