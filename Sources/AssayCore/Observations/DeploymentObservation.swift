import JSON
import KubernetesModel

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
