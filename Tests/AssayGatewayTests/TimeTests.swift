import AssayCore
import Concurrency
import ControllerRuntime
import KubernetesModel
import Logging
import NIOCore
import NIOEmbedded
import OpenSSL
import Testing

@testable import AssayGateway

/// A client's connection without a network, whose time is the test's.
private final class Connection {
    let channel = EmbeddedChannel()
    let loop: LoopContext
    let shared: SharedModel
    let woken = Locked(0)

    /// - Parameter tls: the client is to speak TLS.
    init(state: TrafficShare.State, tls: TLSContext? = nil) throws {
        let metrics = GatewayMetrics(MetricsRegistry(descriptions: GatewayMetrics.descriptions))
        let key = ObjectKey(namespace: "ml", name: "wine")
        let route = ModelRoute(
            model: key, port: 7001,
            revisions: [
                RevisionRoute(
                    share: TrafficShare(revision: "wine-1", weight: 100, state: state), deployment: "wine-1",
                    endpoints: [])
            ])
        loop = LoopContext(
            loop: channel.embeddedEventLoop, limits: GatewayLimits(),
            ports: GatewayPorts(
                wake: { [woken] _, _ in woken.withLock { $0 += 1 } },
                callers: CallerPort(now: { .zero }, remembered: { _ in nil }, review: { _ in }), metrics: metrics,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        shared = SharedModel(key, loops: 1, limits: GatewayLimits(), metrics: metrics)
        shared.update(route)
        loop.update(route, shared: shared)
        loop.assign(ports: [7001: key], hosts: [:])
        try ClientHandler(loop, .port(7001), isSecure: tls != nil).install(in: channel, tls: tls)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    func sent() throws -> String {
        var result = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { result += String(buffer: buffer) }
        return result
    }

    func advance(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }
    var wakeCount: Int { woken.withLock { $0 } }
    func wakeFinished(_ outcome: WakeOutcome) {
        let now = loop.now
        _ = shared.revision("wine-1")?.wake.withLock { $0.finished(outcome, now: now) }
        loop.model(shared.key)?.revisions.first?.wakeFinished(outcome)
    }
}

@Suite struct TimeTests {
    private static let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func aConnectionThatSaysNothingIsClosedAfterTenSeconds() throws {
        let connection = try Connection(state: .serving)
        connection.advance(9)
        #expect(connection.channel.isActive)
        connection.advance(1)
        let sent = try connection.sent()
        #expect(!connection.channel.isActive && sent.isEmpty && connection.loop.clientCount == 0)
    }

    @Test func aHeadHasTenSecondsFromItsFirstByteHoweverItComes() throws {
        let connection = try Connection(state: .serving)
        connection.advance(9)
        for byte in "GET / HTT" {
            try connection.send(String(byte))
            connection.advance(1)
        }
        let early = try connection.sent()
        try connection.send("P")
        connection.advance(1)
        let late = try connection.sent()
        #expect(early.isEmpty && late.hasPrefix("HTTP/1.1 408 ") && late.contains("Connection: close\r\n"))
        connection.advance(2)
        #expect(!connection.channel.isActive)
    }

    @Test func aBodyIsNotWaitedForWhileItsRequestIsHeld() throws {
        let connection = try Connection(state: .hibernating)
        try connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        connection.advance(100)
        let sent = try connection.sent()
        #expect(sent.isEmpty && connection.channel.isActive)
    }

    @Test(arguments: zip([TrafficShare.State.hibernating, .draining, .serving], [Int64(120), 120, 15]))
    func aRequestIsHeldSoLongAndThenRefused(_ state: TrafficShare.State, _ seconds: Int64) throws {
        let connection = try Connection(state: state)
        try connection.send(Self.request)
        connection.advance(seconds - 1)
        let early = try connection.sent()
        connection.advance(2)
        let late = try connection.sent()
        #expect(early.isEmpty && late.hasPrefix("HTTP/1.1 503 ") && late.contains("Retry-After: "))
        #expect(connection.shared.budget.count == 0)
    }

    @Test func podsThatDoNotComeAreAskedForAgainWhileARequestWaits() throws {
        let connection = try Connection(state: .hibernating)
        try connection.send(Self.request)
        var moments: [Int] = []
        for second in 1...100 {
            if connection.wakeCount > moments.count {
                moments.append(second - 1)
                connection.wakeFinished(.awake)
            }
            connection.advance(1)
        }
        #expect(moments == [0, 5, 15, 30, 50, 75])
    }

    @Test func aFailureReachesWhoIsHeldAndWhoComesUntilTheNextTry() throws {
        let connection = try Connection(state: .hibernating)
        try connection.send(Self.request)
        connection.wakeFinished(.failed("forbidden"))
        let first = try connection.sent()
        #expect(first.contains("503") && first.contains("forbidden") && connection.wakeCount == 1)
    }

    // MARK: TLS

    /// Sends what there is of the one side to the other, until nothing is left.
    private static func exchange(_ client: inout TLSEngine, _ connection: Connection) throws {
        while client.pendingOutput > 0 {
            try connection.channel.writeInbound(output(of: &client))
            while let answer = try connection.channel.readOutbound(as: ByteBuffer.self) {
                answer.withUnsafeReadableBytes { client.receive($0) }
            }
            _ = try client.handshake()
        }
    }

    private static func output(of client: inout TLSEngine) -> ByteBuffer {
        var bytes = [UInt8](repeating: 0, count: client.pendingOutput)
        let count = bytes.withUnsafeMutableBytes { space in client.takeOutput(into: space) }
        return ByteBuffer(bytes: bytes.prefix(count))
    }

    @Test func aHandshakeHasTenSecondsHoweverItComes() throws {
        let certificates = try TestCertificates()
        let connection = try Connection(state: .serving, tls: certificates.server())
        var client = try TLSEngine(certificates.client, role: .client(hostname: "127.0.0.1"))
        _ = try client.handshake()
        var hello = Self.output(of: &client)
        for _ in 0..<9 {
            let byte = hello.readSlice(length: 1)
            try connection.channel.writeInbound(try #require(byte))
            connection.advance(1)
        }
        #expect(connection.channel.isActive)
        connection.advance(1)
        #expect(!connection.channel.isActive && connection.loop.clientCount == 0)
    }

    @Test func afterTheHandshakeARequestHasItsOwnTenSeconds() throws {
        let certificates = try TestCertificates()
        let connection = try Connection(state: .serving, tls: certificates.server())
        var client = try TLSEngine(certificates.client, role: .client(hostname: "127.0.0.1"))
        connection.advance(9)
        _ = try client.handshake()
        try Self.exchange(&client, connection)
        let isEstablished = client.isEstablished
        #expect(isEstablished)
        connection.advance(9)
        #expect(connection.channel.isActive)
        connection.advance(1)
        #expect(!connection.channel.isActive, "one that says nothing is closed without an answer")
    }
}
