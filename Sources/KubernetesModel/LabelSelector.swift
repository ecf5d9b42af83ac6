import JSON

/// Which labels an object must have: `metav1.LabelSelector` and its form in a query, `app=wine,tier in (a,b),!legacy`.
///
/// A selector without requirements matches everything.
public struct LabelSelector: Sendable, Hashable {
    /// What a requirement asks of a label.
    public enum Operator: String, Sendable, Hashable {
        case isIn = "In"
        case isNotIn = "NotIn"
        case exists = "Exists"
        case doesNotExist = "DoesNotExist"
        /// Only in the textual form: the label's value is an integer greater than the one given.
        case isGreaterThan = "Gt"
        case isLessThan = "Lt"
    }

    /// What one label must be.
    public struct Requirement: Sendable, Hashable {
        /// The label: `app`, `example.com/tier`.
        public var key: String
        /// What is asked of it.
        public var `operator`: Operator
        /// What `In` and `NotIn` compare with, or the bound of `Gt` and `Lt`; empty for the others.
        public var values: [String]

        /// A requirement; whether it is one that the API server takes is not checked.
        public init(_ key: String, _ operator: Operator, _ values: [String] = []) {
            self.key = key
            self.operator = `operator`
            self.values = values
        }

        /// A label that is absent satisfies `NotIn` and `DoesNotExist`.
        public func matches(_ labels: [String: String]) -> Bool {
            let label = labels[key]
            switch `operator` {
            case .isIn: return label.map(values.contains) ?? false
            case .isNotIn: return label.map { !values.contains($0) } ?? true
            case .exists: return label != nil
            case .doesNotExist: return label == nil
            case .isGreaterThan, .isLessThan:
                guard let label = label.flatMap({ Int64($0) }), let bound = values.first.flatMap({ Int64($0) }) else {
                    return false
                }
                return `operator` == .isGreaterThan ? label > bound : label < bound
            }
        }
    }

    /// All of them must be met.
    public var requirements: [Requirement]

    /// A selector of these requirements; without any, it matches everything.
    public init(_ requirements: [Requirement] = []) { self.requirements = requirements }

    /// A selector of labels with just these values.
    public init(matchLabels: [String: String]) {
        requirements = matchLabels.sorted { $0.key < $1.key }.map { Requirement($0.key, .isIn, [$0.value]) }
    }

    /// Matches every object.
    public static let everything = LabelSelector()
    /// Whether it matches everything.
    public var isEmpty: Bool { requirements.isEmpty }

    /// Whether labels meet every requirement.
    public func matches(_ labels: [String: String]) -> Bool { requirements.allSatisfy { $0.matches(labels) } }
}

extension LabelSelector {
    /// Reads `{matchLabels, matchExpressions}`. That an absent selector matches nothing is the caller's to know; here it
    /// is an error.
    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        _ = try cursor.object()
        var result = LabelSelector(matchLabels: try cursor["matchLabels"].stringMap())
        for requirement in result.requirements {
            try requirement.check(at: cursor["matchLabels"])
        }
        for element in try cursor["matchExpressions"].elements() {
            let word = try element["operator"].string()
            guard let `operator` = Operator(rawValue: word), `operator` != .isGreaterThan, `operator` != .isLessThan
            else {
                throw element["operator"].failure("must be In, NotIn, Exists or DoesNotExist, not \"\(word)\"")
            }
            let requirement = Requirement(
                try element["key"].string(), `operator`, try element["values"].strings())
            try requirement.check(at: element)
            result.requirements.append(requirement)
        }
        self = result
    }

    /// The form of `metav1.LabelSelector`; `Gt` and `Lt` have none and are written as expressions all the same.
    public var json: JSONValue {
        var labels: [String: String] = [:]
        var expressions: [JSONValue] = []
        for requirement in requirements {
            if requirement.operator == .isIn, requirement.values.count == 1, labels[requirement.key] == nil {
                labels[requirement.key] = requirement.values.first
                continue
            }
            var expression: JSONValue = [
                "key": .string(requirement.key), "operator": .string(requirement.operator.rawValue),
            ]
            if !requirement.values.isEmpty { expression["values"] = JSONValue(requirement.values) }
            expressions.append(expression)
        }
        var result: JSONValue = [:]
        if !labels.isEmpty { result["matchLabels"] = JSONValue(labels) }
        if !expressions.isEmpty { result["matchExpressions"] = .array(expressions) }
        return result
    }
}

extension LabelSelector.Requirement {
    /// Why the API server would refuse the requirement; nil when it would not.
    var problem: String? {
        if let problem = LabelSyntax.problem(key: key) { return problem }
        switch self.operator {
        case .isIn, .isNotIn:
            if values.isEmpty { return "\(self.operator.rawValue) needs at least one value" }
        case .exists, .doesNotExist:
            if !values.isEmpty { return "\(self.operator.rawValue) takes no values" }
        case .isGreaterThan, .isLessThan:
            guard values.count == 1, let value = values.first, Int64(value) != nil else {
                return "\(self.operator.rawValue) needs exactly one integer"
            }
        }
        return values.lazy.compactMap(LabelSyntax.problem(value:)).first
    }

    fileprivate func check(at cursor: JSONCursor) throws(JSONShapeError) {
        if let problem { throw cursor.failure(problem) }
    }
}

/// What labels may look like (apimachinery `validation.IsQualifiedName`, `IsValidLabelValue`).
public enum LabelSyntax {
    /// Why `key` is no label key; nil when it is one. At most 253 bytes of DNS prefix, a slash, and 63 of name.
    public static func problem(key: String) -> String? {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 2 { return "a label key holds at most one \"/\": \"\(key)\"" }
        if parts.count == 2 {
            let labels = parts[0].split(separator: ".", omittingEmptySubsequences: false)
            let isDomain = labels.allSatisfy { label in
                isWord(label, limit: 63) { isLowercaseOrDigit($0) || $0 == UInt8(ascii: "-") }
            }
            if parts[0].utf8.count > 253 || !isDomain {
                return "the prefix of a label key must be a DNS subdomain: \"\(key)\""
            }
        }
        guard let name = parts.last, isName(name) else {
            return
                "a label key must be 1 to 63 letters, digits, \"-\", \"_\" or \".\", with a letter or digit first and last: \"\(key)\""
        }
        return nil
    }

    /// Why `value` is no label value; nil when it is one. The empty value is.
    public static func problem(value: String) -> String? {
        if value.isEmpty || isName(value[...]) { return nil }
        return
            "a label value must be at most 63 letters, digits, \"-\", \"_\" or \".\", with a letter or digit first and last: \"\(value)\""
    }

    private static func isName(_ text: Substring) -> Bool {
        isWord(text, limit: 63) {
            isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
        }
    }

    private static func isWord(_ text: Substring, limit: Int, _ isAllowed: (UInt8) -> Bool) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.count <= limit else { return false }
        return isLetterOrDigit(first) && isLetterOrDigit(last) && text.utf8.allSatisfy(isAllowed)
    }

    private static func isLowercaseOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isLowercaseOrDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}
