import JSON

/// Which values an object's fields must have, as the query parameter `fieldSelector` says it: `status.phase!=Running`.
///
/// Which fields a kind can be selected by is the server's rule; this type reads any.
public struct FieldSelector: Sendable, Hashable, CustomStringConvertible {
    /// What one field must be, or must not be.
    public struct Requirement: Sendable, Hashable {
        /// `metadata.name`, `spec.nodeName`
        public var field: String
        /// What the field is compared with.
        public var value: String
        /// Whether the field must have the value; otherwise it must have another.
        public var isEqual: Bool

        /// The field must have this value.
        public init(_ field: String, equals value: String) {
            self.field = field
            self.value = value
            isEqual = true
        }

        /// The field must have another value.
        public init(_ field: String, differsFrom value: String) {
            self.field = field
            self.value = value
            isEqual = false
        }
    }

    /// All of them must be met.
    public var requirements: [Requirement]

    /// A selector of these requirements; without any, it matches everything.
    public init(_ requirements: [Requirement] = []) { self.requirements = requirements }

    /// Matches every object.
    public static let everything = FieldSelector()
    /// Whether it matches everything.
    public var isEmpty: Bool { requirements.isEmpty }

    /// Parses comma-separated terms of `=`, `==` and `!=`, with `\` before a literal backslash, comma or equals sign.
    public init(_ text: String) throws(SelectorError) {
        requirements = []
        for term in Self.split(text) where !term.isEmpty { requirements.append(try Self.requirement(term, in: text)) }
    }

    /// The text that parses to an equal selector.
    public var description: String {
        requirements.map { requirement in
            var escaped = ""
            for scalar in requirement.value.unicodeScalars {
                if scalar == "\\" || scalar == "," || scalar == "=" { escaped += "\\" }
                escaped.unicodeScalars.append(scalar)
            }
            return "\(requirement.field)\(requirement.isEqual ? "=" : "!=")\(escaped)"
        }.joined(separator: ",")
    }

    /// An absent field counts as the empty string, as the API server has it.
    public func matches(_ object: JSONValue) -> Bool {
        requirements.allSatisfy { requirement in
            let path = requirement.field.split(separator: ".").map(String.init)
            let found: String
            switch object[path: path] {
            case nil, .null?: found = ""
            case .string(let text)?: found = text
            case let other?: found = other.serialized()
            }
            return (found == requirement.value) == requirement.isEqual
        }
    }

    private static func split(_ text: String) -> [Substring] {
        var terms: [Substring] = []
        var start = text.startIndex
        var isEscaped = false
        for index in text.unicodeScalars.indices {
            let scalar = text.unicodeScalars[index]
            if isEscaped {
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "," {
                terms.append(text[start..<index])
                start = text.unicodeScalars.index(after: index)
            }
        }
        terms.append(text[start...])
        return terms
    }

    private static func requirement(_ term: Substring, in text: String) throws(SelectorError) -> Requirement {
        let scalars = term.unicodeScalars
        guard let sign = scalars.firstIndex(of: "=") else {
            throw SelectorError("expected =, == or != in \"\(term)\"", in: text)
        }
        var field = scalars[..<sign]
        let differs = field.last == "!"
        if differs { field.removeLast() }
        var value = scalars[scalars.index(after: sign)...]
        if !differs, value.first == "=" { value.removeFirst() }
        guard !field.isEmpty else { throw SelectorError("expected a field before \"=\" in \"\(term)\"", in: text) }
        let literal = try unescape(value, in: text)
        return differs ? .init(String(field), differsFrom: literal) : .init(String(field), equals: literal)
    }

    private static func unescape(
        _ value: Substring.UnicodeScalarView, in text: String
    ) throws(SelectorError) -> String {
        var result = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in value {
            if isEscaped {
                guard scalar == "\\" || scalar == "," || scalar == "=" else {
                    throw SelectorError("\"\\\(scalar)\" is no escape", in: text)
                }
                result.append(scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "=" {
                throw SelectorError("an equals sign in a value needs a backslash", in: text)
            } else {
                result.append(scalar)
            }
        }
        if isEscaped { throw SelectorError("a backslash at the end", in: text) }
        return String(result)
    }
}
