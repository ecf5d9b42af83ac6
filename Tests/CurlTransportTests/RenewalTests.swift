import Concurrency
import CurlTransport
import HTTPServer
import HTTPTransport
import Logging
import OpenSSL
import Testing

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Certificates that change when a test says so.
private final class ChangingMaterial: TLSMaterialSource {
    private struct State {
        var reading: TLSMaterialReading
        var afterRefusal: TLSMaterial?
        var refusals = 0
    }

    private let state: Locked<State>

    init(_ material: TLSMaterial) { state = Locked(State(reading: TLSMaterialReading(material, look: 1))) }

    /// How often it was asked because of a refusal.
    var refusals: Int { state.withLock { $0.refusals } }

    func change(to material: TLSMaterial) {
        state.withLock { $0.reading = TLSMaterialReading(material, look: $0.reading.look + 1) }
    }

    /// The change shows only when somebody was refused.
    func changeAfterRefusal(to material: TLSMaterial) { state.withLock { $0.afterRefusal = material } }

    func material() async throws(HTTPTransportError) -> TLSMaterialReading { state.withLock { $0.reading } }

    func material(insteadOf refused: TLSMaterialReading) async throws(HTTPTransportError) -> TLSMaterialReading {
        state.withLock { state in
            state.refusals += 1
            if let next = state.afterRefusal { state.reading.material = next }
            state.reading.look += 1
            return state.reading
        }
    }
}

/// Counts the connections that pass through it and are open.
private final class Gauge: Sendable {
    private let counts = Locked((open: 0, total: 0))
    var open: Int { counts.withLock { $0.open } }
    var total: Int { counts.withLock { $0.total } }

    func count(_ body: () -> Void) {
        counts.withLock { counts in
            counts.open += 1
            counts.total += 1
        }
        body()
        counts.withLock { $0.open -= 1 }
    }
}

@Suite struct RenewalTests {
    private static func material(
        _ name: String, by authority: CertificateAuthority, trusting: [CertificateAuthority]
    ) throws -> TLSMaterial {
        let issued = try authority.issue(
            CertificateRequest(commonName: name, usage: .client), now: SystemTime().wallNow())
        return TLSMaterial(
            certificateAuthorityPEM: Array(trusting.map(\.certificatePEM).joined().utf8),
            clientCertificatePEM: Array(issued.certificatePEM.utf8), clientKeyPEM: Array(issued.privateKeyPEM.utf8))
    }

    private static func authority(_ name: String) throws -> CertificateAuthority {
        try CertificateAuthority(commonName: name, now: SystemTime().wallNow())
    }

    /// A server behind a gauge. It answers with the client's name: `/watch` begins with it and goes on, and those in
    /// `refused` get 401.
    private func withServer(
        _ authority: CertificateAuthority, refusing refused: String = "",
        _ body: @escaping @Sendable (_ url: String, Gauge) async throws -> Void
    ) async throws {
        let issued = try authority.issue(
            CertificateRequest(commonName: "server", ipAddresses: ["127.0.0.1"], usage: .server),
            now: SystemTime().wallNow())
        let context = try TLSContext(
            serverCertificateChainPEM: Array(issued.certificatePEM.utf8),
            privateKeyPEM: Array(issued.privateKeyPEM.utf8), clientAuthorityPEM: Array(authority.certificatePEM.utf8))
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = HTTPServer(tls: context, logger: logger) { request in
            let name = request.clientCertificate?.commonName ?? "nobody"
            if name == refused { return .text("who?", status: 401) }
            guard request.path == "/watch" else { return .text("\(name) sent \(request.body.count)") }
            return HTTPServerResponse(
                status: 200,
                body: .stream { writer in
                    while true {
                        try await writer.write("\(name)\n")
                        try await Task.sleep(for: .milliseconds(20))
                    }
                })
        }
        try await withHTTPServer(server) { port in
            let gauge = Gauge()
            let tunnel = try RawServer { connection in gauge.count { connection.tunnel(to: port) } }
            try await body("https://127.0.0.1:\(tunnel.port)", gauge)
        }
    }

    private static func transport(_ url: String, _ source: ChangingMaterial) async throws -> CurlTransport {
        var configuration = TransportConfiguration(server: url)
        configuration.material = try await source.material().material
        configuration.renewal = source
        return try CurlTransport(configuration)
    }

    private static let watch = HTTPRequest(.get, "/watch", delivery: .watch(idleTimeout: .seconds(60)))

    private static func name(_ transport: CurlTransport) async throws -> String {
        try await transport.send(HTTPRequest(.get, "/")).text()
    }

    @Test func anIdleConnectionOfTheOldCertificateIsClosedAndNeverUsedAgain() async throws {
        let authority = try Self.authority("one")
        try await withServer(authority) { url, gauge in
            let source = ChangingMaterial(try Self.material("alice", by: authority, trusting: [authority]))
            let transport = try await Self.transport(url, source)
            #expect(try await Self.name(transport) == "alice sent 0")
            #expect(try await Self.name(transport) == "alice sent 0")
            #expect(gauge.total == 1, "the connection is used again while nothing changes")
            source.change(to: try Self.material("bob", by: authority, trusting: [authority]))
            #expect(try await Self.name(transport) == "bob sent 0")
            #expect(try await eventually { gauge.open == 1 }, "the old one closes though nobody uses it")
            #expect(gauge.total == 2)
        }
    }

    @Test func aWatchGoesOnWithTheOldCertificateAndItsConnectionClosesWithIt() async throws {
        let authority = try Self.authority("one")
        try await withServer(authority) { url, gauge in
            let source = ChangingMaterial(try Self.material("alice", by: authority, trusting: [authority]))
            let transport = try await Self.transport(url, source)
            var body: HTTPBody? = try await transport.send(Self.watch).body
            source.change(to: try Self.material("bob", by: authority, trusting: [authority]))
            for _ in 0..<5 {
                #expect(try await Self.name(transport) == "bob sent 0")
                let chunk = try #require(try await body?.next())
                #expect(String(decoding: chunk, as: UTF8.self).hasPrefix("alice\n"))
            }
            #expect(gauge.open == 2)
            body = nil
            #expect(try await eventually { gauge.open == 1 })
            #expect(try await Self.name(transport) == "bob sent 0")
        }
    }

    @Test func whatIsRefusedForItsCertificateIsSentOnceMoreWithARenewedOne() async throws {
        let authority = try Self.authority("one")
        try await withServer(authority, refusing: "alice") { url, _ in
            let source = ChangingMaterial(try Self.material("alice", by: authority, trusting: [authority]))
            let transport = try await Self.transport(url, source)
            let refused = try await transport.send(HTTPRequest(.post, "/", body: [1, 2, 3]))
            #expect(refused.status == 401, "there is no other certificate")
            #expect(source.refusals == 1)
            source.changeAfterRefusal(to: try Self.material("bob", by: authority, trusting: [authority]))
            let answer = try await transport.send(HTTPRequest(.post, "/", body: [1, 2, 3]))
            #expect(try await answer.text() == "bob sent 3")
            #expect(source.refusals == 2)
        }
    }

    /// Which half of the handshake fails: that of the server's certificate, or that of the client's.
    @Test(arguments: [true, false])
    func aFailedHandshakeIsTriedOnceMoreWithARenewedAuthority(_ clientIsRight: Bool) async throws {
        let (old, new) = (try Self.authority("old"), try Self.authority("new"))
        try await withServer(new) { url, _ in
            let wrong = try Self.material(
                "alice", by: clientIsRight ? new : old, trusting: [clientIsRight ? old : new])
            let source = ChangingMaterial(wrong)
            let transport = try await Self.transport(url, source)
            let error = await failure { _ = try await transport.send(HTTPRequest(.post, "/", body: [1])) }
            #expect(error?.code == .tls, "\(String(describing: error))")
            #expect(error?.requestWasNotSent == true)
            source.changeAfterRefusal(to: try Self.material("alice", by: new, trusting: [old, new]))
            #expect(try await transport.send(HTTPRequest(.post, "/", body: [1])).text() == "alice sent 1")
        }
    }

    @Test func aReadingThatComesLateDoesNotBringTheOldCertificateBack() async throws {
        let authority = try Self.authority("one")
        try await withServer(authority) { url, gauge in
            let alice = try Self.material("alice", by: authority, trusting: [authority])
            let source = LateReading(TLSMaterialReading(alice, look: 1))
            var configuration = TransportConfiguration(server: url)
            configuration.renewal = source
            let transport = try CurlTransport(configuration)
            let bob = try Self.material("bob", by: authority, trusting: [authority])
            source.next(TLSMaterialReading(bob, look: 3))
            #expect(try await Self.name(transport) == "bob sent 0")
            source.next(TLSMaterialReading(alice, look: 2))
            #expect(try await Self.name(transport) == "bob sent 0")
            #expect(gauge.total == 1)
        }
    }

    @Test func oldGenerationsAreBoundedAndTheOldestWatchEndsSoThatItIsResumed() async throws {
        let authority = try Self.authority("one")
        try await withServer(authority) { url, _ in
            let source = ChangingMaterial(try Self.material("user-0", by: authority, trusting: [authority]))
            let transport = try await Self.transport(url, source)
            var bodies: [HTTPBody] = []
            for number in 1...6 {
                bodies.append(try await transport.send(Self.watch).body)
                source.change(to: try Self.material("user-\(number)", by: authority, trusting: [authority]))
                #expect(try await Self.name(transport) == "user-\(number) sent 0")
            }
            for (number, body) in bodies.enumerated() {
                let end = await failure {
                    for _ in 0..<50 { _ = try await body.next() }
                }
                #expect((end?.code == .broken) == (number < 2), "\(number): \(String(describing: end))")
            }
        }
    }

    @Test func afterShutdownNoGenerationIsLeft() async throws {
        let authority = try Self.authority("one")
        try await withServer(authority) { url, gauge in
            let source = ChangingMaterial(try Self.material("alice", by: authority, trusting: [authority]))
            let transport = try await Self.transport(url, source)
            let body = try await transport.send(Self.watch).body
            source.change(to: try Self.material("bob", by: authority, trusting: [authority]))
            #expect(try await Self.name(transport) == "bob sent 0")
            transport.shutdown()
            let end = await failure { while try await body.next() != nil {} }
            #expect(end?.code == .closed)
            source.change(to: try Self.material("carol", by: authority, trusting: [authority]))
            let late = await failure { _ = try await Self.name(transport) }
            #expect(late?.code == .closed)
            #expect(try await eventually { gauge.open == 0 })
        }
    }

    @Test func whatIsPrintedOfMaterialHoldsNoKey() {
        let material = TLSMaterial(clientCertificatePEM: [1], clientKeyPEM: Array("canary".utf8))
        var text = "\(material) \(String(reflecting: material))"
        dump(TLSMaterialReading(material, look: 1), to: &text)
        #expect(text.contains("<secret>"))
        #expect(!text.contains("canary") && !text.contains("99"))
    }
}

private final class LateReading: TLSMaterialSource {
    private let reading: Locked<TLSMaterialReading>
    init(_ first: TLSMaterialReading) { reading = Locked(first) }
    func next(_ reading: TLSMaterialReading) { self.reading.withLock { $0 = reading } }
    func material() async throws(HTTPTransportError) -> TLSMaterialReading { reading.withLock { $0 } }
    func material(insteadOf refused: TLSMaterialReading) async throws(HTTPTransportError) -> TLSMaterialReading {
        reading.withLock { $0 }
    }
}
