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

@Suite struct ProxyTests {
    /// A server by TLS under a name, which says what it was asked for, and the authority that it is verified by.
    private func withServer(
        _ name: String, _ body: @escaping @Sendable (_ port: Int, _ authority: [UInt8]) async throws -> Void
    ) async throws {
        let now = SystemTime().wallNow()
        let authority = try CertificateAuthority(commonName: "test", now: now)
        let request = CertificateRequest(
            commonName: name, dnsNames: [name], ipAddresses: ["127.0.0.1"], usage: .server)
        let issued = try authority.issue(request, now: now)
        let context = try TLSContext(
            serverCertificateChainPEM: Array(issued.certificatePEM.utf8),
            privateKeyPEM: Array(issued.privateKeyPEM.utf8))
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = HTTPServer(tls: context, logger: logger) { request in
            .text("\(request.headers["Host"] ?? "") \(request.headers["Proxy-Authorization"] ?? "none")")
        }
        try await withHTTPServer(server) { port in try await body(port, Array(authority.certificatePEM.utf8)) }
    }

    private static func send(_ configuration: TransportConfiguration) async throws -> String {
        try await CurlTransport(configuration).send(HTTPRequest(.get, "/")).text()
    }

    /// In a process of its own: every program that another test starts would inherit such an environment.
    @Test func aProxyOfTheEnvironmentIsNotUsed() async {
        await #expect(processExitsWith: .success) {
            for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
                setenv(name, "http://127.0.0.1:1", 1)
            }
            let server = try RawServer { connection in
                while connection.readRequest() != nil { connection.answer("directly") }
            }
            let configuration = TransportConfiguration(server: server.url)
            #expect(try await Self.send(configuration) == "directly")
        }
    }

    @Test func thePasswordInTheURLGoesToTheProxyAndNoFurther() async throws {
        try await withServer("kubernetes") { port, authority in
            let proxy = try RawServer { connection in
                guard let request = connection.readRequest() else { return }
                // user:p@ss
                guard request.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n") else {
                    connection.answer("", status: "407 Proxy Authentication Required")
                    return
                }
                connection.write("HTTP/1.1 200 Connected\r\n\r\n")
                connection.tunnel(to: port)
            }
            var configuration = TransportConfiguration(
                server: "https://127.0.0.1:\(port)", certificateAuthorityPEM: authority,
                proxyURL: "http://user:p%40ss@127.0.0.1:\(proxy.port)")
            #expect(try await Self.send(configuration) == "127.0.0.1:\(port) none")
            #expect(proxy.requests.first?.hasPrefix("CONNECT 127.0.0.1:\(port) ") == true)
            configuration.proxyURL = "http://user:canary@127.0.0.1:\(proxy.port)"
            let error = await failure { _ = try await Self.send(configuration) }
            #expect(error?.detail.contains("407") == true, "\(String(describing: error))")
            #expect(error?.detail.contains("canary") == false)
        }
    }

    @Test func behindAProxyTheTLSServerNameIsVerifiedAndTheServerIsConnectedTo() async throws {
        try await withServer("kubernetes") { port, authority in
            let proxy = try RawServer { connection in
                guard connection.readRequest() != nil else { return }
                connection.write("HTTP/1.1 200 Connected\r\n\r\n")
                connection.tunnel(to: port)
            }
            var configuration = TransportConfiguration(
                server: "https://far.example:\(port)", certificateAuthorityPEM: authority,
                tlsServerName: "kubernetes", proxyURL: proxy.url)
            #expect(try await Self.send(configuration) == "far.example:\(port) none")
            #expect(proxy.requests.first?.hasPrefix("CONNECT far.example:\(port) ") == true)
            configuration.tlsServerName = nil
            #expect(await failure { _ = try await Self.send(configuration) }?.code == .tls)
        }
    }

    @Test func aSOCKSProxyResolvesTheServersName() async throws {
        try await withServer("kubernetes.invalid") { port, authority in
            let asked = Locked<[UInt8]>([])
            let proxy = try RawServer { connection in
                var bytes = [UInt8](repeating: 0, count: 512)
                // RFC 1928: the client's methods, ours (none), its request, success.
                guard recv(connection.descriptor, &bytes, bytes.count, 0) > 2, bytes[0] == 5 else { return }
                connection.write([5, 0])
                let count = recv(connection.descriptor, &bytes, bytes.count, 0)
                guard count > 4 else { return }
                asked.withLock { $0 = Array(bytes[..<count]) }
                connection.write([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                connection.tunnel(to: port)
            }
            let configuration = TransportConfiguration(
                server: "https://kubernetes.invalid:\(port)", certificateAuthorityPEM: authority,
                proxyURL: "socks5://127.0.0.1:\(proxy.port)")
            #expect(try await Self.send(configuration) == "kubernetes.invalid:\(port) none")
            let name = Array("kubernetes.invalid".utf8)
            #expect(
                asked.withLock { $0 }
                    == [5, 1, 0, 3, UInt8(name.count)] + name + [UInt8(port >> 8), UInt8(port & 255)],
                "CONNECT to a name")
        }
    }

    /// The proxy is a server that refuses CONNECT; what counts is whether it is spoken to at all.
    @Test func aProxyByTLSIsVerifiedAsTheServerIs() async throws {
        let stranger = try CertificateAuthority(commonName: "other", now: SystemTime().wallNow())
        try await withServer("proxy") { port, authority in
            var configuration = TransportConfiguration(
                server: "https://far.example", certificateAuthorityPEM: authority,
                proxyURL: "https://127.0.0.1:\(port)")
            let refused = await failure { _ = try await Self.send(configuration) }
            #expect(refused?.detail.contains("CONNECT") == true, "\(String(describing: refused))")
            configuration.certificateAuthorityPEM = Array(stranger.certificatePEM.utf8)
            let error = await failure { _ = try await Self.send(configuration) }
            #expect(error?.code == .tls, "\(String(describing: error))")
        }
    }

    @Test(arguments: ["", "proxy:3128", "ftp://proxy", "socks4://proxy", "http://", "http://@:", "http://a b"])
    func aProxyThatCannotBeMeantIsRefused(_ url: String) {
        let error = #expect(throws: HTTPTransportError.self) {
            try CurlTransport(TransportConfiguration(server: "https://a", proxyURL: url))
        }
        #expect(error?.code == .invalidRequest)
        #expect(error?.detail.hasPrefix("the proxy's URL") == true)
    }
}
