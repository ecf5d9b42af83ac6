import HTTPServer
import NIOCore
import NIOHTTP1

/// Writes the head of a request as the pod gets it.
///
/// The message is framed anew from what the rules have read, so that the pod can read it in one way only: no field that
/// the client sent about framing is passed on.
struct RequestHead {
    /// Who sent it, as X-Forwarded-* tell it.
    struct Client {
        /// An IP address.
        var address: String
        /// `http` or `https`.
        var scheme: StaticString
        /// Who it is, where that was asked for.
        var caller: String?
    }

    let head: HTTPRequestHead
    let facts: RequestFacts

    /// Whether a body follows, perhaps an empty one.
    var hasBody: Bool { facts.isChunked || facts.contentLength != nil }

    /// - Parameters:
    ///   - fallbackHost: what an HTTP/1.0 request without Host gets.
    ///   - requestID: what identifies it in logs.
    func write(to buffer: inout ByteBuffer, from client: Client, fallbackHost: String, requestID: String) {
        buffer.writeString(head.method.rawValue)
        buffer.writeStaticString(" ")
        buffer.writeString(facts.target)
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        let host = facts.host ?? fallbackHost
        buffer.writeString(host)
        let listed = HopFields.listed(facts.connection)
        for (name, value) in head.headers where !HopFields.isOursInRequest(name) {
            if !listed.isEmpty, listed.contains(name.lowercased()) { continue }
            if client.caller != nil, HopFields.isCredential(name) { continue }
            buffer.writeField(name, value)
        }
        if facts.isChunked {
            buffer.writeStaticString("\r\nTransfer-Encoding: chunked")
        } else if let length = facts.contentLength {
            buffer.writeStaticString("\r\nContent-Length: ")
            buffer.writeDecimal(length)
        }
        buffer.writeStaticString("\r\nX-Forwarded-For: ")
        buffer.writeString(client.address)
        buffer.writeStaticString("\r\nX-Forwarded-Proto: ")
        buffer.writeStaticString(client.scheme)
        buffer.writeStaticString("\r\nX-Forwarded-Host: ")
        buffer.writeString(host)
        if let caller = client.caller {
            buffer.writeStaticString("\r\nX-Assay-Caller: ")
            buffer.writeString(caller)
        }
        buffer.writeStaticString("\r\nX-Request-Id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString(
            head.version.minor == 0 ? "\r\nVia: 1.0 assay\r\n\r\n" : "\r\nVia: 1.1 assay\r\n\r\n")
    }
}

/// The id by which a request is found in logs.
enum RequestID {
    /// The client's, if it can stand in a header and a log line as it is.
    static func given(_ headers: HTTPHeaders) -> String? {
        var found: String?
        for (name, value) in headers where name.utf8.count == 12 && name.isField("x-request-id") {
            if found != nil { return nil }
            found = value
        }
        guard let found, (1...128).contains(found.utf8.count), found.utf8.allSatisfy(isPlain) else { return nil }
        return found
    }

    /// 32 hexadecimal digits.
    static func make(_ generator: inout some RandomNumberGenerator) -> String {
        String(unsafeUninitializedCapacity: 32) { digits in
            var bits = generator.next()
            for index in 0..<32 {
                if index == 16 { bits = generator.next() }
                let digit = UInt8(truncatingIfNeeded: bits & 15)
                digits[index] = digit < 10 ? 48 + digit : 87 + digit
                bits >>= 4
            }
            return 32
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "/"), UInt8(ascii: "+"), UInt8(ascii: "="):
            true
        default: false
        }
    }
}

extension ByteBuffer {
    /// A line break, then the field; the line is ended by what comes next.
    mutating func writeField(_ name: String, _ value: String) {
        writeStaticString("\r\n")
        writeString(name)
        writeStaticString(": ")
        writeString(value)
    }

    mutating func writeDecimal(_ value: Int) {
        if value < 10 {
            writeInteger(UInt8(48 + max(0, value)))
        } else {
            writeString(String(value))
        }
    }

    /// The line before a chunk's bytes.
    mutating func writeChunkSize(_ count: Int) {
        writeString(String(count, radix: 16))
        writeStaticString("\r\n")
    }

    /// The end of a chunked body.
    mutating func writeLastChunk(trailers: HTTPHeaders?) {
        writeStaticString("0\r\n")
        if let trailers {
            for (name, value) in trailers where !HopFields.isForbiddenInTrailer(name) {
                writeString(name)
                writeStaticString(": ")
                writeString(value)
                writeStaticString("\r\n")
            }
        }
        writeStaticString("\r\n")
    }
}
