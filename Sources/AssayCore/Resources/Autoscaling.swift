import JSON

/// How many replicas serve, by what the gateway measures.
public struct Autoscaling: Sendable, Hashable {
    public enum Metric: String, Sendable, Hashable, CaseIterable {
        /// Requests that are in flight or held, at a time.
        case concurrency = "Concurrency"
        case requestsPerSecond = "RequestsPerSecond"
    }

    /// 0 lets an idle model sleep.
    public var minReplicas: Int?
    public var maxReplicas: Int
    public var metric: Metric?
    /// What one replica is to have of the metric, when it is fully used.
    public var target: Double?
    /// After how long without a request the model sleeps, as 90s or 5m.
    public var idleAfter: String?

    public static let defaultTarget = 100.0
    public static let defaultIdleAfter = Duration.seconds(300)
    static let shortestIdle = Duration.seconds(5)

    public init(
        minReplicas: Int? = nil, maxReplicas: Int, metric: Metric? = nil, target: Double? = nil,
        idleAfter: String? = nil
    ) {
        self.minReplicas = minReplicas
        self.maxReplicas = maxReplicas
        self.metric = metric
        self.target = target
        self.idleAfter = idleAfter
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        minReplicas = try cursor["minReplicas"].optionalInt()
        maxReplicas = try cursor["maxReplicas"].int()
        metric = try cursor["metric"].optionalEnum()
        target = try cursor["target"].optionalDouble()
        idleAfter = try cursor["idleAfter"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["maxReplicas": JSONValue(maxReplicas)]
        if let minReplicas { result["minReplicas"] = JSONValue(minReplicas) }
        result["metric"] = JSONValue(metric?.rawValue)
        result["target"] = target.map { Int64(exactly: $0).map(JSONValue.integer) ?? .number($0) }
        result["idleAfter"] = JSONValue(idleAfter)
        return result
    }

    public var least: Int { minReplicas ?? 1 }
    public var sleeps: Bool { least == 0 }
    public var idleTime: Duration {
        idleAfter.flatMap(DurationText.seconds).map { Duration.seconds($0) } ?? Self.defaultIdleAfter
    }

    /// Of a revision that nobody has measured yet. At least one: nothing is proven by no pod.
    func initial(_ replicas: Int?) -> Int { min(max(replicas ?? least, least, 1), maxReplicas) }
}
