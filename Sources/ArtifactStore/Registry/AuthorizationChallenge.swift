/// What a server wants to know of a client: `Bearer realm="https://…",service="…"` (RFC 9110 §11.6.1).
struct AuthorizationChallenge: Hashable {
    /// In lower case.
    var scheme: String
    /// Names in lower case.
    var parameters: [String: String]

    /// Reads one challenge. A header field with several is read up to the second.
    init?(_ text: String) {
        var rest = text.utf8[...]
        func skip(_ bytes: String) { rest = rest.drop { bytes.utf8.contains($0) } }
        func take(until bytes: String) -> String {
            let part = rest.prefix { !bytes.utf8.contains($0) }
            rest = rest.dropFirst(part.count)
            return String(decoding: part, as: UTF8.self)
        }
        skip(" \t")
        scheme = take(until: " \t,").lowercased()
        guard !scheme.isEmpty else { return nil }
        parameters = [:]
        while true {
            skip(" \t,")
            let name = take(until: "= \t,").lowercased()
            // Another challenge, or the end.
            guard !name.isEmpty, rest.first == UInt8(ascii: "=") else { return }
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "\"") {
                rest = rest.dropFirst()
                guard let value = Self.quoted(&rest) else { return nil }
                parameters[name] = value
            } else {
                parameters[name] = take(until: " \t,")
            }
        }
    }

    /// What stands before the closing quote, which it goes behind; nil where there is none.
    private static func quoted(_ rest: inout Substring.UTF8View.SubSequence) -> String? {
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: value, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                value.append(next)
            default: value.append(byte)
            }
        }
        return nil
    }
}
