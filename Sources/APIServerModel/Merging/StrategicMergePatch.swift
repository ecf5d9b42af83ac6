import JSON

/// Strategic merge patch: merge patch that knows which lists are maps, for built-in kinds.
///
/// The directives are those of the Kubernetes document "Strategic Merge Patch": `$patch`, `$retainKeys`,
/// `$deleteFromPrimitiveList/…`, `$setElementOrder/…`.
public enum StrategicMergePatch {
    public static func apply(
        _ patch: JSONValue, to document: JSONValue, schema: Schema
    ) throws(MergeError) -> JSONValue {
        guard case .object(let changes) = patch else {
            throw MergeError(.malformed, "a patch must be an object, not \(patch.typeName)")
        }
        return .object(try merge(document.object ?? [:], changes, schema))
    }

    private static let orderPrefix = "$setElementOrder/"
    private static let deletePrefix = "$deleteFromPrimitiveList/"

    private static func merge(
        _ original: JSONObject, _ patch: JSONObject, _ schema: Schema
    ) throws(MergeError) -> JSONObject {
        var patch = patch
        var result = original
        if let directive = patch.removeValue(forKey: "$patch") {
            switch directive.string {
            case "replace": return patch
            case "delete": return [:]
            case "merge": break
            default: throw MergeError(.unexpected, "unknown patch type: \(directive.string ?? directive.serialized())")
            }
        }
        if let retained = patch.removeValue(forKey: "$retainKeys") {
            let keys = Set((retained.array ?? []).compactMap(\.string))
            for key in original.keys where !keys.contains(key) { result[key] = nil }
        }
        for (name, change) in patch {
            if name.hasPrefix(deletePrefix) {
                let list = String(name.dropFirst(deletePrefix.count))
                let removed = Set(change.array ?? [])
                guard let elements = result[list]?.array else { continue }
                result[list] = .array(elements.filter { !removed.contains($0) })
            } else if !name.hasPrefix(orderPrefix) {
                result[name] = try merged(result[name], change, schema.child(name))
            }
        }
        for (name, order) in patch where name.hasPrefix(orderPrefix) {
            let list = String(name.dropFirst(orderPrefix.count))
            guard let elements = result[list]?.array else { continue }
            result[list] = .array(
                sorted(
                    elements, by: order.array ?? [], as: original[list]?.array ?? [],
                    key: schema.child(list).patch.mergeKey))
        }
        return result
    }

    /// Nil when the patch removes the member.
    private static func merged(
        _ original: JSONValue?, _ change: JSONValue, _ schema: Schema
    ) throws(MergeError) -> JSONValue? {
        switch change {
        case .null: return nil
        case .object(let changes):
            // Deleting what is not there leaves nothing behind.
            if original == nil, changes["$patch"] == "delete" { return nil }
            return .object(try merge(original?.object ?? [:], changes, schema))
        case .array(let changes):
            guard schema.patch.merges else { return .array(try changes.mapPatch(Self.withoutDirectives)) }
            return .array(try merge(original?.array ?? [], changes, schema))
        default: return change
        }
    }

    private static func merge(
        _ original: [JSONValue], _ changes: [JSONValue], _ schema: Schema
    ) throws(MergeError) -> [JSONValue] {
        guard let key = schema.patch.mergeKey else {
            return original + changes.filter { !original.contains($0) }
        }
        if changes.contains(where: { $0["$patch"] == "replace" }) {
            return try changes.filter { $0["$patch"] != "replace" }.mapPatch(withoutDirectives)
        }
        var result = original
        for change in changes {
            guard case .object(let members) = change else {
                throw MergeError(.malformed, "an element of a list merged by \"\(key)\" must be an object")
            }
            guard let identity = members[key] else {
                throw MergeError(.unexpected, "map: \(change.serialized()) does not contain declared merge key: \(key)")
            }
            let index = result.firstIndex { $0[key] == identity }
            if members["$patch"] == "delete" {
                result.removeAll { $0[key] == identity }
            } else if let index {
                result[index] = .object(try merge(result[index].object ?? [:], members, schema.element))
            } else {
                result.append(.object(try merge([:], members, schema.element)))
            }
        }
        // What the patch names comes in its order, and what only the server has where it stood before.
        return sorted(result, by: changes, as: original, key: key)
    }

    private static func withoutDirectives(_ value: JSONValue) throws(MergeError) -> JSONValue {
        guard case .object(let object) = value else { return value }
        return .object(JSONObject(object.compactMap { $0.hasPrefix("$") ? nil : ($0, $1) }))
    }

    /// Sorts a merged list: what `order` names in that order, and what only the server has where it stood before,
    /// as far as both can be had (`mergeSortedSlice`).
    private static func sorted(
        _ elements: [JSONValue], by order: [JSONValue], as before: [JSONValue], key: String?
    ) -> [JSONValue] {
        func identity(_ element: JSONValue) -> JSONValue { key.flatMap { element[$0] } ?? element }
        let wanted = order.map(identity)
        let old = before.map(identity)
        var named = wanted.compactMap { wanted in elements.first { identity($0) == wanted } }[...]
        var others = elements.filter { !wanted.contains(identity($0)) }[...]
        var result: [JSONValue] = []
        while let next = named.first {
            guard let other = others.first else { break }
            if let position = old.firstIndex(of: identity(other)), let index = old.firstIndex(of: identity(next)),
                position < index
            {
                result.append(other)
                others.removeFirst()
            } else {
                result.append(next)
                named.removeFirst()
            }
        }
        return result + named + others
    }
}

extension Array where Element == JSONValue {
    fileprivate func mapPatch(
        _ transform: (JSONValue) throws(MergeError) -> JSONValue
    ) throws(MergeError) -> [JSONValue] {
        var result: [JSONValue] = []
        for element in self { result.append(try transform(element)) }
        return result
    }
}
