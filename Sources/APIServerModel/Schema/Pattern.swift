/// A regular expression of RE2's syntax, as far as schemas use it: matched in time linear in the text, without captures.
///
/// Swift's own `Regex` backtracks, and so would let one stored pattern stop the server; it is not `Sendable` either.
public struct Pattern: Sendable, CustomStringConvertible {
    public struct SyntaxError: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    public let description: String
    private let program: [Instruction]

    enum Instruction: Sendable {
        case scalar(ScalarSet)
        case split(Int, Int)
        case jump(Int)
        case start
        case end
        case wordBoundary(Bool)
        case match
    }

    /// Ranges of scalars, or all others.
    struct ScalarSet: Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isNegated = false

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            ranges.contains { $0.contains(scalar.value) } != isNegated
        }
    }

    public init(_ text: String) throws(SyntaxError) {
        description = text
        var parser = PatternParser(text)
        program = PatternCompiler.compile(try parser.parse())
        if program.count > 20_000 { throw SyntaxError(description: "the expression is too large") }
    }

    /// Whether the expression matches anywhere in `text`, unless it is anchored.
    public func matches(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        var current = States(count: program.count)
        var next = States(count: program.count)
        for position in 0...scalars.count {
            if add(0, to: &current, at: position, in: scalars) { return true }
            guard position < scalars.count else { return false }
            next.removeAll()
            for counter in current.list {
                guard case .scalar(let set) = program[counter], set.contains(scalars[position]) else { continue }
                if add(counter + 1, to: &next, at: position + 1, in: scalars) { return true }
            }
            swap(&current, &next)
        }
        return false
    }

    /// Follows the instructions that read nothing; true when they reach a match.
    private func add(_ start: Int, to states: inout States, at position: Int, in text: [Unicode.Scalar]) -> Bool {
        var stack = [start]
        while let counter = stack.popLast() {
            guard states.insert(counter) else { continue }
            switch program[counter] {
            case .match: return true
            case .jump(let target): stack.append(target)
            case .split(let first, let second): stack += [second, first]
            case .start: if position == 0 { stack.append(counter + 1) }
            case .end: if position == text.count { stack.append(counter + 1) }
            case .wordBoundary(let expected):
                let before = position > 0 && Self.isWord(text[position - 1])
                let after = position < text.count && Self.isWord(text[position])
                if (before != after) == expected { stack.append(counter + 1) }
            case .scalar: break
            }
        }
        return false
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || (scalar.isASCII && scalar.properties.isAlphabetic) || ("0"..."9").contains(scalar)
    }

    private struct States {
        var list: [Int] = []
        private var member: [Bool]

        init(count: Int) { member = Array(repeating: false, count: count) }

        mutating func insert(_ state: Int) -> Bool {
            if member[state] { return false }
            member[state] = true
            list.append(state)
            return true
        }

        mutating func removeAll() {
            for state in list { member[state] = false }
            list.removeAll(keepingCapacity: true)
        }
    }
}

enum PatternCompiler {
    static func compile(_ node: PatternNode) -> [Pattern.Instruction] {
        var program: [Pattern.Instruction] = []
        emit(node, &program)
        program.append(.match)
        return program
    }

    private static func emit(_ node: PatternNode, _ program: inout [Pattern.Instruction]) {
        guard program.count <= 20_000 else { return }
        switch node {
        case .empty: break
        case .set(let set): program.append(.scalar(set))
        case .start: program.append(.start)
        case .end: program.append(.end)
        case .wordBoundary(let expected): program.append(.wordBoundary(expected))
        case .sequence(let nodes): for node in nodes { emit(node, &program) }
        case .alternatives(let nodes): emitAlternatives(nodes, &program)
        case .repeated(let node, let low, let high):
            for _ in 0..<low { emit(node, &program) }
            if let high {
                for _ in low..<max(low, high) { emitOptional(node, &program) }
            } else {
                let split = program.count
                program.append(.jump(0))
                emit(node, &program)
                program.append(.jump(split))
                program[split] = .split(split + 1, program.count)
            }
        }
    }

    private static func emitOptional(_ node: PatternNode, _ program: inout [Pattern.Instruction]) {
        let split = program.count
        program.append(.jump(0))
        emit(node, &program)
        program[split] = .split(split + 1, program.count)
    }

    private static func emitAlternatives(_ nodes: [PatternNode], _ program: inout [Pattern.Instruction]) {
        var jumps: [Int] = []
        for (index, node) in nodes.enumerated() {
            guard index + 1 < nodes.count else {
                emit(node, &program)
                break
            }
            let split = program.count
            program.append(.jump(0))
            emit(node, &program)
            jumps.append(program.count)
            program.append(.jump(0))
            program[split] = .split(split + 1, program.count)
        }
        for jump in jumps { program[jump] = .jump(program.count) }
    }
}
