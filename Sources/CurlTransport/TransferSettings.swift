import HTTPTransport

/// A transport's configuration, checked.
struct TransferSettings: Sendable {
    var server: ServerAddress
    var configuration: TransportConfiguration
    /// In libcurl's words; empty for none.
    var proxy = ""

    init(_ configuration: TransportConfiguration) throws(HTTPTransportError) {
        server = try ServerAddress(configuration.server)
        self.configuration = configuration
        if let name = configuration.tlsServerName {
            let allowed = name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")].contains($0)
            }
            guard allowed, !name.isEmpty else {
                throw HTTPTransportError(.invalidRequest, detail: "the TLS server name is no host name")
            }
        }
        if let url = configuration.proxyURL { proxy = try Self.proxy(url) }
        // Taken for no authority, it would let those of the system count.
        guard configuration.certificateAuthorityPEM?.isEmpty != true else {
            throw HTTPTransportError(.invalidRequest, detail: "the certificate authority is empty")
        }
        if let signing = configuration.signing { try Self.check(signing) }
        guard (configuration.clientCertificatePEM == nil) == (configuration.clientKeyPEM == nil) else {
            throw HTTPTransportError(.invalidRequest, detail: "a client certificate and its key go together")
        }
    }

    /// What libcurl would cut or put into a header as it is.
    private static func check(_ signing: RequestSigning) throws(HTTPTransportError) {
        let isPlain = [signing.region, signing.service].allSatisfy { part in
            (1...64).contains(part.utf8.count)
                && part.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") }
        }
        guard isPlain else { throw HTTPTransportError(.invalidRequest, detail: "the region to sign for is none") }
        let words = [signing.accessKey, signing.secretKey] + (signing.sessionToken.map { [$0] } ?? [])
        guard words.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } }) else {
            throw HTTPTransportError(.invalidRequest, detail: "a key to sign with is empty or has odd characters")
        }
    }

    /// Clients of Kubernetes mean by `socks5` that the proxy resolves the server's name, which libcurl calls `socks5h`.
    private static func proxy(_ url: String) throws(HTTPTransportError) -> String {
        func refuse(_ why: String) -> HTTPTransportError {
            HTTPTransportError(.invalidRequest, detail: "the proxy's URL \(why)")
        }
        guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw refuse("contains a space, a control character or one that is not ASCII")
        }
        let parts = url.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, ["http", "https", "socks5", "socks5h"].contains(parts[0]) else {
            throw refuse("begins neither with http:// nor with https:// or socks5://")
        }
        guard parts[1].contains(where: { $0 != "/" && $0 != "@" && $0 != ":" }) else { throw refuse("has no host") }
        return parts[0] == "socks5" ? "socks5h://\(parts[1])" : url
    }

    /// The host in URLs, from which libcurl takes the name that it asks for and verifies. Where that is another than the
    /// server's, the connection goes to the server by `connectTo`, and `Host` names the server.
    var urlHost: String { server.isTLS ? configuration.tlsServerName ?? server.host : server.host }
    var connectTo: String? {
        urlHost == server.host ? nil : "\(urlHost):\(server.port):\(server.host):\(server.port)"
    }
}

/// PEM bytes at a fixed address, as libcurl's options for in-memory certificates want them.
struct PinnedBytes: ~Copyable {
    let pointer: UnsafeMutableRawBufferPointer

    init?(_ bytes: [UInt8]?) {
        guard let bytes, !bytes.isEmpty else { return nil }
        pointer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        pointer.copyBytes(from: bytes)
    }

    deinit {
        // Keys do not stay behind in freed memory.
        pointer.initializeMemory(as: UInt8.self, repeating: 0)
        pointer.deallocate()
    }
}
