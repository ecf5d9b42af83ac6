import JSON
import KubernetesModel

/// Server-side apply and the bookkeeping of field managers (KEP-555; `sigs.k8s.io/structured-merge-diff`).
public enum ServerSideApply {
    /// Who writes, and by which version and subresource.
    public struct Writer: Sendable, Hashable {
        public var manager: String
        public var apiVersion: String
        public var subresource: String?

        public init(manager: String, apiVersion: String, subresource: String? = nil) {
            self.manager = manager
            self.apiVersion = apiVersion
            self.subresource = subresource
        }

        func identity(isApply: Bool) -> ManagedFields.Identity {
            ManagedFields.Identity(
                manager: manager, isApply: isApply, apiVersion: apiVersion, subresource: subresource ?? "")
        }
    }

    /// Applies `config` to the stored object.
    ///
    /// - Parameters:
    ///   - live: the stored object; nil when the apply creates it.
    ///   - config: as the user sent it: pruned, not defaulted.
    /// - Returns: the merged object with its new `managedFields`, to be defaulted and validated by the caller; equal to
    ///   `live` when the apply changes nothing. On conflicts, the 409 that says which fields and whose.
    public static func apply(
        live: JSONValue?, config: JSONValue, writer: Writer, force: Bool, schema: Schema, now: Timestamp
    ) -> Result<JSONValue, KubernetesStatus> {
        if let fields = config["metadata", "managedFields"]?.array, !fields.isEmpty {
            return .failure(
                KubernetesStatus(code: 400, reason: "BadRequest", message: "metadata.managedFields must be nil"))
        }
        let identity = writer.identity(isApply: true)
        var managers = ManagedFields(of: live)
        if managers.entries.isEmpty, let live { managers.adopt(live, writer: writer, schema: schema) }
        let last = managers.fields(of: identity)
        let base = live.map(withoutManagedFields)
        var config = config
        config.update(["metadata"]) { $0["managedFields"] = nil }
        // Whole, the set keeps what holds it (`metadata`) from being pruned.
        let applied = FieldSet(of: config, schema: schema)
        let own = applied.relevant(to: writer)

        let merged = TypedMerge.merge(base, config, schema: schema)
        var others = FieldSet()
        for entry in managers.entries where !entry.identity.isSameWriter(as: identity) {
            others = others.union(entry.fields)
        }
        let result = TypedMerge.prune(merged, last: last, kept: others.union(applied), schema: schema)

        let comparison = FieldComparison(base ?? [:], result, schema: schema)
        let changed = comparison.added.union(comparison.modified)
        let conflicts = conflicts(changed, with: managers, of: identity)
        if !conflicts.isEmpty, !force { return .failure(conflictStatus(conflicts)) }
        managers.take(changed.union(comparison.removed)) { !$0.isSameWriter(as: identity) }
        managers.set(own, of: identity, now: now)
        return .success(result.with(managers))
    }

    /// The object `new` with the `managedFields` that follow from a create, update or patch by `writer`.
    ///
    /// - Parameters:
    ///   - old: the stored object; nil for a create.
    ///   - new: the object as it will be stored, defaulted; its `managedFields` are the request's: absent ones mean "as
    ///     before", `[{}]` resets them.
    public static func recordUpdate(
        old: JSONValue?, new: JSONValue, writer: Writer, schema: Schema, now: Timestamp
    ) -> JSONValue {
        let given = new["metadata", "managedFields"]?.array
        // An empty list and a list of one empty entry ask for a reset; what cannot be read is as good as absent.
        let isReset = old != nil && (given == [] || given == [[:]])
        if isReset { return withoutManagedFields(new) }
        let sent = ManagedFields(of: new)
        var managers = sent.entries.isEmpty ? ManagedFields(of: old) : sent
        let before = old.map(withoutManagedFields) ?? [:]
        let comparison = FieldComparison(before, withoutManagedFields(new), schema: schema)
        let changed = comparison.added.union(comparison.modified).relevant(to: writer)
        let removed = comparison.removed
        let identity = writer.identity(isApply: false)
        managers.take(comparison.modified.union(comparison.added).union(removed)) { !$0.isSameWriter(as: identity) }
        let own = managers.fields(of: identity).union(changed).recursivelySubtracting(removed)
        managers.set(own, of: identity, now: now)
        return new.with(managers)
    }

    private static func withoutManagedFields(_ object: JSONValue) -> JSONValue {
        var result = object
        result.update(["metadata"]) { $0["managedFields"] = nil }
        return result
    }
}

extension ServerSideApply {
    private static func conflicts(
        _ changed: FieldSet, with managers: ManagedFields, of identity: ManagedFields.Identity
    ) -> [(manager: ManagedFields.Identity, path: String)] {
        managers.entries.filter { !$0.identity.isSameWriter(as: identity) }.flatMap { entry in
            entry.fields.intersection(changed).paths.map { path in
                (entry.identity, path.map(\.pathText).joined())
            }
        }
    }

    private static func conflictStatus(
        _ conflicts: [(manager: ManagedFields.Identity, path: String)]
    ) -> KubernetesStatus {
        let causes = conflicts.map { conflict in
            KubernetesStatus.Cause(
                reason: "FieldManagerConflict", message: "conflict with \(conflict.manager.text)", field: conflict.path)
        }
        let message: String
        if let only = conflicts.first, conflicts.count == 1 {
            message = "Apply failed with 1 conflict: conflict with \(only.manager.text): \(only.path)"
        } else {
            let paths = Dictionary(grouping: conflicts, by: \.manager.text)
            let lines = paths.sorted { $0.key < $1.key }.flatMap { manager, conflicts in
                ["conflicts with \(manager):"] + conflicts.map { "- \($0.path)" }
            }
            message = "Apply failed with \(conflicts.count) conflicts: " + lines.joined(separator: "\n")
        }
        return KubernetesStatus(code: 409, reason: "Conflict", message: message, causes: causes)
    }
}

extension ManagedFields {
    /// An object that no manager is known of was made before there were any: its fields belong to a manager of that
    /// name, so that an apply conflicts with them.
    fileprivate mutating func adopt(_ live: JSONValue, writer: ServerSideApply.Writer, schema: Schema) {
        let earlier = ServerSideApply.Writer(manager: "before-first-apply", apiVersion: writer.apiVersion)
        let fields = FieldSet(of: live, schema: schema).relevant(to: earlier)
        guard !fields.isEmpty else { return }
        entries.append(
            Entry(
                identity: earlier.identity(isApply: false), fields: fields,
                time: live["metadata", "creationTimestamp"]?.string))
    }
}

extension FieldSet {
    /// Without what the server itself sets, and what the writer's subresource does not write.
    fileprivate func relevant(to writer: ServerSideApply.Writer) -> FieldSet {
        var result = self
        result.isMember = false
        for name in ["apiVersion", "kind"] { result.children[.field(name)] = nil }
        if writer.subresource == "status" {
            result.children = result.children.filter { $0.key == .field("status") }
        } else if writer.subresource == nil {
            result.children[.field("status")] = nil
        }
        guard var metadata = result.children[.field("metadata")] else { return result }
        for name in [
            "name", "namespace", "generateName", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
            "managedFields", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
        ] { metadata.children[.field(name)] = nil }
        metadata.isMember = false
        result.children[.field("metadata")] = metadata.children.isEmpty ? nil : metadata
        return result
    }
}

extension JSONValue {
    fileprivate func with(_ managers: ManagedFields) -> JSONValue {
        var result = self
        result.update(["metadata"]) { metadata in
            metadata["managedFields"] = managers.entries.isEmpty ? nil : managers.json
        }
        return result
    }
}
