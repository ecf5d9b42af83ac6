import JSON

extension Schema {
    /// What is wrong with a document, in the words of the API server. `path` is the document's own place.
    public func validate(_ value: JSONValue, at path: String = "") -> [FieldError] {
        var errors: [FieldError] = []
        validate(value, path, &errors)
        return errors
    }

    private func validate(_ value: JSONValue, _ path: String, _ errors: inout [FieldError]) {
        if value.isNull, rules.nullable { return }
        guard hasRightType(value, path, &errors) else { return }
        if !rules.enumeration.isEmpty, !rules.enumeration.contains(where: { $0.isSame(as: value) }) {
            errors.append(.notSupported(path, value, rules.enumeration))
        }
        switch value {
        case .string(let text): validate(text, path, &errors)
        case .integer, .number: validate(number: value, path, &errors)
        case .array(let elements): validate(elements, path, &errors)
        case .object(let object): validate(object, path, &errors)
        case .null, .bool: break
        }
        validateCombinations(value, path, &errors)
    }

    private func hasRightType(_ value: JSONValue, _ path: String, _ errors: inout [FieldError]) -> Bool {
        if rules.isIntOrString {
            if value.integer != nil || value.string != nil { return true }
            errors.append(.type(path, expected: "integer,string", found: value))
            return false
        }
        guard let type = rules.type else { return true }
        let fits =
            switch (type, value) {
            case (.object, .object), (.array, .array), (.string, .string), (.boolean, .bool), (.number, .integer),
                (.number, .number), (.integer, .integer):
                true
            case (.integer, .number): value.integer != nil
            default: false
            }
        if !fits { errors.append(.type(path, expected: type.rawValue, found: value)) }
        return fits
    }

    private func validate(_ text: String, _ path: String, _ errors: inout [FieldError]) {
        let length = text.unicodeScalars.count
        if let limit = rules.maxLength, length > limit { errors.append(.tooLong(path, max: limit)) }
        if let limit = rules.minLength, length < limit {
            errors.append(
                .invalid(path, .string(text), "\(path) in body should be at least \(limit) chars long"))
        }
        if let pattern = rules.pattern, !pattern.matches(text) {
            errors.append(.invalid(path, .string(text), "\(path) in body should match '\(pattern)'"))
        }
        if let format = rules.format, !StringFormat.accepts(text, as: format) {
            errors.append(.invalid(path, .string(text), "\(path) in body must be of type \(format): \"\(text)\""))
        }
    }

    private func validate(number value: JSONValue, _ path: String, _ errors: inout [FieldError]) {
        guard let number = value.double else { return }
        func fail(_ rule: String, _ bound: Double) {
            errors.append(
                .invalid(path, value, "\(path) in body should be \(rule) \(JSONValue.number(bound).serialized())"))
        }
        if rules.namesWholeRange, let low = rules.minimum, let high = rules.maximum {
            let range = "\(JSONValue.number(low)) and \(JSONValue.number(high))"
            if !(low...max(low, high)).contains(number) {
                errors.append(.invalid(path, value, "must be between \(range), inclusive"))
            }
            return
        }
        if let bound = rules.minimum {
            if rules.exclusiveMinimum, number <= bound { fail("greater than", bound) }
            if !rules.exclusiveMinimum, number < bound { fail("greater than or equal to", bound) }
        }
        if let bound = rules.maximum {
            if rules.exclusiveMaximum, number >= bound { fail("less than", bound) }
            if !rules.exclusiveMaximum, number > bound { fail("less than or equal to", bound) }
        }
        if let factor = rules.multipleOf, factor > 0 {
            let quotient = number / factor
            if abs(quotient - quotient.rounded()) > 1e-9 * max(1, abs(quotient)) { fail("a multiple of", factor) }
        }
        if rules.format == "int32", let integer = value.integer, Int32(exactly: integer) == nil {
            errors.append(.invalid(path, value, "\(path) in body must be of type int32: \"\(integer)\""))
        }
    }

    private func validate(_ elements: [JSONValue], _ path: String, _ errors: inout [FieldError]) {
        if let limit = rules.maxItems, elements.count > limit {
            errors.append(.tooMany(path, actual: elements.count, max: limit))
        }
        if let limit = rules.minItems, elements.count < limit {
            errors.append(
                .invalid(path, JSONValue(elements.count), "\(path) in body should have at least \(limit) items"))
        }
        if let items = rules.items {
            for (index, element) in elements.enumerated() { items.validate(element, "\(path)[\(index)]", &errors) }
        }
        var seen: Set<JSONValue> = []
        for (index, element) in elements.enumerated() {
            guard let identity = identity(of: element), !seen.insert(identity).inserted else { continue }
            errors.append(.duplicate("\(path)[\(index)]", identity))
        }
    }

    /// What must be unique in a list: the value in a set, the keys in a list-map.
    private func identity(of element: JSONValue) -> JSONValue? {
        switch rules.listType {
        case .atomic: rules.uniqueItems ? element : nil
        case .set: element
        case .map: listKey(of: element).map(JSONValue.object)
        }
    }

    private func validate(_ object: JSONObject, _ path: String, _ errors: inout [FieldError]) {
        func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        for name in rules.required {
            let value = object[name]
            if value == nil || (rules.emptyIsAbsent && (value == "" || value == [])) {
                errors.append(.required(place(name)))
            }
        }
        if let limit = rules.maxProperties, object.count > limit {
            errors.append(.tooMany(path, actual: object.count, max: limit))
        }
        if let limit = rules.minProperties, object.count < limit {
            errors.append(
                .invalid(path, JSONValue(object.count), "\(path) in body should have at least \(limit) properties"))
        }
        for (name, value) in object { property(name)?.validate(value, place(name), &errors) }
    }

    private func validateCombinations(_ value: JSONValue, _ path: String, _ errors: inout [FieldError]) {
        func fail(_ text: String) { errors.append(.invalid(path, value, "\"\(path)\" \(text)")) }
        func accepts(_ schema: Schema) -> Bool { schema.validate(value, at: path).isEmpty }
        for schema in rules.allOf { schema.validate(value, path, &errors) }
        if !rules.anyOf.isEmpty, !rules.anyOf.contains(where: accepts) {
            fail("must validate at least one schema (anyOf)")
        }
        if !rules.oneOf.isEmpty {
            let count = rules.oneOf.count(where: accepts)
            let found = count == 0 ? "none" : "\(count)"
            if count != 1 { fail("must validate one and only one schema (oneOf). Found \(found) valid") }
        }
        if let not = rules.not, accepts(not) { fail("must not validate the schema (not)") }
    }

    /// The members that identify an element of a list-map, with defaults where it leaves one out; nil for other lists.
    func listKey(of element: JSONValue) -> JSONObject? {
        guard case .map(let keys) = rules.listType, let object = element.object else { return nil }
        var result = JSONObject()
        for key in keys { result[key] = object[key] ?? self.element.property(key)?.defaultValue }
        return result
    }
}

extension JSONValue {
    /// Equal as JSON is: 1 and 1.0 are one number.
    func isSame(as other: JSONValue) -> Bool {
        if self == other { return true }
        switch (self, other) {
        case (.integer, .number), (.number, .integer): return double == other.double
        default: return false
        }
    }
}
