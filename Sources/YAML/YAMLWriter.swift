public import JSON

extension JSONValue {
    /// The value as YAML for people, in block style; equal values give equal texts. Strings that could be read as something
    /// else are quoted, and texts of several lines stand as they are.
    public var yaml: String {
        var writer = YAMLWriter()
        writer.write(self, depth: 0, isInline: false)
        return writer.text
    }
}

private struct YAMLWriter {
    var text = ""

    /// - Parameter isInline: the text before it, a key or a dash, stands on the same line.
    mutating func write(_ value: JSONValue, depth: Int, isInline: Bool) {
        switch value {
        case .object(let members) where members.count > 0:
            if isInline { text += "\n" }
            for (key, member) in members { write(key, member, depth: depth) }
        case .array(let elements) where !elements.isEmpty:
            if isInline { text += "\n" }
            for element in elements { write(element: element, depth: depth) }
        default:
            if isInline { text += " " }
            text += scalar(value, depth: depth) + "\n"
        }
    }

    private mutating func write(_ key: String, _ member: JSONValue, depth: Int, isIndented: Bool = true) {
        if isIndented { text += indentation(depth) }
        text += (Self.isPlain(key) ? key : Self.quoted(key)) + ":"
        // A list stands as deep as its key, as Kubernetes' own tools write it.
        let isList = if case .array = member { true } else { false }
        write(member, depth: isList ? depth : depth + 1, isInline: true)
    }

    private mutating func write(element: JSONValue, depth: Int) {
        text += indentation(depth) + "-"
        guard case .object(let members) = element, members.count > 0 else {
            write(element, depth: depth + 1, isInline: true)
            return
        }
        text += " "
        for (index, (key, member)) in members.enumerated() {
            write(key, member, depth: depth + 1, isIndented: index > 0)
        }
    }

    /// As JSON has it, but for characters that YAML takes for line breaks, or not at all.
    private static func quoted(_ string: String) -> String {
        JSONValue.string(string).serialized().unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.value {
            case 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    private func indentation(_ depth: Int) -> String { String(repeating: "  ", count: depth) }

    private func scalar(_ value: JSONValue, depth: Int) -> String {
        guard case .string(let string) = value else { return value.serialized() }
        if Self.isPlain(string) { return string }
        guard let lines = Self.lines(of: string) else { return Self.quoted(string) }
        let ending = string.hasSuffix("\n") ? "|" : "|-"
        return ([ending] + lines.map { $0.isEmpty ? "" : indentation(max(1, depth)) + $0 }).joined(separator: "\n")
    }

    /// Of a text that a literal block gives back as it is; nil for any other.
    private static func lines(of string: String) -> [String]? {
        guard string.utf8.contains(UInt8(ascii: "\n")), !string.hasSuffix("\n\n") else { return nil }
        var lines = string.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        // The first line's blanks would be taken for the block's, and blanks at a line's end are what nobody sees.
        guard let first = lines.first, !first.isEmpty, first.utf8.first != UInt8(ascii: " "),
            lines.allSatisfy({ $0.utf8.last != UInt8(ascii: " ") }),
            string.unicodeScalars.allSatisfy({ $0 == "\n" || (0x20..<0x7F).contains($0.value) })
        else { return nil }
        return lines
    }

    /// Words that are read as something else than themselves.
    private static let reserved: Set = ["y", "yes", "n", "no", "true", "false", "on", "off", "null"]

    /// Whether a string is read back as itself without quotes: some are quoted that need not be.
    private static func isPlain(_ string: String) -> Bool {
        guard let first = string.utf8.first, isLetter(first) || first == UInt8(ascii: "/") else { return false }
        let isSafe = string.utf8.allSatisfy { byte in
            isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "/._@:-".utf8.contains(byte)
        }
        return isSafe && string.utf8.last != UInt8(ascii: ":") && !reserved.contains(string.lowercased())
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
