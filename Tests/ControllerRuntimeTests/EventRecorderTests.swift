import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@Suite("An event recorder", .timeLimit(.minutes(1)))
struct EventRecorderTests {
    private let time = ManualTime()
    private let server = ScriptedServer()
    private let metrics = MetricsRegistry()
    private let recorder: EventRecorder

    init() {
        let client = KubernetesClient(transport: server, time: time, retry: .never)
        recorder = EventRecorder(
            client: client, controller: "example.com/operator", instance: "pod-1", time: time, logger: quiet,
            metrics: metrics)
    }

    private func note(
        _ reason: String = "Created", _ text: String = "made a Job", object: String = "wine", version: String = "5"
    ) -> EventNote {
        EventNote(
            regarding: ObjectReference(
                apiVersion: "example.com/v1", kind: "Model", namespace: "ml", name: object, uid: "u-\(object)",
                resourceVersion: version),
            type: .normal, reason: reason, action: "Create", note: text)
    }

    private func running(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await recorder.run() }
            try await body()
            group.cancelAll()
        }
    }

    /// Answers the next call as the server does, and returns it.
    private func accept() async -> ServerCall {
        let call = await server.next()
        call.answer(call.body, status: 200)
        return call
    }

    @Test("writes an event with every field that the API wants")
    func document() async throws {
        try await running {
            recorder.record(note())
            let call = await accept()
            #expect(call.request.method == .post)
            #expect(call.path == "/apis/events.k8s.io/v1/namespaces/ml/events")
            let event = call.body
            #expect(event["apiVersion"] == "events.k8s.io/v1")
            #expect(event["kind"] == "Event")
            #expect(event["metadata", "namespace"] == "ml")
            #expect(event["metadata", "name"]?.string?.hasPrefix("wine.") == true)
            #expect(event["eventTime"] == "2026-01-01T00:00:00.000000Z")
            #expect(event["reportingController"] == "example.com/operator")
            #expect(event["reportingInstance"] == "pod-1")
            #expect(event["action"] == "Create")
            #expect(event["reason"] == "Created")
            #expect(event["type"] == "Normal")
            #expect(event["note"] == "made a Job")
            #expect(event["regarding", "uid"] == "u-wine")
            #expect(event["series"] == nil)
        }
    }

    @Test("writes equal events as one with a count, at powers of two, and the rest when it stops")
    func series() async throws {
        try await running {
            recorder.record(note())
            let first = await accept()
            let name = first.body["metadata", "name"]?.string ?? "?"
            for count in 2...7 {
                time.advance(by: .seconds(1))
                // A later version of the object does not make another event.
                recorder.record(note(version: "\(count)"))
                if count == 2 || count == 4 {
                    let patch = await accept()
                    #expect(patch.request.method == .patch)
                    #expect(patch.path.hasSuffix("/events/\(name)"))
                    #expect(patch.body["series", "count"]?.integer == Int64(count))
                    #expect(
                        patch.body["series", "lastObservedTime"] == .string("2026-01-01T00:00:0\(count - 1).000000Z"))
                }
            }
            #expect(recorder.pendingCount == 0)
            recorder.stop()
            let last = await accept()
            #expect(last.body["series", "count"]?.integer == 7)
            recorder.record(note("Late"))
            #expect(recorder.pendingCount == 0)
        }
    }

    @Test("counts what repeats before the first is written")
    func earlyRepetition() async throws {
        recorder.record(note())
        recorder.record(note())
        recorder.record(note())
        try await running {
            let first = await accept()
            #expect(first.body["series", "count"]?.integer == 3)
        }
    }

    @Test("begins a new event after ten minutes of silence")
    func window() async throws {
        try await running {
            recorder.record(note())
            let first = await accept()
            time.advance(by: .seconds(599))
            recorder.record(note())
            #expect(await accept().request.method == .patch)
            time.advance(by: .seconds(600))
            recorder.record(note())
            let next = await accept()
            #expect(next.request.method == .post)
            #expect(next.body["metadata", "name"] != first.body["metadata", "name"])
        }
    }

    @Test("keeps apart what differs in reason, text or object")
    func distinct() async throws {
        for event in [note(), note("Deleted"), note("Created", "other"), note(object: "beer")] {
            recorder.record(event)
        }
        try await running {
            var names: Set<String> = []
            for _ in 0..<4 {
                let call = await accept()
                #expect(call.request.method == .post)
                names.insert(call.body["metadata", "name"]?.string ?? "")
            }
            #expect(names.count == 4)
        }
    }

    @Test("tells the tenth note of one reason and those after it as one event, until ten minutes of silence")
    func combined() async throws {
        for index in 0..<14 { recorder.record(note("Retried", "attempt \(index)")) }
        recorder.record(note("Retried", "attempt 3"))
        recorder.record(note("Other", "attempt 14"))
        #expect(recorder.pendingCount == 11)
        time.advance(by: .seconds(601))
        recorder.record(note("Retried", "attempt 15"))
        #expect(recorder.pendingCount == 12)
        try await running {
            var notes: [String] = []
            var counts: [JSONValue?] = []
            for _ in 0..<12 {
                let call = await accept()
                #expect(call.request.method == .post)
                notes.append(call.body["note"]?.string ?? "")
                counts.append(call.body["series", "count"])
            }
            #expect(notes[0] == "attempt 0")
            #expect(counts[3] == 2)
            #expect(notes[9] == "(combined from similar events): attempt 9")
            #expect(counts[9] == 5)
            #expect(notes[10] == "attempt 14")
            #expect(notes[11] == "attempt 15")
        }
    }

    @Test("gives an object 25 events at once, one more every five minutes, and others theirs")
    func spam() async throws {
        for index in 0..<40 { recorder.record(note("R\(index)")) }
        #expect(recorder.pendingCount == 25)
        recorder.record(note(object: "beer"))
        #expect(recorder.pendingCount == 26)
        time.advance(by: .seconds(300))
        recorder.record(note("Later"))
        recorder.record(note("Never"))
        #expect(recorder.pendingCount == 27)
        #expect(metrics.exposition().contains("events_recorded_total{result=\"dropped\"} 16\n"))
    }

    @Test("never holds more than a thousand, and never waits")
    func bounded() {
        for index in 0..<3000 { recorder.record(note(object: "o\(index)")) }
        #expect(recorder.pendingCount == 1000)
    }

    @Test("cuts texts at the API's limits without cutting a character")
    func limits() async throws {
        let long = String(repeating: "é", count: 600)
        recorder.record(note(String(repeating: "R", count: 300), long, object: String(repeating: "n", count: 253)))
        try await running {
            let event = await accept().body
            #expect(event["note"]?.string?.utf8.count == 1024)
            #expect(event["note"]?.string == String(repeating: "é", count: 512))
            #expect(event["reason"]?.string?.utf8.count == 128)
            #expect(event["metadata", "name"]?.string?.utf8.count == 253)
        }
        recorder.record(note("Odd", "x" + long, object: "other"))
        try await running {
            #expect(await accept().body["note"]?.string?.utf8.count == 1023)
        }
    }

    @Test("an event about an object of the cluster goes to the namespace kube-system")
    func clusterScoped() async throws {
        var event = note()
        event.regarding.namespace = nil
        recorder.record(event)
        try await running { #expect(await accept().path.hasSuffix("/namespaces/kube-system/events")) }
    }

    @Test("tries again what may pass, gives up what will not, and goes on with the next")
    func failures() async throws {
        recorder.record(note("A"))
        recorder.record(note("B"))
        recorder.record(note("C"))
        try await running {
            await server.next().refuse(503)
            await time.waitForSleepers(1)
            time.advance(by: .milliseconds(500))
            await server.next().fail(.broken)
            await time.waitForSleepers(1)
            time.advance(by: .seconds(1))
            // It had been written, and the answer was lost.
            let again = await server.next()
            #expect(again.body["reason"] == "A")
            again.refuse(409, reason: "AlreadyExists")
            let second = await server.next()
            #expect(second.body["reason"] == "B")
            second.refuse(403, reason: "Forbidden")
            #expect(await accept().body["reason"] == "C")
        }
        let text = metrics.exposition()
        #expect(text.contains("events_recorded_total{result=\"refused\"} 1\n"))
    }

    @Test("ends after a stop even where the server refuses everything")
    func stopUnderFailure() async {
        let stopping = recorder
        for index in 0..<5 { stopping.record(note("R\(index)")) }
        stopping.stop()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await stopping.run() }
            for _ in 0..<5 { await server.next().refuse(500) }
            await group.waitForAll()
        }
        #expect(stopping.pendingCount == 0)
    }
}
