import JSON
import KubernetesModel

/// The gateway as far as a model's plan needs it.
public struct GatewayObservation: Sendable, Hashable {
    /// The namespace of its pods.
    public var namespace: String
    public var pods: [GatewayPod]
    /// Ports that are not free for the model: where it has none, all of others; where it has one, that one if an older model has
    /// it too, and then all of others.
    public var takenPorts: Set<Int>
    /// What leads the model's Service somewhere; among what was read live, also what controllers have left.
    public var leads: [ServiceLead]
    /// What keeps everybody else from the model's pods.
    public var policies: [NetworkPolicyObservation]
    /// What its pods have measured of the model; nil where nobody has looked.
    public var scaling: ScalingObservation?
    /// What they have measured of its canary; nil where nobody has looked.
    public var canary: CanaryCount?
    /// What they have measured of the revision that serves; nil where nobody has looked.
    public var service: ServiceCount?
    /// Of the kind that the server has: discovery/v1 EndpointSlices, or on old ones v1 Endpoints.
    public var servesSlices: Bool

    public init(
        namespace: String, pods: [GatewayPod] = [], takenPorts: Set<Int> = [], leads: [ServiceLead] = [],
        policies: [NetworkPolicyObservation] = [], servesSlices: Bool = true
    ) {
        self.policies = policies
        self.namespace = namespace
        self.pods = pods
        self.takenPorts = takenPorts
        self.leads = leads
        self.servesSlices = servesSlices
    }
}

/// What the leader knows of a model's requests.
public struct ScalingObservation: Sendable, Hashable {
    /// What the autoscaler asks for; nil where the spec asks for no such thing.
    public var desired: Int?
    /// Since the last request that anybody knows of, or since somebody looks.
    public var idle: Duration
    /// What the gateway's pods have said last, by the uids of those that answered.
    public var reports: [String: GatewayLoad.Model]

    public init(desired: Int? = nil, idle: Duration = .zero, reports: [String: GatewayLoad.Model] = [:]) {
        self.desired = desired
        self.idle = idle
        self.reports = reports
    }
}

/// A pod of the gateway.
public struct GatewayPod: Sendable, Hashable {
    public static let resourceType = ResourceType.pods
    /// By which its pods are found.
    public static let labels = ["app.kubernetes.io/name": "assay-gateway"]

    public var metadata: ObjectMeta
    /// One of each family at most, the pod's own first.
    public var addresses: [String]
    public var isReady: Bool
    public var hasEnded: Bool

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        let status = cursor["status"]
        let all = try status["podIPs"].map { element throws(JSONShapeError) in try element["ip"].string() }
        let own = try status["podIP"].optionalString() ?? ""
        addresses = all.isEmpty ? [own].filter { !$0.isEmpty } : all
        let phase = try status["phase"].optionalString()
        hasEnded = phase == "Succeeded" || phase == "Failed"
        isReady = try [Condition](json: status["conditions"]).contains { $0.type == "Ready" && $0.status == .true }
    }
}

/// An object that tells the network where a Service leads.
public struct ServiceLead: Sendable, Hashable {
    public var type: ResourceType
    public var metadata: ObjectMeta
    /// All of it but the metadata.
    public var content: JSONValue

    public init(_ slice: EndpointSliceObservation) {
        (type, metadata, content) = (.endpointSlices, slice.metadata, slice.content)
    }

    public init(_ endpoints: EndpointsObservation) {
        (type, metadata, content) = (.endpoints, endpoints.metadata, endpoints.content)
    }
}

/// A discovery.k8s.io/v1 EndpointSlice.
public struct EndpointSliceObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.endpointSlices
    /// The label that says of which Service it is.
    public static let serviceLabel = "kubernetes.io/service-name"

    public var metadata: ObjectMeta
    public var content: JSONValue

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
        content = [:]
        for field in ["addressType", "endpoints", "ports"] { content[field] = json[field] }
    }
}

/// A v1 Endpoints, which has the name of its Service.
public struct EndpointsObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.endpoints

    public var metadata: ObjectMeta
    public var content: JSONValue

    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
        content = ["subsets": json["subsets"] ?? []]
    }
}
