import HTTPServer
import NIOCore
import NIOHTTP1

/// How the body of a response is sent on, and whether the connections can carry another exchange.
struct ResponsePlan: Sendable, Hashable {
    enum Framing: Sendable, Hashable {
        /// None follows.
        case none
        /// As many bytes.
        case length(Int)
        case chunked
        /// Until the connection ends, for clients that do not know chunks.
        case untilClose
    }

    var framing: Framing
    /// The client's connection may carry another request.
    var keepsClient: Bool
    /// The pod's connection may.
    var keepsPod: Bool

    /// What a response may be judged by.
    struct Request: Sendable, Hashable {
        var isHead: Bool
        /// An HTTP/1.0 client.
        var isOld: Bool
        /// What its client asked for, and we are willing to do.
        var keepsAlive: Bool
        /// All of it has been sent on.
        var isComplete: Bool
    }

    /// - Returns: nil where the response cannot be read in one way only, or is one that nobody asked for.
    init?(_ head: HTTPResponseHead, to request: Request) {
        let status = head.status.code
        guard (200...599).contains(status), head.version.major == 1 else { return nil }
        var length: Int?
        var isChunked = false
        var saysClose = false
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 10 where name.isField("connection"):
                if !value.isField("keep-alive"), value.lowercased().contains("close") { saysClose = true }
            case 14 where name.isField("content-length"):
                guard let count = Int(value), count >= 0, length.map({ $0 == count }) ?? true else { return nil }
                length = count
            case 17 where name.isField("transfer-encoding"):
                guard !isChunked, value.lowercased() == "chunked" else { return nil }
                isChunked = true
            default: break
            }
        }
        if isChunked, length != nil { return nil }
        let isBodiless = request.isHead || status == 204 || status == 304
        let endsByClose = !isBodiless && !isChunked && length == nil
        if isBodiless {
            framing = .none
        } else if let length {
            framing = .length(length)
        } else {
            framing = request.isOld ? .untilClose : .chunked
        }
        keepsClient = request.keepsAlive && request.isComplete && framing != .untilClose
        keepsPod = head.version.minor == 1 && !saysClose && !endsByClose && request.isComplete
    }
}

/// Writes the head of a response as the client gets it.
enum ResponseHeadWriter {
    static func write(_ head: HTTPResponseHead, _ plan: ResponsePlan, to buffer: inout ByteBuffer, requestID: String) {
        writeStatus(head.status, to: &buffer)
        var connection: [String] = []
        for (name, value) in head.headers where name.utf8.count == 10 && name.isField("connection") {
            connection.append(value)
        }
        let listed = HopFields.listed(connection)
        var hasID = false
        for (name, value) in head.headers {
            // The length of a body that HEAD or 304 leaves out says something, and is passed on as it is.
            if name.utf8.count == 14, plan.framing == .none, head.status.code != 204, name.isField("content-length") {
                buffer.writeField(name, value)
            }
            if HopFields.isOursInResponse(name) { continue }
            if !listed.isEmpty, listed.contains(name.lowercased()) { continue }
            if name.utf8.count == 12, name.isField("x-request-id") { hasID = true }
            buffer.writeField(name, value)
        }
        if !hasID { buffer.writeField("X-Request-Id", requestID) }
        switch plan.framing {
        case .length(let length):
            buffer.writeStaticString("\r\nContent-Length: ")
            buffer.writeDecimal(length)
        case .chunked: buffer.writeStaticString("\r\nTransfer-Encoding: chunked")
        case .none, .untilClose: break
        }
        if !plan.keepsClient { buffer.writeStaticString("\r\nConnection: close") }
        buffer.writeStaticString("\r\n\r\n")
    }

    private static func writeStatus(_ status: HTTPResponseStatus, to buffer: inout ByteBuffer) {
        if status == .ok {
            buffer.writeStaticString("HTTP/1.1 200 OK")
        } else {
            buffer.writeStaticString("HTTP/1.1 ")
            buffer.writeDecimal(Int(status.code))
            buffer.writeStaticString(" ")
            buffer.writeString(status.reasonPhrase)
        }
    }
}
