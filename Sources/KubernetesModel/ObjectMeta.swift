import JSON

/// The part of an object's metadata that controllers read.
public struct ObjectMeta: Sendable, Hashable {
    /// Unique among the objects of its type in its namespace.
    public var name: String
    /// Nil for an object of the whole cluster.
    public var namespace: String?
    /// Unlike the name, never given twice. Empty before the object is created.
    public var uid: String
    /// Opaque but for equality, except where the server promises order (KEP-5504).
    public var resourceVersion: String
    /// Counts the changes of `spec`; 0 where the server does not count.
    public var generation: Int64
    /// When the server created the object; nil before.
    public var creationTimestamp: Timestamp?
    /// When deletion was asked for, with the grace period; nil unless it was.
    public var deletionTimestamp: Timestamp?
    /// What selectors choose by.
    public var labels: [String: String]
    /// What no selector sees, in all at most 256 KiB.
    public var annotations: [String: String]
    /// Whose deletion takes this object along.
    public var ownerReferences: [OwnerReference]
    /// What must be taken off the list before a deleted object goes.
    public var finalizers: [String]

    /// Metadata for an object to create; what only the server sets has a default.
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

    /// The namespace and the name together.
    public var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
    /// Whether deletion was asked for. The object stays until its finalizers are gone.
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

    /// The metadata as the API has it, without the members that are empty.
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

/// `metav1.OwnerReference`: an object that this one goes with, in the same namespace or of the whole cluster.
public struct OwnerReference: Sendable, Hashable {
    /// `apps/v1`
    public var apiVersion: String
    /// `Deployment`
    public var kind: String
    /// The owner's name.
    public var name: String
    /// The owner's uid; one of another object of this name does not own.
    public var uid: String
    /// Whether the owner manages this object. At most one owner does.
    public var controller: Bool
    /// Whether this object holds back a deletion of its owner in the foreground.
    public var blockOwnerDeletion: Bool

    /// A reference that is written as it stands.
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

    /// Reads a reference; absent flags are false.
    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        apiVersion = try cursor["apiVersion"].string()
        kind = try cursor["kind"].string()
        name = try cursor["name"].string()
        uid = try cursor["uid"].string()
        controller = try cursor["controller"].optionalBool() ?? false
        blockOwnerDeletion = try cursor["blockOwnerDeletion"].optionalBool() ?? false
    }

    /// The reference as the API has it, without flags that are false.
    public var json: JSONValue {
        var result: JSONValue = [
            "apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name), "uid": .string(uid),
        ]
        if controller { result["controller"] = true }
        if blockOwnerDeletion { result["blockOwnerDeletion"] = true }
        return result
    }
}
