import JSON
import KubernetesModel

/// What plans read of a namespace: its labels.
public struct NamespaceObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.namespaces

    public var metadata: ObjectMeta

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
    }
}
