import HTTPServer

/// Fields that belong to one connection and are not forwarded (RFC 9110 §7.6.1), and those that only we may set.
enum HopFields {
    /// Of a request, whatever its Connection field says.
    static func isOursInRequest(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2: name.isField("te")
        case 4: name.isField("host")
        case 6: name.isField("expect")
        case 7: name.isField("upgrade") || name.isField("trailer")
        case 9: name.isField("forwarded") || name.isField("x-real-ip")
        case 10: name.isField("connection") || name.isField("keep-alive")
        case 12: name.isField("x-request-id")
        case 14: name.isField("content-length") || name.isField("http2-settings")
        case 15: name.isField("x-forwarded-for")
        case 16:
            name.isField("proxy-connection") || name.isField("x-forwarded-host") || name.isField("x-forwarded-port")
        case 17: name.isField("transfer-encoding") || name.isField("x-forwarded-proto")
        case 18: name.isField("x-forwarded-server") || name.isField("x-forwarded-prefix")
        case 19: name.isField("proxy-authorization")
        default: false
        }
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
