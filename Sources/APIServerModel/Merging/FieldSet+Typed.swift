import JSON

extension FieldSet {
    /// The paths that an applied document sets: its leaves, the elements of its list-maps and sets, and the keys of
    /// its maps.
    init(of value: JSONValue, schema: Schema) {
        add(value, schema)
    }

    private mutating func add(_ value: JSONValue, _ schema: Schema) {
        switch value {
        case .object(let object) where !schema.isAtomicMap:
            if object.isEmpty { isMember = true }
            for (name, member) in object {
                var child = FieldSet(of: member, schema: schema.child(name))
                if schema.properties[name] == nil { child.isMember = true }
                children[.field(name)] = child
            }
        case .array(let elements) where schema.listType != .atomic && !elements.isEmpty:
            for (element, item) in zip(schema.elements(of: elements), elements) {
                var child = FieldSet(of: item, schema: schema.element)
                child.isMember = true
                children[element] = children[element].map { $0.union(child) } ?? child
            }
        default:
            isMember = true
        }
    }
}

extension Schema {
    /// The path elements that identify the items of a list that is not atomic.
    func elements(of list: [JSONValue]) -> [PathElement] {
        list.enumerated().map { index, item in
            switch rules.listType {
            case .set: .value(item)
            case .map: listKey(of: item).map(PathElement.key) ?? .index(index)
            case .atomic: .index(index)
            }
        }
    }
}

/// What changed between two documents, as the schema divides them into fields.
struct FieldComparison {
    var added = FieldSet()
    var removed = FieldSet()
    var modified = FieldSet()

    init(_ old: JSONValue?, _ new: JSONValue?, schema: Schema) {
        compare(old, new, schema, [])
    }

    private mutating func compare(_ old: JSONValue?, _ new: JSONValue?, _ schema: Schema, _ path: [PathElement]) {
        if old == new { return }
        switch (old, new) {
        case (nil, nil): return
        case (.object(let old)?, .object(let new)?)
        where !schema.isAtomicMap && !(old.isEmpty && new.isEmpty):
            compareMembers(old, new, schema, path)
        case (nil, .object(let new)?) where !schema.isAtomicMap && !new.isEmpty:
            if isOwnedAsWhole(path, schema) { added.insert(path) }
            compareMembers([:], new, schema, path)
        case (.object(let old)?, nil) where !schema.isAtomicMap && !old.isEmpty:
            removed.insert(path)
            compareMembers(old, [:], schema, path)
        case (.array(let old)?, .array(let new)?) where schema.listType != .atomic && !(old.isEmpty && new.isEmpty):
            compareItems(old, new, schema, path)
        case (nil, .array(let new)?) where schema.listType != .atomic && !new.isEmpty:
            if isOwnedAsWhole(path, schema) { added.insert(path) }
            compareItems([], new, schema, path)
        case (.array(let old)?, nil) where schema.listType != .atomic && !old.isEmpty:
            removed.insert(path)
            compareItems(old, [], schema, path)
        case (nil, _): added.insert(path)
        case (_, nil): removed.insert(path)
        default: modified.insert(path)
        }
    }

    /// Whether a new container is itself a field of its writer. The parts that every object of a kind has are not.
    private func isOwnedAsWhole(_ path: [PathElement], _ schema: Schema) -> Bool {
        guard case .field(let name)? = path.last else { return !path.isEmpty }
        return !["metadata", "spec", "status", "template", "containers", "strategy"].contains(name)
    }

    private mutating func compareMembers(
        _ old: JSONObject, _ new: JSONObject, _ schema: Schema, _ path: [PathElement]
    ) {
        for (name, value) in old where new[name] == nil {
            compare(value, nil, schema.child(name), path + [.field(name)])
        }
        for (name, value) in new { compare(old[name], value, schema.child(name), path + [.field(name)]) }
    }

    private mutating func compareItems(
        _ old: [JSONValue], _ new: [JSONValue], _ schema: Schema, _ path: [PathElement]
    ) {
        let before = Dictionary(zip(schema.elements(of: old), old)) { first, _ in first }
        let after = Dictionary(zip(schema.elements(of: new), new)) { first, _ in first }
        for (element, item) in before where after[element] == nil {
            compare(item, nil, schema.element, path + [element])
        }
        for (element, item) in after { compare(before[element], item, schema.element, path + [element]) }
    }
}
