import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel
import Logging
import NIOCore
import NIOPosix
import OpenSSL

@testable import AssayGateway

/// Answers wake-ups as a test says, and counts them.
final class TestWaker: Waker {
    private let body: @Sendable (ObjectKey) async -> WakeOutcome
    private let calls = Locked<[ObjectKey]>([])
    private let called = AsyncStream.makeStream(of: ObjectKey.self)

    init(_ body: @escaping @Sendable (ObjectKey) async -> WakeOutcome = { _ in .awake }) { self.body = body }

    var woken: [ObjectKey] { calls.withLock { $0 } }

    /// Returns once it is asked the first time.
    func wait() async {
        for await _ in called.stream { return }
    }

    func wake(_ deployment: ObjectKey) async -> WakeOutcome {
        calls.withLock { $0.append(deployment) }
        called.continuation.yield(deployment)
        return await body(deployment)
    }
}

/// A gateway that runs while a test does.
struct GatewayWorld: Sendable {
    let gateway: Gateway
    let registry: MetricsRegistry
    /// Of the model `wine`.
    let port: Int
    let sharedPort: Int
    /// The shared port by TLS, which is open where the world was given a certificate.
    let tlsPort: Int

    /// Tells the gateway a model and its pods, and runs it while `body` does.
    static func with(
        model: (Int) -> JSONValue = { modelJSON(port: $0) }, pods: [JSONValue] = [], waker: any Waker = TestWaker(),
        callers: (any CallerReviews)? = nil, tls: TLSContext? = nil, threads: Int = 1,
        limits change: (inout GatewayLimits) -> Void = { _ in },
        _ body: @escaping @Sendable (GatewayWorld) async throws -> Void
    ) async throws {
        let ports = try await freePorts(3)
        var limits = GatewayLimits()
        limits.drainDelay = .zero
        change(&limits)
        let registry = MetricsRegistry(descriptions: GatewayMetrics.descriptions)
        let (listening, told) = AsyncStream.makeStream(of: Set<Int>.self)
        let gateway = Gateway(
            .init(
                host: "127.0.0.1", sharedPort: ports[1], sharedTLSPort: ports[2], threads: threads, limits: limits),
            waker: waker, callers: callers, metrics: GatewayMetrics(registry),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            onListening: { told.yield($0) })
        let world = GatewayWorld(
            gateway: gateway, registry: registry, port: ports[0], sharedPort: ports[1], tlsPort: ports[2])
        try world.tell(model: model(ports[0]))
        for pod in pods { try world.tell(pod: pod) }
        if let tls { gateway.renew(tls) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await gateway.run() }
            let wanted = tls == nil ? Array(ports.prefix(2)) : ports
            for await open in listening where open.isSuperset(of: wanted) { break }
            do {
                try await body(world)
            } catch {
                tasks.cancelAll()
                throw error
            }
            gateway.shutdown()
            try await tasks.waitForAll()
        }
    }

    func tell(model: JSONValue) throws { gateway.take(StoreChange.added(try ModelRecord(json: model))) }
    func tell(pod: JSONValue) throws { gateway.take(StoreChange.added(try PodRecord(json: pod))) }
    func tell(gone pod: JSONValue) throws { gateway.take(StoreChange.deleted(try PodRecord(json: pod))) }

    /// Of the revision `wine-1`.
    func metric(_ name: String, _ more: [(String, String)] = []) -> Double {
        let labels = [("namespace", "ml"), ("model", "wine"), ("revision", "wine-1")]
        if name.hasSuffix("_seconds") { return Double(registry.histogram(name, labels + more).count) }
        if name.hasSuffix("_total") { return registry.counter(name, labels + more).value }
        return registry.gauge(name, labels + more).value
    }

    /// Returns once so many requests are held for the revision `wine-1`.
    func waitForHeld(_ count: Int) async throws {
        while metric("assay_gateway_requests_held") != Double(count) { try await Task.sleep(for: .milliseconds(2)) }
    }

    static func freePorts(_ count: Int) async throws -> [Int] {
        var channels: [any Channel] = []
        for _ in 0..<count {
            channels.append(
                try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0)
                    .get())
        }
        let ports = channels.compactMap { $0.localAddress?.port }
        for channel in channels { try await channel.close() }
        return ports
    }
}

/// A gateway before one pod.
func withPod(
    reply: @escaping @Sendable (StrictReader.Request) -> TestPod.Reply = { _ in .text("ok") }, retry: String? = nil,
    hosts: [String] = [], auth: JSONValue? = nil, callers: (any CallerReviews)? = nil, tls: TLSContext? = nil,
    limits change: (inout GatewayLimits) -> Void = { _ in },
    _ body: @escaping @Sendable (GatewayWorld, TestPod) async throws -> Void
) async throws {
    try await TestPod.with(reply: reply) { pod in
        try await GatewayWorld.with(
            model: { modelJSON(port: $0, podPort: pod.port, hosts: hosts, retry: retry, auth: auth) },
            pods: [podJSON("a", address: pod.address, port: pod.port)], callers: callers, tls: tls, limits: change
        ) { try await body($0, pod) }
    }
}
