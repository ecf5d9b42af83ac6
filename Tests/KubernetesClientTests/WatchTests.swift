import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import KubernetesClient

@Suite struct WatchTests {
    private static func object(_ name: String, _ version: Int) -> JSONValue {
        ["metadata": ["name": .string(name), "resourceVersion": .string(String(version))]]
    }

    private static func line(_ type: String, _ object: JSONValue) -> String {
        JSONValue.object(["type": .string(type), "object": object]).serialized() + "\n"
    }

    private static let end: JSONValue = [
        "kind": "Job",
        "metadata": ["resourceVersion": "4", "annotations": ["k8s.io/initial-events-end": "true"]],
    ]
    private static let bookmark: JSONValue = ["kind": "Job", "metadata": ["resourceVersion": "7"]]
    private static let gone: JSONValue = [
        "kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (9)",
    ]
    private static let text =
        line("ADDED", object("ä", 2)) + line("BOOKMARK", end) + line("MODIFIED", object("ä", 5))
        + line("DELETED", object("ä", 6)) + line("BOOKMARK", bookmark)
    private static let events: [WatchEvent] = [
        .added(object("ä", 2)), .bookmark(resourceVersion: "4", initialEventsEnd: true), .modified(object("ä", 5)),
        .deleted(object("ä", 6)), .bookmark(resourceVersion: "7", initialEventsEnd: false),
    ]

    private struct Outcome {
        var batches: [[WatchEvent]] = []
        var error: KubernetesError?
        var events: [WatchEvent] { batches.flatMap { $0 } }
    }

    private static func read(
        _ chunks: [[UInt8]], end: HTTPTransportError? = nil, limit: Int = WatchStream.maximumLineLength
    ) async -> Outcome {
        let rest = Chunks(chunks)
        let body = HTTPBody { () async throws(HTTPTransportError) in
            if let chunk = await rest.next() { return chunk }
            if let end { throw end }
            return nil
        }
        let stream = WatchStream(body: body, operation: "watch jobs.batch", maximumLineLength: limit)
        var outcome = Outcome()
        do throws(KubernetesError) {
            while let batch = try await stream.next() { outcome.batches.append(batch) }
        } catch {
            outcome.error = error
        }
        return outcome
    }

    private static func read(_ text: String, end: HTTPTransportError? = nil) async -> Outcome {
        await read([Array(text.utf8)], end: end)
    }

    private actor Chunks {
        private var rest: ArraySlice<[UInt8]>
        init(_ chunks: [[UInt8]]) { rest = chunks[...] }
        func next() -> [UInt8]? { rest.popFirst() }
    }

    @Test func theRequestAsksForWhatTheOptionsSay() async throws {
        let transport = ScriptedTransport([.response(200, chunks: []), .response(200, chunks: [])])
        let client = KubernetesClient(transport: transport)
        let plain = try await client.watch(
            .jobs, namespace: "ml", WatchOptions(resourceVersion: "5", timeoutSeconds: 60))
        #expect(try await plain.next() == nil)
        _ = try await client.watch(
            .jobs,
            WatchOptions(
                resourceVersion: "", labelSelector: "a=b", fieldSelector: "metadata.name=c", allowBookmarks: false,
                timeoutSeconds: 300, sendInitialEvents: true, idleTimeout: .seconds(90)))
        #expect(
            transport.targets == [
                "/apis/batch/v1/namespaces/ml/jobs?watch=true&resourceVersion=5&allowWatchBookmarks=true"
                    + "&timeoutSeconds=60",
                "/apis/batch/v1/jobs?watch=true&labelSelector=a%3Db&fieldSelector=metadata.name%3Dc&timeoutSeconds=300"
                    + "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            ])
        #expect(
            transport.requests.map(\.delivery) == [
                .watch(idleTimeout: .seconds(65)), .watch(idleTimeout: .seconds(90)),
            ])
    }

    @Test func anExpiredVersionAsAStatusIsThrownAndNotTriedAgain() async {
        let transport = ScriptedTransport([.status(410, "Expired"), .failure(.connect)])
        let client = KubernetesClient(transport: transport)
        for check in [\KubernetesError.isExpired, \.outcomeIsUnknown] {
            let error = await #expect(throws: KubernetesError.self) {
                try await client.watch(.jobs, WatchOptions(resourceVersion: "1"))
            }
            #expect(error?[keyPath: check] == (check == \KubernetesError.isExpired))
        }
        #expect(transport.requests.count == 2)
    }

    @Test func whatArrivesTogetherIsOneBatch() async {
        let outcome = await Self.read(Self.text)
        #expect(outcome.batches == [Self.events])
        #expect(outcome.error == nil)
    }

    @Test func everyCutGivesTheSameEvents() async {
        let bytes = Array(Self.text.utf8)
        for cut in 0...bytes.count {
            let outcome = await Self.read([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(outcome.events == Self.events)
            #expect(outcome.error == nil)
        }
        let single = await Self.read(bytes.map { [$0] })
        #expect(single.events == Self.events)
        #expect(single.batches.count == Self.events.count)
    }

    @Test func aLastLineWithoutItsEndCounts() async {
        let outcome = await Self.read(String(Self.text.dropLast()))
        #expect(outcome.events == Self.events)
        #expect(outcome.error == nil)
    }

    @Test func anErrorEventIsThrownAfterWhatCameBefore() async {
        let outcome = await Self.read(Self.line("ADDED", Self.object("a", 2)) + Self.line("ERROR", Self.gone))
        #expect(outcome.events == [.added(Self.object("a", 2))])
        #expect(outcome.error?.isExpired == true)
        #expect(outcome.error?.status?.message == "too old resource version: 1 (9)")
        #expect(outcome.error?.operation == "watch jobs.batch")
    }

    @Test func aBrokenConnectionIsThrownAfterWhatCameBefore() async {
        let text = Self.line("ADDED", Self.object("a", 2)) + #"{"type":"MODI"#
        let outcome = await Self.read(text, end: HTTPTransportError(.broken))
        #expect(outcome.events.count == 1)
        #expect(outcome.error?.transportCode == .broken)
    }

    @Test(arguments: [
        "{", "null", "[]", #"{"type":"ADDED"}"#, #"{"object":{}}"#, #"{"type":"ADDED","object":3}"#,
        #"{"type":"NEWS","object":{}}"#, #"{"type":"BOOKMARK","object":{}}"#,
        #"{"type":"ERROR","object":{"kind":"Job"}}"#,
        #"{"type":"ADDED","object":{}}{"type":"ADDED","object":{}}"#, "\u{0}",
    ])
    func aLineThatIsNoEventIsMalformedAndSaysHowFarItGot(_ bad: String) async {
        for suffix in ["\n", "", "\n" + Self.line("ADDED", Self.object("b", 3))] {
            let outcome = await Self.read(Self.line("ADDED", Self.object("a", 2)) + bad + suffix)
            #expect(outcome.events == [.added(Self.object("a", 2))])
            guard case .malformed(let detail)? = outcome.error?.code else {
                Issue.record("\(String(describing: outcome.error))")
                continue
            }
            #expect(detail.contains("after 1 events") || detail.contains("without a Status"), "\(detail)")
        }
    }

    @Test func aLineBeyondTheLimitIsMalformed() async {
        let event = Self.line("ADDED", ["x": .string(String(repeating: "x", count: 2000))])
        let outcome = await Self.read([Array(event.utf8)], limit: 1000)
        #expect(outcome.error?.description.contains("more than 1000 bytes") == true)
    }

    @Test func anErrorStaysAnErrorWhenReadAgain() async throws {
        let body = HTTPBody { () async throws(HTTPTransportError) in throw HTTPTransportError(.broken) }
        let stream = WatchStream(body: body, operation: "watch")
        for _ in 0..<2 { await #expect(throws: KubernetesError.self) { try await stream.next() } }
    }
}
