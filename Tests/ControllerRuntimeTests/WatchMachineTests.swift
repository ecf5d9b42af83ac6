import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@Suite("The state machine of a watch")
struct WatchMachineTests {
    private func failure(_ code: Int, retryAfter: Duration? = nil) -> KubernetesError {
        KubernetesError(
            .status(KubernetesStatus(code: code, reason: code == 410 ? "Expired" : "", message: "")),
            operation: "watch pods", retryAfter: retryAfter)
    }

    private func watching(_ version: String = "10") -> WatchMachine {
        var machine = WatchMachine(random: SeededGenerator(seed: 1))
        _ = machine.received(page: ObjectList(resourceVersion: version, items: []))
        machine.opened()
        return machine
    }

    @Test("goes from nothing through pages to watching")
    func path() {
        var machine = WatchMachine(random: SeededGenerator(seed: 1))
        #expect(machine.state == .empty)
        #expect(machine.nextStep == .list(continueToken: nil, limit: 500))
        let isWholeAfterOne = machine.received(page: ObjectList(resourceVersion: "9", items: [], continueToken: "x"))
        #expect(!isWholeAfterOne)
        #expect(machine.nextStep == .list(continueToken: "x", limit: 500))
        let isWhole = machine.received(page: ObjectList(resourceVersion: "9", items: [], continueToken: ""))
        #expect(isWhole)
        #expect(machine.state == .initListed(resourceVersion: "9"))
        #expect(machine.nextStep == .watch(resourceVersion: "9"))
        machine.opened()
        #expect(machine.state == .watching(resourceVersion: "9"))
        machine.received(.bookmark(resourceVersion: "12", initialEventsEnd: false))
        #expect(machine.nextStep == .watch(resourceVersion: "12"))
        machine.received(.modified(pod("a", "13")))
        #expect(machine.nextStep == .watch(resourceVersion: "13"))
    }

    @Test("resumes at once, with a watch that waits for its reader, after one that was outrun")
    func outrun() {
        var machine = watching()
        machine.received(.bookmark(resourceVersion: "12", initialEventsEnd: false))
        let consequence = machine.failed(
            KubernetesError(.transport(HTTPTransportError(.outrun(limit: 1))), operation: "watch pods"))
        #expect(consequence == .resume)
        #expect(machine.delay == .zero && machine.consecutiveFailures == 0)
        #expect(machine.nextStep == .watch(resourceVersion: "12"))
        #expect(machine.waitsForReader && machine.hasBookmarks)
        machine.ended(after: .seconds(300), receivedAny: true)
        #expect(!machine.waitsForReader, "the next one shares a connection again")
    }

    @Test("keeps its version when an event carries none")
    func versionless() {
        var machine = watching()
        machine.received(.modified(["metadata": ["name": "x"]]))
        #expect(machine.nextStep == .watch(resourceVersion: "10"))
    }

    @Test(
        "knows what each failure of a watch leads to",
        arguments: [
            (410, WatchMachine.Consequence.listAgain), (400, .listAgain), (404, .listAgain), (422, .listAgain),
            (401, .resume), (403, .resume), (429, .resume), (500, .resume), (503, .resume), (504, .resume),
        ])
    func consequences(code: Int, expected: WatchMachine.Consequence) {
        var machine = watching()
        let consequence = machine.failed(failure(code))
        #expect(consequence == expected)
        #expect(machine.state == (expected == .resume ? .watching(resourceVersion: "10") : .empty))
        #expect(machine.delay > .zero)
    }

    @Test("lists at once when a watch that had worked has become too old")
    func expiredAfterWork() {
        var machine = watching()
        machine.received(.bookmark(resourceVersion: "12", initialEventsEnd: false))
        _ = machine.failed(failure(410))
        #expect(machine.delay == .zero)
        #expect(machine.nextStep == .list(continueToken: nil, limit: 500))
        _ = machine.received(page: ObjectList(resourceVersion: "20", items: []))
        _ = machine.failed(failure(410))
        #expect(machine.delay > .zero)
    }

    @Test("asks the server's cache for nothing older than what it knows, and etcd once that fails")
    func cached() {
        let newest = WatchMachine.Step.list(continueToken: nil, limit: 500)
        var machine = WatchMachine(freshness: .cached, random: SeededGenerator(seed: 1))
        #expect(machine.nextStep == .list(continueToken: nil, limit: 500, resourceVersion: "0"))
        _ = machine.received(page: ObjectList(resourceVersion: "9", items: []))
        machine.opened()
        machine.received(.bookmark(resourceVersion: "12", initialEventsEnd: false))
        _ = machine.failed(failure(410))
        #expect(machine.nextStep == .list(continueToken: nil, limit: nil, resourceVersion: "12"))
        _ = machine.failed(failure(504))
        #expect(machine.nextStep == newest)
        _ = machine.received(page: ObjectList(resourceVersion: "14", items: [], continueToken: "x"))
        #expect(machine.nextStep == .list(continueToken: "x", limit: 500))
        _ = machine.received(page: ObjectList(resourceVersion: "14", items: []))
        _ = machine.failed(failure(410))
        #expect(machine.nextStep == newest, "the watch from that list heard nothing")
    }

    @Test("waits at least as long as the server asks")
    func retryAfter() {
        var machine = watching()
        _ = machine.failed(failure(429, retryAfter: .seconds(45)))
        #expect(machine.delay == .seconds(45))
    }

    @Test("does not reopen at once a watch that ends as soon as it is opened")
    func uselessWatch() {
        var machine = watching()
        machine.ended(after: .milliseconds(3), receivedAny: false)
        #expect(machine.delay >= .milliseconds(800))
        machine.ended(after: .seconds(300), receivedAny: false)
        #expect(machine.delay == .zero)
        machine.ended(after: .milliseconds(3), receivedAny: true)
        #expect(machine.delay == .zero)
    }

    @Test("a watch that lasted has worked, so its failure starts the backoff anew")
    func lastingWatch() {
        var machine = watching()
        for _ in 0..<6 { _ = machine.failed(failure(500)) }
        #expect(machine.delay >= .seconds(15))
        _ = machine.failed(failure(500), after: .seconds(60))
        #expect(machine.delay < .milliseconds(1600))
        #expect(machine.consecutiveFailures == 1)
    }

    @Test("numbers of the same seed are the same, and spread over the unit interval")
    func generator() {
        var one = SeededGenerator(seed: 5)
        var two = SeededGenerator(seed: 5)
        var other = SeededGenerator(seed: 6)
        let numbers = (0..<1000).map { _ in one.unit() }
        let same = (0..<1000).map { _ in two.unit() }
        let different = (0..<1000).map { _ in other.unit() }
        #expect(numbers == same)
        #expect(numbers != different)
        #expect(numbers.allSatisfy { (0..<1).contains($0) })
        #expect(abs(numbers.reduce(0, +) / 1000 - 0.5) < 0.05)
    }

    @Test("a backoff doubles up to half of its maximum and is spread from there to the whole")
    func backoff() {
        var backoff = Backoff.watch
        var random = SeededGenerator(seed: 3)
        for index in 0..<100 {
            let base = min(Duration.milliseconds(800) * (1 << min(index, 10)), .seconds(15))
            let delay = backoff.next(&random)
            #expect(delay >= base && delay < base * 2)
        }
        backoff.reset()
        let first = backoff.next(&random)
        #expect(first < .milliseconds(1600))
    }
}
