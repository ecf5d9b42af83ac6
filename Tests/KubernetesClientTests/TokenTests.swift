import Concurrency
import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import KubernetesClient

@Suite struct TokenTests {
    private static let key = ObjectKey(namespace: nil, name: "n")

    /// Calls once and returns the token that the last request carried.
    private static func call(_ client: KubernetesClient, _ transport: ScriptedTransport) async throws -> String? {
        _ = try await client.get(.nodes, key)
        return transport.requests.last?.headers["Authorization"]
    }

    private static func answers(_ count: Int) -> [ScriptedTransport.Answer] {
        Array(repeating: .json([:]), count: count)
    }

    @Test func aRotatedFileIsReadAgainAfterAMinute() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("token", "one\n")
        let time = ManualTime()
        let transport = ScriptedTransport(Self.answers(4))
        let client = KubernetesClient(transport: transport, credentials: .tokenFile(path: file), time: time)
        #expect(try await Self.call(client, transport) == "Bearer one")
        try directory.write("token", " two ")
        time.advance(by: .seconds(59))
        #expect(try await Self.call(client, transport) == "Bearer one")
        time.advance(by: .seconds(1))
        #expect(try await Self.call(client, transport) == "Bearer two")
    }

    @Test func anEmptyOrMissingFileKeepsTheOldToken() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("token", "one")
        let time = ManualTime()
        let transport = ScriptedTransport(Self.answers(4))
        let client = KubernetesClient(transport: transport, credentials: .tokenFile(path: file), time: time)
        #expect(try await Self.call(client, transport) == "Bearer one")
        try directory.write("token", "\n")
        time.advance(by: .seconds(61))
        #expect(try await Self.call(client, transport) == "Bearer one")
        try directory.remove("token")
        time.advance(by: .seconds(61))
        #expect(try await Self.call(client, transport) == "Bearer one")
        try directory.write("token", "two")
        time.advance(by: .seconds(61))
        #expect(try await Self.call(client, transport) == "Bearer two")
    }

    @Test(arguments: [nil, " \n"])
    func withoutAnyTokenNothingIsSent(_ content: String?) async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/token"
        if let content { try directory.write("token", content) }
        let transport = ScriptedTransport([])
        let client = KubernetesClient(transport: transport, credentials: .tokenFile(path: file))
        let error = await #expect(throws: KubernetesError.self) { try await client.get(.nodes, Self.key) }
        #expect(error?.description.contains(file) == true)
        #expect(error?.outcomeIsUnknown == false)
        #expect(transport.requests.isEmpty)
    }

    @Test func aRefusedTokenIsReadAgainAndTheCallMadeOnceMore() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("token", "one")
        let transport = ScriptedTransport([.json([:]), .status(401), .json([:]), .json([:])])
        let client = KubernetesClient(
            transport: transport, credentials: .tokenFile(path: file), time: ManualTime(), retry: .never)
        _ = try await client.get(.nodes, Self.key)
        try directory.write("token", "two")
        _ = try await client.create(.namespaces, ["metadata": ["name": "a"]], fieldManager: "f")
        _ = try await client.get(.nodes, Self.key)
        #expect(
            transport.requests.map { $0.headers["Authorization"] } == [
                "Bearer one", "Bearer one", "Bearer two", "Bearer two",
            ])
    }

    @Test func aTokenThatStaysRefusedIsNotSentAgainAndAgain() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("token", "one")
        let transport = ScriptedTransport([.status(401), .status(401), .status(401)])
        let client = KubernetesClient(transport: transport, credentials: .tokenFile(path: file), time: ManualTime())
        let first = await #expect(throws: KubernetesError.self) { try await client.get(.nodes, Self.key) }
        #expect(first?.isUnauthorized == true)
        #expect(transport.requests.count == 1, "the file holds no other token")
        try directory.write("token", "two")
        await #expect(throws: KubernetesError.self) { try await client.get(.nodes, Self.key) }
        #expect(transport.requests.count == 3)
    }

    @Test func aFixedTokenThatIsRefusedIsFinal() async {
        let transport = ScriptedTransport([.status(401, message: "Unauthorized")])
        let client = KubernetesClient(transport: transport, credentials: .token("canary"))
        let error = await #expect(throws: KubernetesError.self) { try await client.get(.nodes, Self.key) }
        #expect(error?.isUnauthorized == true)
        #expect(!"\(String(describing: error))".contains("canary"))
        #expect(transport.requests.count == 1)
    }
}
