import JSON

/// The part of an object's metadata that controllers read.
public struct ObjectMeta: Sendable, Hashable {
    public var name: String
    public var namespace: String?
    public var uid: String
    /// Opaque but for equality, except where the server promises order (KEP-5504).
    public var resourceVersion: String
    public var generation: Int64
    public var creationTimestamp: Timestamp?
    public var deletionTimestamp: Timestamp?
    public var labels: [String: String]
    public var annotations: [String: String]
    public var ownerReferences: [OwnerReference]
    public var finalizers: [String]

    public init(
        name: String,
        namespace: String? = nil,
        uid: String = "",
        resourceVersion: String = "",
        generation: Int64 = 0,
        creationTimestamp: Timestamp? = nil,
        deletionTimestamp: Timestamp? = nil,
        labels: [String: String] = [:],
        annotations: [String: String] = [:],
        ownerReferences: [OwnerReference] = [],
        finalizers: [String] = []
    ) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.generation = generation
        self.creationTimestamp = creationTimestamp
        self.deletionTimestamp = deletionTimestamp
        self.labels = labels
        self.annotations = annotations
        self.ownerReferences = ownerReferences
        self.finalizers = finalizers
    }

    public var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
    public var isBeingDeleted: Bool { deletionTimestamp != nil }

    /// The owner that controls the object; the API server allows at most one.
    public var controller: OwnerReference? { ownerReferences.first { $0.controller } }

    /// The members of an object that ``init(json:)`` reads. `managedFields` is not among them.
    public static let fields = JSONFields(
        "metadata.name", "metadata.namespace", "metadata.uid", "metadata.resourceVersion", "metadata.generation",
        "metadata.creationTimestamp", "metadata.deletionTimestamp", "metadata.labels", "metadata.annotations",
        "metadata.ownerReferences", "metadata.finalizers")

    /// Reads `metadata` of an object. `cursor` stands at the metadata.
    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].optionalString() ?? ""
        namespace = try cursor["namespace"].optionalString()
        uid = try cursor["uid"].optionalString() ?? ""
        resourceVersion = try cursor["resourceVersion"].optionalString() ?? ""
        generation = try cursor["generation"].optionalInteger() ?? 0
        creationTimestamp = try cursor["creationTimestamp"].optionalTimestamp()
        deletionTimestamp = try cursor["deletionTimestamp"].optionalTimestamp()
        labels = try cursor["labels"].stringMap()
        annotations = try cursor["annotations"].stringMap()
        var owners: [OwnerReference] = []
        for owner in try cursor["ownerReferences"].elements() { owners.append(try OwnerReference(json: owner)) }
        ownerReferences = owners
        finalizers = try cursor["finalizers"].strings()
    }

    public var json: JSONValue {
        var result: JSONValue = ["name": .string(name)]
        result["namespace"] = JSONValue(namespace)
        if !uid.isEmpty { result["uid"] = .string(uid) }
        if !resourceVersion.isEmpty { result["resourceVersion"] = .string(resourceVersion) }
        if generation != 0 { result["generation"] = .integer(generation) }
        result["creationTimestamp"] = JSONValue(creationTimestamp?.description)
        result["deletionTimestamp"] = JSONValue(deletionTimestamp?.description)
        if !labels.isEmpty { result["labels"] = JSONValue(labels) }
        if !annotations.isEmpty { result["annotations"] = JSONValue(annotations) }
        if !ownerReferences.isEmpty { result["ownerReferences"] = JSONValue(ownerReferences.map(\.json)) }
        if !finalizers.isEmpty { result["finalizers"] = JSONValue(finalizers) }
        return result
    }
}

public struct OwnerReference: Sendable, Hashable {
    public var apiVersion: String
    public var kind: String
    public var name: String
    public var uid: String
    public var controller: Bool
    public var blockOwnerDeletion: Bool

    public init(
        apiVersion: String, kind: String, name: String, uid: String, controller: Bool = false,
        blockOwnerDeletion: Bool = false
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.uid = uid
        self.controller = controller
        self.blockOwnerDeletion = blockOwnerDeletion
    }

    /// A reference by which `owner` controls a child, and which holds back the owner's deletion in the foreground.
    public init(controller owner: ObjectMeta, of type: ResourceType) {
        self.init(
            apiVersion: type.apiVersion, kind: type.kind, name: owner.name, uid: owner.uid, controller: true,
            blockOwnerDeletion: true)
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        apiVersion = try cursor["apiVersion"].string()
        kind = try cursor["kind"].string()
        name = try cursor["name"].string()
        uid = try cursor["uid"].string()
        controller = try cursor["controller"].optionalBool() ?? false
        blockOwnerDeletion = try cursor["blockOwnerDeletion"].optionalBool() ?? false
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name), "uid": .string(uid),
        ]
        if controller { result["controller"] = true }
        if blockOwnerDeletion { result["blockOwnerDeletion"] = true }
        return result
    }
}
