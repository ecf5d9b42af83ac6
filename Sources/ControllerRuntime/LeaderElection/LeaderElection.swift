import KubernetesModel

/// What one candidate knows of a leader election, and what it does next, as client-go decides it.
///
/// A value without I/O or clock. Whether a leader lives is judged by one thing alone: how long ago *this* candidate saw the
/// record change, by its own clock that never jumps. The times in the record are for people.
public struct LeaderElection: Sendable {
    /// A Lease as the server had it.
    public struct Lease: Sendable, Hashable {
        /// What it says.
        public var record: LeaseRecord
        /// Writes are for this version alone, so that of two candidates one wins.
        public var resourceVersion: String

        /// A Lease of a version.
        public init(record: LeaseRecord, resourceVersion: String) {
            self.record = record
            self.resourceVersion = resourceVersion
        }
    }

    /// What to try.
    public enum Step: Sendable, Hashable {
        /// Another one leads: look again later.
        case wait
        /// There is no Lease.
        case create(LeaseRecord)
        /// Nobody leads any more, or this candidate does and renews.
        case replace(Lease)
    }

    private let identity: String
    private let times: LeaderElectionTimes
    private var seen: Lease?
    /// When the record that was seen last was seen to be new.
    private var changedAt: Duration = .zero
    private var leadsUntil: Duration?

    /// - Parameter identity: unique among all candidates that ever live, a pod's restarts included.
    public init(identity: String, times: LeaderElectionTimes) {
        self.identity = identity
        self.times = times
    }

    /// Whether this candidate leads, and may start a write.
    public func isLeader(at now: Duration) -> Bool { leadsUntil.map { now < $0 } ?? false }

    /// When leadership ends unless it is renewed; nil for one who does not lead.
    public func deadline(at now: Duration) -> Duration? { isLeader(at: now) ? leadsUntil : nil }

    /// Notes what the server says at `now`.
    public mutating func observe(_ lease: Lease?, at now: Duration) {
        if lease?.record != seen?.record { changedAt = now }
        seen = lease
        // Somebody has taken the lease, or deleted it: until it is won anew, this one does not lead.
        if lease?.record.holder != identity { leadsUntil = nil }
    }

    /// What to try at `now`, after what was observed.
    public func step(now: Duration, wall: Timestamp) -> Step {
        var record = LeaseRecord(
            holder: identity, durationSeconds: times.leaseSeconds, acquireTime: wall, renewTime: wall)
        guard let seen else { return .create(record) }
        let old = seen.record
        if old.holder == identity, isLeader(at: now) {
            record.acquireTime = old.acquireTime
            record.transitions = old.transitions
        } else {
            let isHeld = !old.holder.isEmpty && old.holder != identity
            if isHeld, now < changedAt + .seconds(old.durationSeconds) { return .wait }
            record.transitions = old.transitions + 1
        }
        return .replace(Lease(record: record, resourceVersion: seen.resourceVersion))
    }

    /// Notes that a try which began at `start` has won or renewed the lease.
    ///
    /// Counted from the beginning: others may have seen the new record ever since, and none before.
    public mutating func succeed(with lease: Lease, startedAt start: Duration, now: Duration) {
        seen = lease
        changedAt = now
        leadsUntil = start + times.renewDeadline
    }

    /// The Lease to write when this candidate stops: the next one need not wait. Nil for one who does not lead.
    public mutating func release(now: Duration, wall: Timestamp) -> Lease? {
        defer { leadsUntil = nil }
        guard isLeader(at: now), let seen else { return nil }
        let record = LeaseRecord(
            holder: "", durationSeconds: 1, acquireTime: wall, renewTime: wall, transitions: seen.record.transitions)
        return Lease(record: record, resourceVersion: seen.resourceVersion)
    }
}
