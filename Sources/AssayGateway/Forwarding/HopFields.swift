import HTTPServer

/// Fields that belong to one connection and are not forwarded (RFC 9110 §7.6.1), and those that only we may set.
enum HopFields {
    /// Of a request, whatever its Connection field says. Many servers hand fields to programs by names in which `-` and `_` are
    /// one, so a field that differs from ours only in these is ours too.
    static func isOursInRequest(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2: name.reads(as: "te")
        case 4: name.reads(as: "host")
        case 6: name.reads(as: "expect")
        case 7: name.reads(as: "upgrade") || name.reads(as: "trailer")
        case 9: name.reads(as: "forwarded") || name.reads(as: "x-real-ip")
        case 10: name.reads(as: "connection") || name.reads(as: "keep-alive")
        case 12: name.reads(as: "x-request-id")
        case 14:
            name.reads(as: "content-length") || name.reads(as: "http2-settings") || name.reads(as: CallerGate.field)
        case 15: name.reads(as: "x-forwarded-for")
        case 16:
            name.reads(as: "proxy-connection") || name.reads(as: "x-forwarded-host")
                || name.reads(as: "x-forwarded-port")
        case 17: name.reads(as: "transfer-encoding") || name.reads(as: "x-forwarded-proto")
        case 18: name.reads(as: "x-forwarded-server") || name.reads(as: "x-forwarded-prefix")
        case 19: name.reads(as: "proxy-authorization")
        default: false
        }
    }

    /// By which callers say who they are; it ends here where it was for us.
    static func isCredential(_ name: String) -> Bool {
        name.utf8.count == 13 && name.reads(as: "authorization")
    }

    /// Of a response.
    static func isOursInResponse(_ name: String) -> Bool {
        switch name.utf8.count {
        case 7: name.isField("upgrade") || name.isField("trailer")
        case 10: name.isField("connection") || name.isField("keep-alive")
        case 14: name.isField("content-length")
        case 16: name.isField("proxy-connection")
        case 17: name.isField("transfer-encoding")
        case 18: name.isField("proxy-authenticate")
        default: false
        }
    }

    /// What must not come after a body, for it says how a message is read, routed or trusted (RFC 9110 §6.5.1).
    static func isForbiddenInTrailer(_ name: String) -> Bool {
        if isOursInRequest(name) || isOursInResponse(name) { return true }
        return [
            "authorization", "cookie", "set-cookie", "content-encoding", "content-type", "content-range",
            "cache-control",
        ]
        .contains(name.lowercased())
    }

    /// The field names that Connection fields list, in lower case, without `close` and `keep-alive`.
    static func listed(_ connection: [String]) -> [String] {
        if connection.isEmpty { return [] }
        var result: [String] = []
        for value in connection where !value.isField("keep-alive") && !value.isField("close") {
            for part in value.split(separator: ",") {
                let name = part.lowercased().filter { $0 != " " && $0 != "\t" }
                if name != "close", name != "keep-alive", !name.isEmpty { result.append(name) }
            }
        }
        return result
    }
}

extension String {
    /// Whether this is a field's name to a server that takes `_` for `-`.
    ///
    /// - Parameter lowercase: the name in lower case.
    fileprivate func reads(as lowercase: StaticString) -> Bool {
        let other = UnsafeBufferPointer(start: lowercase.utf8Start, count: lowercase.utf8CodeUnitCount)
        return utf8.elementsEqual(other) { byte, wanted in
            switch byte {
            case 65...90: byte | 0x20 == wanted
            case UInt8(ascii: "_"): wanted == UInt8(ascii: "-")
            default: byte == wanted
            }
        }
    }
}
