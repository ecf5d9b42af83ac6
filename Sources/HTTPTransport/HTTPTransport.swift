/// Sends requests: the one seam between the Kubernetes client and the network, and what tests replace.
public protocol HTTPTransport: Sendable {
    /// Sends a request and returns once the response's head has arrived.
    ///
    /// Cancelling the task ends the transfer; so does dropping the response's body unread.
    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse
}

public struct HTTPRequest: Sendable {
    public enum Method: String, Sendable, Hashable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    public var method: Method
    /// An origin-form target, `/api/v1/pods?limit=500`, percent-encoded already. The transport knows the server.
    public var target: String
    public var headers: HTTPHeaders
    public var body: [UInt8]?
    /// How the transfer is bounded and flows.
    public var delivery: Delivery
    /// It is sent though the task was cancelled: for what tidies up after it. `delivery` bounds it.
    public var outlivesTask = false

    public enum Delivery: Sendable, Hashable {
        /// A whole answer: connect, send and read within `timeout`.
        case unary(timeout: Duration)
        /// A long stream whose head is due within 30 s, and that fails when nothing arrives for `idleTimeout`. It may share
        /// a connection, and then ends as `.outrun` when it comes faster than it is read.
        case watch(idleTimeout: Duration)
        /// A long or large body, which waits for its reader on a connection of its own: it fails when nothing is sent or
        /// arrives for `idleTimeout` while wanted.
        case stream(idleTimeout: Duration)
    }

    public init(
        _ method: Method,
        _ target: String,
        headers: HTTPHeaders = HTTPHeaders(),
        body: [UInt8]? = nil,
        delivery: Delivery = .unary(timeout: .seconds(30))
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.delivery = delivery
    }
}

/// Header fields in the order sent. Names compare without regard to case (RFC 9110 §5.1).
public struct HTTPHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    public struct Field: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public private(set) var fields: [Field]

    public init(_ fields: [Field] = []) { self.fields = fields }
    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { Field(name: $0.0, value: $0.1) }
    }

    /// The first value of that name. Setting replaces all of them; nil removes them.
    public subscript(name: String) -> String? {
        get { fields.first { Self.isSame($0.name, name) }?.value }
        set {
            fields.removeAll { Self.isSame($0.name, name) }
            if let newValue { fields.append(Field(name: name, value: newValue)) }
        }
    }

    public mutating func add(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

    public func values(_ name: String) -> [String] {
        fields.filter { Self.isSame($0.name, name) }.map(\.value)
    }

    /// By bytes, for names are of ASCII, and copies in lower case would cost more than all the rest.
    public static func isSame(_ name: String, _ other: String) -> Bool {
        name.utf8.count == other.utf8.count && zip(name.utf8, other.utf8).allSatisfy { $0.lowercased == $1.lowercased }
    }
}

extension UInt8 {
    fileprivate var lowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}

public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: HTTPBody

    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: HTTPBody) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A response's body: byte chunks as they arrive. It is read once, by one task.
public struct HTTPBody: Sendable {
    /// The next bytes, however they were cut; nil at the end. Throws when the transfer broke off.
    public let next: @Sendable () async throws(HTTPTransportError) -> [UInt8]?

    public init(_ next: @escaping @Sendable () async throws(HTTPTransportError) -> [UInt8]?) { self.next = next }

    /// The whole body; throws `.tooLarge` beyond `limit` bytes.
    public func collect(limit: Int = 256 << 20) async throws(HTTPTransportError) -> [UInt8] {
        var result: [UInt8] = []
        while let chunk = try await next() {
            guard result.count + chunk.count <= limit else { throw HTTPTransportError(.tooLarge(limit: limit)) }
            result += chunk
        }
        return result
    }
}

/// Why no answer, or only a part of one, came.
public struct HTTPTransportError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Nothing was sent: refused, unreachable, unresolved.
        case connect
        /// The TLS handshake failed, or the peer's certificate was not accepted.
        case tls
        /// The time ran out; whether the request was carried out is unknown.
        case timeout
        /// The connection broke after the request may have been sent; whether it was carried out is unknown.
        case broken
        case cancelled
        /// The transport was shut down.
        case closed
        case tooLarge(limit: Int)
        /// A watch sent more than `limit` bytes that nobody had read yet, on a connection that others share. Asked for as
        /// a `.stream`, it waits for its reader.
        case outrun(limit: Int)
        /// The request itself cannot be sent, for example for a bad URL.
        case invalidRequest
    }

    public var code: Code
    /// What the library beneath said, without secrets.
    public var detail: String

    public init(_ code: Code, detail: String = "") {
        self.code = code
        self.detail = detail
    }

    /// True where the server cannot have seen the request, so that sending it again is always right.
    public var requestWasNotSent: Bool { code == .connect || code == .tls || code == .invalidRequest }

    public var description: String { detail.isEmpty ? "\(code)" : "\(code): \(detail)" }
}
