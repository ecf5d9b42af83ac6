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
    private var reflectors: [@Sendable () async -> Void] = []
    private var syncs: [@Sendable () async throws -> Void] = []
    private var controllers: [@Sendable (_ waitForCaches: @escaping @Sendable () async throws -> Void) -> Controller] =
        []

    /// - Parameters:
    ///   - name: qualified, `example.com/website`: the events' reporting controller.
    ///   - instance: which copy of it, for example the pod's name.
    ///   - version: of the program, for ``debug``.
    ///   - configuration: which server, as whom.
    ///   - transport: carries the requests there.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - logger: takes its lines.
    public init(
        name: String, instance: String = "1", version: String = "", configuration: ClientConfiguration,
        transport: any HTTPTransport, time: any TimeSource = SystemTime(), logger: Logger
    ) {
        self.time = time
        self.logger = logger
        metrics = MetricsRegistry()
        ProcessMetrics.add(to: metrics)
        debug = DebugState(version: version, time: time)
        let metered = MeteredTransport(
            transport, host: configuration.transport.server, registry: metrics, time: time)
        debug.addRequests(metered.log)
        client = KubernetesClient(
            transport: metered, credentials: configuration.credentials, time: time, logger: logger)
        events = EventRecorder(
            client: client, controller: name, instance: instance, time: time, logger: logger, metrics: metrics)
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
        let reflector = Reflector(
            client: client, type: Object.resourceType, namespace: namespace, labelSelector: labelSelector,
            store: store, time: time, logger: logger, metrics: metrics)
        health.addReflector("\(Object.resourceType)", reflector)
        debug.addReflector(reflector)
        reflectors.append { await reflector.run() }
        syncs.append { try await store.waitForSync() }
        return store
    }

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
        let type = Object.resourceType
        let name = type.kind.lowercased()
        let queue = WorkQueue(name: name, time: time, metrics: metrics)
        store.enqueue(into: queue)
        for cache in owned { cache.enqueueControllers(type, into: queue) }
        health.addQueue(queue)
        debug.addQueue(queue)
        controllers.append { [time, logger, metrics] waitForCaches in
            Controller(
                name: name, type: type, workers: workers, queue: queue, time: time, logger: logger, metrics: metrics,
                waitForCaches: waitForCaches,
                reconcile: { key in
                    guard let object = store.get(key) else { return .done }
                    LogScope.note("generation", "\(object.metadata.generation)")
                    do {
                        return try await reconcile(object)
                    } catch let error as KubernetesError {
                        return error.isInvalid ? .refused(error) : .retry(error, after: error.retryAfter)
                    } catch {
                        return .retry(error, after: nil)
                    }
                })
        }
        return queue
    }

    /// Runs until a graceful shutdown or until the task is cancelled.
    ///
    /// On the order to stop the controllers end first; then the events that wait are sent; then the watches end.
    public func run() async {
        let syncs = syncs
        let waitForCaches: @Sendable () async throws -> Void = { for sync in syncs { try await sync() } }
        let controllers = controllers.map { $0(waitForCaches) }
        await withTaskGroup(of: Void.self) { watching in
            for reflector in reflectors { watching.addTask { await reflector() } }
            await withTaskGroup(of: Void.self) { recording in
                recording.addTask { await events.run() }
                await withTaskGroup(of: Void.self) { working in
                    for controller in controllers { working.addTask { await controller.run() } }
                }
                events.stop()
                await recording.waitForAll()
            }
            watching.cancelAll()
        }
    }
}
