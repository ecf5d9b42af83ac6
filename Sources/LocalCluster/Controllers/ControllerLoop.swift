import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// Observes, plans and carries out, for the keys of one kind.
struct ControllerLoop: Sendable {
    /// What is to be done about a key; nil when its object is gone.
    ///
    /// - Parameter createFailure: why the pod that this look wanted could not be created.
    typealias Planning = @Sendable (_ key: ObjectKey, _ createFailure: String?, _ now: Timestamp) -> ControllerPlan?

    let name: String
    let queue: WorkQueue
    private let executor: ActionExecutor
    private let time: any TimeSource
    private let logger: Logger
    private let plan: Planning

    /// How long to wait for the cache when nothing tells that it has come further.
    private static let cacheDelay: Duration = .milliseconds(100)

    init(
        name: String, client: KubernetesClient, cache: ClusterCache, time: any TimeSource, logger: Logger,
        plan: @escaping Planning
    ) {
        self.name = name
        self.time = time
        self.logger = logger
        self.plan = plan
        queue = WorkQueue(
            name: name, time: time,
            limits: WorkQueueLimits(firstRetry: .milliseconds(20), longestRetry: .seconds(15), perKeyAndSecond: 0))
        executor = ActionExecutor(
            client: client, cache: cache, expectations: Expectations(),
            recorder: EventRecorder(
                client: client, controller: name, instance: "assay-local", time: time, logger: logger),
            fieldManager: name)
    }

    /// Runs until cancelled.
    func run() async {
        let controller = Controller(
            name: name, queue: queue, time: time, logger: logger,
            waitForCaches: { try await executor.cache.waitForSync() }, reconcile: reconcile)
        async let events: Void = executor.recorder.run()
        await controller.run()
        executor.recorder.stop()
        await events
    }

    private func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard executor.expectations.areMet(key, executor.cache) else { return .requeue(after: Self.cacheDelay) }
        let now = Timestamp(sinceEpoch: time.wallNow())
        guard let first = plan(key, nil, now) else { return .done }
        do {
            try await executor.execute(first, for: key)
        } catch let failure as CreateFailure {
            return await report(failure, key, now)
        } catch let error as KubernetesError where error.isConflict || error.isNotFound {
            // Somebody else was faster; the cache will show it.
            return .requeue(after: Self.cacheDelay)
        } catch {
            return .retry(error, after: nil)
        }
        return first.requeueAfter.map { .requeue(after: $0) } ?? .done
    }

    /// Lets the owner's status say what went wrong.
    private func report(_ failure: CreateFailure, _ key: ObjectKey, _ now: Timestamp) async -> ReconcileOutcome {
        if failure.cause.isNotFound { return .requeue(after: .seconds(1)) }
        var plan = plan(key, failure.message, now) ?? ControllerPlan()
        plan.actions.removeAll { if case .create = $0 { true } else { false } }
        do {
            try await executor.execute(plan, for: key)
        } catch {
            logger.debug("a status could not be written", metadata: ["key": "\(key)", "error": "\(error)"])
        }
        return .retry(failure, after: nil)
    }
}
