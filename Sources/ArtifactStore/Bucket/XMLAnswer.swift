/// The text of an XML document's innermost elements, which is all that S3 says anything by.
///
/// It takes less than XML is, so that nobody can do more with it: no document types, and so no entities but the five
/// and characters by number; no comments, no sections of CDATA. Attributes are skipped.
struct XMLAnswer: Hashable {
    struct Leaf: Hashable {
        /// Beneath the outermost element: `Contents/Key`.
        var path: String
        var text: String
    }

    /// The name of the outermost element.
    let root: String
    let leaves: [Leaf]

    private static let deepest = 16

    /// Nil where it is none.
    init?(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var scanner = XMLScanner(rest: text.utf8[...])
        scanner.skipDeclaration()
        guard case .start(let root, let isEmpty)? = scanner.next() else { return nil }
        var open = isEmpty ? [] : [root]
        var leaves: [Leaf] = []
        // Of the innermost element, until another begins in it.
        var content: String? = ""
        while !open.isEmpty {
            switch scanner.next() {
            case .start(let name, let isEmpty):
                guard open.count < Self.deepest else { return nil }
                let path = (open.dropFirst() + [name]).joined(separator: "/")
                if isEmpty { leaves.append(Leaf(path: path, text: "")) } else { open.append(name) }
                content = isEmpty ? nil : ""
            case .end(let name):
                guard name == open.last else { return nil }
                if let content, open.count > 1 {
                    leaves.append(Leaf(path: open.dropFirst().joined(separator: "/"), text: content))
                }
                content = nil
                open.removeLast()
            case .text(let text): content? += text
            case nil: return nil
            }
        }
        guard scanner.isAtEnd else { return nil }
        self.root = root
        self.leaves = leaves
    }

    /// The first one's text.
    subscript(path: String) -> String? { leaves.first { $0.path == path }?.text }

    func all(_ path: String) -> [String] { leaves.filter { $0.path == path }.map(\.text) }
}

private struct XMLScanner {
    enum Token {
        case start(String, isEmpty: Bool)
        case end(String)
        case text(String)
    }

    var rest: Substring.UTF8View

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Nothing but spaces, of which S3 sends many while it works on an answer.
    var isAtEnd: Bool { rest.allSatisfy(Self.isSpace) }

    private mutating func skipSpace() { rest = rest.drop(while: Self.isSpace) }

    mutating func skipDeclaration() {
        skipSpace()
        if Substring(rest).hasPrefix("<?xml "), let end = Substring(rest).firstRange(of: "?>") {
            rest = Substring(rest)[end.upperBound...].utf8
        }
        skipSpace()
    }

    /// Nil at the end, and where there is something that is not taken.
    mutating func next() -> Token? {
        guard let first = rest.first else { return nil }
        guard first == UInt8(ascii: "<") else {
            let text = rest.prefix { $0 != UInt8(ascii: "<") }
            rest = rest[text.endIndex...]
            return Self.unescaped(Substring(text)).map { .text($0) }
        }
        rest = rest.dropFirst()
        let isEnd = take("/")
        guard let name = takeName() else { return nil }
        while !isEnd, hasAttribute() {
            guard skipAttribute() else { return nil }
        }
        skipSpace()
        let isEmpty = !isEnd && take("/")
        guard take(">") else { return nil }
        return isEnd ? .end(name) : .start(name, isEmpty: isEmpty)
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func takeName() -> String? {
        let name = rest.prefix { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "_-.:".utf8.contains(byte)
        }
        rest = rest[name.endIndex...]
        return name.isEmpty ? nil : String(Substring(name))
    }

    private mutating func hasAttribute() -> Bool {
        skipSpace()
        return rest.first.map { $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "/") } ?? false
    }

    private mutating func skipAttribute() -> Bool {
        guard takeName() != nil, take("="), let quote = rest.first, "\"'".utf8.contains(quote) else { return false }
        let value = rest.dropFirst().prefix { $0 != quote && $0 != UInt8(ascii: "<") }
        rest = rest[value.endIndex...]
        guard rest.first == quote else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// Nil where it has an entity that is none of the five, or a character that XML has not.
    private static func unescaped(_ text: Substring) -> String? {
        var result = ""
        var rest = text.utf8
        while let ampersand = rest.firstIndex(of: UInt8(ascii: "&")) {
            result += Substring(rest[..<ampersand])
            rest = rest[ampersand...].dropFirst()
            let name = rest.prefix(12).prefix { $0 != UInt8(ascii: ";") }
            rest = rest[name.endIndex...]
            guard rest.first == UInt8(ascii: ";"), let scalar = character(Substring(name)) else { return nil }
            result.unicodeScalars.append(scalar)
            rest = rest.dropFirst()
        }
        return result + Substring(rest)
    }

    private static func character(_ name: Substring) -> Unicode.Scalar? {
        switch name {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.first == "#" else { return nil }
            let digits = name.dropFirst()
            let isHexadecimal = digits.first == "x"
            let number = isHexadecimal ? digits.dropFirst() : digits
            guard number.allSatisfy({ $0.isASCII && $0.isHexDigit }),
                let value = UInt32(number, radix: isHexadecimal ? 16 : 10),
                value >= 0x20 || [9, 10, 13].contains(value)
            else { return nil }
            return Unicode.Scalar(value)
        }
    }
}

/// As XML has it between tags.
func xmlEscaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
