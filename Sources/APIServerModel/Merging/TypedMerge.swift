import JSON

/// Merging and pruning of documents along a schema's fields.
enum TypedMerge {
    /// `config` laid over `live`: maps by key, list-maps by their keys, sets united, everything else replaced.
    static func merge(_ live: JSONValue?, _ config: JSONValue, schema: Schema) -> JSONValue {
        switch (live, config) {
        case (.object(let live)?, .object(let config)) where !schema.isAtomicMap:
            var result = live
            for (name, value) in config { result[name] = merge(live[name], value, schema: schema.child(name)) }
            return .object(result)
        case (.array(let live)?, .array(let config)) where schema.listType != .atomic:
            return .array(merge(live, config, schema))
        default:
            return config
        }
    }

    /// Items that only `live` has keep their place before the ones that follow them there; the others stand in the
    /// order of `config`.
    private static func merge(_ live: [JSONValue], _ config: [JSONValue], _ schema: Schema) -> [JSONValue] {
        let liveElements = schema.elements(of: live)
        let configElements = schema.elements(of: config)
        let wanted = Set(configElements)
        let liveIndex = Dictionary(zip(liveElements, live.indices)) { first, _ in first }
        var result: [JSONValue] = []
        var next = 0
        var taken: Set<PathElement> = []
        func takeLiveOnly() {
            while next < live.count {
                let element = liveElements[next]
                if !wanted.contains(element) {
                    result.append(live[next])
                } else if !taken.contains(element) {
                    return
                }
                next += 1
            }
        }
        for (element, item) in zip(configElements, config) {
            takeLiveOnly()
            taken.insert(element)
            result.append(merge(liveIndex[element].map { live[$0] }, item, schema: schema.element))
        }
        takeLiveOnly()
        return result
    }

    /// Removes what a manager applied before (`last`) and nobody owns any more (`kept`).
    static func prune(_ value: JSONValue, last: FieldSet, kept: FieldSet?, schema: Schema) -> JSONValue {
        switch value {
        case .object(let object) where !schema.isAtomicMap:
            return .object(
                JSONObject(
                    object.compactMap { name, member in
                        let child = schema.child(name)
                        let isNamed = schema.properties[name] != nil
                        let rest = pruned(member, .field(name), last, kept, child, isNamed: isNamed)
                        return rest.map { (name, $0) }
                    }))
        case .array(let elements) where schema.listType != .atomic:
            return .array(
                zip(schema.elements(of: elements), elements).compactMap { element, item in
                    guard let rest = pruned(item, element, last, kept, schema.element, isNamed: false) else {
                        return nil
                    }
                    // What identifies an item stays as long as the item does.
                    guard case .key(let key) = element, case .object(var object) = rest else { return rest }
                    for (name, value) in key where item[name] != nil { object[name] = value }
                    return .object(object)
                })
        default:
            return value
        }
    }

    private static func pruned(
        _ value: JSONValue, _ element: PathElement, _ last: FieldSet, _ kept: FieldSet?, _ schema: Schema, isNamed: Bool
    ) -> JSONValue? {
        guard let before = last[element] else { return value }
        let after = kept?[element]
        // A field of a structure belongs to whoever owns something in it.
        if after == nil, before.isMember || isNamed { return nil }
        return prune(value, last: before, kept: after, schema: schema)
    }
}
