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
