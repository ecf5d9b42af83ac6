indirect enum PatternNode: Sendable {
    case empty
    case set(Pattern.ScalarSet)
    case start
    case end
    case wordBoundary(Bool)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    case repeated(PatternNode, Int, Int?)
}

/// Reads the syntax of https://github.com/google/re2/wiki/Syntax, but for flags, named classes and captures.
struct PatternParser {
    private let text: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    private var current: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private func failure(_ message: String) -> Pattern.SyntaxError {
        Pattern.SyntaxError(description: "\(message) at character \(position)")
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    mutating func parse() throws(Pattern.SyntaxError) -> PatternNode {
        let node = try alternatives()
        if position < text.count { throw failure("unexpected )") }
        return node
    }

    private mutating func alternatives() throws(Pattern.SyntaxError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth < 200 else { throw failure("nested too deeply") }
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence() throws(Pattern.SyntaxError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = current, scalar != "|", scalar != ")" {
            let atom = try atom()
            nodes.append(try repetition(of: atom))
        }
        return .sequence(nodes)
    }

    private mutating func repetition(of atom: PatternNode) throws(Pattern.SyntaxError) -> PatternNode {
        var node = atom
        while let scalar = current {
            switch scalar {
            case "*": node = .repeated(node, 0, nil)
            case "+": node = .repeated(node, 1, nil)
            case "?": node = .repeated(node, 0, 1)
            case "{":
                guard let (low, high) = try bounds() else { return node }
                node = .repeated(node, low, high)
                position -= 1
            default: return node
            }
            position += 1
            _ = take("?")  // Whether a repetition is lazy does not change what matches.
        }
        return node
    }

    /// `{2}`, `{2,}`, `{2,5}`; anything else is a brace that stands for itself.
    private mutating func bounds() throws(Pattern.SyntaxError) -> (Int, Int?)? {
        let start = position
        position += 1
        guard let low = number() else {
            position = start
            return nil
        }
        var high: Int? = low
        if take(",") { high = current == "}" ? nil : number() }
        guard take("}") else {
            position = start
            return nil
        }
        guard low <= 1000, (high ?? low) <= 1000, (high ?? low) >= low else { throw failure("invalid repeat count") }
        return (low, high)
    }

    private mutating func number() -> Int? {
        var digits = ""
        while let scalar = current, ("0"..."9").contains(scalar) {
            digits.unicodeScalars.append(scalar)
            position += 1
        }
        return Int(digits)
    }

    private mutating func atom() throws(Pattern.SyntaxError) -> PatternNode {
        guard let scalar = current else { return .empty }
        position += 1
        switch scalar {
        case "^": return .start
        case "$": return .end
        case ".": return .set(Pattern.ScalarSet(ranges: [10...10], isNegated: true))
        case "(":
            if take("?") {
                guard take(":") else { throw failure("flags and named groups are not supported") }
            }
            let node = try alternatives()
            guard take(")") else { throw failure("missing closing )") }
            return node
        case "[": return .set(try scalarClass())
        case "*", "+", "?": throw failure("missing argument to repetition operator")
        case "\\": return try escape()
        default: return .set(Self.single(scalar))
        }
    }

    private static func single(_ scalar: Unicode.Scalar) -> Pattern.ScalarSet {
        Pattern.ScalarSet(ranges: [scalar.value...scalar.value])
    }

    private mutating func escape() throws(Pattern.SyntaxError) -> PatternNode {
        guard let scalar = current else { throw failure("trailing backslash") }
        if scalar == "b" || scalar == "B" || scalar == "A" || scalar == "z" {
            position += 1
            return switch scalar {
            case "A": .start
            case "z": .end
            default: .wordBoundary(scalar == "b")
            }
        }
        return .set(try escapedSet())
    }

    private static let digits: [ClosedRange<UInt32>] = [48...57]
    private static let word: [ClosedRange<UInt32>] = [48...57, 65...90, 95...95, 97...122]
    private static let space: [ClosedRange<UInt32>] = [9...10, 12...13, 32...32]

    private mutating func escapedSet() throws(Pattern.SyntaxError) -> Pattern.ScalarSet {
        guard let scalar = current else { throw failure("trailing backslash") }
        position += 1
        switch scalar {
        case "d": return Pattern.ScalarSet(ranges: Self.digits)
        case "D": return Pattern.ScalarSet(ranges: Self.digits, isNegated: true)
        case "w": return Pattern.ScalarSet(ranges: Self.word)
        case "W": return Pattern.ScalarSet(ranges: Self.word, isNegated: true)
        case "s": return Pattern.ScalarSet(ranges: Self.space)
        case "S": return Pattern.ScalarSet(ranges: Self.space, isNegated: true)
        case "n": return Self.single("\n")
        case "t": return Self.single("\t")
        case "r": return Self.single("\r")
        case "f": return Self.single("\u{0C}")
        case "x":
            guard position + 2 <= text.count,
                let value = UInt32(String(String.UnicodeScalarView(text[position..<(position + 2)])), radix: 16)
            else { throw failure("invalid escape") }
            position += 2
            return Pattern.ScalarSet(ranges: [value...value])
        default:
            let isAlphanumeric = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            if isAlphanumeric { throw failure("invalid escape sequence: \\\(scalar)") }
            return Self.single(scalar)
        }
    }

    private mutating func scalarClass() throws(Pattern.SyntaxError) -> Pattern.ScalarSet {
        var set = Pattern.ScalarSet(ranges: [], isNegated: take("^"))
        var isFirst = true
        while let scalar = current {
            position += 1
            if scalar == "]", !isFirst { return set }
            isFirst = false
            if scalar == "[", take(":") {
                set.ranges += try namedClass()
                continue
            }
            var low = Self.single(scalar)
            if scalar == "\\" { low = try escapedSet() }
            guard low.ranges.count == 1, let first = low.ranges.first, first.count == 1, current == "-",
                position + 1 < text.count, text[position + 1] != "]"
            else {
                set.ranges += low.isNegated ? Self.complement(of: low.ranges) : low.ranges
                continue
            }
            position += 1
            var high = Self.single(text[position])
            position += 1
            if text[position - 1] == "\\" { high = try escapedSet() }
            guard let last = high.ranges.first, last.lowerBound >= first.lowerBound else {
                throw failure("invalid character class range")
            }
            set.ranges.append(first.lowerBound...last.lowerBound)
        }
        throw failure("missing closing ]")
    }

    private mutating func namedClass() throws(Pattern.SyntaxError) -> [ClosedRange<UInt32>] {
        var name = ""
        while let scalar = current, scalar != ":" {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard take(":"), take("]") else { throw failure("invalid character class") }
        switch name {
        case "alpha": return [65...90, 97...122]
        case "digit": return Self.digits
        case "alnum": return [48...57, 65...90, 97...122]
        case "lower": return [97...122]
        case "upper": return [65...90]
        case "space": return [9...13, 32...32]
        case "word": return Self.word
        case "xdigit": return [48...57, 65...70, 97...102]
        case "punct": return [33...47, 58...64, 91...96, 123...126]
        default: throw failure("unknown character class [:\(name):]")
        }
    }

    private static func complement(of ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        return result + [next...0x10FFFF]
    }
}
