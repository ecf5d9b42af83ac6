import Concurrency
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// Lets one of several replicas lead, by a Lease in the API server.
///
/// It does not make two leaders impossible, which no lease can: a write that was started in time may arrive late. So none is
/// to be started when ``isLeader`` is false, and each must be harmless when late, by a uid, a resource version or a
/// deterministic name.
public final class LeaderElector: Sendable {
    private let client: KubernetesClient
    private let lease: ObjectKey
    private let times: LeaderElectionTimes
    private let time: any TimeSource
    private let random: Locked<SeededGenerator>
    private let logger: Logger
    private let state: Locked<LeaderElection>

    /// - Parameters:
    ///   - client: must not itself wait for leadership.
    ///   - lease: the Lease's namespace and name.
    ///   - identity: unique among all candidates that ever live, a pod's restarts included.
    public init(
        client: KubernetesClient, lease: ObjectKey, identity: String, times: LeaderElectionTimes = .standard,
        time: any TimeSource = SystemTime(), seed: UInt64 = .random(in: .min ... .max), logger: Logger
    ) {
        self.client = client
        self.lease = lease
        self.times = times
        self.time = time
        random = Locked(SeededGenerator(seed: seed))
        self.logger = logger
        state = Locked(LeaderElection(identity: identity, times: times))
    }

    /// Whether this replica leads now, and may start a write.
    public var isLeader: Bool { state.withLock { $0.isLeader(at: time.monotonicNow()) } }

    /// Waits until this replica leads, runs `lead`, and gives the lease back when that is over.
    ///
    /// Throws ``LeadershipLost`` when the lease could not be renewed in time; `lead` is cancelled then, and the process had
    /// better end. Cancelling the caller ends the waiting, or `lead` with the lease kept: others wait until it runs out.
    public func run(_ lead: @escaping @Sendable () async throws -> Void) async throws {
        while try await !attempt() { try await pause() }
        logger.info("this replica leads", metadata: ["lease": "\(lease)"])
        let outcome = await withTaskGroup(of: Result<Void, any Error>.self) { group in
            group.addTask { await Self.result { try await lead() } }
            group.addTask { await Self.result { try await self.keep() } }
            defer { group.cancelAll() }
            return await group.next()
        }
        if !Task.isCancelled { await release() }
        try outcome?.get()
    }

    private static func result(_ body: () async throws -> Void) async -> Result<Void, any Error> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    /// Renews the lease until that fails for too long.
    private func keep() async throws {
        while true {
            try await pause()
            if try await attempt() { continue }
            guard isLeader else { throw LeadershipLost(lease: lease) }
        }
    }

    /// Until the next try; for a leader, never beyond its deadline.
    private func pause() async throws {
        let now = time.monotonicNow()
        let share = random.withLock { $0.unit() }
        let wait = times.retryPeriod * (1 + LeaderElectionTimes.jitter * share)
        let left = state.withLock { $0.deadline(at: now) }.map { $0 - now }
        try await time.sleep(for: left.map { min($0, times.retryPeriod) } ?? wait)
    }

    /// One try. Returns whether this replica leads after it by what it wrote just now; throws only when cancelled.
    private func attempt() async throws -> Bool {
        let start = time.monotonicNow()
        // A leader's try must be over before its deadline, so that it notices.
        let limit = state.withLock { $0.deadline(at: start) }.map { $0 - start } ?? times.renewDeadline
        do {
            return try await within(limit) { try await self.tryOnce(start) }
        } catch let error as KubernetesError {
            try Task.checkCancellation()
            logger.warning("the lease was not had", metadata: ["lease": "\(lease)", "error": "\(error)"])
            return false
        }
    }

    private func tryOnce(_ start: Duration) async throws -> Bool {
        let found = try await read()
        let seenAt = time.monotonicNow()
        let step = state.withLock { state in
            state.observe(found?.lease, at: seenAt)
            return state.step(now: seenAt, wall: Timestamp(sinceEpoch: time.wallNow()))
        }
        let written: JSONValue
        switch step {
        case .wait: return false
        case .create(let record):
            written = try await client.create(.leases, document(record), fieldManager: Self.fieldManager)
        case .replace(let wanted):
            written = try await replace(found?.json, by: wanted)
        }
        let lease = try Self.lease(written)
        state.withLock { $0.succeed(with: lease, startedAt: start, now: time.monotonicNow()) }
        return true
    }

    private static let fieldManager = "leader-election"

    private func document(_ record: LeaseRecord) -> JSONValue {
        [
            "metadata": ["name": .string(lease.name), "namespace": JSONValue(lease.namespace) ?? .null],
            "spec": record.spec,
        ]
    }

    private func read() async throws -> (json: JSONValue, lease: LeaderElection.Lease)? {
        do throws(KubernetesError) {
            let json = try await client.get(.leases, lease)
            return (json, try Self.lease(json))
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    /// Labels, annotations and owners of the Lease stay as they are.
    private func replace(_ json: JSONValue?, by wanted: LeaderElection.Lease) async throws(KubernetesError) -> JSONValue
    {
        var json = json ?? document(wanted.record)
        for (name, value) in wanted.record.spec.object ?? [:] { json["spec", name] = value }
        json["metadata", "resourceVersion"] = .string(wanted.resourceVersion)
        return try await client.replace(.leases, json, fieldManager: Self.fieldManager)
    }

    private static func lease(_ json: JSONValue) throws(KubernetesError) -> LeaderElection.Lease {
        do throws(JSONShapeError) {
            return LeaderElection.Lease(
                record: try LeaseRecord(json: json),
                resourceVersion: json["metadata", "resourceVersion"]?.string ?? "")
        } catch {
            throw KubernetesError(.malformed("\(error)"), operation: "read leases")
        }
    }

    /// Gives the lease back: whoever comes next need not wait. Failing to is no harm.
    private func release() async {
        let now = time.monotonicNow()
        guard let given = state.withLock({ $0.release(now: now, wall: Timestamp(sinceEpoch: time.wallNow())) }) else {
            return
        }
        do {
            _ = try await within(times.retryPeriod) { try await self.replace(nil, by: given) }
            logger.info("the lease is given back", metadata: ["lease": "\(lease)"])
        } catch {
            logger.warning("the lease was not given back", metadata: ["lease": "\(lease)", "error": "\(error)"])
        }
    }

    /// A call's own time-out may be longer than the lease has left.
    private func within<Answer: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            group.addTask { try await body() }
            group.addTask { [time, lease] in
                try await time.sleep(for: limit)
                throw KubernetesError(
                    .transport(HTTPTransportError(.timeout, detail: "no answer within \(limit)")),
                    operation: "renew leases \(lease)")
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() else { throw CancellationError() }
            return answer
        }
    }
}

/// The lease was not renewed in time: another replica may lead from now on.
public struct LeadershipLost: Error, Sendable, CustomStringConvertible {
    /// The Lease's namespace and name.
    public let lease: ObjectKey

    /// What happened, and what to do.
    public var description: String { "the lease \(lease) could not be renewed in time; another replica may lead" }
}
