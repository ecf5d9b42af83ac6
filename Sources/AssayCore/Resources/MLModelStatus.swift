import JSON
import KubernetesModel

public struct MLModelStatus: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable, CaseIterable {
        case pending = "Pending"
        case training = "Training"
        /// What was trained is measured by `spec.evaluation`.
        case evaluating = "Evaluating"
        case rollingOut = "RollingOut"
        case serving = "Serving"
        /// It has no pods; the first request wakes it.
        case hibernating = "Hibernating"
        /// It ought to serve, and its pods do not answer.
        case unavailable = "Unavailable"
        /// The gate said no.
        case refused = "Refused"
        /// The training or the rollout failed.
        case failed = "Failed"
        case suspended = "Suspended"
        case invalid = "Invalid"
    }

    public var observedGeneration: Int64
    public var phase: Phase?
    /// The reason of the condition that governs, for the printed table.
    public var reason: String?
    /// `accuracy 0.972 ≥ 0.93`: of the run that was judged last.
    public var verdict: String?
    /// The revision that serves.
    public var revision: String?
    /// What is being tried: a run while it trains, a revision while it is rolled out.
    public var candidate: String?
    /// `champion` is the revision that serves, `challenger` what is being tried.
    public var aliases: [String: String]
    public var url: String?
    /// For the scale subresource.
    public var replicas: Int?
    public var readyReplicas: Int?
    public var selector: String?
    public var conditions: [Condition]
    /// Newest last.
    public var runs: [Run]
    /// Newest last.
    public var revisions: [Revision]
    /// What is to go from stores, with the runs that have left the history.
    public var removals: [StoreRemoval]
    /// The port on the gateway that leads to this model and to no other; nil where no request goes that way.
    public var gatewayPort: Int?
    /// When users who were led elsewhere before are led there: nil once nothing is left of that.
    public var gatewaySince: Timestamp?
    /// How long the gateway serves on after users were led elsewhere.
    public var gatewayUntil: Timestamp?
    /// Rises with every change of `traffic`, so that a gateway can say by which it routes.
    public var trafficGeneration: Int64?
    /// Who gets the requests that go through the gateway.
    public var traffic: [TrafficShare]
    /// What each pod of the gateway may give to a replica at a time; empty where that has no bound.
    public var concurrency: [ConcurrencyShare]
    /// How far the candidate is on its way to them; nil where none is on it.
    public var rollout: RolloutStatus?
    /// That what serves has become bad; nil while it is good.
    public var rollback: RollbackStatus?
    /// When it is made anew; nil where nothing asks for that.
    public var retraining: RetrainingStatus?
    public var lastHandledReconcileAt: String?
    /// The last `reconcile.fluxcd.io/forceAt` that has its run.
    public var lastHandledForceAt: String?

    public init() {
        observedGeneration = -1
        aliases = [:]
        traffic = []
        concurrency = []
        conditions = []
        runs = []
        revisions = []
        removals = []
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        observedGeneration = try cursor["observedGeneration"].optionalInteger() ?? -1
        phase = try cursor["phase"].optionalEnum()
        reason = try cursor["reason"].optionalString()
        verdict = try cursor["verdict"].optionalString()
        revision = try cursor["revision"].optionalString()
        candidate = try cursor["candidate"].optionalString()
        aliases = try cursor["aliases"].stringMap()
        url = try cursor["url"].optionalString()
        replicas = try cursor["replicas"].optionalInt()
        readyReplicas = try cursor["readyReplicas"].optionalInt()
        selector = try cursor["selector"].optionalString()
        conditions = try [Condition](json: cursor["conditions"])
        runs = try cursor["runs"].map { element throws(JSONShapeError) in try Run(json: element) }
        revisions = try cursor["revisions"].map { element throws(JSONShapeError) in try Revision(json: element) }
        removals = try cursor["removals"].map { element throws(JSONShapeError) in try StoreRemoval(json: element) }
        gatewayPort = try cursor["gatewayPort"].optionalInt()
        gatewaySince = try cursor["gatewaySince"].optionalTimestamp()
        gatewayUntil = try cursor["gatewayUntil"].optionalTimestamp()
        trafficGeneration = try cursor["trafficGeneration"].optionalInteger()
        traffic = try cursor["traffic"].map { element throws(JSONShapeError) in try TrafficShare(json: element) }
        concurrency = try cursor["concurrency"].map { element throws(JSONShapeError) in
            try ConcurrencyShare(json: element)
        }
        rollout = cursor["rollout"].exists ? try RolloutStatus(json: cursor["rollout"]) : nil
        rollback = cursor["rollback"].exists ? try RollbackStatus(json: cursor["rollback"]) : nil
        retraining = cursor["retraining"].exists ? try RetrainingStatus(json: cursor["retraining"]) : nil
        lastHandledForceAt = try cursor["lastHandledForceAt"].optionalString()
        lastHandledReconcileAt = try cursor["lastHandledReconcileAt"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["observedGeneration": .integer(observedGeneration)]
        result["phase"] = JSONValue(phase?.rawValue)
        result["reason"] = JSONValue(reason)
        result["verdict"] = JSONValue(verdict)
        result["revision"] = JSONValue(revision)
        result["candidate"] = JSONValue(candidate)
        if !aliases.isEmpty { result["aliases"] = JSONValue(aliases) }
        result["url"] = JSONValue(url)
        if let replicas { result["replicas"] = JSONValue(replicas) }
        if let readyReplicas { result["readyReplicas"] = JSONValue(readyReplicas) }
        result["selector"] = JSONValue(selector)
        if !conditions.isEmpty { result["conditions"] = JSONValue(conditions.map(\.json)) }
        if !runs.isEmpty { result["runs"] = JSONValue(runs.map(\.json)) }
        if !revisions.isEmpty { result["revisions"] = JSONValue(revisions.map(\.json)) }
        if !removals.isEmpty { result["removals"] = JSONValue(removals.map(\.json)) }
        if let gatewayPort { result["gatewayPort"] = JSONValue(gatewayPort) }
        result["gatewaySince"] = JSONValue(gatewaySince?.description)
        result["gatewayUntil"] = JSONValue(gatewayUntil?.description)
        if let trafficGeneration { result["trafficGeneration"] = .integer(trafficGeneration) }
        if !traffic.isEmpty { result["traffic"] = JSONValue(traffic.map(\.json)) }
        if !concurrency.isEmpty { result["concurrency"] = JSONValue(concurrency.map(\.json)) }
        result["rollout"] = rollout?.json
        result["rollback"] = rollback?.json
        result["retraining"] = retraining?.json
        result["lastHandledForceAt"] = JSONValue(lastHandledForceAt)
        result["lastHandledReconcileAt"] = JSONValue(lastHandledReconcileAt)
        return result
    }
}
