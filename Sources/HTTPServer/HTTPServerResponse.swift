public import HTTPTransport

/// What a handler answers. Content-Length, Transfer-Encoding, Connection and Date are the server's to set.
public struct HTTPServerResponse: Sendable {
    public enum Body: Sendable {
        case bytes([UInt8])
        /// Written piece by piece, each flushed at once. The closure runs in the handler's task, which is cancelled
        /// when the client goes. Where it throws, the connection is cut so that the client sees a broken answer.
        case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
    }

    public var status: Int
    public var headers: HTTPHeaders
    public var body: Body

    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A plain text.
    public static func text(_ text: String, status: Int = 200) -> HTTPServerResponse {
        HTTPServerResponse(
            status: status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: .bytes(Array(text.utf8)))
    }
}

/// Writes the body of one streaming response, while its closure runs.
public struct HTTPBodyWriter: Sendable {
    let connection: HTTPConnection
    let exchange: UInt64
    let isChunked: Bool
    /// False for an answer without a body, to HEAD: then writing does nothing.
    let hasBody: Bool

    /// Writes bytes and returns once the operating system has taken them.
    ///
    /// Throws ``HTTPClientGone`` when the client is gone, does not read for too long, or the response is over.
    public func write(_ bytes: [UInt8]) async throws(HTTPClientGone) {
        if bytes.isEmpty || !hasBody { return }
        try await connection.writeChunk(bytes, isChunked: isChunked, exchange: exchange)
    }

    public func write(_ text: String) async throws(HTTPClientGone) { try await write(Array(text.utf8)) }
}

/// The client closed its connection, or lost it.
public struct HTTPClientGone: Error, Sendable, Hashable, CustomStringConvertible {
    public init() {}
    public var description: String { "the client is gone" }
}
