import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import KubernetesClient

@Suite struct ListTests {
    private static func page(_ names: [String], next: String? = nil, version: String = "9") -> ScriptedTransport.Answer
    {
        var metadata: JSONValue = ["resourceVersion": .string(version)]
        if let next { metadata["continue"] = .string(next) }
        let items = names.map { JSONValue.object(["metadata": ["name": .string($0)]]) }
        return .json(["kind": "JobList", "metadata": metadata, "items": .array(items)])
    }

    private static func names(_ list: ObjectList) -> [String?] { list.items.map { $0["metadata", "name"]?.string } }

    @Test func pagesAreJoined() async throws {
        let transport = ScriptedTransport([
            Self.page(["a", "b"], next: "t/1="), Self.page(["c"], next: "t2"), Self.page(["d"], next: ""),
        ])
        let list = try await KubernetesClient(transport: transport).listAll(.jobs, namespace: "ml")
        #expect(Self.names(list) == ["a", "b", "c", "d"])
        #expect(list.resourceVersion == "9")
        #expect(list.continueToken == nil)
        #expect(list.items.allSatisfy { $0["kind"] == "Job" && $0["apiVersion"] == "batch/v1" })
        let path = "/apis/batch/v1/namespaces/ml/jobs?limit=500"
        #expect(transport.targets == [path, path + "&continue=t%2F1%3D", path + "&continue=t2"])
    }

    @Test func anExpiredTokenBeginsAgainAndLastlyInOnePiece() async throws {
        let gone = ScriptedTransport.Answer.status(410, "Expired")
        let transport = ScriptedTransport([
            Self.page(["a"], next: "t1"), gone, Self.page(["a"], next: "t2"), gone,
            Self.page(["a", "b"], version: "12"),
        ])
        let list = try await KubernetesClient(transport: transport).listAll(.jobs)
        #expect(Self.names(list) == ["a", "b"])
        #expect(list.resourceVersion == "12")
        let path = "/apis/batch/v1/jobs"
        #expect(
            transport.targets == [
                path + "?limit=500", path + "?limit=500&continue=t1", path + "?limit=500",
                path + "?limit=500&continue=t2", path,
            ])
    }

    @Test func anotherFailureOfAPageIsFinal() async {
        let transport = ScriptedTransport([Self.page(["a"], next: "t1"), .status(403, "Forbidden")])
        let client = KubernetesClient(transport: transport)
        let error = await #expect(throws: KubernetesError.self) { try await client.listAll(.jobs) }
        #expect(error?.isForbidden == true)
    }

    @Test func aPageThatBreaksOffIsFetchedAgain() async throws {
        let transport = ScriptedTransport([
            .response(200, chunks: [#"{"metadata":"#], end: HTTPTransportError(.broken)), Self.page(["a"]),
        ])
        let client = KubernetesClient(transport: transport, random: { 0 })
        #expect(Self.names(try await client.list(.jobs)) == ["a"])
    }

    @Test(arguments: [
        #"{"items":[]}"#, #"{"metadata":{"resourceVersion":"1"},"items":{}}"#,
        #"{"metadata":{"resourceVersion":"1"},"items":[3]}"#, "[]", "", "<html>", #"{"metadata":"#,
    ])
    func anAnswerThatIsNoListIsMalformed(_ body: String) async {
        let client = KubernetesClient(transport: ScriptedTransport([.response(200, chunks: [body])]))
        let error = await #expect(throws: KubernetesError.self) { try await client.list(.jobs, namespace: "ml") }
        guard case .malformed? = error?.code else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.operation == "list jobs.batch in ml")
    }

    /// What is handed out, and the list that comes back.
    private static func stream(
        _ answers: [ScriptedTransport.Answer], _ options: ListOptions = .init(limit: 500), fields: JSONFields? = nil
    ) async throws -> (items: [JSONValue], list: ObjectList, transport: ScriptedTransport) {
        let transport = ScriptedTransport(answers)
        let client = KubernetesClient(transport: transport, random: { 0 })
        var items: [JSONValue] = []
        let list = try await client.list(.jobs, namespace: "ml", options, fields: fields) { items.append($0) }
        return (items, list, transport)
    }

    @Test func itemsAreHandedOutOneByOneWithWhatIsWantedOfThem() async throws {
        let answer = ScriptedTransport.Answer.response(
            200,
            chunks: [
                #"{"items":[{"metadata":{"name":"a","uid":"1"},"spec":{}},{"met"#,
                #"adata":{"name":"b"}}],"metadata":{"resourceVersion":"9","continue":"t"}}"#,
            ])
        let (items, list, _) = try await Self.stream([answer], fields: JSONFields("metadata.name"))
        let name = { (name: String) -> JSONValue in
            ["apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name)]]
        }
        #expect(items == [name("a"), name("b")])
        #expect(list == ObjectList(resourceVersion: "9", items: [], continueToken: "t"))
    }

    @Test func onlyWhatComesInOnePieceWaitsForItsReader() async throws {
        for (options, waits) in [
            (ListOptions(limit: 500), false), (ListOptions(), true),
            (ListOptions(limit: 500, resourceVersion: "0"), true),
            (ListOptions(limit: 500, continueToken: "t"), false),
        ] {
            let (_, _, transport) = try await Self.stream([Self.page(["a"])], options)
            let delivery = try #require(transport.requests.first?.delivery)
            if case .stream = delivery { #expect(waits) } else { #expect(!waits) }
        }
    }

    @Test func aRefusalIsTriedAgainButNotAListThatBreaksOff() async throws {
        let (items, _, transport) = try await Self.stream([.status(503, "ServiceUnavailable"), Self.page(["a"])])
        #expect(items.count == 1)
        #expect(transport.targets.count == 2)
        let broken = ScriptedTransport.Answer.response(
            200, chunks: [#"{"items":[{"metadata":{}},{"#], end: HTTPTransportError(.broken))
        let error = await #expect(throws: KubernetesError.self) { try await Self.stream([broken, Self.page(["a"])]) }
        #expect(error?.transportCode == .broken)
    }

    @Test(arguments: [
        #"{"items":[]}"#, #"{"metadata":{"resourceVersion":"1"},"items":{}}"#,
        #"{"metadata":{"resourceVersion":"1"},"items":[3]}"#, "[]", "", "<html>", #"{"metadata":"#,
        #"{"metadata":{"resourceVersion":"1"},"items":[{]]}"#, #"{"metadata":{"resourceVersion":"1"},"items":[{"#,
        #"{"metadata":{"resourceVersion":"1"},"items":[{}{}]}"#, #"{"metadata":{"resourceVersion":"1"},"items":[{},]}"#,
        #"{"metadata":{"resourceVersion":"1"},"items":[{}],"items":[]}"#,
    ])
    func aStreamThatIsNoListIsMalformed(_ body: String) async {
        let error = await #expect(throws: KubernetesError.self) {
            try await Self.stream([.response(200, chunks: [body])])
        }
        guard case .malformed? = error?.code else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
