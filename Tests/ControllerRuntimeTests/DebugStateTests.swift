import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@Suite("The page about a running process", .timeLimit(.minutes(1)))
struct DebugStateTests {
    private let time = ManualTime()

    @Test("tells of the process, caches, queues and requests, as text and as JSON")
    func page() async throws {
        let debug = DebugState(version: "1.2.3", time: time)
        let server = ScriptedServer()
        let metered = MeteredTransport(server, host: "h", registry: MetricsRegistry(), time: time)
        let client = KubernetesClient(transport: metered, time: time, retry: .never)
        let reflector = Reflector<TestPod>(
            client: client, type: .pods, store: Store(), time: time, seed: 1, logger: quiet)
        let queue = WorkQueue(name: "jobs", time: time)
        debug.addReflector(reflector)
        debug.addQueue(queue)
        debug.addRequests(metered.log)
        debug.add("leader") { .facts([("isLeader", true)]) }
        debug.add("leader") { .facts([("isLeader", false)]) }
        #expect(debug.json["caches"]?.array?.first?["watch"] == "first list")

        let changes = ChangeLog(reflector.store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reflector.run() }
            await server.next().answer(list: [pod("a", "5"), pod("b", "6")], version: "7")
            let watch = await server.next().openWatch()
            time.advance(by: .seconds(2))
            watch.send("ADDED", pod("c", "8"))
            _ = await changes.next(3)
            // Only what the reflector did after the change shows that it has noted it.
            while reflector.status.lastEvent == nil { await Task.yield() }
            time.advance(by: .seconds(3))
            queue.add(key("x"))
            _ = await queue.next()
            queue.retry(key("y"), because: CancellationError(), after: .seconds(30))
            time.advance(by: .milliseconds(1500))
            async let deleted = client.delete(.pods, key("gone"), DeleteOptions(uid: "u"))
            let call = await server.next()
            #expect(debug.json["requests that wait for an answer"] == [["method": "DELETE", "count": 1]])
            call.answer(["kind": "Status", "status": "Success"])
            _ = try await deleted
            group.cancelAll()
        }

        let json = debug.json
        #expect(json["process", "version"] == "1.2.3")
        #expect(json["process", "uptime"] == 6.5)
        #expect(json["leader"] == ["isLeader": false])
        let cache = try #require(json["caches"]?.array?.first)
        #expect(cache["objects"] == 3)
        #expect(cache["resourceVersion"] == "8")
        #expect(cache["watch"] == "watching")
        #expect(cache["lastEvent"] == 4.5)
        #expect(json["queues"]?.array?.first?["running"] == 1)
        #expect(json["in work"] == [["queue": "jobs", "key": "ml/x", "for": 1.5]])
        let failing = try #require(json["failing"]?.array?.first)
        #expect(failing["nextAttempt"] == 28.5)
        #expect(failing["error"] == "CancellationError()")
        #expect(json["latest writes"]?.array?.first?["path"] == "/api/v1/namespaces/ml/pods/gone")
        #expect(json["latest writes"]?.array?.count == 1)
        let text = debug.text
        #expect(text.contains("process\n  version: 1.2.3\n  uptime: 6.5\n"))
        #expect(text.contains("\nin work\n  queue  key   for\n  jobs   ml/x  1.5\n"))
    }

    @Test("is bounded, and nothing in it can forge a line or steer a terminal")
    func bounds() {
        let debug = DebugState(version: "1", time: time)
        let evil = "a\nprocess\n\u{1B}[31m\u{9B}" + String(repeating: "é", count: 1000)
        debug.add("t") { .table(columns: ["c"], rows: Array(repeating: [.string(evil)], count: 120)) }
        debug.add("empty") { .table(columns: ["c"], rows: []) }
        let text = debug.text
        #expect(text.utf8.count < 50 * 320 + 2000)
        #expect(text.contains("  and 70 more\n"))
        #expect(text.contains("empty\n  none\n"))
        #expect(
            text.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value)) })
        #expect(text.split(separator: "\n").filter { $0 == "process" }.count == 1)
        #expect(debug.json["t"]?.array?.count == 50)
    }
}
