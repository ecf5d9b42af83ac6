import JSON
import KubernetesModel

/// What plans read of a service account: whether its owner has lent it out.
public struct ServiceAccountObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.serviceAccounts

    public var metadata: ObjectMeta

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
    }
}
