import JSON
import KubernetesModel

extension APIServer {
    /// Everything that is wrong with an object; `old` is what it would replace.
    func validate(_ json: JSONValue, old: JSONValue?, _ resource: ServedResource) -> [FieldError] {
        var errors = resource.definition.validate(json, old: old)
        if let old { errors += addedFinalizers(json, old) }
        return errors
    }

    /// An object that is going cannot be held by something new.
    private func addedFinalizers(_ json: JSONValue, _ old: JSONValue) -> [FieldError] {
        guard old["metadata", "deletionTimestamp"] != nil else { return [] }
        let before = Set((old["metadata", "finalizers"]?.array ?? []).compactMap(\.string))
        let added = (json["metadata", "finalizers"]?.array ?? []).compactMap(\.string)
            .filter { !before.contains($0) }
        guard !added.isEmpty else { return [] }
        let list = added.map { "\"\($0)\"" }.joined(separator: ", ")
        return [
            .forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{\(list)}")
        ]
    }
}
