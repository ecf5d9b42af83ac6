import Concurrency
import HTTPServer
import HTTPTransport
import Logging
import OpenSSL
import Testing

@testable import CurlTransport

@Suite struct TLSTests {
    private struct Certificates: Sendable {
        let authority: CertificateAuthority
        let server: (certificatePEM: String, privateKeyPEM: String)
        let client: (certificatePEM: String, privateKeyPEM: String)

        init(dnsNames: [String] = [], ipAddresses: [String] = ["127.0.0.1"], now: Duration? = nil) throws {
            let now = now ?? SystemTime().wallNow()
            authority = try CertificateAuthority(commonName: "test", now: now)
            server = try authority.issue(
                CertificateRequest(
                    commonName: "server", dnsNames: dnsNames, ipAddresses: ipAddresses, usage: .server), now: now)
            client = try authority.issue(
                CertificateRequest(commonName: "alice", organizations: ["ml"], usage: .client), now: now)
        }

        var authorityPEM: [UInt8] { Array(authority.certificatePEM.utf8) }
    }

    /// Runs `body` with a server that answers with the client's name and the Host that it was asked for.
    private func withServer<Result: Sendable>(
        _ certificates: Certificates, _ body: @Sendable (Int) async throws -> Result
    ) async throws -> Result {
        let context = try TLSContext(
            serverCertificateChainPEM: Array(certificates.server.certificatePEM.utf8),
            privateKeyPEM: Array(certificates.server.privateKeyPEM.utf8),
            clientAuthorityPEM: certificates.authorityPEM)
        let server = HTTPServer(tls: context, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        {
            request in
            if request.path == "/watch" {
                return HTTPServerResponse(
                    status: 200,
                    body: .stream { writer in
                        for number in 0..<5 { try await writer.write("\(number)\n") }
                        try await Task.sleep(for: .seconds(60))
                    })
            }
            let user = request.clientCertificate?.commonName ?? "nobody"
            return .text("\(user) at \(request.headers["Host"] ?? "") sent \(request.body.count)")
        }
        return try await withHTTPServer(server, body)
    }

    private func code(_ configuration: TransportConfiguration) async throws -> HTTPTransportError? {
        let transport = try CurlTransport(configuration)
        return await failure { _ = try await transport.send(HTTPRequest(.post, "/", body: [1])) }
    }

    @Test func theConfiguredAuthorityIsTrustedAndTheClientsCertificateArrives() async throws {
        let certificates = try Certificates()
        try await withServer(certificates) { port in
            var configuration = TransportConfiguration(
                server: "https://127.0.0.1:\(port)", certificateAuthorityPEM: certificates.authorityPEM)
            let plain = try await CurlTransport(configuration).send(HTTPRequest(.post, "/", body: [1, 2])).text()
            #expect(plain == "nobody at 127.0.0.1:\(port) sent 2")
            configuration.clientCertificatePEM = Array(certificates.client.certificatePEM.utf8)
            configuration.clientKeyPEM = Array(certificates.client.privateKeyPEM.utf8)
            let known = try await CurlTransport(configuration).send(HTTPRequest(.get, "/")).text()
            #expect(known == "alice at 127.0.0.1:\(port) sent 0")
        }
    }

    @Test func anotherAuthorityIsNotTrusted() async throws {
        let certificates = try Certificates()
        let other = try Certificates()
        try await withServer(certificates) { port in
            let server = "https://127.0.0.1:\(port)"
            for authority in [other.authorityPEM, nil, Array("no PEM".utf8)] {
                let error = try await code(TransportConfiguration(server: server, certificateAuthorityPEM: authority))
                #expect(error?.code == .tls)
                #expect(error?.requestWasNotSent == true)
                #expect(error?.detail.isEmpty == false)
            }
            #expect(try await code(TransportConfiguration(server: server, insecureSkipTLSVerify: true)) == nil)
        }
    }

    @Test func anExpiredCertificateIsNotAccepted() async throws {
        let certificates = try Certificates(now: .seconds(946_684_800))
        try await withServer(certificates) { port in
            let configuration = TransportConfiguration(
                server: "https://127.0.0.1:\(port)", certificateAuthorityPEM: certificates.authorityPEM)
            let error = try await code(configuration)
            #expect(error?.code == .tls)
        }
    }

    @Test func theNameInTheCertificateMustBeTheServersOrTheOneConfigured() async throws {
        let certificates = try Certificates(dnsNames: ["kubernetes.default"], ipAddresses: [])
        try await withServer(certificates) { port in
            var configuration = TransportConfiguration(
                server: "https://127.0.0.1:\(port)/prefix", certificateAuthorityPEM: certificates.authorityPEM)
            #expect(try await code(configuration)?.code == .tls)
            configuration.tlsServerName = "another.name"
            #expect(try await code(configuration)?.code == .tls)
            configuration.tlsServerName = "kubernetes.default"
            let text = try await CurlTransport(configuration).send(HTTPRequest(.get, "/")).text()
            #expect(text == "nobody at 127.0.0.1:\(port) sent 0", "Host names the server")
        }
    }

    @Test func manyWatchesAndCallsGoSideBySide() async throws {
        let certificates = try Certificates()
        try await withServer(certificates) { port in
            let transport = try CurlTransport(
                TransportConfiguration(
                    server: "https://127.0.0.1:\(port)", certificateAuthorityPEM: certificates.authorityPEM))
            var bodies: [HTTPBody] = []
            for _ in 0..<20 {
                let request = HTTPRequest(.get, "/watch", delivery: .watch(idleTimeout: .seconds(60)))
                bodies.append(try await transport.send(request).body)
            }
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 {
                    group.addTask { try await transport.send(HTTPRequest(.get, "/")).text() }
                }
                for try await text in group { #expect(text.hasPrefix("nobody")) }
            }
            for body in bodies {
                var text = ""
                while text.utf8.count < 10, let chunk = try await body.next() {
                    text += String(decoding: chunk, as: UTF8.self)
                }
                #expect(text == "0\n1\n2\n3\n4\n")
            }
            bodies = []
        }
    }

    @Test func aProxyTunnelsAndItsAnswerIsNotTheServers() async throws {
        let certificates = try Certificates()
        try await withServer(certificates) { port in
            let proxy = try RawServer { connection in
                guard let request = connection.readRequest(), request.hasPrefix("CONNECT 127.0.0.1:\(port) ") else {
                    return
                }
                connection.write("HTTP/1.1 200 Connected\r\nX-Proxy: yes\r\n\r\n")
                connection.tunnel(to: port)
            }
            let configuration = TransportConfiguration(
                server: "https://127.0.0.1:\(port)", certificateAuthorityPEM: certificates.authorityPEM,
                proxyURL: proxy.url)
            let response = try await CurlTransport(configuration).send(HTTPRequest(.post, "/", body: [1]))
            #expect(response.headers["X-Proxy"] == nil)
            #expect(try await response.text() == "nobody at 127.0.0.1:\(port) sent 1")
            #expect(proxy.connectionCount == 1)
        }
    }

    @Test func aProxyThatRefusesIsAFailureAndNoAnswer() async throws {
        let proxy = try RawServer { connection in
            _ = connection.readRequest()
            connection.answer("no", status: "403 Forbidden")
        }
        let error = try await code(TransportConfiguration(server: "https://127.0.0.1:1", proxyURL: proxy.url))
        #expect(error != nil)
        #expect(error?.detail.contains("403") == true, "\(String(describing: error))")
    }

    @Test func aServerThatNeverShakesHandsHasSeenNothing() async throws {
        let server = try RawServer { $0.awaitEnd() }
        let configuration = TransportConfiguration(
            server: "https://127.0.0.1:\(server.port)", connectTimeout: .milliseconds(200))
        #expect(try await code(configuration)?.code == .connect)
    }

    @Test func aServerThatSpeaksNoTLSIsATLSFailure() async throws {
        let server = try RawServer { connection in
            connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.awaitEnd()
        }
        #expect(try await code(TransportConfiguration(server: "https://127.0.0.1:\(server.port)"))?.code == .tls)
    }

    @Test(arguments: [
        TransportConfiguration(server: "https://a", certificateAuthorityPEM: []),
        TransportConfiguration(server: "https://a", clientCertificatePEM: [1]),
        TransportConfiguration(server: "https://a", clientKeyPEM: [1]),
        TransportConfiguration(server: "https://a", tlsServerName: "a:1:b:2"),
        TransportConfiguration(server: "https://a", tlsServerName: ""),
    ])
    func aConfigurationThatCannotBeMeantIsRefused(_ configuration: TransportConfiguration) {
        let error = #expect(throws: HTTPTransportError.self) { try CurlTransport(configuration) }
        #expect(error?.code == .invalidRequest)
    }
}
