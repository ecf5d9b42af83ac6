import Concurrency
import DequeModule
import KubernetesModel

/// Keys to work on: each waits at most once and is worked on by one worker at a time.
///
/// There is no task of its own: whoever waits in ``next()`` also keeps the time of delayed keys.
public final class WorkQueue: Sendable {
    private struct Waiter {
        var id: UInt64
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var queue: WorkQueueState
        var nextID: UInt64 = 0
        var waiters = Deque<Waiter>()
        /// Waits that were told to end before they began.
        var ended: Set<UInt64> = []

        mutating func wakeOne() -> [Waiter] { waiters.popFirst().map { [$0] } ?? [] }

        /// Whoever takes a key, or leaves, passes the wake-up on while there is more: no key waits for lack of one.
        mutating func wakeForMore() -> [Waiter] { queue.readyCount > 0 ? wakeOne() : [] }

        mutating func wakeAll() -> [Waiter] {
            defer { waiters = [] }
            return Array(waiters)
        }
    }

    /// Labels its metrics.
    public let name: String
    private let time: any TimeSource
    private let metrics: WorkQueueMetrics
    private let state: Locked<State>

    /// - Parameters:
    ///   - name: labels the queue's metrics.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - limits: how fast work comes back.
    ///   - metrics: shows what is measured; nil where nobody looks.
    public init(
        name: String = "", time: any TimeSource = SystemTime(), limits: WorkQueueLimits = WorkQueueLimits(),
        metrics: MetricsRegistry? = nil
    ) {
        self.name = name
        self.time = time
        self.metrics = WorkQueueMetrics(name: name, registry: metrics)
        state = Locked(State(queue: WorkQueueState(limits: limits)))
        metrics?.beforeExposition { [weak self] in self?.measure() }
    }

    // MARK: Adding

    /// Adds a key, unless it waits already.
    public func add(_ key: ObjectKey, priority: WorkPriority = .normal) {
        let now = time.monotonicNow()
        wake { state in state.queue.add(key, priority, now: now) ? state.wakeOne() : [] }
    }

    /// Adds once `delay` has passed; of several the earliest counts.
    public func add(_ key: ObjectKey, after delay: Duration) {
        if delay <= .zero {
            state.withLock { $0.queue.countRetry() }
            return add(key)
        }
        let now = time.monotonicNow()
        // Every sleeper must learn of a nearer deadline: the one that did may be given another key meanwhile.
        wake { state in state.queue.add(key, after: delay, now: now) ? state.wakeAll() : [] }
    }

    /// Adds a key that could not be worked on: after `delay`, or else as ``addRateLimited(_:)`` does. The error is kept
    /// for ``report`` until ``forget(_:)``.
    public func retry(_ key: ObjectKey, because error: any Error, after delay: Duration? = nil) {
        noteFailure(key, error)
        if let delay { add(key, after: delay) } else { addRateLimited(key) }
    }

    /// Keeps the error for ``report`` until ``forget(_:)``, and adds nothing.
    public func noteFailure(_ key: ObjectKey, _ error: any Error) {
        let text = "\(error)".truncated(toUTF8: 500)
        state.withLock { $0.queue.noteTrouble(key, text) }
    }

    /// Adds after the delay that the number of failures of the key, and the rate of all retries, ask for.
    public func addRateLimited(_ key: ObjectKey) {
        let now = time.monotonicNow()
        add(key, after: state.withLock { $0.queue.retryDelay(key, now: now) })
    }

    /// Forgets the failures of a key.
    public func forget(_ key: ObjectKey) { state.withLock { $0.queue.forget(key) } }

    /// How often a key was added by ``addRateLimited(_:)`` since it was last forgotten.
    public func failureCount(_ key: ObjectKey) -> Int { state.withLock { $0.queue.failureCount(key) } }

    // MARK: Taking

    /// Waits for a key. It is the caller's until ``done(_:)``. Nil when the queue was shut down or the task cancelled.
    public func next() async -> ObjectKey? {
        while !Task.isCancelled {
            let now = time.monotonicNow()
            enum Answer { case key(ObjectKey, waited: Duration), wait(UInt64, until: Duration?), finished }
            let (answer, woken) = state.withLock { state -> (Answer, [Waiter]) in
                state.queue.promote(now: now)
                let deadline = state.queue.nextDeadline
                let taken = state.queue.take(now: now)
                let next = state.queue.nextDeadline
                // A key that had its share was put off: whoever sleeps longer must look again.
                let isNearer = next.map { next in deadline.map { next < $0 } ?? true } ?? false
                let woken = isNearer ? state.wakeAll() : state.wakeForMore()
                if let taken { return (.key(taken.key, waited: taken.waited), woken) }
                if state.queue.isFinished { return (.finished, woken) }
                state.nextID += 1
                return (.wait(state.nextID, until: next), woken)
            }
            for waiter in woken { waiter.continuation.resume() }
            switch answer {
            case .finished: return nil
            case .key(let key, let waited):
                metrics.queueDuration.observe(waited)
                return key
            case .wait(let id, let deadline): await wait(id, until: deadline, now: now)
            }
        }
        // This worker may have been woken for a key that it does not take any more.
        wake { $0.wakeForMore() }
        return nil
    }

    /// Ends the work on a key; if it was added meanwhile, it waits again.
    public func done(_ key: ObjectKey) {
        let now = time.monotonicNow()
        var took: Duration?
        wake { state in
            guard let result = state.queue.done(key, now: now) else { return [] }
            took = result.took
            return result.isReady ? state.wakeOne() : []
        }
        if let took { metrics.workDuration.observe(took) }
    }

    /// No key is taken in any more. Those that wait in line are still given out, unless `discardingQueued`; delayed
    /// ones are dropped. Then ``next()`` returns nil.
    public func shutDown(discardingQueued: Bool = false) {
        wake { state in
            state.queue.shutDown(takingQueued: !discardingQueued)
            return state.wakeAll()
        }
    }

    // MARK: Observing

    /// Whether it takes no key any more.
    public var isShutDown: Bool { state.withLock { $0.queue.isShutDown } }
    /// Keys that wait in line.
    public var count: Int { state.withLock { $0.queue.readyCount } }
    /// Keys that wait for their time.
    public var delayedCount: Int { state.withLock { $0.queue.delayedCount } }
    /// Keys that are worked on.
    public var processingCount: Int { state.withLock { $0.queue.processingCount } }

    /// True when nothing waits, is delayed or worked on.
    public var isIdle: Bool {
        state.withLock { $0.queue.readyCount + $0.queue.delayedCount + $0.queue.processingCount == 0 }
    }

    /// The key that has been worked on for longest, and how long.
    public var longestRunning: (key: ObjectKey, duration: Duration)? {
        let now = time.monotonicNow()
        return state.withLock { $0.queue.running(now: now).max { $0.duration < $1.duration } }
    }

    /// How things stand, for people.
    public var report: WorkQueueReport {
        let now = time.monotonicNow()
        return state.withLock { state in
            WorkQueueReport(
                ready: state.queue.readyCount, delayed: state.queue.delayedCount,
                running: state.queue.running(now: now).sorted { ($1.duration, $0.key) < ($0.duration, $1.key) },
                failing: state.queue.failing(now: now), isShutDown: state.queue.isShutDown)
        }
    }

    private func measure() {
        let now = time.monotonicNow()
        let (depth, adds, retries, running) = state.withLock {
            ($0.queue.readyCount, $0.queue.adds, $0.queue.retries, $0.queue.running(now: now).map(\.duration))
        }
        metrics.depth.set(Double(depth))
        metrics.adds.set(Double(adds))
        metrics.retries.set(Double(retries))
        metrics.unfinished.set(running.reduce(Duration.zero, +).inSeconds)
        metrics.longest.set((running.max() ?? .zero).inSeconds)
    }

    // MARK: Waiting

    private func wake(_ change: (inout State) -> [Waiter]) {
        for waiter in state.withLock({ change(&$0) }) { waiter.continuation.resume() }
    }

    /// Returns when there may be something to take: after a wake-up, at `deadline`, or on cancellation.
    private func wait(_ id: UInt64, until deadline: Duration?, now: Duration) async {
        guard let deadline else { return await park(id) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.park(id) }
            group.addTask {
                do {
                    try await self.time.sleep(for: deadline - now)
                } catch {
                    // Woken earlier: the queue has been looked after already.
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func park(_ id: UInt64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = time.monotonicNow()
                let mustWait = state.withLock { state -> Bool in
                    if state.ended.remove(id) != nil || state.queue.isFinished { return false }
                    // Something may have come since the look that found nothing.
                    if state.queue.readyCount > 0 { return false }
                    if let deadline = state.queue.nextDeadline, deadline <= now { return false }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.ended.insert(id)
                    return nil
                }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume()
        }
        state.withLock { state in
            // The handler cannot run any more, and may have run after the wait was over.
            state.ended.remove(id)
            return
        }
    }
}
