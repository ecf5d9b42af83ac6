import JSON
import NIOCore
import NIOHTTP1

/// What the gateway answers in a pod's place: a status and `{"error": "…"}`, as the Open Inference Protocol has it.
struct GatewayAnswer: Error, Sendable, Hashable {
    var status: Int
    var message: String
    /// Seconds after which the client may try again; nil where that would help nothing.
    var retryAfter: Int?
    /// How the client is to say who it is (RFC 6750 §3).
    var challenge: String?

    init(_ status: Int, _ message: String, retryAfter: Int? = nil, challenge: String? = nil) {
        self.challenge = challenge
        self.status = status
        self.message = message
        self.retryAfter = retryAfter
    }

    func write(to buffer: inout ByteBuffer, isHead: Bool, keepsAlive: Bool, requestID: String?) {
        let object: JSONValue = ["error": .string(message)]
        let body = object.serialized() + "\n"
        let known = HTTPResponseStatus(statusCode: status)
        buffer.writeString("HTTP/1.1 \(known.code) \(known.reasonPhrase)\r\nContent-Type: application/json")
        buffer.writeString("\r\nContent-Length: \(body.utf8.count)")
        if let retryAfter { buffer.writeString("\r\nRetry-After: \(retryAfter)") }
        if let challenge { buffer.writeField("WWW-Authenticate", challenge) }
        if let requestID { buffer.writeField("X-Request-Id", requestID) }
        if !keepsAlive { buffer.writeStaticString("\r\nConnection: close") }
        buffer.writeStaticString("\r\n\r\n")
        if !isHead { buffer.writeString(body) }
    }
}
