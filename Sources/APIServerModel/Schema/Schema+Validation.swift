import JSON

extension Schema {
    /// What is wrong with a document, in the words of the API server. `path` is the document's own place.
    public func validate(_ value: JSONValue, at path: String = "") -> [FieldError] {
        var errors: [FieldError] = []
        var place = FieldTrail(path)
        validate(value, &place, &errors)
        return errors
    }

    private func validate(_ value: JSONValue, _ place: inout FieldTrail, _ errors: inout [FieldError]) {
        if value.isNull, rules.nullable { return }
        guard hasRightType(value, place, &errors) else { return }
        if !rules.enumeration.isEmpty, !rules.enumeration.contains(where: { $0.isSame(as: value) }) {
            errors.append(.notSupported(place.text, value, rules.enumeration))
        }
        switch value {
        case .string(let text): validate(text, place, &errors)
        case .integer, .number: validate(number: value, place, &errors)
        case .array(let elements): validate(elements, &place, &errors)
        case .object(let object): validate(object, &place, &errors)
        case .null, .bool: break
        }
        validateCombinations(value, &place, &errors)
    }

    private func hasRightType(_ value: JSONValue, _ place: FieldTrail, _ errors: inout [FieldError]) -> Bool {
        if rules.isIntOrString {
            if value.integer != nil || value.string != nil { return true }
            errors.append(.type(place.text, expected: "integer,string", found: value))
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
        if !fits { errors.append(.type(place.text, expected: type.rawValue, found: value)) }
        return fits
    }

    private func validate(_ text: String, _ place: FieldTrail, _ errors: inout [FieldError]) {
        func fail(_ rule: String) {
            errors.append(.invalid(place.text, .string(text), "\(place.text) in body \(rule)"))
        }
        if rules.maxLength != nil || rules.minLength != nil {
            let length = text.unicodeScalars.count
            if let limit = rules.maxLength, length > limit { errors.append(.tooLong(place.text, max: limit)) }
            if let limit = rules.minLength, length < limit { fail("should be at least \(limit) chars long") }
        }
        if let pattern = rules.pattern, !pattern.matches(text) { fail("should match '\(pattern)'") }
        if let format = rules.format, !StringFormat.accepts(text, as: format) {
            fail("must be of type \(format): \"\(text)\"")
        }
    }

    private func validate(number value: JSONValue, _ place: FieldTrail, _ errors: inout [FieldError]) {
        guard let number = value.double else { return }
        func fail(_ rule: String, _ bound: Double) {
            let text = "\(place.text) in body should be \(rule) \(JSONValue.number(bound).serialized())"
            errors.append(.invalid(place.text, value, text))
        }
        if rules.namesWholeRange, let low = rules.minimum, let high = rules.maximum {
            let range = "\(JSONValue.number(low)) and \(JSONValue.number(high))"
            if !(low...max(low, high)).contains(number) {
                errors.append(.invalid(place.text, value, "must be between \(range), inclusive"))
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
            let text = "\(place.text) in body must be of type int32: \"\(integer)\""
            errors.append(.invalid(place.text, value, text))
        }
    }

    private func validate(_ elements: [JSONValue], _ place: inout FieldTrail, _ errors: inout [FieldError]) {
        if let limit = rules.maxItems, elements.count > limit {
            errors.append(.tooMany(place.text, actual: elements.count, max: limit))
        }
        if let limit = rules.minItems, elements.count < limit {
            let text = "\(place.text) in body should have at least \(limit) items"
            errors.append(.invalid(place.text, JSONValue(elements.count), text))
        }
        if let items = rules.items {
            for (index, element) in elements.enumerated() {
                place.descend(to: index) { items.validate(element, &$0, &errors) }
            }
        }
        var seen: Set<JSONValue> = []
        for (index, element) in elements.enumerated() {
            guard let identity = identity(of: element), !seen.insert(identity).inserted else { continue }
            errors.append(.duplicate("\(place.text)[\(index)]", identity))
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

    private func validate(_ object: JSONObject, _ place: inout FieldTrail, _ errors: inout [FieldError]) {
        for name in rules.required {
            let value = object[name]
            if value == nil || (rules.emptyIsAbsent && (value == "" || value == [])) {
                errors.append(.required(place.descend(to: name) { $0.text }))
            }
        }
        if let limit = rules.maxProperties, object.count > limit {
            errors.append(.tooMany(place.text, actual: object.count, max: limit))
        }
        if let limit = rules.minProperties, object.count < limit {
            let text = "\(place.text) in body should have at least \(limit) properties"
            errors.append(.invalid(place.text, JSONValue(object.count), text))
        }
        for (name, value) in object {
            guard let schema = property(name) else { continue }
            place.descend(to: name) { schema.validate(value, &$0, &errors) }
        }
    }

    private func validateCombinations(
        _ value: JSONValue, _ place: inout FieldTrail, _ errors: inout [FieldError]
    ) {
        for schema in rules.allOf { schema.validate(value, &place, &errors) }
        if rules.anyOf.isEmpty, rules.oneOf.isEmpty, rules.not == nil { return }
        let path = place.text
        func fail(_ text: String) { errors.append(.invalid(path, value, "\"\(path)\" \(text)")) }
        func accepts(_ schema: Schema) -> Bool { schema.validate(value, at: path).isEmpty }
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
