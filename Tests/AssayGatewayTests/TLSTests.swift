import Concurrency
import JSON
import NIOCore
import NIOPosix
import OpenSSL
import Testing

@testable import AssayGateway

/// The shared port by TLS, over sockets.
@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    private static let host = "wine.example"

    /// A gateway before one pod, with a certificate.
    private static func withPod(
        _ certificates: TestCertificates,
        reply: @escaping @Sendable (StrictReader.Request) -> TestPod.Reply = { _ in .text("ok") },
        _ body: @escaping @Sendable (GatewayWorld, TestPod) async throws -> Void
    ) async throws {
        try await AssayGatewayTests.withPod(
            reply: reply, hosts: [host], tls: try certificates.server(), body)
    }

    private static func get(_ client: TestClient, _ target: String = "/") async throws -> TestClient.Answer {
        try await client.send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        return try await client.answer()
    }

    /// What one request is answered on a connection of its own.
    private static func status(_ world: GatewayWorld, _ client: TLSContext) async throws -> Int {
        try await TestClient.with(port: world.tlsPort, tls: client) { try await get($0).status }
    }

    @Test func aRequestGoesThroughAndThePodIsToldHowItCame() async throws {
        let certificates = try TestCertificates()
        try await Self.withPod(certificates) { world, pod in
            try await TestClient.with(port: world.tlsPort, tls: certificates.client) { client in
                for _ in 0..<3 {
                    let answer = try await Self.get(client)
                    #expect(answer.status == 200 && answer.body == "ok")
                }
            }
            let request = try #require(pod.seen.requests.first)
            #expect(request.values("X-Forwarded-Proto") == ["https"] && request.values("Host") == [Self.host])
            let plain = try await TestClient.get(port: world.sharedPort, host: Self.host)
            #expect(plain.status == 200)
            #expect(pod.seen.requests.last?.values("X-Forwarded-Proto") == ["http"])
        }
    }

    /// There is one certificate, so the name in the handshake chooses nothing.
    @Test func theHostFieldAloneSaysWhichModelIsMeant() async throws {
        let certificates = try TestCertificates()
        try await Self.withPod(certificates) { world, _ in
            try await TestClient.with(port: world.tlsPort, tls: certificates.client, name: "wine.example") { client in
                #expect(try await Self.get(client).status == 200)
                try await client.send("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
                #expect(try await client.answer().status == 404)
            }
        }
    }

    @Test func largeBodiesPassBothWays() async throws {
        let certificates = try TestCertificates()
        let size = 5 << 20
        let text = String(repeating: "0123456789abcdef", count: size / 16)
        try await Self.withPod(certificates, reply: { .text($0.text) }) { world, pod in
            try await TestClient.with(port: world.tlsPort, tls: certificates.client) { client in
                try await client.send("POST / HTTP/1.1\r\nHost: \(Self.host)\r\nContent-Length: \(size)\r\n\r\n" + text)
                let answer = try await client.answer()
                #expect(answer.status == 200 && answer.body == text)
                #expect(pod.seen.faults.isEmpty)
            }
        }
    }

    @Test func whatThePodSendsLittleByLittleComesSo() async throws {
        let certificates = try TestCertificates()
        try await Self.withPod(certificates, reply: { _ in .nothing }) { world, pod in
            try await TestClient.with(port: world.tlsPort, tls: certificates.client) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                await pod.wait { $0.requests.count == 1 }
                pod.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                #expect(try await client.read(through: "\r\n\r\n").contains("200 OK"))
                for word in ["one", "two", "three"] {
                    pod.write("\(String(word.utf8.count, radix: 16))\r\n\(word)\r\n")
                    #expect(try await client.read(through: word).hasSuffix(word))
                }
            }
            await pod.wait { $0.open == 0 }
        }
    }

    @Test func aSlowClientHoldsItsPodBack() async throws {
        let certificates = try TestCertificates()
        let size = 48 << 20
        try await Self.withPod(certificates, reply: { _ in .nothing }) { world, pod in
            try await TestClient.with(port: world.tlsPort, tls: certificates.client) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                try await expectHeldBack(pod, by: client, size)
            }
        }
    }

    // MARK: Certificates

    @Test func anotherCertificateEndsNoConnection() async throws {
        let (old, new) = (try TestCertificates(), try TestCertificates())
        try await Self.withPod(old) { world, _ in
            try await TestClient.with(port: world.tlsPort, tls: old.client) { client in
                #expect(try await Self.get(client).status == 200)
                world.gateway.renew(try new.server())
                #expect(try await Self.get(client).status == 200)
                #expect(try await Self.status(world, new.client) == 200)
                #expect(try await Self.get(client).status == 200)
                await #expect(throws: (any Error).self, "nobody gets the old one any more") {
                    try await Self.status(world, old.client)
                }
            }
        }
    }

    @Test func withoutACertificateThePortIsClosedEvenWhereAModelHasIt() async throws {
        let certificates = try TestCertificates()
        try await AssayGatewayTests.withPod(hosts: [Self.host]) { world, pod in
            // A model that says so has no plain port there.
            var model = modelJSON("beer", port: world.tlsPort, podPort: pod.port)
            model["metadata", "uid"] = "uid-beer"
            try world.tell(model: model)
            _ = try await TestClient.get(port: world.port)
            await #expect(throws: (any Error).self) { try await TestClient.get(port: world.tlsPort) }
            world.gateway.renew(try certificates.server())
            while true {
                do {
                    #expect(try await Self.status(world, certificates.client) == 200)
                    return
                } catch is NIOConnectionError {
                    await Task.yield()
                }
            }
        }
    }

    // MARK: The hostile

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: wine.example\r\n\r\n", "\u{16}\u{3}\u{1}\u{ff}\u{ff}", "\0\0\0\0\0\0", "x",
    ])
    func whoSpeaksNoTLSIsAnsweredNoHTTP(_ bytes: String) async throws {
        let certificates = try TestCertificates()
        try await Self.withPod(certificates) { world, pod in
            try await TestClient.with(port: world.tlsPort) { client in
                try await client.send(bytes + String(repeating: "\0", count: 20_000))
                let answer = await client.readToEnd()
                #expect(!answer.contains("HTTP"))
            }
            #expect(pod.seen.requests.isEmpty)
            #expect(try await Self.status(world, certificates.client) == 200)
        }
    }

    @Test func noise() async throws {
        let certificates = try TestCertificates()
        try await Self.withPod(certificates) { world, pod in
            var dice = Dice(7)
            for _ in 0..<50 {
                let bytes = (0..<dice.roll(1..<400)).map { _ in UInt8(dice.roll(0..<256)) }
                try await TestClient.with(port: world.tlsPort) { try await $0.send(bytes) }
            }
            #expect(pod.seen.requests.isEmpty)
            #expect(try await Self.status(world, certificates.client) == 200)
        }
    }

    @Test func aRequestThatBreaksARuleIsAnsweredBeforeTheConnectionEnds() async throws {
        let certificates = try TestCertificates()
        try await Self.withPod(certificates) { world, pod in
            try await TestClient.with(port: world.tlsPort, tls: certificates.client) { client in
                let body = String(repeating: "x", count: 1 << 20)
                try await client.send(
                    "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
                do {
                    try await client.send(body)
                } catch is ChannelError {
                    // It has been told already that nobody listens.
                }
                #expect(await client.readToEnd().hasPrefix("HTTP/1.1 400 "))
            }
            #expect(pod.seen.requests.isEmpty)
        }
    }

    @Test func aClientThatIsGoneEndsItsRequest() async throws {
        let certificates = try TestCertificates()
        try await Self.withPod(certificates, reply: { _ in .nothing }) { world, pod in
            try await TestClient.with(port: world.tlsPort, tls: certificates.client) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                await pod.wait { $0.requests.count == 1 }
            }
            await pod.wait { $0.open == 0 }
        }
    }
}
