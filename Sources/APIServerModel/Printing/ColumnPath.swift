import JSON

/// The part of kubectl's JSONPath that printer columns use: members, indexes, `[*]`, quoted names and one-term filters
/// such as `[?(@.type=="Ready")]`.
public struct ColumnPath: Sendable, Hashable {
    enum Step: Sendable, Hashable {
        case member(String)
        case index(Int)
        case all
        case filter([String], equals: Bool, JSONValue)
    }

    private var steps: [Step] = []

    /// Nil for a path of another syntax.
    public init?(_ text: String) {
        var rest = Substring(text)
        if rest.hasPrefix("{"), rest.hasSuffix("}") { rest = rest.dropFirst().dropLast() }
        if rest.hasPrefix("$") { rest = rest.dropFirst() }
        while let first = rest.first {
            switch first {
            case ".":
                rest = rest.dropFirst()
                if rest.hasPrefix("[") { continue }
                let name = Self.takeName(&rest)
                if name.isEmpty {
                    guard rest.isEmpty else { return nil }
                } else {
                    steps.append(name == "*" ? .all : .member(name))
                }
            case "[":
                guard let inner = Self.takeBracket(&rest), let step = Self.step(inner) else { return nil }
                steps.append(step)
            default: return nil
            }
        }
    }

    private static func takeName(_ rest: inout Substring) -> String {
        var name = ""
        while let character = rest.first, character != ".", character != "[" {
            rest = rest.dropFirst()
            if character == "\\", let escaped = rest.first {
                name.append(escaped)
                rest = rest.dropFirst()
            } else {
                name.append(character)
            }
        }
        return name
    }

    private static func takeBracket(_ rest: inout Substring) -> Substring? {
        var quote: Character?
        for index in rest.indices.dropFirst() {
            let character = rest[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "]" {
                let inner = rest[rest.index(after: rest.startIndex)..<index]
                rest = rest[rest.index(after: index)...]
                return inner
            }
        }
        return nil
    }

    private static func step(_ inner: Substring) -> Step? {
        if inner == "*" { return .all }
        if let index = Int(inner) { return .index(index) }
        if let first = inner.first, first == "'" || first == "\"", inner.last == first, inner.count >= 2 {
            return .member(String(inner.dropFirst().dropLast()))
        }
        guard inner.hasPrefix("?("), inner.hasSuffix(")") else { return nil }
        let condition = inner.dropFirst(2).dropLast()
        guard let range = condition.firstRange(of: "==") ?? condition.firstRange(of: "!=") else { return nil }
        let left = condition[..<range.lowerBound].filter { $0 != " " }
        guard left.hasPrefix("@.") else { return nil }
        let right = condition[range.upperBound...].drop { $0 == " " }
        var literal = String(right)
        while literal.last == " " { literal.removeLast() }
        if literal.hasPrefix("'"), literal.hasSuffix("'"), literal.count >= 2 {
            literal = "\"\(literal.dropFirst().dropLast())\""
        }
        let value: JSONValue
        do {
            value = try JSONValue(parsing: literal)
        } catch {
            return nil
        }
        return .filter(
            left.dropFirst(2).split(separator: ".").map(String.init), equals: condition[range] == "==", value)
    }

    /// What the path leads to, in order.
    public func find(in value: JSONValue) -> [JSONValue] {
        var found = [value]
        for step in steps { found = found.flatMap { Self.follow(step, from: $0) } }
        return found
    }

    private static func follow(_ step: Step, from value: JSONValue) -> [JSONValue] {
        switch step {
        case .member(let name): return value[name].map { [$0] } ?? []
        case .index(let index):
            let count = value.array?.count ?? 0
            return value[index < 0 ? count + index : index].map { [$0] } ?? []
        case .all: return value.array ?? value.object?.values ?? []
        case .filter(let path, let equals, let expected):
            return (value.array ?? []).filter { element in
                guard let found = element[path: path] else { return false }
                return (found == expected) == equals
            }
        }
    }

    /// The members that lead to a value, where the path is only members: what `scale` may set.
    public var members: [String]? {
        var result: [String] = []
        for step in steps {
            guard case .member(let name) = step else { return nil }
            result.append(name)
        }
        return result
    }
}
