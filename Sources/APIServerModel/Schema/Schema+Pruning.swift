import JSON

extension Schema {
    /// Removes what the schema does not know, as the server does before it stores an object.
    ///
    /// - Returns: the document, and the paths of what was dropped (`spec.foo`), for strict field validation.
    public func prune(_ value: JSONValue) -> (value: JSONValue, dropped: [String]) {
        var dropped: [String] = []
        let result = pruned(value, path: "", &dropped)
        return (result, dropped)
    }

    private func pruned(_ value: JSONValue, path: String, _ dropped: inout [String]) -> JSONValue {
        switch value {
        case .object(let object):
            return .object(pruned(object, path: path, &dropped))
        case .array(let elements):
            guard let items = rules.items else { return value }
            var result: [JSONValue] = []
            result.reserveCapacity(elements.count)
            for (index, element) in elements.enumerated() {
                result.append(items.pruned(element, path: "\(path)[\(index)]", &dropped))
            }
            return .array(result)
        default:
            return value
        }
    }

    private func pruned(_ object: JSONObject, path: String, _ dropped: inout [String]) -> JSONObject {
        var result: [(String, JSONValue)] = []
        result.reserveCapacity(object.count)
        for (name, value) in object {
            let place = path.isEmpty ? name : "\(path).\(name)"
            if let schema = property(name) {
                result.append((name, schema.pruned(value, path: place, &dropped)))
            } else if rules.preservesUnknownFields {
                result.append((name, value))
            } else {
                dropped.append(place)
            }
        }
        return JSONObject(result)
    }
}

extension Schema {
    func withoutEmpties(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object):
            .object(
                JSONObject(
                    object.compactMap { name, member in
                        guard let schema = property(name) else { return (name, member) }
                        let inner = schema.withoutEmpties(member)
                        return schema.isEmpty(inner) ? nil : (name, inner)
                    }))
        case .array(let elements): .array(rules.items.map { elements.map($0.withoutEmpties) } ?? elements)
        default: value
        }
    }

    private func isEmpty(_ value: JSONValue) -> Bool {
        switch value {
        case .array(let elements): elements.isEmpty && rules.type == .array
        case .object(let object): object.isEmpty && rules.additionalProperties != nil && rules.properties.isEmpty
        default: false
        }
    }

    /// Without nulls where none may be and no default takes their place, which count as absent.
    func withoutForbiddenNulls(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object):
            .object(
                JSONObject(
                    object.compactMap { name, member in
                        guard let schema = property(name) else { return (name, member) }
                        let isForbidden =
                            member.isNull && !schema.nullable && schema.defaultValue == nil
                            && rules.properties[name] != nil && schema.rules.type != nil
                        return isForbidden ? nil : (name, schema.withoutForbiddenNulls(member))
                    }))
        case .array(let elements): .array(rules.items.map { elements.map($0.withoutForbiddenNulls) } ?? elements)
        default: value
        }
    }
}

extension JSONValue {
    /// Without null members, which are absent ones to the built-in kinds.
    var withoutNulls: JSONValue {
        switch self {
        case .object(let object):
            .object(JSONObject(object.compactMap { $1.isNull ? nil : ($0, $1.withoutNulls) }))
        case .array(let elements): .array(elements.map(\.withoutNulls))
        default: self
        }
    }
}
