import Concurrency
import ControllerRuntime
import HTTPServer
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import ServiceLifecycle
import Testing

@testable import AssayGateway

@Suite struct ClientWakerTests {
    private static let key = ObjectKey(namespace: "ml", name: "wine-1")

    private static func wake(_ server: TestServer) async -> WakeOutcome {
        await ClientWaker(client: KubernetesClient(transport: server, retry: .never)).wake(key)
    }

    @Test(arguments: [0, nil]) func whatIsAtZeroIsScaledToOneAtTheVersionThatWasRead(_ replicas: Int?) async {
        let server = TestServer()
        server.setReplicas(replicas)
        #expect(await Self.wake(server) == .awake)
        #expect(server.patches == [["spec": ["replicas": 1], "metadata": ["resourceVersion": "7"]]])
    }

    @Test func whatIsAwakeIsLeftAlone() async {
        let server = TestServer()
        server.setReplicas(3)
        #expect(await Self.wake(server) == .awake)
        #expect(server.patches.isEmpty)
    }

    /// Its controller writes to it just then, and so do other gateways.
    @Test func afterAConflictItIsReadAgainAFewTimes() async {
        let server = TestServer()
        func conflicts(_ count: Int) -> [(Int, String)] {
            (0..<count).flatMap { _ in [(0, ""), (409, "Conflict")] }
        }
        server.failScale(conflicts(4))
        #expect(await Self.wake(server) == .awake)
        #expect(server.scaleReads == 5 && server.patches.count == 1)
        server.setReplicas(0)
        server.failScale(conflicts(5))
        guard case .failed = await Self.wake(server) else {
            Issue.record("not failed")
            return
        }
        #expect(server.scaleReads == 10 && server.patches.count == 1)
    }

    @Test func aFailureSaysWhatAndWhy() async {
        let server = TestServer()
        server.failScale([(403, "Forbidden")])
        guard case .failed(let reason) = await Self.wake(server) else {
            Issue.record("not failed")
            return
        }
        #expect(reason.contains("wine-1 cannot be woken") && reason.contains("403 Forbidden"))
        server.goAway()
        guard case .failed = await Self.wake(server) else {
            Issue.record("not failed")
            return
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ProgramTests {
    /// Runs the program before a server that has a model and, where it is given, its pod.
    private static func with(
        _ state: String, pod: TestPod, isUp: Bool,
        _ body: @escaping @Sendable (TestServer, _ port: Int, _ health: Int) async throws -> Void
    ) async throws {
        let port = try await GatewayWorld.freePorts(1)[0]
        let server = TestServer()
        server.put("mlmodels", modelJSON(port: port, traffic: [("wine-1", 100, state)], podPort: pod.port))
        if isUp { server.put("pods", podJSON("a", address: pod.address, port: pod.port)) }
        var limits = GatewayLimits()
        limits.drainDelay = .zero
        let (ports, onPorts) = AsyncStream.makeStream(of: Set<Int>.self)
        let (listening, onListening) = AsyncStream.makeStream(of: Int.self)
        let program = GatewayProgram(
            configuration: .init(
                gateway: .init(host: "127.0.0.1", limits: limits), health: .init(host: "127.0.0.1", port: 0)),
            cluster: ClientConfiguration(transport: TransportConfiguration(server: "https://server")),
            transport: server, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            onPorts: { onPorts.yield($0) }, onListening: { onListening.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await program.run() }
            for await open in ports where open.contains(port) { break }
            var health = 0
            for await told in listening {
                health = told
                break
            }
            try await body(server, port, health)
            tasks.cancelAll()
        }
    }

    @Test func aModelThatSleepsIsScaledUpAndAnswersOnceItsPodIsThere() async throws {
        try await TestPod.with { pod in
            try await Self.with("Hibernating", pod: pod, isUp: false) { server, port, health in
                server.onPatch {
                    server.put("pods", podJSON("a", address: pod.address, isReady: false, port: pod.port))
                }
                let answer = try await TestClient.get(port: port)
                #expect(answer.status == 200 && answer.body == "ok")
                #expect(server.patches.count == 1)
                let metrics = try await TestClient.get(port: health, "/metrics")
                #expect(metrics.body.contains("assay_gateway_cold_starts_total{"))
                #expect(
                    metrics.body.contains(
                        #"assay_gateway_requests_total{code="200",model="wine",namespace="ml",revision="wine-1"} 1"#))
            }
        }
    }

    @Test func withoutAServerItGoesOnWithTheRoutesThatItHas() async throws {
        try await TestPod.with { pod in
            try await Self.with("Serving", pod: pod, isUp: true) { server, port, health in
                let before = try await TestClient.get(port: port)
                server.goAway()
                for _ in 0..<5 {
                    let answer = try await TestClient.get(port: port)
                    #expect(answer.status == 200)
                }
                let ready = try await TestClient.get(port: health, "/readyz")
                let live = try await TestClient.get(port: health, "/livez")
                #expect(before.status == 200 && ready.status == 200 && live.status == 200)
            }
        }
    }

    @Test func whatSleepsCannotBeWokenWithoutAServerAndThatIsSaid() async throws {
        try await TestPod.with { pod in
            try await Self.with("Hibernating", pod: pod, isUp: false) { server, port, _ in
                server.goAway()
                let answer = try await TestClient.get(port: port)
                #expect(answer.status == 503 && answer.body.contains("cannot be woken"))
                #expect(answer.head.contains("Retry-After: "))
            }
        }
    }
}
