import JSON
import KubernetesModel

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
