internal import NIOHTTP1

/// Why a request is answered by the server itself, after which the connection ends.
struct Rejection: Error, Sendable, Hashable {
    var status: Int
    var message: String
}

/// What NIO's parser lets through and we do not, each with the rule that it breaks.
enum RequestRules {
    /// - Returns: The request's target in origin form.
    static func check(_ head: HTTPRequestHead, _ limits: HTTPServerLimits) throws(Rejection) -> String {
        guard head.version.major == 1, head.version.minor <= 1 else {
            throw Rejection(status: 505, message: "only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        try checkSize(head, limits)
        try checkHost(head)
        try checkFraming(head, limits)
        return try target(head)
    }

    private static func checkSize(_ head: HTTPRequestHead, _ limits: HTTPServerLimits) throws(Rejection) {
        if head.uri.utf8.count > limits.headerLine {
            throw Rejection(status: 414, message: "the target is longer than \(limits.headerLine) bytes")
        }
        if head.headers.count > limits.headerCount {
            throw Rejection(status: 431, message: "more than \(limits.headerCount) header fields")
        }
        var total = 0
        for (name, value) in head.headers {
            let line = name.utf8.count + value.utf8.count + 2
            if line > limits.headerLine {
                throw Rejection(status: 431, message: "a header field is longer than \(limits.headerLine) bytes")
            }
            total += line + 2
        }
        if total > limits.headerTotal {
            throw Rejection(status: 431, message: "the header is longer than \(limits.headerTotal) bytes")
        }
    }

    /// RFC 9112 §3.2: exactly one Host in HTTP/1.1; two are refused in any version.
    private static func checkHost(_ head: HTTPRequestHead) throws(Rejection) {
        let hosts = head.headers["host"]
        if hosts.count > 1 || (hosts.isEmpty && head.version.minor == 1) {
            throw Rejection(status: 400, message: "\(hosts.count) Host header fields where one is required")
        }
        if let host = hosts.first, host.utf8.contains(where: { $0 <= 32 || "/?#@\\,".utf8.contains($0) }) {
            throw Rejection(status: 400, message: "the Host header is malformed")
        }
    }

    /// RFC 9112 §6.1: what could be read as two different bodies is refused.
    private static func checkFraming(_ head: HTTPRequestHead, _ limits: HTTPServerLimits) throws(Rejection) {
        let codings = head.headers["transfer-encoding"]
        let lengths = head.headers["content-length"]
        if !codings.isEmpty {
            if head.version.minor == 0 {
                throw Rejection(status: 400, message: "Transfer-Encoding is not known to HTTP/1.0")
            }
            if !lengths.isEmpty {
                throw Rejection(status: 400, message: "both Content-Length and Transfer-Encoding")
            }
            if codings.count > 1 || codings[0].lowercased() != "chunked" {
                throw Rejection(status: 501, message: "the transfer coding is not chunked")
            }
        }
        if let length = lengths.first {
            guard lengths.allSatisfy({ $0 == length }), let count = Int(length), count >= 0 else {
                throw Rejection(status: 400, message: "the Content-Length is malformed")
            }
            if count > limits.body {
                throw Rejection(status: 413, message: "the body is longer than \(limits.body) bytes")
            }
        }
    }

    /// The target in origin form; of an absolute one, which a server must accept, what follows the authority.
    private static func target(_ head: HTTPRequestHead) throws(Rejection) -> String {
        if head.method == .CONNECT { throw Rejection(status: 501, message: "this is not a proxy") }
        if head.uri.hasPrefix("/") || (head.uri == "*" && head.method == .OPTIONS) { return head.uri }
        for scheme in ["http://", "https://"] where head.uri.lowercased().hasPrefix(scheme) {
            let rest = head.uri.dropFirst(scheme.count)
            guard let index = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return "/" }
            return rest[index] == "/" ? String(rest[index...]) : "/" + rest[index...]
        }
        throw Rejection(status: 400, message: "the request's target is malformed")
    }
}
