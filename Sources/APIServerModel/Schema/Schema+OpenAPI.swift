import JSON

extension Schema {
    /// Reads `openAPIV3Schema` of a CustomResourceDefinition. `path` is the field's place, for the error.
    public convenience init(openAPI json: JSONValue, path: String = "") throws(FieldError) {
        self.init(try Rules(openAPI: json, path: path))
    }
}

extension Schema.Rules {
    init(openAPI json: JSONValue, path: String) throws(FieldError) {
        self.init()
        guard json.object != nil else { throw .invalid(path, json, "must be an object") }
        if let name = json["type"]?.string, !name.isEmpty {
            guard let known = Schema.ValueType(rawValue: name) else {
                throw .notSupported(
                    "\(path).type", .string(name), ["array", "boolean", "integer", "number", "object", "string"])
            }
            type = known
        }
        description = json["description"]?.string
        try readChildren(json, path)
        try readBounds(json, path)
        try readExtensions(json, path)
    }

    private mutating func readChildren(_ json: JSONValue, _ path: String) throws(FieldError) {
        for (name, value) in json["properties"]?.object ?? [:] {
            properties[name] = try Schema(openAPI: value, path: "\(path).properties[\(name)]")
        }
        switch json["additionalProperties"] {
        case .bool(true): additionalProperties = .any
        case .object(let object):
            additionalProperties = try Schema(openAPI: .object(object), path: "\(path).additionalProperties")
        default: break
        }
        if let value = json["items"] { items = try Schema(openAPI: value, path: "\(path).items") }
        if let value = json["not"] { not = try Schema(openAPI: value, path: "\(path).not") }
        allOf = try Self.list(json["allOf"], "\(path).allOf")
        anyOf = try Self.list(json["anyOf"], "\(path).anyOf")
        oneOf = try Self.list(json["oneOf"], "\(path).oneOf")
    }

    private static func list(_ json: JSONValue?, _ path: String) throws(FieldError) -> [Schema] {
        var result: [Schema] = []
        for (index, value) in (json?.array ?? []).enumerated() {
            result.append(try Schema(openAPI: value, path: "\(path)[\(index)]"))
        }
        return result
    }

    private mutating func readBounds(_ json: JSONValue, _ path: String) throws(FieldError) {
        required = (json["required"]?.array ?? []).compactMap(\.string)
        enumeration = json["enum"]?.array ?? []
        if let text = json["pattern"]?.string, !text.isEmpty {
            do {
                pattern = try Pattern(text)
            } catch {
                throw .invalid(
                    "\(path).pattern", .string(text), "must be a valid regular expression, but isn't: \(error)")
            }
        }
        format = json["format"]?.string
        minLength = json["minLength"]?.int
        maxLength = json["maxLength"]?.int
        minItems = json["minItems"]?.int
        maxItems = json["maxItems"]?.int
        minProperties = json["minProperties"]?.int
        maxProperties = json["maxProperties"]?.int
        minimum = json["minimum"]?.double
        maximum = json["maximum"]?.double
        exclusiveMinimum = json["exclusiveMinimum"]?.bool ?? false
        exclusiveMaximum = json["exclusiveMaximum"]?.bool ?? false
        multipleOf = json["multipleOf"]?.double
        uniqueItems = json["uniqueItems"]?.bool ?? false
        nullable = json["nullable"]?.bool ?? false
        defaultValue = json["default"]
    }

    private mutating func readExtensions(_ json: JSONValue, _ path: String) throws(FieldError) {
        preservesUnknownFields = json["x-kubernetes-preserve-unknown-fields"]?.bool ?? false
        isEmbeddedResource = json["x-kubernetes-embedded-resource"]?.bool ?? false
        isIntOrString = json["x-kubernetes-int-or-string"]?.bool ?? false
        isAtomicMap = json["x-kubernetes-map-type"]?.string == "atomic"
        validations = json["x-kubernetes-validations"]
        switch json["x-kubernetes-list-type"]?.string {
        case nil, "atomic": listType = .atomic
        case "set": listType = .set
        case "map":
            let keys = (json["x-kubernetes-list-map-keys"]?.array ?? []).compactMap(\.string)
            if keys.isEmpty {
                throw .required(
                    "\(path).x-kubernetes-list-map-keys",
                    "must not be empty if x-kubernetes-list-type is map")
            }
            listType = .map(keys: keys)
        case let other?:
            throw .notSupported("\(path).x-kubernetes-list-type", .string(other), ["atomic", "map", "set"])
        }
        if isEmbeddedResource {
            for name in ["apiVersion", "kind"] where properties[name] == nil { properties[name] = .string }
            properties["metadata"] = .objectMeta
        }
    }
}

extension Schema {
    static let string: Schema = {
        var rules = Rules()
        rules.type = .string
        return Schema(rules)
    }()

    /// `metav1.ObjectMeta`, which every object has whatever its own schema says of `metadata`.
    static var objectMeta: Schema { BuiltinTypes.objectMeta }

    /// Adds what every object at the root of a document has. Of an object's metadata its own schema may narrow the name.
    public var asResource: Schema {
        with { rules in
            rules.type = .object
            for name in ["apiVersion", "kind"] where rules.properties[name] == nil { rules.properties[name] = .string }
            let own = rules.properties["metadata"]?.rules.properties ?? [:]
            rules.properties["metadata"] = .objectMeta.with { metadata in
                for name in ["name", "generateName"] {
                    if let narrower = own[name] { metadata.properties[name] = narrower }
                }
            }
        }
    }
}
