extension JSONValue {
    /// Applies a JSON Merge Patch (RFC 7386).
    public func merging(patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var result = object ?? JSONObject()
        for (key, change) in changes {
            if change.isNull {
                result[key] = nil
            } else {
                result[key] = (result[key] ?? .null).merging(patch: change)
            }
        }
        return .object(result)
    }

    /// The merge patch that turns `self` into `target`; nil when they are equal.
    ///
    /// A null inside `target` cannot be expressed by a merge patch and counts as absent.
    public func mergePatch(to target: JSONValue) -> JSONValue? {
        if self == target { return nil }
        guard case .object(let old) = self, case .object(let new) = target else { return target }
        var patch = JSONObject()
        for (key, value) in old where new[key] == nil && !value.isNull { patch[key] = .null }
        for (key, value) in new {
            guard let before = old[key] else {
                patch[key] = value
                continue
            }
            if let change = before.mergePatch(to: value) { patch[key] = change }
        }
        return patch.isEmpty ? nil : .object(patch)
    }
}
