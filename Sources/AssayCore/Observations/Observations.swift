import JSON
import KubernetesModel

/// The fields of a batch/v1 Job that plans read.
public struct JobObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.jobs

    public var metadata: ObjectMeta
    public var suspend: Bool
    public var ttlSecondsAfterFinished: Int?
    public var conditions: [Condition]
    public var active: Int
    public var failed: Int
    public var startTime: Timestamp?
    public var completionTime: Timestamp?

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        suspend = try cursor["spec"]["suspend"].optionalBool() ?? false
        ttlSecondsAfterFinished = try cursor["spec"]["ttlSecondsAfterFinished"].optionalInt()
        let status = cursor["status"]
        conditions = try [Condition](json: status["conditions"])
        active = try status["active"].optionalInt() ?? 0
        failed = try status["failed"].optionalInt() ?? 0
        startTime = try status["startTime"].optionalTimestamp()
        completionTime = try status["completionTime"].optionalTimestamp()
    }

    /// Finished only by a condition whose status is True; `SuccessCriteriaMet` and `FailureTarget` come first and are
    /// not the end.
    public var isComplete: Bool { conditions.isTrue("Complete") }
    public var isFailed: Bool { conditions.isTrue("Failed") }
    public var isFinished: Bool { isComplete || isFailed }
}

/// The fields of a pod that plans read.
public struct PodObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.pods

    public struct Container: Sendable, Hashable {
        public struct Termination: Sendable, Hashable {
            public var exitCode: Int
            public var signal: Int
            public var reason: String
            public var message: String
            public var finishedAt: Timestamp?
        }

        public var name: String
        public var imageID: String
        public var ready: Bool
        public var restartCount: Int
        public var waitingReason: String?
        public var waitingMessage: String
        public var terminated: Termination?
        public var lastTermination: Termination?
    }

    public var metadata: ObjectMeta
    public var phase: String
    public var reason: String
    public var message: String
    public var conditions: [Condition]
    public var initContainers: [Container]
    public var containers: [Container]

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        let status = cursor["status"]
        phase = try status["phase"].optionalString() ?? ""
        reason = try status["reason"].optionalString() ?? ""
        message = try status["message"].optionalString() ?? ""
        conditions = try [Condition](json: status["conditions"])
        initContainers = try status["initContainerStatuses"].map { element throws(JSONShapeError) in
            try Container(json: element)
        }
        containers = try status["containerStatuses"].map { element throws(JSONShapeError) in
            try Container(json: element)
        }
    }

    /// When the last container ended.
    var finishedAt: Timestamp? { containers.compactMap { $0.terminated?.finishedAt }.max() }
}

extension PodObservation.Container {
    init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].optionalString() ?? ""
        imageID = try cursor["imageID"].optionalString() ?? ""
        ready = try cursor["ready"].optionalBool() ?? false
        restartCount = try cursor["restartCount"].optionalInt() ?? 0
        let waiting = cursor["state"]["waiting"]
        waitingReason = waiting.exists ? try waiting["reason"].optionalString() ?? "" : nil
        waitingMessage = try waiting["message"].optionalString() ?? ""
        terminated = try Termination(json: cursor["state"]["terminated"])
        lastTermination = try Termination(json: cursor["lastState"]["terminated"])
    }
}

extension PodObservation.Container.Termination {
    /// The longest message that is kept: some room above the kubelet's 4,096 bytes.
    private static let longestMessage = 8192

    init?(json cursor: JSONCursor) throws(JSONShapeError) {
        guard cursor.exists else { return nil }
        exitCode = try cursor["exitCode"].optionalInt() ?? 0
        signal = try cursor["signal"].optionalInt() ?? 0
        reason = try cursor["reason"].optionalString() ?? ""
        message = String(try cursor["message"].optionalString()?.prefix(Self.longestMessage) ?? "")
        finishedAt = try cursor["finishedAt"].optionalTimestamp()
    }
}

/// The fields of an apps/v1 Deployment that plans read.
public struct DeploymentObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.deployments

    public var metadata: ObjectMeta
    /// Kept whole, to see whether somebody else has changed what is ours. Only Deployments of ours are held.
    public var spec: JSONValue
    public var observedGeneration: Int64
    public var statusReplicas: Int
    public var updatedReplicas: Int
    public var readyReplicas: Int
    public var availableReplicas: Int
    public var conditions: [Condition]

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        spec = json["spec"] ?? [:]
        let status = cursor["status"]
        observedGeneration = try status["observedGeneration"].optionalInteger() ?? 0
        statusReplicas = try status["replicas"].optionalInt() ?? 0
        updatedReplicas = try status["updatedReplicas"].optionalInt() ?? 0
        readyReplicas = try status["readyReplicas"].optionalInt() ?? 0
        availableReplicas = try status["availableReplicas"].optionalInt() ?? 0
        conditions = try [Condition](json: status["conditions"])
    }

    public var replicas: Int { spec["replicas"]?.int ?? 1 }

    /// Every replica is of the newest template, runs and is available, and the controller has seen the newest spec.
    public var isFullyAvailable: Bool {
        observedGeneration >= metadata.generation && statusReplicas == replicas && updatedReplicas == replicas
            && availableReplicas == replicas && !metadata.isBeingDeleted
    }

    /// `Progressing` is False: the controller has given up.
    public var progressFailure: Condition? {
        guard observedGeneration >= metadata.generation, let progressing = conditions["Progressing"],
            progressing.status == .false
        else { return nil }
        return progressing
    }
}

/// The fields of a Service that plans read.
public struct ServiceObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.services

    public var metadata: ObjectMeta
    public var spec: JSONValue

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
        spec = json["spec"] ?? [:]
    }
}

public struct ServiceAccountObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.serviceAccounts

    public var metadata: ObjectMeta

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
    }
}

public struct NamespaceObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.namespaces

    public var metadata: ObjectMeta

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
    }
}

/// A Warning about a child, the only place where the Job controller tells of a pod that it may not create. Reads both
/// `events.k8s.io/v1` and `v1`.
public struct EventObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.events

    public var metadata: ObjectMeta
    public var type: String
    public var reason: String
    public var note: String
    public var regardingUID: String

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        type = try cursor["type"].optionalString() ?? ""
        reason = try cursor["reason"].optionalString() ?? ""
        let text = cursor["note"].exists ? cursor["note"] : cursor["message"]
        note = try text.optionalString() ?? ""
        let regarding = cursor["regarding"].exists ? cursor["regarding"] : cursor["involvedObject"]
        regardingUID = try regarding["uid"].optionalString() ?? ""
    }
}
