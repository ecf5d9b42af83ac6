import Concurrency
import ControllerRuntime
import KubernetesModel
import Testing

@Suite("A work queue", .timeLimit(.minutes(1)))
struct WorkQueueTests {
    private let time = ManualTime()

    private func queue(_ limits: WorkQueueLimits = WorkQueueLimits(), _ metrics: MetricsRegistry? = nil) -> WorkQueue {
        WorkQueue(name: "jobs", time: time, limits: limits, metrics: metrics)
    }

    @Test("gives a key out once, however often it was added")
    func deduplicates() async {
        let queue = queue()
        for _ in 0..<5 { queue.add(key("a")) }
        queue.add(key("b"))
        #expect(queue.count == 2)
        #expect(await queue.next() == key("a"))
        #expect(await queue.next() == key("b"))
        #expect(queue.count == 0)
    }

    @Test("keeps a key that is added while it is worked on until that is done")
    func dirtyWhileProcessing() async {
        let queue = queue()
        queue.add(key("a"))
        _ = await queue.next()
        queue.add(key("a"))
        queue.add(key("a"))
        #expect(queue.count == 0)
        #expect(queue.processingCount == 1)
        queue.done(key("a"))
        #expect(queue.count == 1)
        #expect(await queue.next() == key("a"))
        queue.done(key("a"))
        #expect(queue.isIdle)
        queue.done(key("a"))
        #expect(queue.isIdle, "done without work is nothing")
    }

    @Test("wakes a worker that waits")
    func wakes() async {
        let queue = queue()
        await withTaskGroup(of: ObjectKey?.self) { group in
            group.addTask { await queue.next() }
            group.addTask { await queue.next() }
            queue.add(key("a"))
            queue.add(key("b"))
            var taken: Set<ObjectKey?> = []
            for await key in group { taken.insert(key) }
            #expect(taken == [key("a"), key("b")])
        }
    }

    @Test("holds a delayed key back until its time, and the earliest of several counts")
    func delayed() async {
        let queue = queue()
        queue.add(key("a"), after: .seconds(10))
        queue.add(key("a"), after: .seconds(5))
        queue.add(key("a"), after: .seconds(20))
        queue.add(key("b"), after: .seconds(7))
        #expect(queue.delayedCount == 2)
        await withTaskGroup(of: ObjectKey?.self) { group in
            group.addTask { await queue.next() }
            await time.waitForSleepers(1)
            time.advance(by: .milliseconds(4999))
            #expect(time.sleeperCount == 1)
            time.advance(by: .milliseconds(1))
            #expect(await group.next() == .some(key("a")))
            queue.done(key("a"))
            group.addTask { await queue.next() }
            await time.waitForSleepers(1)
            time.advance(by: .seconds(2))
            #expect(await group.next() == .some(key("b")))
            queue.done(key("b"))
        }
        time.advance(by: .seconds(60))
        #expect(queue.delayedCount == 0)
        #expect(queue.isIdle, "the later times of a key are forgotten with the first")
    }

    @Test("a nearer deadline reaches workers that sleep until a later one")
    func nearerDeadline() async {
        let queue = queue()
        queue.add(key("late"), after: .seconds(100))
        await withTaskGroup(of: ObjectKey?.self) { group in
            for _ in 0..<3 { group.addTask { await queue.next() } }
            await time.waitForSleepers(3)
            queue.add(key("soon"), after: .seconds(1))
            while true {
                // They wake, look and sleep again, until the new moment.
                await Task.yield()
                time.advance(by: .milliseconds(100))
                if queue.processingCount == 1 { break }
                #expect(time.monotonicNow() < .seconds(90))
            }
            #expect(await group.next() == .some(key("soon")))
            group.cancelAll()
        }
    }

    @Test("an idle queue sleeps for nothing and keeps no task")
    func idle() async {
        let queue = queue()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await queue.next() }
            queue.add(key("a"), after: .seconds(1))
            await time.waitForSleepers(1)
            time.advance(by: .seconds(1))
            await group.next()
        }
        #expect(time.sleeperCount == 0)
    }

    @Test("delays the failures of a key by 5 ms, doubling to 1000 s, until they are forgotten")
    func exponential() {
        // Without workers, the moment at which a key is due shows in when it can be taken.
        let limits = WorkQueueLimits(perSecond: 1e9, burst: 1_000_000)
        for (failures, expected) in [
            (1, 5), (2, 10), (3, 20), (10, 2560), (18, 655_360), (19, 1_000_000), (70, 1_000_000),
        ] {
            #expect(limits.delay(afterFailure: failures) == .milliseconds(expected), "after \(failures)")
        }
        let queue = queue(limits)
        for _ in 0..<3 { queue.addRateLimited(key("a")) }
        #expect(queue.failureCount(key("a")) == 3)
        queue.forget(key("a"))
        #expect(queue.failureCount(key("a")) == 0)
    }

    @Test("lets 100 retries through at once, then ten a second")
    func bucket() async {
        let queue = queue(WorkQueueLimits(perKeyAndSecond: 0))
        for index in 0..<130 { queue.addRateLimited(key("k\(index)")) }
        func drain() async -> Int {
            var count = 0
            queue.add(key("sentinel"), priority: .background)
            while let key = await queue.next() {
                queue.done(key)
                if key.name == "sentinel" { break }
                count += 1
            }
            return count
        }
        time.advance(by: .milliseconds(5))
        // The background sentinel may come up to seven turns early; what is left follows with the next round.
        var total = await drain()
        while queue.count > 0 { total += await drain() }
        #expect(total == 100)
        time.advance(by: .milliseconds(1000))
        total = await drain()
        while queue.count > 0 { total += await drain() }
        #expect(total == 10)
        time.advance(by: .seconds(2))
        total = await drain()
        while queue.count > 0 { total += await drain() }
        #expect(total == 20)
    }

    @Test("news overtakes a backlog, which still gets every eighth turn")
    func priorities() async {
        let queue = queue()
        for index in 0..<1000 { queue.add(key("old\(index)"), priority: .background) }
        queue.add(key("new"))
        #expect(await queue.next() == key("new"))
        for index in 0..<100 { queue.add(key("n\(index)")) }
        var order: [Bool] = []
        for _ in 0..<80 {
            let taken = await queue.next()
            order.append(taken?.name.hasPrefix("old") == true)
        }
        #expect(order.filter { $0 }.count == 10)
        for start in stride(from: 0, to: 72, by: 8) { #expect(order[start..<(start + 8)].contains(true)) }
    }

    @Test("a key of the backlog that changes moves up, and is given out once")
    func movesUp() async {
        let queue = queue()
        for name in ["a", "b", "c"] { queue.add(key(name), priority: .background) }
        queue.add(key("c"))
        #expect(queue.count == 3)
        var taken: [String] = []
        for _ in 0..<3 { taken.append(await queue.next()?.name ?? "") }
        #expect(taken == ["c", "a", "b"])
        #expect(queue.count == 0)
        queue.add(key("c"), priority: .background)
        queue.add(key("c"))
        queue.done(key("c"))
        #expect(await queue.next() == key("c"))
        queue.done(key("c"))
        for name in ["a", "b"] { queue.done(key(name)) }
        #expect(queue.isIdle)
    }

    @Test("a stale place in the backlog hands no key to a second worker")
    func stalePlace() async {
        let queue = queue()
        for name in ["a", "c", "z"] { queue.add(key(name), priority: .background) }
        queue.add(key("c"))
        #expect(await queue.next() == key("c"))
        queue.add(key("c"), priority: .background)
        #expect(await queue.next() == key("a"))
        #expect(await queue.next() == key("z"), "c is being worked on")
        #expect(queue.count == 0)
        queue.done(key("c"))
        #expect(await queue.next() == key("c"))
    }

    @Test("works on no key more than five times within a second")
    func perKeyLimit() async {
        let queue = queue()
        var starts: [Duration] = []
        await withTaskGroup(of: Void.self) { group in
            let taken = Channel<Duration>()
            group.addTask { [time] in
                while let key = await queue.next() {
                    taken.send(time.monotonicNow())
                    queue.add(key)
                    queue.done(key)
                }
            }
            queue.add(key("hot"))
            for _ in 0..<4 {
                for _ in 0..<5 { starts.append(await taken.receive()) }
                await time.waitForSleepers(1)
                #expect(taken.waiting.isEmpty)
                time.advance(by: .seconds(1))
            }
            group.cancelAll()
        }
        for (early, late) in zip(starts, starts.dropFirst(5)) { #expect(late - early >= .seconds(1)) }
    }

    @Test("after a shutdown it gives out what waits, takes nothing, and ends all that wait")
    func shutdown() async {
        let queue = queue()
        queue.add(key("a"))
        queue.add(key("later"), after: .seconds(5))
        queue.shutDown()
        queue.add(key("b"))
        queue.add(key("b"), after: .seconds(1))
        queue.addRateLimited(key("b"))
        #expect(await queue.next() == key("a"))
        #expect(await queue.next() == nil)
        queue.done(key("a"))
        #expect(queue.isIdle)

        let other = self.queue()
        other.add(key("a"))
        await withTaskGroup(of: ObjectKey?.self) { group in
            #expect(await other.next() == key("a"))
            for _ in 0..<4 { group.addTask { await other.next() } }
            other.add(key("a"))
            other.shutDown(discardingQueued: true)
            other.done(key("a"))
            for await key in group { #expect(key == nil) }
        }
    }

    @Test("a worker that is cancelled gets nothing, and its key goes to another")
    func cancellation() async {
        let queue = queue()
        await withTaskGroup(of: ObjectKey?.self) { group in
            group.addTask { await queue.next() }
            group.cancelAll()
            #expect(await group.next() == .some(nil))
        }
        // The first to wait is the first to be woken; here it is cancelled at that very moment.
        for _ in 0..<200 {
            let raced = WorkQueue(time: time)
            await withTaskGroup(of: ObjectKey?.self) { first in
                first.addTask { await raced.next() }
                for _ in 0..<5 { await Task.yield() }
                await withTaskGroup(of: ObjectKey?.self) { second in
                    second.addTask { await raced.next() }
                    for _ in 0..<5 { await Task.yield() }
                    raced.add(key("a"))
                    first.cancelAll()
                    if await first.next() == .some(key("a")) { raced.add(key("b")) }
                    #expect(await second.next() != .some(nil))
                }
            }
        }
    }

    @Test("never gives a key to two workers, and loses none, under many tasks")
    func race() async {
        let queue = WorkQueue(
            name: "race",
            limits: WorkQueueLimits(firstRetry: .microseconds(50), perSecond: 1e6, burst: 1_000_000, perKeyAndSecond: 0)
        )
        struct Ledger {
            var wanted: [ObjectKey: Int] = [:]
            var seen: [ObjectKey: Int] = [:]
            var active: Set<ObjectKey> = []
            var overlaps = 0
            var handled = 0
        }
        let ledger = Locked(Ledger())
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    while let key = await queue.next() {
                        ledger.withLock { ledger in
                            if !ledger.active.insert(key).inserted { ledger.overlaps += 1 }
                            ledger.seen[key] = ledger.wanted[key]
                            ledger.handled += 1
                        }
                        await Task.yield()
                        ledger.withLock { ledger in
                            ledger.active.remove(key)
                            return
                        }
                        queue.done(key)
                    }
                }
            }
            await withTaskGroup(of: Void.self) { adders in
                for adder in 0..<8 as Range<UInt64> {
                    adders.addTask {
                        var random = SeededGenerator(seed: adder)
                        for _ in 0..<2000 {
                            let key = key("k\(Int.random(in: 0..<50, using: &random))")
                            ledger.withLock { $0.wanted[key, default: 0] += 1 }
                            switch Int.random(in: 0..<6, using: &random) {
                            case 0: queue.add(key, after: .microseconds(200))
                            case 1: queue.addRateLimited(key)
                            case 2: queue.add(key, priority: .background)
                            default: queue.add(key)
                            }
                            queue.forget(key)
                            if Int.random(in: 0..<20, using: &random) == 0 { await Task.yield() }
                        }
                    }
                }
            }
            while !queue.isIdle { await Task.yield() }
            queue.shutDown()
        }
        let result = ledger.withLock { $0 }
        #expect(result.overlaps == 0)
        #expect(result.seen == result.wanted)
        #expect(result.handled >= 50)
    }

    @Test("measures under client-go's names")
    func metrics() async {
        let registry = MetricsRegistry()
        let queue = queue(WorkQueueLimits(), registry)
        queue.add(key("a"))
        queue.add(key("b"))
        queue.add(key("b"))
        time.advance(by: .seconds(2))
        _ = await queue.next()
        time.advance(by: .seconds(3))
        // Counted as added once it is due, as in client-go.
        queue.addRateLimited(key("c"))
        queue.add(key("b"), after: .zero)
        let text = registry.exposition()
        #expect(text.contains("workqueue_depth{name=\"jobs\"} 1\n"))
        #expect(text.contains("workqueue_adds_total{name=\"jobs\"} 2\n"))
        #expect(text.contains("workqueue_retries_total{name=\"jobs\"} 2\n"))
        #expect(text.contains("workqueue_queue_duration_seconds_sum{name=\"jobs\"} 2\n"))
        #expect(text.contains("workqueue_queue_duration_seconds_bucket{name=\"jobs\",le=\"10\"} 1\n"))
        #expect(text.contains("workqueue_unfinished_work_seconds{name=\"jobs\"} 3\n"))
        #expect(text.contains("workqueue_longest_running_processor_seconds{name=\"jobs\"} 3\n"))
        #expect(queue.longestRunning?.key == key("a"))
        queue.done(key("a"))
        #expect(registry.exposition().contains("workqueue_work_duration_seconds_sum{name=\"jobs\"} 3\n"))
    }

    @Test("tells what waits, what is in work, and which keys fail, why and when they are next")
    func report() async {
        struct Trouble: Error, CustomStringConvertible { var description: String }
        let queue = queue(WorkQueueLimits())
        for name in ["a", "b", "c", "d"] { queue.add(key(name)) }
        for _ in 0..<3 { _ = await queue.next() }
        queue.retry(key("a"), because: Trouble(description: "first"))
        queue.retry(key("a"), because: Trouble(description: String(repeating: "é", count: 400)), after: .seconds(9))
        queue.retry(key("b"), because: Trouble(description: "503"), after: .seconds(30))
        queue.noteFailure(key("c"), Trouble(description: "422"))
        for name in ["a", "b"] { queue.done(key(name)) }
        time.advance(by: .seconds(10))
        let report = queue.report
        #expect(report.ready == 1)
        #expect(report.delayed == 2)
        #expect(report.running.map(\.key) == [key("c")])
        #expect(report.running.map(\.duration) == [.seconds(10)])
        #expect(report.failing.map(\.key) == [key("a"), key("b"), key("c")])
        #expect(report.failing.map(\.failures) == [2, 1, 1])
        #expect(report.failing.map(\.next) == [.zero, .seconds(20), nil])
        #expect(report.failing.map(\.error.utf8.count) == [500, 3, 3])
        queue.forget(key("b"))
        #expect(queue.report.failing.map(\.key) == [key("a"), key("c")])
    }

    @Test("keeps the reasons of 256 failing keys and no more")
    func boundedReasons() {
        let queue = queue(WorkQueueLimits())
        for index in 0..<1000 { queue.noteFailure(key("k\(index)"), CancellationError()) }
        #expect(queue.report.failing.count == 256)
    }
}
