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

    /// Who this candidate is in the Lease.
    public let identity: String
    private let times: LeaderElectionTimes
    private var seen: Lease?
    /// When the record that was seen last was seen to be new.
    private var changedAt: Duration = .zero
    private var leadsUntil: Duration?
    /// It has tried to write, so that the server may name it, whatever came back.
    private var mayHold = false

    /// - Parameter identity: unique among all candidates that ever live, a pod's restarts included.
    public init(identity: String, times: LeaderElectionTimes) {
        self.identity = identity
        self.times = times
    }

    /// Whether this candidate leads, and may start a write.
    public func isLeader(at now: Duration) -> Bool { leadsUntil.map { now < $0 } ?? false }

    /// When leadership ends unless it is renewed; nil for one who does not lead.
    public func deadline(at now: Duration) -> Duration? { isLeader(at: now) ? leadsUntil : nil }

    /// Who leads, as far as this candidate has seen; nil where nobody does.
    public var holder: String? { seen.flatMap { $0.record.holder.isEmpty ? nil : $0.record.holder } }

    /// Notes what the server says at `now`.
    public mutating func observe(_ lease: Lease?, at now: Duration) {
        if lease?.record != seen?.record { changedAt = now }
        seen = lease
        // Somebody has taken the lease, or deleted it: until it is won anew, this one does not lead.
        if lease?.record.holder != identity { leadsUntil = nil }
    }

    /// What to try at `now`, after what was observed.
    public mutating func step(now: Duration, wall: Timestamp) -> Step {
        var record = LeaseRecord(
            holder: identity, durationSeconds: times.leaseSeconds, acquireTime: wall, renewTime: wall)
        guard let seen else {
            mayHold = true
            return .create(record)
        }
        let old = seen.record
        record.transitions = old.transitions
        if old.holder == identity {
            if isLeader(at: now) { record.acquireTime = old.acquireTime }
        } else {
            let isHeld = !old.holder.isEmpty && now < changedAt + .seconds(old.durationSeconds)
            if isHeld { return .wait }
            record.transitions &+= 1
        }
        mayHold = true
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

    /// Stops leading. Returns whether the server may still name this candidate, so that the lease is to be given back.
    public mutating func resign() -> Bool {
        leadsUntil = nil
        return mayHold
    }

    /// What to write in place of a lease to give it back, so that the next one need not wait; nil where it is not held.
    public func vacant(_ lease: Lease, wall: Timestamp) -> Lease? {
        guard lease.record.holder == identity else { return nil }
        let record = LeaseRecord(
            holder: "", durationSeconds: 1, acquireTime: wall, renewTime: wall,
            transitions: lease.record.transitions)
        return Lease(record: record, resourceVersion: lease.resourceVersion)
    }

    /// Notes that the server names this candidate no more.
    public mutating func noteGivenBack() { mayHold = false }
}
