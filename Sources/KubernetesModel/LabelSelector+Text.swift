/// Why the text of a selector was refused.
public struct SelectorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The whole selector as it was given.
    public var text: String
    /// What is wrong with it.
    public var message: String

    /// An error about `text`.
    public init(_ message: String, in text: String) {
        self.message = message
        self.text = text
    }

    /// The message with the selector that it is about.
    public var description: String { "invalid selector \"\(text)\": \(message)" }
}

extension LabelSelector: CustomStringConvertible {
    /// Parses the form that `kubectl -l` and the query parameter `labelSelector` use.
    public init(_ text: String) throws(SelectorError) {
        var parser = LabelSelectorParser(text)
        requirements = try parser.selector()
    }

    /// The text that parses to an equal selector.
    public var description: String {
        requirements.map { requirement in
            let key = requirement.key
            let values = requirement.values.joined(separator: ",")
            switch requirement.operator {
            case .isIn where requirement.values.count == 1: return "\(key)=\(values)"
            case .isNotIn where requirement.values.count == 1: return "\(key)!=\(values)"
            case .isIn: return "\(key) in (\(values))"
            case .isNotIn: return "\(key) notin (\(values))"
            case .exists: return key
            case .doesNotExist: return "!\(key)"
            case .isGreaterThan: return "\(key)>\(values)"
            case .isLessThan: return "\(key)<\(values)"
            }
        }.joined(separator: ",")
    }
}

/// The grammar of `labels.Parse` in apimachinery.
private struct LabelSelectorParser {
    private enum Token: Equatable {
        case word(String)
        case symbol(String)
        case end
    }

    private let text: String
    private var rest: Substring.UnicodeScalarView

    init(_ text: String) {
        self.text = text
        rest = text[...].unicodeScalars
    }

    private func failure(_ message: String) -> SelectorError { SelectorError(message, in: text) }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\r" || scalar == "\n"
    }

    private static func isSymbol(_ scalar: Unicode.Scalar) -> Bool { "=!(),<>".unicodeScalars.contains(scalar) }

    private mutating func next() -> Token {
        rest = rest.drop(while: Self.isSpace)
        guard let first = rest.first else { return .end }
        guard Self.isSymbol(first) else {
            let word = rest.prefix { !Self.isSpace($0) && !Self.isSymbol($0) }
            rest = rest.dropFirst(word.count)
            return .word(String(word))
        }
        rest.removeFirst()
        if first == "=" || first == "!", rest.first == "=" {
            rest.removeFirst()
            return .symbol("\(first)=")
        }
        return .symbol(String(first))
    }

    private func peek() -> Token {
        var copy = self
        return copy.next()
    }

    mutating func selector() throws(SelectorError) -> [LabelSelector.Requirement] {
        if peek() == .end { return [] }
        var result: [LabelSelector.Requirement] = []
        while true {
            let requirement = try requirement()
            if let problem = requirement.problem { throw failure(problem) }
            result.append(requirement)
            switch next() {
            case .end: return result
            case .symbol(","): continue
            default: throw failure("expected \",\" after the requirement on \"\(requirement.key)\"")
            }
        }
    }

    private mutating func requirement() throws(SelectorError) -> LabelSelector.Requirement {
        switch next() {
        case .symbol("!"):
            guard case .word(let key) = next() else { throw failure("expected a label key after \"!\"") }
            return .init(key, .doesNotExist)
        case .word(let key):
            return try requirement(on: key)
        case .end:
            throw failure("expected a label key at the end")
        case .symbol(let symbol):
            throw failure("expected a label key, not \"\(symbol)\"")
        }
    }

    private mutating func requirement(on key: String) throws(SelectorError) -> LabelSelector.Requirement {
        let token = peek()
        switch token {
        case .end, .symbol(","):
            return .init(key, .exists)
        case .symbol("="), .symbol("=="):
            _ = next()
            return .init(key, .isIn, [try exactValue()])
        case .symbol("!="):
            _ = next()
            return .init(key, .isNotIn, [try exactValue()])
        case .symbol(">"):
            _ = next()
            return .init(key, .isGreaterThan, [try exactValue()])
        case .symbol("<"):
            _ = next()
            return .init(key, .isLessThan, [try exactValue()])
        case .word("in"):
            _ = next()
            return .init(key, .isIn, try valueSet())
        case .word("notin"):
            _ = next()
            return .init(key, .isNotIn, try valueSet())
        default:
            throw failure("expected =, ==, !=, in, notin, < or > after \"\(key)\"")
        }
    }

    private mutating func exactValue() throws(SelectorError) -> String {
        switch peek() {
        case .end, .symbol(","): return ""
        case .word(let value):
            _ = next()
            return value
        case .symbol(let symbol): throw failure("expected a value, not \"\(symbol)\"")
        }
    }

    private mutating func valueSet() throws(SelectorError) -> [String] {
        guard next() == .symbol("(") else { throw failure("expected \"(\" after in or notin") }
        if peek() == .symbol(")") {
            _ = next()
            return []
        }
        var values: Set<String> = []
        while true {
            if case .word(let value) = peek() {
                _ = next()
                values.insert(value)
            } else {
                values.insert("")
            }
            switch next() {
            case .symbol(","): continue
            case .symbol(")"): return values.sorted()
            default: throw failure("expected \",\" or \")\" among the values")
            }
        }
    }
}
