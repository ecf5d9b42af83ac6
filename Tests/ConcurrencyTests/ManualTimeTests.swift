import Concurrency
import Testing

@Suite("Manual time", .timeLimit(.minutes(1)))
struct ManualTimeTests {
    @Test("stands still, and wakes each sleeper at its moment, in order")
    func order() async throws {
        let time = ManualTime()
        let woken = Locked<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, seconds) in [3, 1, 2, 1].enumerated() {
                group.addTask {
                    try await time.sleep(for: .seconds(seconds))
                    woken.withLock { $0.append(index) }
                }
                await time.waitForSleepers(index + 1)
            }
            time.advance(by: .milliseconds(999))
            #expect(time.sleeperCount == 4)
            time.advance(by: .milliseconds(1))
            #expect(time.sleeperCount == 2)
            while woken.withLock({ $0.count }) < 2 { await Task.yield() }
            #expect(Set(woken.withLock { $0 }) == [1, 3])
            time.advance(by: .seconds(10))
            try await group.waitForAll()
        }
        #expect(woken.withLock { $0.count } == 4)
        #expect(time.monotonicNow() == .seconds(11))
        #expect(time.wallNow() == .seconds(1_767_225_611))
        #expect(ManualTime(epoch: .seconds(5)).wallNow() == .seconds(5))
    }

    @Test("does not sleep for nothing or less")
    func zero() async throws {
        let time = ManualTime()
        try await time.sleep(for: .zero)
        try await time.sleep(for: .seconds(-1))
        #expect(time.sleeperCount == 0)
    }

    @Test("a cancelled sleeper wakes at once with an error")
    func cancelled() async {
        let time = ManualTime()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: CancellationError.self) { try await time.sleep(for: .seconds(5)) }
            }
            await time.waitForSleepers(1)
            group.cancelAll()
            await group.waitForAll()
            #expect(time.sleeperCount == 0)
            // One that was cancelled before it came to sleep.
            group.addTask {
                await #expect(throws: CancellationError.self) { try await time.sleep(for: .seconds(5)) }
            }
            group.cancelAll()
        }
        #expect(time.sleeperCount == 0)
    }

    @Test("survives sleeping, cancelling and advancing all at once")
    func race() async {
        let time = ManualTime()
        for round in 0..<50 {
            let asleep = Locked(20)
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        do {
                            try await time.sleep(for: .milliseconds(index % 5))
                        } catch {
                            #expect(error is CancellationError)
                        }
                        asleep.withLock { $0 -= 1 }
                    }
                }
                if round % 2 == 0 { group.cancelAll() }
                while asleep.withLock({ $0 }) > 0 {
                    time.advance(by: .milliseconds(1))
                    await Task.yield()
                }
            }
        }
        #expect(time.sleeperCount == 0)
    }

    @Test("the system's clocks run")
    func system() async throws {
        let time = SystemTime()
        let before = time.monotonicNow()
        try await time.sleep(for: .milliseconds(2))
        #expect(time.monotonicNow() - before >= .milliseconds(2))
        #expect(time.wallNow() > .seconds(1_700_000_000))
    }
}

@Suite("A locked value")
struct LockedTests {
    @Test("loses no change under many tasks")
    func race() async {
        let counter = Locked(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    for _ in 0..<1000 { counter.withLock { $0 += 1 } }
                }
            }
        }
        #expect(counter.withLock { $0 } == 10_000)
    }

    @Test("is unlocked again when its body throws")
    func throwing() {
        struct Trouble: Error {}
        let value = Locked(1)
        #expect(throws: Trouble.self) {
            try value.withLock { (value: inout Int) throws(Trouble) in
                value = 2
                throw Trouble()
            }
        }
        #expect(value.withLock { $0 } == 2)
    }
}
