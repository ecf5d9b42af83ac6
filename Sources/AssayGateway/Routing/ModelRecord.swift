import AssayCore
import ControllerRuntime
import JSON
import KubernetesModel

/// The fields of an MLModel that requests are routed by.
public struct ModelRecord: StoredObject, Hashable {
    /// Where the pods of a revision are, and what scales them.
    public struct Revision: Sendable, Hashable {
        /// The Deployment's name.
        public var deployment: String
        /// The port of its pods.
        public var port: Int
    }

    public static let resourceType = ResourceType.mlModels

    public static var fields: JSONFields? {
        ObjectMeta.fields.union(
            JSONFields(
                "spec.serving.port", "spec.serving.retry", "spec.serving.hosts", "spec.serving.auth",
                "spec.serving.rollout.analysis", "spec.serving.containerConcurrency", "status.gatewayPort",
                "status.trafficGeneration", "status.traffic", "status.concurrency",
                "status.revisions.name", "status.revisions.deployment", "status.revisions.port"))
    }

    public var metadata: ObjectMeta
    /// The port on the gateway that is this model's; nil until it has one.
    public var gatewayPort: Int?
    /// Names under which the shared port knows it, in lower case.
    public var hosts: [String]
    /// Whether any request may be sent a second time.
    public var isIdempotent: Bool
    /// Whether somebody judges its revisions by what is counted of them.
    public var isAnalysed: Bool
    /// Who may call.
    public var callers: CallerRule
    /// How many requests each pod may have at a time; nil for as many as come.
    public var concurrency: Int?
    /// How much of that is whose, by the names of the gateway's pods; empty where nobody has divided it.
    public var shares: [String: Int]
    /// The port of pods of which no revision is recorded.
    public var port: Int
    public var traffic: [TrafficShare]
    /// Rises with every change of that.
    public var trafficGeneration: Int64
    /// By name.
    public var revisions: [String: Revision]

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        let (serving, status) = (cursor["spec"]["serving"], cursor["status"])
        metadata = try ObjectMeta(json: cursor["metadata"])
        gatewayPort = try status["gatewayPort"].optionalInt()
        if let gatewayPort, !(1...65535).contains(gatewayPort) {
            throw status["gatewayPort"].failure("must be a port")
        }
        hosts = try serving["hosts"].strings().map { $0.lowercased() }
        isIdempotent = try serving["retry"].optionalString() == "Idempotent"
        isAnalysed = serving["rollout"]["analysis"].exists
        callers = CallerRule(serving["auth"].value)
        concurrency = try serving["containerConcurrency"].optionalInt().flatMap { $0 > 0 ? $0 : nil }
        port = try serving["port"].optionalInt() ?? 8080
        traffic = []
        for element in try status["traffic"].elements() { traffic.append(try TrafficShare(json: element)) }
        shares = [:]
        for element in try status["concurrency"].elements() {
            let share = try ConcurrencyShare(json: element)
            shares[share.gateway] = share.limit
        }
        trafficGeneration = try status["trafficGeneration"].optionalInteger() ?? 0
        revisions = [:]
        for element in try status["revisions"].elements() {
            let name = try element["name"].string()
            revisions[name] = Revision(
                deployment: try element["deployment"].optionalString() ?? name,
                port: try element["port"].optionalInt() ?? port)
        }
    }

    /// How much of that is a pod's of the gateway: nothing where it is not on the list.
    ///
    /// - Parameter instance: its name; nil for one that is alone.
    func concurrency(for instance: String?) -> Int? {
        guard let concurrency, let instance, !shares.isEmpty else { return concurrency }
        return min(concurrency, shares[instance] ?? 0)
    }
}
