import JSON
import KubernetesModel

/// One of the objects that keep everybody but the prover from a candidate.
public struct FencePart: Sendable, Hashable {
    public var type: ResourceType
    public var metadata: ObjectMeta
    public var spec: JSONValue

    public init(_ policy: NetworkPolicyObservation) {
        (type, metadata, spec) = (.networkPolicies, policy.metadata, policy.spec)
    }

    public init(_ service: ServiceObservation) {
        (type, metadata, spec) = (.services, service.metadata, service.spec)
    }
}

/// The fields of a networking.k8s.io/v1 NetworkPolicy that plans read.
public struct NetworkPolicyObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.networkPolicies

    public var metadata: ObjectMeta
    public var spec: JSONValue

    /// Not one that fences a candidate off.
    public var isOfGateway: Bool { metadata.labels[Label.model] != nil && metadata.labels[Label.proof] == nil }

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
        spec = json["spec"] ?? [:]
    }
}
