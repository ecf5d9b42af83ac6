import JSON

/// A structural schema: what a CustomResourceDefinition or a built-in kind says of a document.
///
/// Immutable, and shared by reference: the schema of a pod's containers is one object, wherever pods are templated.
@dynamicMemberLookup
public final class Schema: Sendable {
    public enum ValueType: String, Sendable, Hashable {
        case object, array, string, integer, number, boolean
    }

    /// How server-side apply merges a list (`x-kubernetes-list-type`).
    public enum ListType: Sendable, Hashable {
        case atomic
        case set
        case map(keys: [String])
    }

    /// How strategic merge patch treats a list (`x-kubernetes-patch-strategy` and `-merge-key`).
    public struct PatchStrategy: Sendable, Hashable {
        public var merges = false
        public var retainsKeys = false
        public var mergeKey: String?

        public init() {}
    }

    /// What a schema says, as plain values.
    public struct Rules: Sendable {
        /// The name under `components.schemas` of the published document, where the type has one.
        public var name: String?
        /// Of the type, where a field of it has a description of its own.
        public var typeDescription: String?
        public var description: String?
        public var type: ValueType?
        public var properties: [String: Schema] = [:]
        public var additionalProperties: Schema?
        public var items: Schema?
        public var required: [String] = []
        /// Whether `""` and `[]` are missing where something is required, as in the built-in kinds.
        public var emptyIsAbsent = false
        public var enumeration: [JSONValue] = []
        public var pattern: Pattern?
        public var format: String?
        public var minLength: Int?
        public var maxLength: Int?
        public var minItems: Int?
        public var maxItems: Int?
        public var minProperties: Int?
        public var maxProperties: Int?
        public var minimum: Double?
        public var maximum: Double?
        public var exclusiveMinimum = false
        public var exclusiveMaximum = false
        /// Whether both bounds are named in one message, as in the built-in kinds.
        public var namesWholeRange = false
        public var multipleOf: Double?
        public var uniqueItems = false
        public var nullable = false
        public var defaultValue: JSONValue?
        public var allOf: [Schema] = []
        public var anyOf: [Schema] = []
        public var oneOf: [Schema] = []
        public var not: Schema?
        public var preservesUnknownFields = false
        public var isEmbeddedResource = false
        public var isIntOrString = false
        public var listType: ListType = .atomic
        public var isAtomicMap = false
        public var patch = PatchStrategy()
        /// `x-kubernetes-validations` is published and not evaluated: operators repeat their rules.
        public var validations: JSONValue?

        public init() {}
    }

    public let rules: Rules
    /// The members that have a default, by name.
    let defaulted: [(name: String, schema: Schema)]
    /// Whether a default may be set, here or below.
    let setsDefaults: Bool

    public init(_ rules: Rules) {
        self.rules = rules
        defaulted = rules.properties.filter { $0.value.rules.defaultValue != nil }.sorted { $0.key < $1.key }
            .map { ($0.key, $0.value) }
        setsDefaults =
            !defaulted.isEmpty || rules.properties.values.contains(where: \.setsDefaults)
            || rules.additionalProperties?.setsDefaults ?? false || rules.items?.setsDefaults ?? false
    }

    public subscript<Value>(dynamicMember path: KeyPath<Rules, Value>) -> Value { rules[keyPath: path] }

    /// A schema that says nothing: maps are merged by key, lists are atomic, nothing is pruned.
    public static let any: Schema = {
        var rules = Rules()
        rules.preservesUnknownFields = true
        return Schema(rules)
    }()

    /// The schema of an object's member; nil where nothing is said of it.
    public func property(_ name: String) -> Schema? { rules.properties[name] ?? rules.additionalProperties }

    /// The schema of a member, or one that says nothing.
    func child(_ name: String) -> Schema { property(name) ?? .any }

    /// The schema of a list's elements, or one that says nothing.
    var element: Schema { rules.items ?? .any }

    /// The same schema with other rules.
    func with(_ change: (inout Rules) -> Void) -> Schema {
        var rules = self.rules
        change(&rules)
        return Schema(rules)
    }
}
