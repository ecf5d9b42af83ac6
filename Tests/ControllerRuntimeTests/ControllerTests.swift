import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel
import Logging
import ServiceLifecycle
import Testing

private struct Trouble: Error {}

@Suite("A controller", .timeLimit(.minutes(1)))
struct ControllerTests {
    private let time = ManualTime()
    private let metrics = MetricsRegistry()

    private func controller(
        workers: Int = 1, queue: WorkQueue, waitForCaches: @escaping @Sendable () async throws -> Void = {},
        reconcile: @escaping @Sendable (ObjectKey) async -> ReconcileOutcome
    ) -> Controller {
        Controller(
            name: "jobs", workers: workers, queue: queue, drainDeadline: .seconds(5), time: time, logger: quiet,
            metrics: metrics, waitForCaches: waitForCaches, reconcile: reconcile)
    }

    private func running(_ controller: Controller, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await controller.run() }
            try await body()
            group.cancelAll()
        }
    }

    @Test("takes no key before the caches have synced")
    func caches() async throws {
        let store = Store<TestPod>()
        let queue = WorkQueue(time: time)
        let seen = Channel<ObjectKey>()
        queue.add(key("a"))
        let controller = controller(
            queue: queue, waitForCaches: { try await store.waitForSync() },
            reconcile: { key in
                #expect(store.hasSynced)
                seen.send(key)
                return .done
            })
        try await running(controller) {
            for _ in 0..<20 { await Task.yield() }
            #expect(seen.waiting.isEmpty)
            store.beginList()
            store.finishList(resourceVersion: "1")
            #expect(await seen.receive() == key("a"))
        }
    }

    @Test("ends when it is told to stop before the caches have synced")
    func stopsBeforeSync() async throws {
        let store = Store<TestPod>()
        let controller = controller(
            queue: WorkQueue(time: time), waitForCaches: { try await store.waitForSync() }, reconcile: { _ in .done })
        try await running(controller) {}
    }

    @Test("acts on each outcome, and measures it")
    func outcomes() async throws {
        let queue = WorkQueue(time: time)
        let seen = Channel<(String, Duration)>()
        let counts = Locked<[String: Int]>([:])
        let controller = controller(queue: queue) { [time] key in
            seen.send((key.name, time.monotonicNow()))
            let count = counts.withLock { counts in
                counts[key.name, default: 0] += 1
                return counts[key.name] ?? 0
            }
            switch key.name {
            case "again" where count == 1: return .requeue(after: .seconds(30))
            case "fails" where count < 4: return .retry(Trouble(), after: nil)
            case "told" where count == 1: return .retry(Trouble(), after: .seconds(7))
            default: return .done
            }
        }
        try await running(controller) {
            queue.add(key("fine"))
            #expect(await seen.receive().0 == "fine")
            queue.add(key("fails"))
            var moments: [Duration] = []
            for _ in 0..<4 {
                let (name, moment) = await seen.receive()
                #expect(name == "fails")
                moments.append(moment)
                if moments.count < 4 {
                    await time.waitForSleepers(1)
                    time.advance(
                        by: queue.failureCount(key("fails")) == 0 ? .zero : .milliseconds(5 << (moments.count - 1)))
                }
            }
            #expect(moments == [.zero, .milliseconds(5), .milliseconds(15), .milliseconds(35)])
            queue.add(key("told"))
            _ = await seen.receive()
            await time.waitForSleepers(1)
            time.advance(by: .seconds(7))
            #expect(await seen.receive().0 == "told")
            queue.add(key("again"))
            _ = await seen.receive()
            await time.waitForSleepers(1)
            time.advance(by: .seconds(30))
            #expect(await seen.receive().0 == "again")
            while !queue.isIdle { await Task.yield() }
            #expect(queue.failureCount(key("fails")) == 0)
        }
        let text = metrics.exposition()
        #expect(text.contains("controller_runtime_reconcile_total{controller=\"jobs\",result=\"success\"} 4\n"))
        #expect(text.contains("controller_runtime_reconcile_total{controller=\"jobs\",result=\"error\"} 4\n"))
        #expect(text.contains("controller_runtime_reconcile_total{controller=\"jobs\",result=\"requeue_after\"} 1\n"))
        #expect(text.contains("controller_runtime_reconcile_errors_total{controller=\"jobs\"} 4\n"))
        #expect(text.contains("controller_runtime_reconcile_time_seconds_count{controller=\"jobs\"} 9\n"))
        #expect(text.contains("controller_runtime_active_workers{controller=\"jobs\"} 0\n"))
    }

    @Test("works on as many keys at once as it has workers, and on each by one")
    func workers() async throws {
        let queue = WorkQueue(time: time)
        struct Activity {
            var active: [ObjectKey: Int] = [:]
            var most = 0
            var mostOfOne = 0
        }
        let activity = Locked(Activity())
        let entered = Channel<ObjectKey>()
        let release = Channel<Void>()
        let controller = controller(workers: 3, queue: queue) { key in
            activity.withLock { activity in
                activity.active[key, default: 0] += 1
                activity.mostOfOne = max(activity.mostOfOne, activity.active[key] ?? 0)
                activity.most = max(activity.most, activity.active.values.reduce(0, +))
            }
            entered.send(key)
            await release.receive()
            activity.withLock { $0.active[key, default: 0] -= 1 }
            return .done
        }
        try await running(controller) {
            for index in 0..<5 { queue.add(key("k\(index)")) }
            for _ in 0..<3 { _ = await entered.receive() }
            queue.add(key("k0"))
            for _ in 0..<20 { await Task.yield() }
            #expect(entered.waiting.isEmpty)
            for _ in 0..<6 { release.send(()) }
            for _ in 0..<3 { _ = await entered.receive() }
            while !queue.isIdle { await Task.yield() }
        }
        #expect(activity.withLock { $0.most } == 3)
        #expect(activity.withLock { $0.mostOfOne } == 1)
    }

    @Test("on a graceful shutdown takes no further key and lets what is in work finish")
    func gracefulShutdown() async throws {
        let queue = WorkQueue(time: time)
        let entered = Channel<ObjectKey>()
        let release = Channel<Void>()
        let finished = Locked<[String]>([])
        let controller = controller(queue: queue) { key in
            entered.send(key)
            await release.receive()
            finished.withLock { $0.append("\(key.name) \(Task.isCancelled ? "cancelled" : "whole")") }
            return .done
        }
        try await withGracefulStop(controller) { stop in
            queue.add(key("a"))
            queue.add(key("b"))
            #expect(await entered.receive() == key("a"))
            await stop()
            while !queue.isShutDown { await Task.yield() }
            release.send(())
        }
        #expect(finished.withLock { $0 } == ["a whole"])
        #expect(entered.waiting.isEmpty)
    }

    @Test("cancels what does not finish by the deadline")
    func drainDeadline() async throws {
        let queue = WorkQueue(time: time)
        let entered = Channel<ObjectKey>()
        let cancelled = Locked(false)
        let controller = controller(queue: queue) { [time] key in
            entered.send(key)
            do {
                try await time.sleep(for: .seconds(1000))
            } catch {
                cancelled.withLock { $0 = true }
            }
            return .retry(Trouble(), after: nil)
        }
        try await withGracefulStop(controller) { stop in
            queue.add(key("slow"))
            _ = await entered.receive()
            await stop()
            await time.waitForSleepers(2)
            time.advance(by: .seconds(4))
            #expect(!cancelled.withLock { $0 })
            time.advance(by: .seconds(1))
        }
        #expect(cancelled.withLock { $0 })
    }

    /// Runs the controller in a service group, gives `body` the means to stop it, and returns when all has ended.
    private func withGracefulStop(
        _ controller: Controller, _ body: (@escaping @Sendable () async -> Void) async throws -> Void
    ) async throws {
        let group = ServiceGroup(services: [controller], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    try await group.run()
                } catch {
                    // The controller returns when its queue is shut down; the group calls that an unexpected end.
                }
            }
            try await body { await group.triggerGracefulShutdown() }
            try await tasks.waitForAll()
        }
    }

    @Test("ends by itself when its queue is shut down")
    func queueShutDown() async {
        let queue = WorkQueue(time: time)
        let controller = controller(workers: 4, queue: queue) { _ in .done }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await controller.run() }
            queue.shutDown()
            await group.waitForAll()
        }
    }

    @Test("a failure by cancellation is no failure of the key")
    func cancelledReconcile() async throws {
        let queue = WorkQueue(time: time)
        let entered = Channel<ObjectKey>()
        let controller = controller(queue: queue) { [time] key in
            entered.send(key)
            do {
                try await time.sleep(for: .seconds(1000))
                return .done
            } catch {
                return .retry(error, after: nil)
            }
        }
        try await running(controller) {
            queue.add(key("a"))
            _ = await entered.receive()
        }
        #expect(queue.failureCount(key("a")) == 0)
        #expect(queue.processingCount == 0)
    }

    @Test("whatever is logged in a reconcile says of which object, controller and reconcile it is")
    func logScope() async throws {
        let lines = Locked<[JSONValue]>([])
        let log = Logger(label: "test") { label in
            StructuredLogHandler(label: label, format: .json, level: .debug, time: ManualTime()) { bytes in
                lines.withLock { $0.append((try? JSONValue(parsing: bytes)) ?? .null) }
            }
        }
        let queue = WorkQueue(time: time)
        let done = Channel<ObjectKey>()
        let controller = Controller(
            name: "jobs", type: .pods, queue: queue, time: time, logger: log,
            reconcile: { key in
                LogScope.note("generation", "7")
                await withTaskGroup(of: Void.self) { group in group.addTask { log.info("from a child task") } }
                done.send(key)
                return key.name == "a" ? .refused(Trouble()) : .retry(Trouble(), after: .seconds(60))
            })
        queue.add(key("a"))
        queue.add(ObjectKey(namespace: nil, name: "b"))
        try await running(controller) {
            _ = await done.receive()
            _ = await done.receive()
            while lines.withLock({ $0.count }) < 7 { await Task.yield() }
        }
        let all = lines.withLock { $0 }
        #expect(all.prefix(7).allSatisfy { $0["controller"] == "jobs" && $0["kind"] == "Pod" })
        let first = all.filter { $0["name"] == "a" }
        #expect(
            first.map { $0["msg"]?.string } == [
                "from a child task", "reconciled", "reconcile was refused, and waits for a change",
            ])
        #expect(first.allSatisfy { $0["namespace"] == "ml" && $0["generation"] == "7" })
        #expect(Set(first.compactMap { $0["reconcileID"]?.string }) == ["6955b900-1"])
        let second = all.filter { $0["name"] == "b" }
        #expect(second.map { $0["msg"]?.string } == ["from a child task", "reconciled", "reconcile failed"])
        #expect(second.allSatisfy { $0["namespace"] == nil && $0["reconcileID"] == "6955b900-2" })
        #expect(queue.report.failing.map(\.next) == [.seconds(60), nil])
    }

    @Test("what is refused is an error that is not tried again")
    func refused() async throws {
        let queue = WorkQueue(time: time)
        let done = Channel<ObjectKey>()
        let controller = controller(queue: queue) { key in
            done.send(key)
            return .refused(Trouble())
        }
        queue.add(key("a"))
        try await running(controller) {
            _ = await done.receive()
            while !queue.isIdle { await Task.yield() }
        }
        let text = metrics.exposition()
        #expect(text.contains("controller_runtime_reconcile_total{controller=\"jobs\",result=\"error\"} 1\n"))
        #expect(text.contains("controller_runtime_terminal_reconcile_errors_total{controller=\"jobs\"} 1\n"))
    }
}
