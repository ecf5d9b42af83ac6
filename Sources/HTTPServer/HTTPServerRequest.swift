public import HTTPTransport
public import OpenSSL

/// Whom a verified client certificate names.
public typealias ClientCertificate = CertificateSubject

/// Our header fields, in files that see NIO's of the same name too.
typealias Fields = HTTPHeaders

/// A whole request, its body read.
public struct HTTPServerRequest: Sendable {
    /// In capitals, as sent.
    public var method: String
    /// In origin form, `/path?query`, percent-encoded as sent.
    public var target: String
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// The peer's IP address; empty where it is not known.
    public var remoteAddress: String
    public var clientCertificate: ClientCertificate?

    public init(
        method: String, target: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [],
        remoteAddress: String = "", clientCertificate: ClientCertificate? = nil
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        self.clientCertificate = clientCertificate
    }

    /// The target before the first `?`, percent-encoded as sent.
    public var path: String { String(Substring(target.utf8.prefix { $0 != UInt8(ascii: "?") })) }

    /// What follows the first `?`, percent-encoded as sent; nil where there is none.
    public var query: String? {
        target.utf8.firstIndex(of: UInt8(ascii: "?")).map { String(target[target.utf8.index(after: $0)...]) }
    }
}
