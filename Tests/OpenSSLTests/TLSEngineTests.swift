import OpenSSL
import Testing

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// OpenSSL checks the times of certificates against the real clock.
private let now = Duration.seconds(Int64(time(nil)))

@Suite struct TLSEngineTests {
    @Test("A handshake in memory agrees on http/1.1, names the client, and carries bytes both ways")
    func handshake() throws {
        let world = try World()
        var client = try TLSEngine(try world.clientContext(as: "alice"), role: .client(hostname: "localhost"))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        try connect(&client, &server)
        let protocols = [client.applicationProtocol, server.applicationProtocol]
        #expect(protocols == ["http/1.1", "http/1.1"])
        let (user, host) = (server.peerSubject, client.peerSubject?.commonName)
        #expect(user == CertificateSubject(commonName: "alice", organizations: ["system:masters", "b"]))
        #expect(host == "server")

        #expect(try write(&client, "GET /") == .bytes(5))
        move(&client, &server)
        let waiting = server.pendingInput
        #expect(waiting > 5)
        #expect(try read(&server) == "GET /")
        let left = server.pendingInput
        #expect(left == 0)
        #expect(try write(&server, "200") == .bytes(3))
        move(&server, &client)
        #expect(try read(&client) == "200")
    }

    @Test("A client without a certificate is served, and nobody is named")
    func withoutCertificate() throws {
        let world = try World()
        var client = try TLSEngine(try world.clientContext(as: nil), role: .client(hostname: "127.0.0.1"))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        try connect(&client, &server)
        let (isEstablished, user) = (server.isEstablished, server.peerSubject)
        #expect(isEstablished && user == nil)
    }

    @Test("The server's certificate must name the host", arguments: ["wrong.example", "10.9.8.7", "::2"])
    func wrongHost(_ host: String) throws {
        let world = try World()
        var client = try TLSEngine(try world.clientContext(as: nil), role: .client(hostname: host))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        let error = #expect(throws: TLSError.self) { try connect(&client, &server) }
        #expect(error?.description.contains("mismatch") == true, "\(error?.description ?? "")")
    }

    @Test("A host of each kind that the certificate names is accepted", arguments: ["localhost", "127.0.0.1", "::1"])
    func rightHost(_ host: String) throws {
        let world = try World()
        var client = try TLSEngine(try world.clientContext(as: nil), role: .client(hostname: host))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        try connect(&client, &server)
        let isEstablished = client.isEstablished
        #expect(isEstablished)
    }

    @Test("Certificates of another authority, and expired ones, are refused with the reason")
    func refused() throws {
        let world = try World()
        let other = try World()
        var client = try TLSEngine(try other.clientContext(as: nil), role: .client(hostname: "localhost"))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        let unknown = #expect(throws: TLSError.self) { try connect(&client, &server) }
        #expect(unknown?.reasons.contains { $0.contains("verify failed") } == true, "\(unknown?.description ?? "")")

        let past = try World(now: now - .seconds(20 * 86400))
        var client2 = try TLSEngine(try past.clientContext(as: nil), role: .client(hostname: "localhost"))
        var server2 = try TLSEngine(try past.serverContext(), role: .server)
        let expired = #expect(throws: TLSError.self) { try connect(&client2, &server2) }
        #expect(expired?.description.contains("expired") == true, "\(expired?.description ?? "")")

        var stranger = try TLSEngine(
            try other.clientContext(as: "eve", trusting: world), role: .client(hostname: "localhost"))
        var server3 = try TLSEngine(try world.serverContext(), role: .server)
        #expect(throws: TLSError.self) { try connect(&stranger, &server3) }
        let user = server3.peerSubject
        #expect(user == nil)
    }

    @Test("A server's certificate does not serve as a client's")
    func wrongUsage() throws {
        let world = try World()
        let (certificate, key) = try world.issueServer()
        let context = try TLSContext(
            trustingPEM: Array(world.authority.certificatePEM.utf8), certificateChainPEM: Array(certificate.utf8),
            privateKeyPEM: Array(key.utf8))
        var client = try TLSEngine(context, role: .client(hostname: "localhost"))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        let error = #expect(throws: TLSError.self) { try connect(&client, &server) }
        #expect(error?.description.contains("unsuitable certificate purpose") == true, "\(error?.description ?? "")")
    }

    @Test("An orderly end is told from a cut connection")
    func endings() throws {
        let world = try World()
        var client = try TLSEngine(try world.clientContext(as: nil), role: .client(hostname: "localhost"))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        try connect(&client, &server)
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(try buffer.withUnsafeMutableBytes { try server.read(into: $0) } == .wantsInput)
        client.close()
        move(&client, &server)
        #expect(try buffer.withUnsafeMutableBytes { try server.read(into: $0) } == .closed)

        var client2 = try TLSEngine(try world.clientContext(as: nil), role: .client(hostname: "localhost"))
        var server2 = try TLSEngine(try world.serverContext(), role: .server)
        try connect(&client2, &server2)
        server2.receiveEnd()
        #expect(try buffer.withUnsafeMutableBytes { try server2.read(into: $0) } == .truncated)
    }

    @Test("What is not TLS is refused, and a failed engine says no farewell")
    func notTLS() throws {
        let world = try World()
        var server = try TLSEngine(try world.serverContext(), role: .server)
        Array("GET / HTTP/1.1\r\n\r\n".utf8).withUnsafeBytes { server.receive($0) }
        let error = #expect(throws: TLSError.self) { try server.handshake() }
        #expect(error?.operation == "handshake as server")
        #expect(error?.reasons.contains { $0.contains("http request") } == true, "\(error?.description ?? "")")
        server.close()
        let pending = server.pendingOutput
        #expect(pending < 100)
    }

    @Test("A handshake that comes byte by byte succeeds")
    func byteByByte() throws {
        let world = try World()
        var client = try TLSEngine(try world.clientContext(as: "bob"), role: .client(hostname: "localhost"))
        var server = try TLSEngine(try world.serverContext(), role: .server)
        for _ in 0..<6 {
            _ = try client.handshake()
            try trickle(&client, &server)
            _ = try server.handshake()
            try trickle(&server, &client)
        }
        let established = (client.isEstablished, server.isEstablished)
        #expect(established == (true, true))
    }

    @Test("Bad PEM is refused with what it was meant for")
    func badPEM() throws {
        let world = try World()
        let (certificate, key) = try world.issueServer()
        let (_, otherKey) = try world.issueServer()
        func failure(_ certificate: String, _ key: String) -> String {
            let error = #expect(throws: TLSError.self) {
                try TLSContext(serverCertificateChainPEM: Array(certificate.utf8), privateKeyPEM: Array(key.utf8))
            }
            return error?.description ?? ""
        }
        #expect(failure("", key).contains("certificate chain: there is no PEM certificate"))
        #expect(failure(certificate, "rubbish").hasPrefix("read the private key"))
        #expect(failure(certificate, otherKey).contains("mismatch"))
        #expect(failure(certificate.replacing("MII", with: "AAA"), key).hasPrefix("read the certificate chain"))
    }
}

/// An authority with contexts for its servers and clients.
private struct World {
    let authority: CertificateAuthority
    let now: Duration

    init(now: Duration = .seconds(Int64(time(nil)))) throws {
        self.now = now
        authority = try CertificateAuthority(commonName: "test authority", now: now)
    }

    func issueServer() throws -> (certificatePEM: String, privateKeyPEM: String) {
        try authority.issue(
            CertificateRequest(
                commonName: "server", dnsNames: ["localhost", "*.svc.cluster.local"],
                ipAddresses: ["127.0.0.1", "::1"], usage: .server, validFor: .seconds(86400)),
            now: now)
    }

    func serverContext() throws -> TLSContext {
        let (certificate, key) = try issueServer()
        return try TLSContext(
            serverCertificateChainPEM: Array(certificate.utf8), privateKeyPEM: Array(key.utf8),
            clientAuthorityPEM: Array(authority.certificatePEM.utf8))
    }

    func clientContext(as user: String?, trusting other: World? = nil) throws -> TLSContext {
        let trusted = Array((other ?? self).authority.certificatePEM.utf8)
        guard let user else { return try TLSContext(trustingPEM: trusted) }
        let request = CertificateRequest(commonName: user, organizations: ["system:masters", "b"], usage: .client)
        let (certificate, key) = try authority.issue(request, now: now)
        return try TLSContext(
            trustingPEM: trusted, certificateChainPEM: Array(certificate.utf8), privateKeyPEM: Array(key.utf8))
    }
}

private func output(_ engine: inout TLSEngine) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: engine.pendingOutput)
    let count = bytes.withUnsafeMutableBytes { engine.takeOutput(into: $0) }
    return Array(bytes.prefix(count))
}

private func move(_ from: inout TLSEngine, _ to: inout TLSEngine) {
    output(&from).withUnsafeBytes { to.receive($0) }
}

private func trickle(_ from: inout TLSEngine, _ to: inout TLSEngine) throws {
    for byte in output(&from) {
        [byte].withUnsafeBytes { to.receive($0) }
        _ = try to.handshake()
    }
}

/// In TLS 1.3 the client is done before the server has seen its certificate, hence the further rounds.
private func connect(_ client: inout TLSEngine, _ server: inout TLSEngine) throws {
    for _ in 0..<4 {
        _ = try client.handshake()
        move(&client, &server)
        _ = try server.handshake()
        move(&server, &client)
    }
}

private func write(_ engine: inout TLSEngine, _ text: String) throws -> TLSEngine.Write {
    try Array(text.utf8).withUnsafeBytes { try engine.write($0) }
}

private func read(_ engine: inout TLSEngine) throws -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    guard case .bytes(let count) = try buffer.withUnsafeMutableBytes({ try engine.read(into: $0) }) else { return "" }
    return String(decoding: buffer.prefix(count), as: UTF8.self)
}
