import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@Suite("A reflector", .timeLimit(.minutes(1)))
struct ReflectorTests {
    private struct Bed {
        let server = ScriptedServer()
        let time = ManualTime()
        let store = Store<TestPod>()
        let changes: ChangeLog<TestPod>
        let reflector: Reflector<TestPod>
        let metrics = MetricsRegistry()

        init(
            seed: UInt64 = 7, namespace: String? = nil, labelSelector: String? = nil,
            condition: (@Sendable () async throws(KubernetesError) -> Bool)? = nil
        ) {
            changes = ChangeLog(store)
            let client = KubernetesClient(transport: server, time: time, retry: .never)
            reflector = Reflector(
                client: client, type: .pods, namespace: namespace, labelSelector: labelSelector,
                condition: condition, store: store,
                time: time, seed: seed, logger: quiet, metrics: metrics)
        }

        /// Runs the reflector beside `body`, and ends it afterwards.
        func run(_ body: () async throws -> Void) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await reflector.run() }
                try await body()
                group.cancelAll()
            }
        }

        /// Lists `items` and opens the watch.
        func synced(_ items: [JSONValue], version: String) async -> WatchPipe {
            await server.next().answer(list: items, version: version)
            return await server.next().openWatch()
        }

        /// Waits until the reflector sleeps off a failure, and lets the longest backoff pass.
        func passBackoff() async {
            await time.waitForSleepers(1)
            time.advance(by: .seconds(30))
        }
    }

    @Test("of a kind that the server has not is empty and in sync, and follows it once it is there")
    func condition() async throws {
        let isThere = Locked(false)
        let asked = Locked(0)
        let bed = Bed(condition: { () throws(KubernetesError) in
            asked.withLock { $0 += 1 }
            return isThere.withLock { $0 }
        })
        try await bed.run {
            try await bed.store.waitForSync()
            #expect(bed.store.count == 0)
            await bed.time.waitForSleepers(1)
            #expect(bed.reflector.status.lastError == nil && asked.withLock { $0 } == 1)
            isThere.withLock { $0 = true }
            bed.time.advance(by: .seconds(60))
            _ = await bed.synced([pod("a", "1")], version: "10")
            #expect(bed.store.count == 1 && asked.withLock { $0 } == 2)
        }
    }

    @Test("lists page by page, shows nothing before the last page, and watches from the list's version")
    func pages() async throws {
        let bed = Bed(namespace: "ml", labelSelector: "app=wine")
        try await bed.run {
            let first = await bed.server.next()
            #expect(first.path == "/api/v1/namespaces/ml/pods")
            #expect(first.query("limit") == "500")
            #expect(first.query("labelSelector") == "app%3Dwine")
            #expect(!bed.store.hasSynced)
            first.answer(list: [pod("a", "1"), pod("b", "2")], version: "10", token: "more")
            let second = await bed.server.next()
            #expect(second.query("continue") == "more")
            #expect(bed.store.count == 0)
            #expect(bed.changes.waiting.isEmpty)
            second.answer(list: [pod("c", "3")], version: "10")
            let watch = await bed.server.next()
            #expect(bed.store.count == 3)
            #expect(bed.store.hasSynced)
            #expect(watch.isWatch)
            #expect(watch.query("resourceVersion") == "10")
            #expect(watch.query("allowWatchBookmarks") == "true")
            #expect(watch.query("labelSelector") == "app%3Dwine")
            #expect(await bed.changes.next(3).sorted() == ["+a@1", "+b@2", "+c@3"])
        }
    }

    @Test("applies additions, changes and deletions in order")
    func events() async throws {
        let bed = Bed()
        try await bed.run {
            let watch = await bed.synced([pod("a", "1")], version: "10")
            #expect(await bed.changes.next() == "+a@1")
            watch.send([("ADDED", pod("b", "11")), ("MODIFIED", pod("a", "12")), ("DELETED", pod("b", "13"))])
            #expect(await bed.changes.next(3) == ["+b@11", "~a@1>12", "-b@11"])
            #expect(bed.store.get(key("a"))?.metadata.resourceVersion == "12")
            #expect(bed.store.get(key("b")) == nil)
        }
    }

    @Test("resumes a watch that ended in good order from its last version, at once")
    func cleanEnd() async throws {
        let bed = Bed()
        try await bed.run {
            var watch = await bed.synced([], version: "10")
            watch.send("ADDED", pod("a", "11"))
            watch.end()
            var next = await bed.server.next()
            #expect(next.query("resourceVersion") == "11")
            watch = next.openWatch()
            watch.bookmark("40")
            watch.end()
            next = await bed.server.next()
            #expect(next.query("resourceVersion") == "40")
            #expect(next.isWatch)
            #expect(bed.time.sleeperCount == 0)
            #expect(bed.store.observedVersion == "40")
        }
    }

    @Test("resumes a watch that broke off without a gap, after a pause")
    func broken() async throws {
        let bed = Bed()
        try await bed.run {
            let watch = await bed.synced([pod("a", "1")], version: "10")
            watch.send("MODIFIED", pod("a", "11"))
            watch.fail(.broken)
            await bed.time.waitForSleepers(1)
            bed.time.advance(by: .milliseconds(799))
            #expect(bed.server.calls.waiting.isEmpty)
            bed.time.advance(by: .milliseconds(801))
            let next = await bed.server.next()
            #expect(next.query("resourceVersion") == "11")
            let resumed = next.openWatch()
            resumed.send("DELETED", pod("a", "12"))
            #expect(await bed.changes.next(3) == ["+a@1", "~a@1>11", "-a@11"])
            #expect(bed.reflector.status.consecutiveFailures == 0)
        }
    }

    @Test("backs off by itself from 800 ms to 30 s, and anew after a success")
    func backoff() async throws {
        let bed = Bed()
        try await bed.run {
            var waits: [Duration] = []
            for round in 0..<8 {
                let call = await bed.server.next()
                call.refuse(round % 2 == 0 ? 500 : 403)
                await bed.time.waitForSleepers(1)
                let before = bed.time.monotonicNow()
                while bed.server.calls.waiting.isEmpty, bed.time.sleeperCount == 1 {
                    bed.time.advance(by: .milliseconds(50))
                }
                waits.append(bed.time.monotonicNow() - before)
            }
            for (index, wait) in waits.enumerated() {
                let base = min(Duration.milliseconds(800) * (1 << index), .seconds(15))
                #expect(wait >= base && wait <= base * 2 + .milliseconds(100), "wait \(index): \(wait)")
            }
            #expect(bed.reflector.status.consecutiveFailures == 8)
            #expect(bed.reflector.status.lastError?.contains("403") == true)
            let watch = await bed.synced([], version: "5")
            watch.send("ADDED", pod("a", "6"))
            #expect(await bed.changes.next() == "+a@6")
            watch.fail(.broken)
            await bed.time.waitForSleepers(1)
            bed.time.advance(by: .milliseconds(1600))
            #expect(await bed.server.next().isWatch)
        }
    }

    @Test(
        "lists again when its version is too old, be it said by a status or inside the stream",
        arguments: [true, false])
    func expired(insideStream: Bool) async throws {
        let bed = Bed()
        try await bed.run {
            let watch = await bed.synced([pod("a", "1"), pod("b", "2"), pod("c", "3")], version: "10")
            _ = await bed.changes.next(3)
            watch.send("MODIFIED", pod("b", "11"))
            #expect(await bed.changes.next() == "~b@2>11")
            if insideStream {
                watch.error(410, "Expired")
            } else {
                watch.end()
                await bed.server.next().refuse(410, reason: "Expired")
            }
            let list = await bed.server.next()
            #expect(!list.isWatch)
            #expect(bed.store.count == 3, "readers see the old content until the list is whole")
            // While the watch was away a was deleted, c replaced under its name, and d came; b did not change.
            list.answer(list: [pod("b", "11"), pod("c", "21", uid: "new"), pod("d", "22")], version: "30")
            let next = await bed.server.next()
            #expect(next.query("resourceVersion") == "30")
            #expect(await bed.changes.next(4) == ["-c@3", "+c@21", "+d@22", "-a@1"])
            #expect(bed.changes.waiting.isEmpty)
            #expect(bed.store.count == 3)
        }
    }

    @Test("does not list in a circle when every watch is refused as too old")
    func expiredForEver() async throws {
        let bed = Bed()
        try await bed.run {
            for _ in 0..<3 {
                await bed.server.next().answer(list: [], version: "10")
                await bed.server.next().refuse(410, reason: "Expired")
                await bed.time.waitForSleepers(1)
                #expect(bed.server.calls.waiting.isEmpty)
                bed.time.advance(by: .seconds(30))
            }
        }
    }

    @Test("begins the list again when a page's token expired, and in one piece when that happens twice")
    func expiredPage() async throws {
        let bed = Bed()
        try await bed.run {
            for _ in 0..<2 {
                let first = await bed.server.next()
                #expect(first.query("limit") == "500")
                first.answer(list: [pod("gone", "1")], version: "10", token: "t")
                await bed.server.next().refuse(410, reason: "Expired")
                await bed.passBackoff()
            }
            let whole = await bed.server.next()
            #expect(whole.query("limit") == nil)
            #expect(whole.query("continue") == nil)
            whole.answer(list: [pod("a", "20")], version: "20")
            #expect(await bed.changes.next() == "+a@20")
            #expect(bed.changes.waiting.isEmpty, "nothing of the lists that were not finished shows")
        }
    }

    @Test("asks for the same page again when one failed")
    func failedPage() async throws {
        let bed = Bed()
        try await bed.run {
            await bed.server.next().answer(list: [pod("a", "1")], version: "10", token: "t")
            await bed.server.next().refuse(503)
            await bed.passBackoff()
            let again = await bed.server.next()
            #expect(again.query("continue") == "t")
            again.answer(list: [pod("b", "2")], version: "10")
            #expect(await bed.changes.next(2).sorted() == ["+a@1", "+b@2"])
        }
    }

    @Test("waits when the server is behind its version, and lists only when it stays so")
    func tooLargeVersion() async throws {
        let bed = Bed()
        try await bed.run {
            await bed.server.next().answer(list: [], version: "1000")
            let cause = KubernetesStatus.Cause(reason: "ResourceVersionTooLarge", message: "", field: "")
            for round in 1...6 {
                let call = await bed.server.next()
                #expect(call.isWatch, "round \(round)")
                #expect(call.query("resourceVersion") == "1000")
                call.refuse(504, reason: "Timeout", message: "Too large resource version", causes: [cause])
                await bed.passBackoff()
            }
            #expect(await bed.server.next().isWatch == false)
        }
    }

    @Test("lists again after an event that is no JSON, which would come again on every resumption")
    func malformedEvent() async throws {
        let bed = Bed()
        try await bed.run {
            let watch = await bed.synced([pod("a", "1")], version: "10")
            watch.send(text: "{\"type\":\"MODIFIED\",\"object\":{\n")
            await bed.passBackoff()
            let list = await bed.server.next()
            #expect(!list.isWatch)
            list.answer(list: [pod("a", "12")], version: "12")
            #expect(await bed.changes.next(2) == ["+a@1", "~a@1>12"])
        }
    }

    @Test("sets an object aside that cannot be read, and goes on with the others")
    func quarantine() async throws {
        let bed = Bed()
        func strict(_ name: String, _ version: String, node: String? = nil) -> JSONValue {
            var object = pod(name, version)
            object["metadata", "labels"] = ["strict": "yes"]
            if let node { object["spec", "nodeName"] = .string(node) }
            return object
        }
        try await bed.run {
            let watch = await bed.synced([strict("bad", "1"), pod("good", "2")], version: "10")
            #expect(await bed.changes.next() == "+good@2")
            #expect(bed.store.quarantined[key("bad")]?.reason == "spec.nodeName: is required")
            #expect(bed.store.hasSynced)
            watch.send("MODIFIED", strict("bad", "11", node: "n1"))
            #expect(await bed.changes.next() == "+bad@11")
            #expect(bed.store.quarantined.isEmpty)
            // The version that could be read stays when a later one cannot.
            watch.send([("MODIFIED", strict("bad", "12")), ("MODIFIED", pod("good", "13"))])
            #expect(await bed.changes.next() == "~good@2>13")
            #expect(bed.store.get(key("bad"))?.metadata.resourceVersion == "11")
            #expect(bed.store.quarantined[key("bad")]?.resourceVersion == "12")
            watch.send("DELETED", strict("bad", "14"))
            #expect(await bed.changes.next() == "-bad@11")
            #expect(bed.store.quarantined.isEmpty)
            #expect(bed.metrics.exposition().contains("reflector_undecodable_objects_total{resource=\"pods\"} 2\n"))
        }
    }

    @Test("ends a watch that says nothing for longer than its own timeout, which is random from 5 to 10 minutes")
    func timeouts() async throws {
        var seen: Set<String> = []
        for seed in 0..<8 as Range<UInt64> {
            let bed = Bed(seed: seed)
            try await bed.run {
                await bed.server.next().answer(list: [], version: "1")
                let watch = await bed.server.next()
                let seconds = try #require(watch.query("timeoutSeconds").flatMap { Int($0) })
                #expect((300...600).contains(seconds))
                guard case .watch(let idle) = watch.request.delivery else {
                    Issue.record("not a watch: \(watch.request.delivery)")
                    return
                }
                #expect(idle > .seconds(seconds) && idle <= .seconds(seconds + 10))
                seen.insert("\(seconds)")
            }
        }
        #expect(seen.count > 4)
    }

    @Test("behaves the same for the same seed")
    func seeded() async throws {
        func trace() async throws -> [Duration] {
            let bed = Bed(seed: 42)
            var waits: [Duration] = []
            try await bed.run {
                for _ in 0..<5 {
                    await bed.server.next().fail(.connect)
                    await bed.time.waitForSleepers(1)
                    let before = bed.time.monotonicNow()
                    while bed.time.sleeperCount == 1 { bed.time.advance(by: .milliseconds(1)) }
                    waits.append(bed.time.monotonicNow() - before)
                }
            }
            return waits
        }
        #expect(try await trace() == trace())
    }

    @Test("ends when cancelled, whatever it is doing")
    func cancellation() async throws {
        for stage in 0..<4 {
            let bed = Bed()
            try await bed.run {
                if stage == 0 { return }
                let list = await bed.server.next()
                if stage == 1 { return }
                if stage == 2 {
                    list.refuse(500)
                    await bed.time.waitForSleepers(1)
                    return
                }
                list.answer(list: [], version: "1")
                _ = await bed.server.next().openWatch()
            }
        }
    }

    @Test("is ready once it is whole, and not while the server forbids it to go on")
    func readiness() async throws {
        let bed = Bed()
        let checks = HealthChecks()
        checks.addSync("pods", bed.store)
        checks.addReflector("pods", bed.reflector)
        func says(_ word: String) -> Bool { checks.report(.ready).text.contains(word) }
        try await bed.run {
            await bed.server.next().refuse(403, reason: "Forbidden", message: "may not list")
            await bed.passBackoff()
            #expect(checks.report(.ready).results.count == 1)
            #expect(says("not synced yet") && says("may not list"))
            let watch = await bed.synced([], version: "10")
            #expect(checks.report(.ready).isHealthy)
            watch.end()
            await bed.passBackoff()
            await bed.server.next().refuse(403, reason: "Forbidden", message: "may not watch")
            await bed.time.waitForSleepers(1)
            #expect(!checks.report(.ready).isHealthy)
            #expect(says("may not watch"))
            bed.time.advance(by: .seconds(30))
            // A server that is out of order for a moment is no reason to be unready.
            await bed.server.next().refuse(503)
            await bed.time.waitForSleepers(1)
            #expect(checks.report(.ready).isHealthy)
        }
    }
}
