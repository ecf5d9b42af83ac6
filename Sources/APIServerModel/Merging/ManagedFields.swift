import JSON
import KubernetesModel

/// The entries of `metadata.managedFields`.
struct ManagedFields: Hashable, Sendable {
    struct Identity: Hashable, Sendable {
        var manager: String
        var isApply: Bool
        var apiVersion: String
        var subresource: String

        /// As conflicts name it: `"kubectl" with subresource "status" using apps/v1`.
        var text: String {
            var text = JSONValue.string(manager).serialized()
            if !subresource.isEmpty { text += " with subresource \(JSONValue.string(subresource).serialized())" }
            return isApply ? text : "\(text) using \(apiVersion)"
        }

        /// One manager applies to one object in one set, whatever version it uses.
        func isSameWriter(as other: Identity) -> Bool {
            manager == other.manager && isApply == other.isApply && subresource == other.subresource
                && (isApply || apiVersion == other.apiVersion)
        }
    }

    struct Entry: Hashable, Sendable {
        var identity: Identity
        var fields: FieldSet
        var time: String?
    }

    var entries: [Entry] = []

    init() {}

    init(of object: JSONValue?) {
        for json in object?["metadata", "managedFields"]?.array ?? [] {
            guard let operation = json["operation"]?.string else { continue }
            let identity = Identity(
                manager: json["manager"]?.string ?? "", isApply: operation == "Apply",
                apiVersion: json["apiVersion"]?.string ?? "", subresource: json["subresource"]?.string ?? "")
            entries.append(
                Entry(
                    identity: identity, fields: FieldSet(fieldsV1: json["fieldsV1"]), time: json["time"]?.string))
        }
    }

    func index(of identity: Identity) -> Int? { entries.firstIndex { $0.identity.isSameWriter(as: identity) } }

    /// What `identity` owns; empty when it has no entry.
    func fields(of identity: Identity) -> FieldSet { index(of: identity).map { entries[$0].fields } ?? FieldSet() }

    mutating func set(_ fields: FieldSet, of identity: Identity, now: Timestamp) {
        if let index = index(of: identity) {
            guard entries[index].fields != fields || entries[index].identity != identity else { return }
            entries[index] = Entry(identity: identity, fields: fields, time: now.truncatedToSeconds.description)
        } else {
            entries.append(Entry(identity: identity, fields: fields, time: now.truncatedToSeconds.description))
        }
        entries.removeAll { $0.fields.isEmpty }
    }

    /// Takes fields from all managers but one.
    mutating func take(_ fields: FieldSet, from isAffected: (Identity) -> Bool) {
        for index in entries.indices where isAffected(entries[index].identity) {
            entries[index].fields = entries[index].fields.subtracting(fields)
        }
        entries.removeAll { $0.fields.isEmpty }
    }

    /// The server's order: applies, then updates, by time, manager and subresource.
    var json: JSONValue {
        let sorted = entries.sorted { left, right in
            let (a, b) = (left.identity, right.identity)
            if a.isApply != b.isApply { return a.isApply }
            return (left.time ?? "", a.manager, a.apiVersion, a.subresource)
                < (right.time ?? "", b.manager, b.apiVersion, b.subresource)
        }
        return .array(sorted.map(\.json))
    }
}

extension ManagedFields.Entry {
    var json: JSONValue {
        var result: JSONValue = [
            "manager": .string(identity.manager), "operation": identity.isApply ? "Apply" : "Update",
            "apiVersion": .string(identity.apiVersion), "fieldsType": "FieldsV1", "fieldsV1": fields.fieldsV1,
        ]
        result["time"] = JSONValue(time)
        if !identity.subresource.isEmpty { result["subresource"] = .string(identity.subresource) }
        return result
    }
}
