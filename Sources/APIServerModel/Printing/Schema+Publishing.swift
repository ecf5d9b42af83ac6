import JSON

extension Schema {
    /// The schema as OpenAPI v3 publishes it; types with a name become references, and are added to `components`.
    func openAPI(_ components: inout [String: JSONValue]) -> JSONValue {
        guard let name = rules.name else { return inline(&components) }
        if components[name] == nil {
            components[name] = [:]
            components[name] = with { rules in
                rules.name = nil
                rules.defaultValue = nil
                rules.description = rules.typeDescription
            }.inline(&components)
        }
        let reference: JSONValue = ["$ref": .string("#/components/schemas/\(name)")]
        let description = rules.description == rules.typeDescription ? nil : rules.description
        guard rules.defaultValue != nil || description != nil else { return reference }
        var result: JSONValue = ["allOf": [reference]]
        result["default"] = rules.defaultValue
        result["description"] = JSONValue(description)
        return result
    }

    private func inline(_ components: inout [String: JSONValue]) -> JSONValue {
        var result: JSONValue = [:]
        result["type"] = JSONValue(rules.type?.rawValue)
        result["description"] = JSONValue(rules.description)
        result["default"] = rules.defaultValue
        if !rules.properties.isEmpty {
            var properties: [(String, JSONValue)] = []
            for (name, schema) in rules.properties { properties.append((name, schema.openAPI(&components))) }
            result["properties"] = .object(JSONObject(properties))
        }
        if let values = rules.additionalProperties { result["additionalProperties"] = values.openAPI(&components) }
        if let items = rules.items { result["items"] = items.openAPI(&components) }
        if !rules.required.isEmpty { result["required"] = JSONValue(rules.required) }
        for (name, schemas) in [("allOf", rules.allOf), ("anyOf", rules.anyOf), ("oneOf", rules.oneOf)]
        where !schemas.isEmpty {
            var list: [JSONValue] = []
            for schema in schemas { list.append(schema.openAPI(&components)) }
            result[name] = .array(list)
        }
        if let not = rules.not { result["not"] = not.openAPI(&components) }
        addBounds(to: &result)
        addExtensions(to: &result)
        return result
    }

    private func addBounds(to result: inout JSONValue) {
        if !rules.enumeration.isEmpty { result["enum"] = .array(rules.enumeration) }
        result["pattern"] = JSONValue(rules.pattern?.description)
        result["format"] = JSONValue(rules.format)
        for (name, bound) in [
            ("minLength", rules.minLength), ("maxLength", rules.maxLength), ("minItems", rules.minItems),
            ("maxItems", rules.maxItems), ("minProperties", rules.minProperties),
            ("maxProperties", rules.maxProperties),
        ] { result[name] = bound.map { JSONValue($0) } }
        for (name, bound) in [
            ("minimum", rules.minimum), ("maximum", rules.maximum), ("multipleOf", rules.multipleOf),
        ] { result[name] = bound.map(JSONValue.number) }
        for (name, flag) in [
            ("exclusiveMinimum", rules.exclusiveMinimum), ("exclusiveMaximum", rules.exclusiveMaximum),
            ("uniqueItems", rules.uniqueItems), ("nullable", rules.nullable),
            ("x-kubernetes-preserve-unknown-fields", rules.preservesUnknownFields),
            ("x-kubernetes-embedded-resource", rules.isEmbeddedResource),
        ] where flag { result[name] = true }
    }

    private func addExtensions(to result: inout JSONValue) {
        if rules.isIntOrString {
            result["x-kubernetes-int-or-string"] = true
            if rules.type == nil { result["oneOf"] = [["type": "string"], ["type": "integer"]] }
        }
        if rules.isAtomicMap { result["x-kubernetes-map-type"] = "atomic" }
        result["x-kubernetes-validations"] = rules.validations
        if rules.type == .array {
            switch rules.listType {
            case .atomic: result["x-kubernetes-list-type"] = "atomic"
            case .set: result["x-kubernetes-list-type"] = "set"
            case .map(let keys):
                result["x-kubernetes-list-type"] = "map"
                result["x-kubernetes-list-map-keys"] = JSONValue(keys)
            }
        }
        var strategies: [String] = []
        if rules.patch.merges { strategies.append("merge") }
        if rules.patch.retainsKeys { strategies.append("retainKeys") }
        if !strategies.isEmpty {
            result["x-kubernetes-patch-strategy"] = .string(strategies.joined(separator: ","))
        }
        result["x-kubernetes-patch-merge-key"] = JSONValue(rules.patch.mergeKey)
    }
}
