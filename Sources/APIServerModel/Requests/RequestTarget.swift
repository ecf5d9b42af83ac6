/// A request's path and query, taken apart and decoded.
struct RequestTarget: Sendable {
    var segments: [String]
    var query: [String: [String]]

    init(_ target: String) {
        // By bytes: characters cost many times as much, and every separator is one byte.
        let bytes = target.utf8
        let path = bytes.prefix { $0 != UInt8(ascii: "?") }
        segments = path.split(separator: UInt8(ascii: "/")).map { Self.decode($0, plusIsSpace: false) }
        query = [:]
        for pair in bytes[path.endIndex...].dropFirst().split(separator: UInt8(ascii: "&")) {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            let value = pair[name.endIndex...].dropFirst()
            query[Self.decode(name, plusIsSpace: true), default: []].append(Self.decode(value, plusIsSpace: true))
        }
    }

    /// The first value of a query parameter; an empty one counts as absent, as it does in Kubernetes.
    func value(_ name: String) -> String? {
        guard let value = query[name]?.first, !value.isEmpty else { return nil }
        return value
    }

    /// As Go's conversion of query parameters: `false` and `0` are false, all else that is present is true.
    func flag(_ name: String) -> Bool {
        guard let value = query[name]?.first else { return false }
        return value != "false" && value != "0"
    }

    private static func decode(_ text: Substring.UTF8View, plusIsSpace: Bool) -> String {
        guard text.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(Substring(text))
        }
        var output: [UInt8] = []
        let bytes = Array(text)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), index + 2 < bytes.count, let high = nibble(bytes[index + 1]),
                let low = nibble(bytes[index + 2])
            {
                output.append(high << 4 | low)
                index += 3
            } else {
                output.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
