/// A JSON document.
///
/// Numbers are kept as Kubernetes keeps them: an integer when the literal is one and fits 64 bits, else a double. A
/// double here is always finite, since JSON has no other.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    /// Strings are equal byte for byte, as they are written: Swift's own `==` holds "é" composed and decomposed for equal.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }

    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The value as an integer; a double without a fraction counts, as it does for the API server.
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value)
        default: nil
        }
    }

    public var int: Int? { integer.flatMap { Int(exactly: $0) } }

    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    public var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The word that error messages use for the value's type.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    /// The member `key` of an object; nil when absent or when this is not an object.
    ///
    /// Setting on anything but an object replaces it by one; setting nil removes the member.
    public subscript(key: String) -> JSONValue? {
        get {
            if case .object(let object) = self { object[key] } else { nil }
        }
        set {
            var members: JSONObject
            if case .object(let object) = self {
                members = object
                self = .null  // Leaves `members` the only owner, so that it is changed in place.
            } else {
                members = JSONObject()
            }
            members[key] = newValue
            self = .object(members)
        }
    }

    /// The element at `index`; nil when out of range or when this is not an array.
    public subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// The value that the member names lead to, through objects only.
    public subscript(path path: [String]) -> JSONValue? {
        get {
            var value = self
            for key in path {
                guard let next = value[key] else { return nil }
                value = next
            }
            return value
        }
        set {
            guard let first = path.first else {
                self = newValue ?? .null
                return
            }
            if path.count == 1 {
                self[first] = newValue
                return
            }
            var child = self[first] ?? .null
            if child.object == nil {
                if newValue == nil { return }
                child = .object([:])
            }
            self[first] = .null  // As above: one owner.
            child[path: Array(path.dropFirst())] = newValue
            self[first] = child
        }
    }

    /// The value that two member names lead to, through objects only: most looks are no deeper.
    public subscript(path: String, _ second: String) -> JSONValue? {
        get { self[path]?[second] }
        set { self[path: [path, second]] = newValue }
    }

    /// The value that three member names lead to, through objects only.
    public subscript(path: String, _ second: String, _ third: String) -> JSONValue? {
        get { self[path]?[second]?[third] }
        set { self[path: [path, second, third]] = newValue }
    }

    /// The value that the member names lead to, through objects only.
    public subscript(path: String, _ second: String, _ more: String...) -> JSONValue? {
        get { self[path: [path, second] + more] }
        set { self[path: [path, second] + more] = newValue }
    }
}

// Not by nil: `condition ? nil : value` would then be a null in place of nothing wherever an optional is expected.
extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements))
    }

    public init(_ value: String) { self = .string(value) }
    public init(_ value: Bool) { self = .bool(value) }
    public init(_ value: Int) { self = .integer(Int64(value)) }
    public init(_ value: [String]) { self = .array(value.map(JSONValue.string)) }
    public init(_ value: [String: String]) {
        self = .object(JSONObject(value.map { ($0.key, JSONValue.string($0.value)) }))
    }
    public init(_ value: [JSONValue]) { self = .array(value) }

    /// Nil becomes nil, so that assigning an absent value removes the member.
    public init?(_ value: String?) {
        guard let value else { return nil }
        self = .string(value)
    }
}

extension JSONValue: CustomStringConvertible {
    public var description: String { serialized() }
}
