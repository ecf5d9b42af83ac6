import JSON
import KubernetesModel

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
