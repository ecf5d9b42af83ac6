extension JSONValue {
    /// The canonical text: no white space, members sorted by the bytes of their names, the shortest number that reads
    /// back the same. Equal documents have equal text, so it is what hashes are taken of.
    public func serialized() -> String { String(decoding: serializedBytes(), as: UTF8.self) }

    public func serializedBytes() -> [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    /// Appends the canonical text.
    public func write(to output: inout [UInt8]) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .integer(let value): output += String(value).utf8
        case .number(let value): Self.write(value, to: &output)
        case .string(let value): Self.write(value, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                element.write(to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                Self.write(member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                member.value.write(to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    /// A double that holds an integer is written without a fraction, as Go does, so that 1.0 and 1 hash alike.
    private static func write(_ value: Double, to output: inout [UInt8]) {
        guard value.isFinite else {
            // JSON has no such number, and the parser makes none.
            output += "null".utf8
            return
        }
        if let integer = Int64(exactly: value), abs(value) < 1e15 {
            output += String(integer).utf8
        } else {
            output += value.description.utf8
        }
    }

    private static func write(_ value: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { bytes in
            // Most strings have nothing to escape: they are copied at once.
            if bytes.allSatisfy(isPlain) {
                output.append(contentsOf: bytes)
            } else {
                for byte in bytes { write(byte, to: &output) }
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private static func write(_ byte: UInt8, to output: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""): output += "\\\"".utf8
        case UInt8(ascii: "\\"): output += "\\\\".utf8
        case 0x08: output += "\\b".utf8
        case 0x0C: output += "\\f".utf8
        case 0x0A: output += "\\n".utf8
        case 0x0D: output += "\\r".utf8
        case 0x09: output += "\\t".utf8
        case 0..<0x20:
            let hex = Array("0123456789abcdef".utf8)
            output += "\\u00".utf8
            output.append(hex[Int(byte >> 4)])
            output.append(hex[Int(byte & 15)])
        default: output.append(byte)
        }
    }
}
