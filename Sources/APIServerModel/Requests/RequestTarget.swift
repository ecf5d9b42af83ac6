/// A request's path and query, taken apart and decoded.
struct RequestTarget: Sendable {
    var segments: [String]
    var query: [String: [String]]

    init(_ target: String) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        segments = (parts.first ?? "").split(separator: "/").map { Self.decode($0, plusIsSpace: false) }
        query = [:]
        guard parts.count > 1 else { return }
        for pair in parts[1].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.decode(sides[0], plusIsSpace: true)
            query[name, default: []].append(sides.count > 1 ? Self.decode(sides[1], plusIsSpace: true) : "")
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

    private static func decode(_ text: Substring, plusIsSpace: Bool) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var output: [UInt8] = []
        let bytes = Array(text.utf8)
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
