import Concurrency
import KubernetesModel

/// For each object that is reconciled, the writes of ours that its caches have not shown yet.
///
/// A plan made before they show would be made on an old world. The memory may be lost with the process: names are
/// deterministic and writes conditional, so that costs a refused write and a live read.
final class PendingWrites: Sendable {
    typealias HasBeenSeen = @Sendable () -> Bool

    private struct Entry {
        var since: Duration
        var checks: [HasBeenSeen]
    }

    private let entries = Locked<[ObjectKey: Entry]>([:])

    func add(_ key: ObjectKey, now: Duration, _ check: @escaping HasBeenSeen) {
        entries.withLock { $0[key, default: Entry(since: now, checks: [])].checks.append(check) }
    }

    /// Since when a write has been waited for; nil when all have been seen.
    func waitingSince(_ key: ObjectKey) -> Duration? {
        guard let entry = entries.withLock({ $0[key] }) else { return nil }
        let unseen = entry.checks.filter { !$0() }
        entries.withLock { entries in
            if unseen.isEmpty { entries[key] = nil } else { entries[key]?.checks = unseen }
        }
        return unseen.isEmpty ? nil : entry.since
    }

    func forget(_ key: ObjectKey) { entries.withLock { $0[key] = nil } }
}
