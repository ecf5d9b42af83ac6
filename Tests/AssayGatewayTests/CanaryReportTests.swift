import AssayCore
import Concurrency
import JSON
import KubernetesModel
import Testing

@testable import AssayGateway

/// What a gateway tells of the revisions that share a model's requests.
@Suite(.timeLimit(.minutes(2))) struct CanaryReportTests {
    private static let key = ObjectKey(namespace: "ml", name: "wine")

    private static func model(_ port: Int, _ weight: Int, podPort: Int, generation: Int64) -> JSONValue {
        let traffic = [("wine-1", 100 - weight, "Serving"), ("wine-2", weight, "Canary")]
        return modelJSON(port: port, traffic: traffic, podPort: podPort, generation: generation)
    }

    /// One revision that answers well, and another that answers so.
    private static func with(
        weight: Int, reply: @escaping @Sendable (StrictReader.Request) -> TestPod.Reply,
        _ body: @escaping @Sendable (GatewayWorld, TestPod) async throws -> Void
    ) async throws {
        try await TestPod.with(address: "127.0.0.2", reply: { _ in .text("old") }) { old in
            try await TestPod.with(address: "127.0.0.3", port: old.port, reply: reply) { new in
                try await GatewayWorld.with(
                    model: { model($0, weight, podPort: old.port, generation: 1) },
                    pods: [
                        podJSON("a", address: old.address, port: old.port),
                        podJSON("b", revision: "wine-2", address: new.address, port: old.port),
                    ], threads: 2
                ) { try await body($0, old) }
            }
        }
    }

    /// What is told, once it is told of this generation and of so many requests.
    private static func counts(
        _ world: GatewayWorld, generation: Int64, requests: Int64
    ) async throws -> [String: RevisionLoad] {
        while true {
            let model = try await world.gateway.load(isEnding: false).models[key]
            if let model, model.generation >= generation, model.isIdle, model.requests >= requests {
                return model.revisions
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private static func ask(_ count: Int, _ world: GatewayWorld) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<4 {
                group.addTask {
                    try await TestClient.with(port: world.port) { connection in
                        for _ in 0..<(count / 4 + (client < count % 4 ? 1 : 0)) {
                            try await connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                            _ = try await connection.answer()
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func eachRevisionsRequestsErrorsAndLatenciesAreTold() async throws {
        try await Self.with(weight: 20, reply: { _ in .text("no", status: "500 Oh") }) { world, _ in
            try await Self.ask(50, world)
            let counts = try await Self.counts(world, generation: 1, requests: 50)
            let (old, new) = (try #require(counts["wine-1"]), try #require(counts["wine-2"]))
            #expect(old.requests == 40 && old.errors == 0 && old.latencies.reduce(0, +) == 40)
            #expect(new.requests == 10 && new.errors == 10 && new.latencies.reduce(0, +) == 10)
        }
    }

    /// Who is asked may be answered well by another pod: the one that broke is no better for it.
    @Test func whatBreaksIsAnErrorOfWhoeverBrokeIt() async throws {
        try await Self.with(weight: 50, reply: { _ in .close }) { world, _ in
            for _ in 0..<8 {
                let answer = try await TestClient.get(port: world.port)
                #expect(answer.body == "old" || answer.status == 502)
            }
            let new = try #require(try await Self.counts(world, generation: 1, requests: 8)["wine-2"])
            #expect(new.requests >= 3 && new.errors == new.requests)
        }
    }

    @Test func inEachStepACanaryHasItsPartToWithinOneRequest() async throws {
        try await Self.with(weight: 1, reply: { _ in .text("new") }) { world, old in
            var (asked, before) = (0, RevisionLoad())
            for (step, weight) in [1, 10, 33, 50, 99].enumerated() {
                let generation = Int64(step + 1)
                try world.tell(model: Self.model(world.port, weight, podPort: old.port, generation: generation))
                _ = try await Self.counts(world, generation: generation, requests: Int64(asked))
                let count = 37 + step * 20
                try await Self.ask(count, world)
                asked += count
                let counts = try await Self.counts(world, generation: generation, requests: Int64(asked))
                let now = try #require(counts["wine-2"])
                let part = try #require(now.since(before)).requests
                let due = Double(count * weight) / 100
                #expect(abs(Double(part) - due) <= 1, "\(part) of \(count) at \(weight) %")
                before = now
            }
        }
    }

    @Test func ofTheOnlyRevisionNobodyAsks() async throws {
        try await withPod { world, _ in
            _ = try await TestClient.get(port: world.port)
            #expect(try await world.gateway.load(isEnding: false).models[Self.key]?.revisions == [:])
        }
    }
}
