import Concurrency
import ControllerRuntime
import HTTPTransport
import KubernetesClient
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import AssayGateway

/// Gateways that take each other's place under a thousand models, as a Deployment replaces its pods.
@Suite(.timeLimit(.minutes(3))) struct RollingTests {
    private static let models = 1000
    private static let pods = 4
    /// Of the first model, on every gateway's own address.
    private static let firstPort = 21_000

    /// Models whose pods are a few servers, each of which says its number.
    private static func withModels(_ body: @escaping @Sendable (TestServer) async throws -> Void) async throws {
        let server = TestServer()
        var running: [TestPod] = []
        for number in 0..<pods { running.append(try await TestPod.start(reply: { _ in .text("\(number)") })) }
        for index in 0..<models {
            let (name, pod) = ("m\(index)", running[index % pods])
            server.put(
                "mlmodels",
                modelJSON(name, port: firstPort + index, traffic: [("\(name)-1", 100, "Serving")], podPort: pod.port))
            server.put(
                "pods", podJSON(name, model: name, revision: "\(name)-1", address: pod.address, port: pod.port))
        }
        do {
            try await body(server)
        } catch {
            for pod in running { try await pod.stop() }
            throw error
        }
        for pod in running { try await pod.stop() }
    }

    @Test func whileGatewaysAreReplacedOneAfterAnotherNoRequestIsLost() async throws {
        try await Self.withModels { server in
            let fleet = Fleet()
            try await withThrowingTaskGroup(of: Void.self) { group in
                var old: [RollingGateway] = []
                for _ in 0..<2 { old.append(try await Self.start(server, fleet, &group)) }
                let counts = Locked<[String: Int]>([:])
                for client in 0..<8 { group.addTask { await Self.ask(fleet, counts, Dice(client + 1)) } }
                for gateway in old {
                    let asked = counts.withLock { $0["answered"] ?? 0 }
                    _ = try await Self.start(server, fleet, &group)
                    // Whoever leads the Service's users hears of it a little later than the pod does.
                    await gateway.stop()
                    try await Task.sleep(for: .milliseconds(300))
                    fleet.remove(gateway.address)
                    await gateway.waitForEnd()
                    #expect(counts.withLock { $0["answered"] ?? 0 } > asked + 100, "there was traffic all the time")
                }
                fleet.finish()
                while !fleet.isIdle { try await Task.sleep(for: .milliseconds(5)) }
                group.cancelAll()
                #expect(counts.withLock { $0.keys.sorted() } == ["answered"], "\(counts.withLock { $0 })")
                #expect(fleet.addresses.count == 2)
            }
        }
    }

    /// Starts a gateway and, as soon as it says that it is ready, asks at many of its ports.
    private static func start(
        _ server: TestServer, _ fleet: Fleet, _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> RollingGateway {
        let gateway = RollingGateway(fleet.newAddress(), server)
        group.addTask { try await gateway.run() }
        let health = await gateway.healthPort()
        while true {
            let answer = try await ask(gateway.address, health, "GET", "/readyz")
            if answer.status == 200 { break }
            #expect(answer.status == 503)
        }
        for index in stride(from: models - 1, through: 0, by: -7) {
            let answer = try await ask(gateway.address, firstPort + index, "GET", "/")
            try #require(answer.status == 200 && answer.body == "\(index % pods)", "m\(index): \(answer)")
        }
        fleet.add(gateway.address)
        return gateway
    }

    private static func ask(
        _ address: String, _ port: Int, _ method: String, _ target: String
    ) async throws -> TestClient.Answer {
        try await TestClient.with(address: address, port: port) { client in
            try await client.send("\(method) \(target) HTTP/1.1\r\nHost: m\r\nContent-Length: 0\r\n\r\n")
            return try await client.answer()
        }
    }

    /// Asks models at random, several times on one connection unless it is told that it ends.
    private static func ask(_ fleet: Fleet, _ counts: Locked<[String: Int]>, _ seed: Dice) async {
        var dice = seed
        while let address = fleet.enter(dice.roll(0..<1_000_000)) {
            let index = dice.roll(0..<models)
            let method = dice.roll(0..<2) == 0 ? "GET" : "POST"
            let requests = dice.roll(1..<6)
            do {
                try await TestClient.with(address: address, port: firstPort + index) { client in
                    for _ in 0..<requests {
                        try await client.send("\(method) / HTTP/1.1\r\nHost: m\r\nContent-Length: 0\r\n\r\n")
                        let answer = try await client.answer()
                        let isRight = answer.status == 200 && answer.body == "\(index % pods)"
                        let outcome = isRight ? "answered" : "\(method) \(answer)"
                        counts.withLock { $0[outcome, default: 0] += 1 }
                        if answer.head.lowercased().contains("connection: close") { return }
                    }
                }
            } catch {
                counts.withLock { $0["\(method) \(address): \(error)", default: 0] += 1 }
            }
            fleet.leave()
        }
    }
}

/// Whom the Service leads to.
private final class Fleet: Sendable {
    private struct State {
        var addresses: [String] = []
        var made = 0
        var isOver = false
        var asking = 0
    }

    private let state = Locked(State())
    /// A part of the loopback network of its own, in which each gateway has the same ports.
    private let network = "127.\(Int.random(in: 1...254)).\(Int.random(in: 1...254))"

    var addresses: [String] { state.withLock { $0.addresses } }
    var isIdle: Bool { state.withLock { $0.asking == 0 } }

    func newAddress() -> String {
        state.withLock { state in
            state.made += 1
            return "\(network).\(state.made)"
        }
    }

    func add(_ address: String) { state.withLock { $0.addresses.append(address) } }
    func remove(_ address: String) { state.withLock { $0.addresses.removeAll { $0 == address } } }
    func finish() { state.withLock { $0.isOver = true } }

    /// One of them, by chance; nil where it is over.
    func enter(_ number: Int) -> String? {
        state.withLock { state in
            if state.isOver { return nil }
            state.asking += 1
            return state.addresses[number % state.addresses.count]
        }
    }

    func leave() { state.withLock { $0.asking -= 1 } }
}

/// The gateway's program on an address of its own.
private final class RollingGateway: Sendable {
    let address: String
    private let group: ServiceGroup
    private let listening = AsyncStream.makeStream(of: Int.self)
    private let end = AsyncStream.makeStream(of: Never.self)

    init(_ address: String, _ server: TestServer) {
        self.address = address
        var limits = GatewayLimits()
        limits.drainDelay = .seconds(1)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let program = GatewayProgram(
            configuration: .init(
                gateway: .init(host: address, limits: limits), health: .init(host: address, port: 0)),
            cluster: ClientConfiguration(transport: TransportConfiguration(server: "https://server")),
            transport: server, logger: logger, onListening: { [listening] in listening.continuation.yield($0) })
        group = ServiceGroup(services: [program], logger: logger)
    }

    func run() async throws {
        defer { end.continuation.finish() }
        try await group.run()
    }

    func healthPort() async -> Int {
        for await port in listening.stream { return port }
        return 0
    }

    func stop() async { await group.triggerGracefulShutdown() }

    func waitForEnd() async { for await _ in end.stream {} }
}
