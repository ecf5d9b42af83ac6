import JSON

/// One version of one object, as it is kept: immutable, so that storage, history and watches share it.
final class StoredEntry: Sendable {
    /// `namespace/name`, or the name of a cluster-scoped object; lists are in the order of its bytes.
    let key: String
    let namespace: String?
    let name: String
    let uid: String
    let revision: UInt64
    /// In the form of the version it was written in.
    let json: JSONValue
    /// `json`, serialized once for every reader.
    let bytes: [UInt8]
    let labels: [String: String]

    init(json: JSONValue, revision: UInt64) {
        var json = json
        json["metadata", "resourceVersion"] = .string(String(revision))
        let metadata = json["metadata"]
        namespace = metadata?["namespace"]?.string
        name = metadata?["name"]?.string ?? ""
        uid = metadata?["uid"]?.string ?? ""
        key = Self.key(namespace: namespace, name: name)
        var labels: [String: String] = [:]
        for (name, value) in metadata?["labels"]?.object ?? [:] { labels[name] = value.string ?? "" }
        self.labels = labels
        self.revision = revision
        self.json = json
        bytes = json.serializedBytes()
    }

    static func key(namespace: String?, name: String) -> String {
        if let namespace { namespace + "/" + name } else { name }
    }

    var metadata: JSONValue { json["metadata"] ?? [:] }
    var isBeingDeleted: Bool { metadata["deletionTimestamp"] != nil }
    var finalizers: [String] { (metadata["finalizers"]?.array ?? []).compactMap(\.string) }
}
