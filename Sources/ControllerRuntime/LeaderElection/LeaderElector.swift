import Concurrency
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import ServiceLifecycle

/// Lets one of several replicas lead, by a Lease in the API server.
///
/// It does not make two leaders impossible, which no lease can: a write that was started in time may arrive late. So none is
/// to be started when ``isLeader`` is false (``KubernetesClient/writing(onlyWhile:)``), and each must be harmless when late,
/// by a uid, a resource version or a deterministic name.
public final class LeaderElector: Sendable {
    /// The Lease's namespace and name.
    public let lease: ObjectKey
    private let client: KubernetesClient
    private let times: LeaderElectionTimes
    private let time: any TimeSource
    private let random: Locked<SeededGenerator>
    private let logger: Logger
    private let master: MetricSeries
    private let state: Locked<LeaderElection>
    private let failure = Locked<KubernetesError?>(nil)

    /// - Parameters:
    ///   - client: must not itself wait for leadership.
    ///   - configuration: by which Lease, and how fast.
    ///   - identity: unique among all candidates that ever live, a pod's restarts included.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - seed: of the spread of waits.
    ///   - logger: takes its lines.
    ///   - metrics: shows whether this replica leads; nil where nobody looks.
    public init(
        client: KubernetesClient, configuration: LeaderElectionConfiguration, identity: String,
        time: any TimeSource = SystemTime(), seed: UInt64 = .random(in: .min ... .max), logger: Logger,
        metrics: MetricsRegistry? = nil
    ) {
        self.client = client
        (lease, times) = (configuration.lease, configuration.times)
        self.time = time
        random = Locked(SeededGenerator(seed: seed))
        self.logger = logger
        master = (metrics ?? MetricsRegistry()).gauge("leader_election_master_status", [("name", lease.name)])
        master.set(0)
        state = Locked(LeaderElection(identity: identity, times: times))
    }

    /// The same client, which starts no write while this replica does not lead.
    public var guarded: KubernetesClient { client.writing(onlyWhile: { self.isLeader }) }

    /// Who this replica is in the Lease.
    public var identity: String { state.withLock { $0.identity } }
    /// Whether this replica leads now, and may start a write.
    public var isLeader: Bool { state.withLock { $0.isLeader(at: time.monotonicNow()) } }
    /// Who leads, as far as this replica has seen; nil where nobody does.
    public var holder: String? { state.withLock { $0.holder } }
    /// Why the last try failed; nil where it did not.
    public var lastError: KubernetesError? { failure.withLock { $0 } }

    /// Not well where the server forbids the Lease, for time will not mend that.
    var health: Health {
        guard let error = lastError, error.isForbidden else { return .healthy }
        return .unhealthy("\(error)")
    }

    /// Waits until this replica leads, runs `lead`, and gives the lease back when that is over. It is renewed until then,
    /// also while `lead` finishes what it has begun after the order to stop.
    ///
    /// Returns without a call of `lead` where the order to stop comes first. Throws ``LeadershipLost`` when the lease could
    /// not be renewed in time; `lead` is cancelled then, and the process had better end. Cancelling the caller ends the
    /// waiting, or `lead`, but what is cancelled can no longer call: who cancels, calls ``release()`` afterwards.
    public func run(_ lead: @escaping @Sendable () async throws -> Void) async throws {
        let outcome = try await acquire() ? await keeping(lead) : nil
        if !Task.isCancelled { await release() }
        try outcome?.get()
    }

    /// Gives the lease back where it may be held: whoever comes next need not wait. Failing to is no harm.
    public func release() async {
        master.set(0)
        guard state.withLock({ $0.resign() }) else { return }
        do {
            guard try await within(times.retryPeriod, { try await self.giveBack() }) else { return }
            logger.info("the lease is given back", metadata: ["lease": "\(lease)"])
        } catch {
            logger.warning("the lease was not given back", metadata: ["lease": "\(lease)", "error": "\(error)"])
        }
    }

    // MARK: Winning and keeping

    /// False where it was told to stop before it won.
    private func acquire() async throws -> Bool {
        let stopping = Gate()
        return try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    while try await !self.attempt() { try await self.pause() }
                    return true
                }
                group.addTask {
                    try await stopping.wait()
                    return false
                }
                defer { group.cancelAll() }
                return try await group.next() ?? false
            }
        } onGracefulShutdown: {
            stopping.open()
        }
    }

    private func keeping(_ lead: @escaping @Sendable () async throws -> Void) async -> Result<Void, any Error>? {
        logger.info("this replica leads", metadata: ["lease": "\(lease)"])
        master.set(1)
        defer { master.set(0) }
        return await withTaskGroup(of: Result<Void, any Error>.self) { group in
            group.addTask { await Self.result { try await lead() } }
            group.addTask { await Self.result { try await self.keep() } }
            defer { group.cancelAll() }
            return await group.next()
        }
    }

    private static func result(_ body: () async throws -> Void) async -> Result<Void, any Error> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    /// Renews the lease until it is lost. Lost once is lost, though it may be won again: another may have led meanwhile.
    private func keep() async throws {
        while isLeader {
            try await pause()
            if isLeader { _ = try await attempt() }
        }
        throw LeadershipLost(lease: lease)
    }

    /// Until the next try; for a leader, never beyond its deadline.
    private func pause() async throws {
        let now = time.monotonicNow()
        let share = random.withLock { $0.unit() }
        let wait = times.retryPeriod * (1 + LeaderElectionTimes.jitter * share)
        let left = state.withLock { $0.deadline(at: now) }.map { $0 - now }
        try await time.sleep(for: left.map { min($0, times.retryPeriod) } ?? wait)
    }

    /// One try. Returns whether this replica leads by what it wrote just now; throws only when cancelled.
    private func attempt() async throws -> Bool {
        let start = time.monotonicNow()
        // A try without an answer leaves time for another one; and a leader's is over at its deadline, so that it notices.
        let left = state.withLock { $0.deadline(at: start) }.map { $0 - start }
        let limit = min(left ?? times.renewDeadline, times.renewDeadline / 2)
        do {
            let isWon = try await within(limit) { try await self.tryOnce(start) }
            failure.withLock { $0 = nil }
            return isWon
        } catch let error as KubernetesError {
            try Task.checkCancellation()
            tell(error)
            return false
        }
    }

    /// The same failure again is no news. Nor is it that another candidate was quicker.
    private func tell(_ error: KubernetesError) {
        let isNews = failure.withLock { failure in
            defer { failure = error }
            return failure != error
        }
        let isRace = error.isConflict || error.isAlreadyExists
        logger.log(
            level: isNews && !isRace ? .warning : .debug, "the lease could not be taken or renewed",
            metadata: ["lease": "\(lease)", "error": "\(error)"])
    }

    private func tryOnce(_ start: Duration) async throws -> Bool {
        let hasLed = state.withLock { $0.isLeader(at: start) }
        let found = try await read()
        let seenAt = time.monotonicNow()
        let step = state.withLock { state -> LeaderElection.Step in
            state.observe(found?.lease, at: seenAt)
            if hasLed, !state.isLeader(at: seenAt) { return .wait }
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
        return state.withLock { state in
            let now = time.monotonicNow()
            if hasLed, !state.isLeader(at: now) { return false }
            state.succeed(with: lease, startedAt: start, now: now)
            return true
        }
    }

    // MARK: The Lease

    private static let fieldManager = "leader-election"

    private func document(_ record: LeaseRecord) -> JSONValue {
        [
            "metadata": ["name": .string(lease.name), "namespace": JSONValue(lease.namespace) ?? .null],
            "spec": record.spec,
        ]
    }

    private func read() async throws(KubernetesError) -> (json: JSONValue, lease: LeaderElection.Lease)? {
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

    /// False where another one leads, or nobody.
    private func giveBack() async throws -> Bool {
        while true {
            let wall = Timestamp(sinceEpoch: time.wallNow())
            let found = try await read()
            let vacant = state.withLock { state in found.flatMap { state.vacant($0.lease, wall: wall) } }
            do throws(KubernetesError) {
                if let vacant { _ = try await replace(found?.json, by: vacant) }
                state.withLock { $0.noteGivenBack() }
                return vacant != nil
            } catch {
                // A renewal of ours that was broken off has come through in between.
                guard error.isConflict else { throw error }
            }
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
