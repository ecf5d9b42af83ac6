import JSON

extension Schema {
    /// Removes what the schema does not know, as the server does before it stores an object.
    ///
    /// - Returns: the document, and the paths of what was dropped (`spec.foo`), for strict field validation.
    public func prune(_ value: JSONValue) -> (value: JSONValue, dropped: [String]) {
        // Nearly every document has nothing to be dropped, and then need not be built again.
        if knows(value) { return (value, []) }
        var dropped: [String] = []
        var place = FieldTrail("")
        let result = pruned(value, &place, &dropped)
        return (result, dropped)
    }

    private func knows(_ value: JSONValue) -> Bool {
        switch value {
        case .object(let object):
            object.allSatisfy { name, value in
                property(name).map { $0.knows(value) } ?? rules.preservesUnknownFields
            }
        case .array(let elements): rules.items.map { elements.allSatisfy($0.knows) } ?? true
        default: true
        }
    }

    private func pruned(_ value: JSONValue, _ place: inout FieldTrail, _ dropped: inout [String]) -> JSONValue {
        switch value {
        case .object(let object):
            return .object(pruned(object, &place, &dropped))
        case .array(let elements):
            guard let items = rules.items else { return value }
            var result: [JSONValue] = []
            result.reserveCapacity(elements.count)
            for (index, element) in elements.enumerated() {
                result.append(place.descend(to: index) { items.pruned(element, &$0, &dropped) })
            }
            return .array(result)
        default:
            return value
        }
    }

    private func pruned(_ object: JSONObject, _ place: inout FieldTrail, _ dropped: inout [String]) -> JSONObject {
        var result: [(String, JSONValue)] = []
        result.reserveCapacity(object.count)
        for (name, value) in object {
            if let schema = property(name) {
                result.append((name, place.descend(to: name) { schema.pruned(value, &$0, &dropped) }))
            } else if rules.preservesUnknownFields {
                result.append((name, value))
            } else {
                dropped.append(place.descend(to: name) { $0.text })
            }
        }
        return JSONObject(result)
    }
}

extension Schema {
    func withoutEmpties(_ value: JSONValue) -> JSONValue {
        guard holdsEmpties(value) else { return value }
        return switch value {
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

    private func holdsEmpties(_ value: JSONValue) -> Bool {
        switch value {
        case .object(let object):
            object.contains { name, member in
                guard let schema = property(name) else { return false }
                return schema.isEmpty(member) || schema.holdsEmpties(member)
            }
        case .array(let elements): rules.items.map { elements.contains(where: $0.holdsEmpties) } ?? false
        default: false
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
        guard value.holdsNulls else { return value }
        return switch value {
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
        guard holdsNulls else { return self }
        return switch self {
        case .object(let object):
            .object(JSONObject(object.compactMap { $1.isNull ? nil : ($0, $1.withoutNulls) }))
        case .array(let elements): .array(elements.map(\.withoutNulls))
        default: self
        }
    }

    /// Whether a member is null, here or below.
    var holdsNulls: Bool {
        switch self {
        case .object(let object): object.contains { $1.isNull || $1.holdsNulls }
        case .array(let elements): elements.contains(where: \.holdsNulls)
        default: false
        }
    }
}
