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
