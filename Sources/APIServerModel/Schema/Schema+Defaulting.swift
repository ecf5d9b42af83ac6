import JSON

extension Schema {
    /// Sets what is absent to its default. A null counts as absent where there is a default and null is not allowed.
    public func applyDefaults(_ value: JSONValue) -> JSONValue {
        guard setsDefaults else { return value }
        switch value {
        case .object(var object):
            for (name, schema) in defaulted {
                guard let defaultValue = schema.defaultValue else { continue }
                if object[name].map({ $0.isNull && !schema.nullable }) ?? true { object[name] = defaultValue }
            }
            return .object(
                JSONObject(
                    object.map { name, member in
                        (name, property(name)?.applyDefaults(member) ?? member)
                    }))
        case .array(let elements):
            guard let items = rules.items else { return value }
            return .array(elements.map(items.applyDefaults))
        default:
            return value
        }
    }
}
