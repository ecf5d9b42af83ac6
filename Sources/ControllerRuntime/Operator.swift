import Concurrency
import HTTPTransport
import KubernetesClient
import KubernetesModel
import Logging
import ServiceLifecycle

/// An operator in one value: what it watches, and what it makes of that.
///
/// ```swift
/// var program = Operator(name: "example.com/website", configuration: cluster, transport: transport, logger: logger)
/// let websites = program.watch(Website.self)
/// program.controller(of: websites) { website in … }
/// try await program.run()
/// ```
///
/// It is put together from the parts of this module, each of which can be used without it: a ``Reflector`` and a
/// ``Store`` for each kind, a ``WorkQueue`` and a ``Controller`` for each kind that is reconciled, and one
/// ``EventRecorder``.
public struct Operator: Service {
    /// Measures its own requests.
    public let client: KubernetesClient
    /// For ``EventRecorder/record(_:)``; what is recorded is sent while the operator runs.
    public let events: EventRecorder
    /// Holds what the parts measure, and of the process what Prometheus' own libraries tell.
    public let metrics: MetricsRegistry
    /// Ready once every kind is cached; live while the controllers move.
    public let health = HealthChecks()
    /// What it is doing, for a person.
    public let debug: DebugState
    /// Tells the time to every part.
    public let time: any TimeSource
    /// Logs for every part.
    public let logger: Logger
    /// Tells who leads; nil where no other replica can be.
    public let elector: LeaderElector?
    private let random: Locked<SeededGenerator>
    private var background: [@Sendable () async -> Void] = []
    private var syncs: [@Sendable () async throws -> Void] = []
    private var controllers: [@Sendable (_ waitForCaches: @escaping @Sendable () async throws -> Void) -> Controller] =
        []

    /// - Parameters:
    ///   - name: qualified, `example.com/website`: the events' reporting controller.
    ///   - instance: which copy of it, for example the pod's name.
    ///   - version: of the program, for ``debug``.
    ///   - election: by which Lease one of several replicas leads; nil where there is one alone.
    ///   - configuration: which server, as whom.
    ///   - transport: carries the requests there.
    ///   - metrics: where the parts add what they measure.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - seed: of all that is random in it, which is the spread of waits.
    ///   - logger: takes its lines.
    public init(
        name: String, instance: String = "1", version: String = "", election: LeaderElectionConfiguration? = nil,
        configuration: ClientConfiguration, transport: any HTTPTransport, metrics: MetricsRegistry = MetricsRegistry(),
        time: any TimeSource = SystemTime(), seed: UInt64 = .random(in: .min ... .max), logger: Logger
    ) {
        self.metrics = metrics
        self.time = time
        self.logger = logger
        let random = Locked(SeededGenerator(seed: seed))
        self.random = random
        ProcessMetrics.add(to: metrics)
        debug = DebugState(version: version, time: time)
        let metered = MeteredTransport(
            transport, host: configuration.transport.server, registry: metrics, time: time)
        debug.addRequests(metered.log)
        let unguarded = KubernetesClient(
            transport: metered, credentials: configuration.credentials, time: time,
            random: { random.withLock { $0.unit() } }, logger: logger)
        elector = election.map { election in
            LeaderElector(
                client: unguarded, configuration: election, identity: "\(instance)_\(String(seed, radix: 16))",
                time: time,
                seed: seed, logger: logger, metrics: metrics)
        }
        client = elector?.guarded ?? unguarded
        events = EventRecorder(
            client: client, controller: name, instance: instance, time: time, logger: logger, metrics: metrics)
        if let elector {
            health.addElector(elector)
            debug.addElector(elector)
        }
    }

    /// Keeps a cache of a kind while the operator runs.
    ///
    /// - Parameters:
    ///   - type: what is kept of each object.
    ///   - namespace: nil for all.
    ///   - labelSelector: only objects that it selects are kept.
    public mutating func watch<Object: StoredObject>(
        _ type: Object.Type, namespace: String? = nil, labelSelector: String? = nil
    ) -> Store<Object> {
        let store = Store<Object>()
        watch(into: store, namespace: namespace, labelSelector: labelSelector)
        return store
    }

    /// Keeps a cache up to date while the operator runs.
    ///
    /// - Parameters:
    ///   - store: the cache, which nothing else may fill.
    ///   - namespace: nil for all.
    ///   - labelSelector: only objects that it selects are kept.
    ///   - condition: whether there is anything to watch, for kinds that not every server has; see ``Reflector``.
    public mutating func watch<Object: StoredObject>(
        into store: Store<Object>, namespace: String? = nil, labelSelector: String? = nil,
        when condition: (@Sendable () async throws(KubernetesError) -> Bool)? = nil
    ) {
        let reflector = Reflector(
            client: client, type: Object.resourceType, namespace: namespace, labelSelector: labelSelector,
            condition: condition, store: store, time: time, seed: random.withLock { $0.next() }, logger: logger,
            metrics: metrics)
        health.addReflector("\(Object.resourceType)", reflector)
        debug.addReflector(reflector)
        background.append { await reflector.run() }
        syncs.append { try await store.waitForSync() }
    }

    /// Does something beside the watches, from the start on and until the operator has stopped.
    public mutating func run(inBackground body: @escaping @Sendable () async -> Void) { background.append(body) }

    /// Calls `reconcile` for each object of a kind, as it is now, whenever it changed or an object that it controls
    /// did. An object that is gone is not reconciled: what it owns is collected by the cluster.
    ///
    /// - Parameters:
    ///   - store: the objects to reconcile.
    ///   - owned: other caches; a change in one concerns the object that controls what changed.
    ///   - workers: how many objects are worked on at once.
    ///   - reconcile: makes the world look as the object says. What it throws is tried again, after a growing delay or
    ///     the server's Retry-After; a request that the server finds invalid only once something has changed.
    /// - Returns: the queue, to which further keys may be added.
    @discardableResult
    public mutating func controller<Object: StoredObject>(
        of store: Store<Object>, owning owned: any OwnedCache..., workers: Int = 1,
        reconcile: @escaping @Sendable (Object) async throws -> ReconcileOutcome
    ) -> WorkQueue {
        let queue = controller(of: Object.resourceType, workers: workers) { key in
            guard let object = store.get(key) else { return .done }
            LogScope.note("generation", "\(object.metadata.generation)")
            do {
                return try await reconcile(object)
            } catch let error as KubernetesError {
                return error.isInvalid ? .refused(error) : .retry(error, after: error.retryAfter)
            } catch {
                return .retry(error, after: nil)
            }
        }
        store.enqueue(into: queue)
        for cache in owned { cache.enqueueControllers(Object.resourceType, into: queue) }
        return queue
    }

    /// Calls `reconcile` for each key that comes into a queue.
    ///
    /// - Parameters:
    ///   - type: of the objects that the keys name; its kind names the controller.
    ///   - workers: how many keys are worked on at once.
    ///   - drainDeadline: how long a reconcile may go on after the order to stop.
    ///   - reconcile: makes the world look as the object says. It is first called once every cache has synced, and never
    ///     twice at a time for one key.
    /// - Returns: the queue, which is empty: see ``Store/enqueue(into:)``.
    public mutating func controller(
        of type: ResourceType, workers: Int = 1, drainDeadline: Duration = .seconds(20),
        reconcile: @escaping @Sendable (ObjectKey) async -> ReconcileOutcome
    ) -> WorkQueue {
        let name = type.kind.lowercased()
        let queue = WorkQueue(name: name, time: time, metrics: metrics)
        health.addQueue(queue)
        debug.addQueue(queue)
        controllers.append { [time, logger, metrics] waitForCaches in
            Controller(
                name: name, type: type, workers: workers, queue: queue, drainDeadline: drainDeadline, time: time,
                logger: logger, metrics: metrics, waitForCaches: waitForCaches, reconcile: reconcile)
        }
        return queue
    }

    /// Runs until a graceful shutdown or until the task is cancelled.
    ///
    /// In the order of ``Replica``. Throws ``LeadershipLost``.
    public func run() async throws {
        let syncs = syncs
        let waitForCaches: @Sendable () async throws -> Void = { for sync in syncs { try await sync() } }
        try await Replica(
            background: background, controllers: controllers.map { $0(waitForCaches) }, events: events, elector: elector
        ).run()
    }

    /// Gives the lease back where ``run()`` was cancelled, for then it could not.
    public func release() async { await elector?.release() }
}
