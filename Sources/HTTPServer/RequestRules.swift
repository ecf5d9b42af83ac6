package import NIOHTTP1

/// Why a request is answered by the server itself, after which the connection ends.
package struct Rejection: Error, Sendable, Hashable {
    package var status: Int
    package var message: String

    package init(status: Int, message: String) {
        self.status = status
        self.message = message
    }
}

/// What the head of an accepted request says about its message.
package struct RequestFacts: Sendable, Hashable {
    /// In origin form.
    package var target = ""
    package var host: String?
    /// Nil where none is given: the body is chunked, or there is none.
    package var contentLength: Int?
    package var isChunked = false
    package var expectsContinue = false
    /// False also after an offer to upgrade, which is never taken up here: the parser reads no further.
    package var keepsAlive = false
    /// The values of Connection, as they came; empty in nearly every request.
    package var connection: [String] = []
}

/// What NIO's parser lets through and we do not, each with the rule that it breaks.
package enum RequestRules {
    /// Goes over the fields once: this is done for every request that a gateway forwards.
    package static func check(
        _ head: HTTPRequestHead, _ limits: HTTPServerLimits
    ) throws(Rejection) -> RequestFacts {
        guard head.version.major == 1, head.version.minor <= 1 else {
            throw Rejection(status: 505, message: "only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        if head.uri.utf8.count > limits.headerLine {
            throw Rejection(status: 414, message: "the target is longer than \(limits.headerLine) bytes")
        }
        if head.headers.count > limits.headerCount {
            throw Rejection(status: 431, message: "more than \(limits.headerCount) header fields")
        }
        var reading = Reading()
        try reading.take(head.headers, limits)
        let isOld = head.version.minor == 0
        try reading.checkHost(isOld: isOld)
        try reading.checkFraming(isOld: isOld, limits)
        reading.facts.target = try reading.target(head)
        reading.facts.keepsAlive = !isOld && head.isKeepAlive && !reading.offersUpgrade
        reading.facts.expectsContinue = reading.facts.expectsContinue && !isOld
        return reading.facts
    }
}

/// What one pass over the fields has found.
private struct Reading {
    var facts = RequestFacts()
    var hosts = 0
    var codings = 0
    var lastCoding = ""
    var lengths = 0
    var lengthsDiffer = false
    var length = ""
    var offersUpgrade = false

    mutating func take(_ headers: HTTPHeaders, _ limits: HTTPServerLimits) throws(Rejection) {
        var total = 0
        for (name, value) in headers {
            let line = name.utf8.count + value.utf8.count + 2
            if line > limits.headerLine {
                throw Rejection(status: 431, message: "a header field is longer than \(limits.headerLine) bytes")
            }
            total += line + 2
            note(name, value)
        }
        if total > limits.headerTotal {
            throw Rejection(status: 431, message: "the header is longer than \(limits.headerTotal) bytes")
        }
    }

    private mutating func note(_ name: String, _ value: String) {
        switch name.utf8.count {
        case 4 where name.isField("host"):
            hosts += 1
            facts.host = value
        case 6 where name.isField("expect"): facts.expectsContinue = value.lowercased() == "100-continue"
        case 7 where name.isField("upgrade"): offersUpgrade = true
        case 10 where name.isField("connection"): facts.connection.append(value)
        case 14 where name.isField("content-length"):
            if lengths > 0, value != length { lengthsDiffer = true }
            lengths += 1
            length = value
        case 17 where name.isField("transfer-encoding"):
            codings += 1
            lastCoding = value
        default: break
        }
    }

    /// RFC 9112 §3.2: exactly one Host in HTTP/1.1; two are refused in any version.
    func checkHost(isOld: Bool) throws(Rejection) {
        if hosts > 1 || (hosts == 0 && !isOld) {
            throw Rejection(status: 400, message: "\(hosts) Host header fields where one is required")
        }
        if let host = facts.host, host.utf8.contains(where: { $0 <= 32 || "/?#@\\,".utf8.contains($0) }) {
            throw Rejection(status: 400, message: "the Host header is malformed")
        }
    }

    /// RFC 9112 §6.1: what could be read as two different bodies is refused.
    mutating func checkFraming(isOld: Bool, _ limits: HTTPServerLimits) throws(Rejection) {
        if codings > 0 {
            if isOld { throw Rejection(status: 400, message: "Transfer-Encoding is not known to HTTP/1.0") }
            if lengths > 0 { throw Rejection(status: 400, message: "both Content-Length and Transfer-Encoding") }
            if codings > 1 || lastCoding.lowercased() != "chunked" {
                throw Rejection(status: 501, message: "the transfer coding is not chunked")
            }
            facts.isChunked = true
        }
        if lengths > 0 {
            guard !lengthsDiffer, length.utf8.allSatisfy({ (48...57).contains($0) }), let count = Int(length) else {
                throw Rejection(status: 400, message: "the Content-Length is malformed")
            }
            if count > limits.body {
                throw Rejection(status: 413, message: "the body is longer than \(limits.body) bytes")
            }
            facts.contentLength = count
        }
    }

    /// The target in origin form; of an absolute one, which a server must accept, what follows the authority.
    ///
    /// RFC 9112 §3.2.2 has a proxy replace Host by the authority. Two readers could differ on which counts, so a pair that
    /// differs is refused.
    func target(_ head: HTTPRequestHead) throws(Rejection) -> String {
        if head.method == .CONNECT { throw Rejection(status: 501, message: "this is not a proxy") }
        if head.uri.utf8.contains(where: { $0 <= 32 || $0 == UInt8(ascii: "#") || $0 == 127 }) {
            throw Rejection(status: 400, message: "the request's target is malformed")
        }
        if head.uri.utf8.first == UInt8(ascii: "/") || (head.uri == "*" && head.method == .OPTIONS) { return head.uri }
        for scheme in ["http://", "https://"] where head.uri.lowercased().hasPrefix(scheme) {
            let rest = head.uri.dropFirst(scheme.count)
            let index = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) ?? rest.endIndex
            try checkAuthority(String(rest[..<index]), isSecure: scheme == "https://")
            guard index < rest.endIndex else { return "/" }
            return rest[index] == "/" ? String(rest[index...]) : "/" + rest[index...]
        }
        throw Rejection(status: 400, message: "the request's target is malformed")
    }

    private func checkAuthority(_ authority: String, isSecure: Bool) throws(Rejection) {
        let usual = isSecure ? ":443" : ":80"
        func plain(_ text: String) -> String {
            let text = text.lowercased()
            return text.hasSuffix(usual) ? String(text.dropLast(usual.count)) : text
        }
        if authority.isEmpty || authority.utf8.contains(UInt8(ascii: "@")) {
            throw Rejection(status: 400, message: "the request's target is malformed")
        }
        if let host = facts.host, plain(host) != plain(authority) {
            throw Rejection(status: 400, message: "the Host header differs from the request's target")
        }
    }
}

extension String {
    /// Whether this is a field's name, whatever its case.
    ///
    /// - Parameter lowercase: the name in lower case.
    package func isField(_ lowercase: StaticString) -> Bool {
        let count = lowercase.utf8CodeUnitCount
        guard utf8.count == count else { return false }
        let other = UnsafeBufferPointer(start: lowercase.utf8Start, count: count)
        var index = 0
        for byte in utf8 {
            let folded = (65...90).contains(byte) ? byte | 0x20 : byte
            if folded != other[index] { return false }
            index += 1
        }
        return true
    }
}
