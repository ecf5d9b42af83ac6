import Concurrency
import KubernetesModel
import Logging
import ServiceLifecycle

/// What became of a reconcile, and so when the key is looked at again.
public enum ReconcileOutcome: Sendable {
    /// Nothing to do until something changes.
    case done
    /// Nothing failed; look again after this time.
    case requeue(after: Duration)
    /// Try again: after this time where it is known, else after a delay that grows with each failure.
    case retry(any Error, after: Duration?)
    /// Trying again would not help: nothing to do until something changes.
    case refused(any Error)
}

/// Takes keys from a queue and reconciles them, with a fixed number of workers, one worker per key.
///
/// Stopping: on a graceful shutdown (swift-service-lifecycle) or ``WorkQueue/shutDown(discardingQueued:)`` no further key
/// is taken, and what is in work has `drainDeadline` to finish before it is cancelled. Cancelling the task that runs
/// the controller cancels the reconciles at once; a plan may stop at any point and be taken up again.
public struct Controller: Sendable, Service {
    /// Labels its metrics and lines.
    public let name: String
    /// Where its keys come from.
    public let queue: WorkQueue
    private let workers: Int
    private let scope: LogScope
    private let drainDeadline: Duration
    private let time: any TimeSource
    private let logger: Logger
    private let metrics: ControllerMetrics
    private let reconcileIDs: ReconcileIDs
    private let waitForCaches: @Sendable () async throws -> Void
    private let reconcile: @Sendable (ObjectKey) async -> ReconcileOutcome

    /// - Parameters:
    ///   - name: labels its metrics and lines.
    ///   - type: of the objects that the keys name, for the log.
    ///   - workers: how many keys are worked on at once, at least one.
    ///   - queue: where the keys come from.
    ///   - drainDeadline: how long a reconcile may go on after the controller was told to stop.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - logger: takes its lines.
    ///   - metrics: shows what is measured; nil where nobody looks.
    ///   - waitForCaches: returns once the stores that `reconcile` reads have synced; no key is taken before.
    ///   - reconcile: makes the world look as the object says. It bounds its own calls; it is never called twice at a
    ///     time for one key.
    public init(
        name: String, type: ResourceType? = nil, workers: Int = 1, queue: WorkQueue,
        drainDeadline: Duration = .seconds(20),
        time: any TimeSource = SystemTime(), logger: Logger, metrics: MetricsRegistry? = nil,
        waitForCaches: @escaping @Sendable () async throws -> Void = {},
        reconcile: @escaping @Sendable (ObjectKey) async -> ReconcileOutcome
    ) {
        self.name = name
        self.workers = max(1, workers)
        self.queue = queue
        self.drainDeadline = drainDeadline
        self.time = time
        self.logger = logger
        scope = LogScope(["controller": "\(name)"])
        if let type { scope["kind"] = "\(type.kind)" }
        reconcileIDs = ReconcileIDs(startedAt: time.wallNow())
        self.metrics = ControllerMetrics(name: name, workers: max(1, workers), registry: metrics)
        self.waitForCaches = waitForCaches
        self.reconcile = reconcile
    }

    /// Runs until the queue is shut down or the task cancelled.
    public func run() async { await scope.around { await runWorkers() } }

    private func runWorkers() async {
        let stopping = Gate()
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Ending.self) { group in
                group.addTask { await work(stopping: stopping) }
                group.addTask { await overrun(stopping) }
                for await ending in group {
                    if ending == .overrun { logger.warning("reconciles did not end in time and are cancelled") }
                    group.cancelAll()
                }
            }
        } onGracefulShutdown: {
            queue.shutDown(discardingQueued: true)
            stopping.open()
        }
        logger.debug("controller stopped")
    }

    private enum Ending: Sendable {
        case workersEnded
        case overrun
        case notNeeded
    }

    /// Waits for the order to stop, and then for the deadline.
    private func overrun(_ stopping: Gate) async -> Ending {
        do {
            try await stopping.wait()
            try await time.sleep(for: drainDeadline)
            return .overrun
        } catch {
            return .notNeeded
        }
    }

    private func work(stopping: Gate) async -> Ending {
        do {
            try await stopped(by: stopping) { try await waitForCaches() }
        } catch {
            return .workersEnded
        }
        if !queue.isShutDown { logger.info("controller started", metadata: ["workers": "\(workers)"]) }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<workers {
                group.addTask {
                    while let key = await queue.next() { await process(key) }
                    // Whoever shut the queue down wants the deadline too.
                    stopping.open()
                }
            }
        }
        return .workersEnded
    }

    /// Runs `body`, but no longer than until the order to stop.
    private func stopped(by gate: Gate, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { try await gate.wait() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func process(_ key: ObjectKey) async {
        let scope = scope.with(["name": "\(key.name)", "reconcileID": "\(reconcileIDs.next())"])
        if let namespace = key.namespace { scope["namespace"] = "\(namespace)" }
        await scope.around {
            let started = time.monotonicNow()
            metrics.active.increment()
            let outcome = await reconcile(key)
            metrics.active.increment(by: -1)
            let took = time.monotonicNow() - started
            metrics.duration.observe(took)
            logger.debug("reconciled", metadata: ["took": "\(took)", "outcome": "\(outcome.word)"])
            settle(key, outcome)
        }
        queue.done(key)
    }

    private func settle(_ key: ObjectKey, _ outcome: ReconcileOutcome) {
        switch outcome {
        case .done:
            metrics.success.increment()
            queue.forget(key)
        case .requeue(let delay):
            metrics.requeueAfter.increment()
            queue.forget(key)
            queue.add(key, after: delay)
        case .retry(let error, let delay): failed(key, error, after: delay)
        case .refused(let error):
            metrics.error.increment()
            metrics.errors.increment()
            metrics.terminal.increment()
            logger.error("reconcile was refused, and waits for a change", metadata: ["error": "\(error)"])
            queue.forget(key)
            queue.noteFailure(key, error)
        }
    }

    private func failed(_ key: ObjectKey, _ error: any Error, after delay: Duration?) {
        // A stop that broke a call off is no failure of the key.
        if Task.isCancelled { return }
        metrics.error.increment()
        metrics.errors.increment()
        logger.warning(
            "reconcile failed",
            metadata: [
                "error": "\(error)", "failures": "\(queue.failureCount(key) + 1)",
                "next": "\(delay.map { "after \($0)" } ?? "after a growing delay")",
            ])
        queue.retry(key, because: error, after: delay)
    }
}

extension ReconcileOutcome {
    fileprivate var word: String {
        switch self {
        case .done: "success"
        case .requeue: "requeue_after"
        case .retry, .refused: "error"
        }
    }
}
