import JSON
import KubernetesModel

/// What plans read of a service account: whether its owner has lent it out, and what pulls its pods' images.
public struct ServiceAccountObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.serviceAccounts

    public var metadata: ObjectMeta
    /// Names of Secrets.
    public var pullSecrets: [String]

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        pullSecrets = try cursor["imagePullSecrets"].map { element throws(JSONShapeError) in
            try element["name"].optionalString() ?? ""
        }
    }
}
