import JSON
import KubernetesModel

/// Writes stored objects in the form that a client asked for.
struct Presenter: Sendable {
    let resource: ServedResource
    let representation: Representation
    /// Of tables: what of each object a row carries.
    let includeObject: String
    let now: Timestamp

    init(_ resource: ServedResource, _ context: RequestContext, isList: Bool = false) throws(APIFailure) {
        let include = context.target.value("includeObject") ?? "Metadata"
        let representation = try context.representation()
        if case .table = representation, !["Metadata", "Object", "None", ""].contains(include) {
            throw .badRequest(
                "Unable to convert to Table as requested: includeObject: Invalid value: \"\(include)\": must be "
                    + "'Metadata', 'Object', 'None', or empty")
        }
        if isList, representation == .partialMetadata(isList: false) {
            throw APIFailure(
                406, "NotAcceptable", "you requested PartialObjectMetadata, but the requested object is a list")
        }
        self.init(resource, representation, includeObject: include, now: context.now)
    }

    init(_ resource: ServedResource, _ representation: Representation, includeObject: String, now: Timestamp) {
        self.resource = resource
        self.representation = representation
        self.includeObject = includeObject
        self.now = now
    }

    /// One object, as a document or as the object of a watch event.
    func bytes(_ entry: StoredEntry, withHeaders: Bool = true) -> [UInt8] {
        switch representation {
        case .object:
            if entry.json["apiVersion"]?.string == resource.type.apiVersion { return entry.bytes }
            return resource.presented(entry.json).serializedBytes()
        case .partialMetadata:
            return Self.partialMetadata(entry.json).serializedBytes()
        case .table:
            var metadata: JSONValue = [:]
            metadata["resourceVersion"] = .string(String(entry.revision))
            return table([entry], metadata: metadata, withHeaders: withHeaders).serializedBytes()
        }
    }

    func list(_ entries: [StoredEntry], metadata: JSONValue) -> [UInt8] {
        switch representation {
        case .object:
            var output: [UInt8] = []
            output.reserveCapacity(entries.reduce(256) { $0 + $1.bytes.count + 1 })
            output += "{\"apiVersion\":\"\(resource.type.apiVersion)\",\"items\":[".utf8
            for (index, entry) in entries.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                output += bytes(entry)
            }
            output += "],\"kind\":\"\(resource.type.kind)List\",\"metadata\":".utf8
            metadata.write(to: &output)
            output.append(UInt8(ascii: "}"))
            return output
        case .partialMetadata:
            let list: JSONValue = [
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": metadata,
                "items": .array(entries.map { Self.partialMetadata($0.json) }),
            ]
            return list.serializedBytes()
        case .table:
            return table(entries, metadata: metadata, withHeaders: true).serializedBytes()
        }
    }

    /// What a bookmark carries: nothing but how far the watch has come.
    func bookmark(revision: UInt64, endsInitialEvents: Bool) -> JSONValue {
        var metadata: JSONValue = ["resourceVersion": .string(String(revision)), "creationTimestamp": .null]
        if endsInitialEvents { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        switch representation {
        case .object:
            return [
                "apiVersion": .string(resource.type.apiVersion), "kind": .string(resource.type.kind),
                "metadata": metadata,
            ]
        case .partialMetadata:
            return ["apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata]
        case .table:
            return table([], metadata: metadata, withHeaders: false)
        }
    }

    static func partialMetadata(_ json: JSONValue) -> JSONValue {
        [
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": json["metadata"] ?? [:],
        ]
    }
}
