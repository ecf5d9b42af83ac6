/// Why a document was refused.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    /// The offset in bytes at which reading stopped.
    public var offset: Int

    public init(_ message: String, offset: Int) {
        self.message = message
        self.offset = offset
    }

    public var description: String { "invalid JSON at byte \(offset): \(message)" }
}

/// Bounds on what a document may hold, so that input from outside cannot exhaust the stack.
public struct JSONLimits: Sendable {
    public var depth: Int
    public init(depth: Int = 512) { self.depth = depth }
    public static let standard = JSONLimits()
}

extension JSONValue {
    /// Parses one JSON document (RFC 8259), which must be all there is.
    ///
    /// Of members with equal names the last one counts, as in Go. A number that overflows a double, invalid UTF-8 and
    /// an unpaired surrogate are refused.
    public init(parsing text: String, limits: JSONLimits = .standard) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    public init(parsing bytes: [UInt8], limits: JSONLimits = .standard) throws(JSONError) {
        try self.init(parsing: bytes[...], limits: limits)
    }

    /// With `fields` only those members are built; what is refused is the same.
    public init(
        parsing bytes: ArraySlice<UInt8>, fields: JSONFields? = nil, limits: JSONLimits = .standard
    ) throws(JSONError) {
        let result: Result<JSONValue, JSONError> = bytes.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(buffer, limits: limits)
            do throws(JSONError) {
                return .success(try parser.document(fields))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }
}

/// A recursive-descent parser over bytes that stay valid while it lives.
struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let limits: JSONLimits
    private var position = 0
    private var depth = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func document(_ fields: JSONFields?) throws(JSONError) -> JSONValue {
        skipSpace()
        let result = try value(fields)
        skipSpace()
        guard position == bytes.count else { throw failure("text after the end of the document") }
        return result
    }

    private func failure(_ message: String) -> JSONError { JSONError(message, offset: position) }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func value(_ fields: JSONFields?) throws(JSONError) -> JSONValue {
        guard let byte = current else { throw failure("unexpected end") }
        switch byte {
        case UInt8(ascii: "{"): return try object(fields)
        case UInt8(ascii: "["): return try array(fields)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("unexpected character")
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let length = word.utf8CodeUnitCount
        guard position + length <= bytes.count else { throw failure("unexpected end") }
        for offset in 0..<length where bytes[position + offset] != word.utf8Start[offset] {
            throw failure("unexpected character")
        }
        position += length
        return value
    }

    private mutating func enter() throws(JSONError) {
        depth += 1
        guard depth <= limits.depth else { throw failure("nested deeper than \(limits.depth)") }
        position += 1
        skipSpace()
    }

    private mutating func object(_ fields: JSONFields?) throws(JSONError) -> JSONValue {
        try enter()
        var members: [JSONObject.Member] = []
        if leave(UInt8(ascii: "}")) { return .object(JSONObject()) }
        repeat {
            guard current == UInt8(ascii: "\"") else { throw failure("expected a member name") }
            let wanted = try name(fields)
            try colon()
            if let wanted {
                members.append(JSONObject.Member(key: wanted.name, value: try value(wanted.fields)))
            } else {
                try skipValue()
            }
        } while try goesOn(UInt8(ascii: "}"))
        return .object(JSONObject(members))
    }

    private mutating func array(_ fields: JSONFields?) throws(JSONError) -> JSONValue {
        try enter()
        var elements: [JSONValue] = []
        if leave(UInt8(ascii: "]")) { return .array([]) }
        repeat { elements.append(try value(fields)) } while try goesOn(UInt8(ascii: "]"))
        return .array(elements)
    }

    /// A member's name, and what is wanted of its value; nil where it is not wanted.
    private mutating func name(_ fields: JSONFields?) throws(JSONError) -> JSONFields.Member? {
        guard let fields else { return JSONFields.Member(name: try string(), fields: nil) }
        let start = position
        if try skipString() {
            return fields.member(named: UnsafeBufferPointer(rebasing: bytes[start + 1..<position - 1]))
        }
        position = start
        var name = try string()
        return name.withUTF8 { fields.member(named: $0) }
    }

    private mutating func colon() throws(JSONError) {
        skipSpace()
        guard current == UInt8(ascii: ":") else { throw failure("expected ':'") }
        position += 1
        skipSpace()
    }

    /// True at the end of an object or array, which is passed over.
    private mutating func leave(_ end: UInt8) -> Bool {
        guard current == end else { return false }
        position += 1
        depth -= 1
        return true
    }

    /// After a member or an element: true where another one follows.
    private mutating func goesOn(_ end: UInt8) throws(JSONError) -> Bool {
        skipSpace()
        if leave(end) { return false }
        guard current == UInt8(ascii: ",") else {
            throw failure(end == UInt8(ascii: "}") ? "expected ',' or '}'" : "expected ',' or ']'")
        }
        position += 1
        skipSpace()
        return true
    }

    // MARK: What nobody wants

    /// Refuses what ``value(_:)`` refuses, and builds nothing.
    private mutating func skipValue() throws(JSONError) {
        switch current {
        case UInt8(ascii: "{"):
            try enter()
            if leave(UInt8(ascii: "}")) { return }
            repeat {
                guard current == UInt8(ascii: "\"") else { throw failure("expected a member name") }
                _ = try skipString()
                try colon()
                try skipValue()
            } while try goesOn(UInt8(ascii: "}"))
        case UInt8(ascii: "["):
            try enter()
            if leave(UInt8(ascii: "]")) { return }
            repeat { try skipValue() } while try goesOn(UInt8(ascii: "]"))
        case UInt8(ascii: "\""): _ = try skipString()
        default: _ = try value(nil)
        }
    }

    /// True where the text is what is written, without escapes.
    private mutating func skipString() throws(JSONError) -> Bool {
        position += 1
        let start = position
        var all: UInt8 = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                if all >= 0x80 { _ = try utf8(start..<position) }
                position += 1
                return true
            }
            if byte == UInt8(ascii: "\\") { break }
            guard byte >= 0x20 else { throw failure("control character in a string") }
            all |= byte
            position += 1
        }
        position = start - 1
        _ = try string()
        return false
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        // Most strings have no escape: they are copied at once.
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let text = try utf8(start..<position)
                position += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { break }
            guard byte >= 0x20 else { throw failure("control character in a string") }
            position += 1
        }
        var result = try utf8(start..<position)
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return result
            case UInt8(ascii: "\\"):
                result.unicodeScalars.append(try escape())
            case 0..<0x20:
                throw failure("control character in a string")
            default:
                let from = position
                while position < bytes.count, bytes[position] >= 0x20, bytes[position] != UInt8(ascii: "\""),
                    bytes[position] != UInt8(ascii: "\\")
                {
                    position += 1
                }
                result += try utf8(from..<position)
            }
        }
        throw failure("unterminated string")
    }

    private func utf8(_ range: Range<Int>) throws(JSONError) -> String {
        let part = UnsafeBufferPointer(rebasing: bytes[range])
        // The standard library's validation is not specialized: for ASCII it costs as much as all the rest.
        if part.allSatisfy({ $0 < 0x80 }) { return String(decoding: part, as: UTF8.self) }
        guard let text = String(validating: part, as: UTF8.self) else {
            throw JSONError("invalid UTF-8 in a string", offset: range.lowerBound)
        }
        return text
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        position += 1
        guard let byte = current else { throw failure("unterminated string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw failure("unknown escape")
        }
    }

    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let first = try hex4()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { throw failure("unpaired surrogate") }
        position += 2
        let second = try hex4()
        guard (0xDC00..<0xE000).contains(second) else { throw failure("unpaired surrogate") }
        let combined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
        guard let scalar = Unicode.Scalar(combined) else { throw failure("unpaired surrogate") }
        return scalar
    }

    private mutating func hex4() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw failure("unterminated string") }
        var result: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[position]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw failure("expected a hexadecimal digit")
            }
            result = result << 4 | UInt32(digit)
            position += 1
        }
        return result
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw failure("expected a digit") }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
        var integral = true
        if current == UInt8(ascii: ".") {
            integral = false
            position += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            integral = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        if integral, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSONError("number out of range", offset: start)
        }
        return .number(value)
    }
}
