import JSON
import KubernetesModel

/// A run measured by `spec.evaluation`.
public struct Evaluation: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable, CaseIterable {
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
    }

    /// Of the `spec.evaluation` that it is by.
    public var hash: String
    /// That measures.
    public var trainingJob: String
    public var phase: Phase
    public var message: String?
    public var metrics: [Metric]
    public var metricsMessage: String?
    /// What its steps have made.
    public var artifacts: [SealedArtifact]
    /// The digest of the holdout that it was measured on; nil where none is named.
    public var holdout: String?
    public var independence: Independence?
    public var completionTime: Timestamp?

    public init(hash: String, trainingJob: String, phase: Phase = .running) {
        self.hash = hash
        self.trainingJob = trainingJob
        self.phase = phase
        metrics = []
        artifacts = []
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        hash = try cursor["hash"].string()
        trainingJob = try cursor["trainingJob"].string()
        phase = try cursor["phase"].requiredEnum()
        message = try cursor["message"].optionalString()
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
        metricsMessage = try cursor["metricsMessage"].optionalString()
        artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        holdout = try cursor["holdout"].optionalString()
        independence = cursor["independence"].exists ? try Independence(json: cursor["independence"]) : nil
        completionTime = try cursor["completionTime"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "hash": .string(hash), "trainingJob": .string(trainingJob), "phase": .string(phase.rawValue),
        ]
        result["message"] = JSONValue(message)
        if !metrics.isEmpty { result["metrics"] = JSONValue(metrics.map(\.json)) }
        result["metricsMessage"] = JSONValue(metricsMessage)
        if !artifacts.isEmpty { result["artifacts"] = JSONValue(artifacts.map(\.json)) }
        result["holdout"] = JSONValue(holdout)
        result["independence"] = independence?.json
        result["completionTime"] = JSONValue(completionTime?.description)
        return result
    }
}

/// What a judgement goes by: where there is an evaluation, it alone says what there is to say of the holdout.
extension Run {
    /// All that there is of it in the store.
    var allArtifacts: [SealedArtifact] {
        let measured = evaluation?.artifacts ?? []
        return artifacts.filter { artifact in !measured.contains { $0.name == artifact.name } } + measured
    }

    var judgedMetrics: [Metric] { metrics(measuredBy: evaluation) }

    func metrics(measuredBy evaluation: Evaluation?) -> [Metric] {
        guard let evaluation else { return metrics }
        let trained = metrics.filter { metric in
            metric.split != .holdout
                && !evaluation.metrics.contains { $0.name == metric.name && $0.split == metric.split }
        }
        return trained + evaluation.metrics
    }

    var judgedHoldout: String? { evaluation == nil ? holdout : evaluation?.holdout }

    /// Nil where nobody has compared it.
    var judgedIndependence: Independence? {
        guard let evaluation, independence?.holdout != evaluation.holdout || independence == nil else {
            return independence
        }
        return evaluation.independence
    }

    var judgedMessage: String? { evaluation == nil ? metricsMessage : evaluation?.metricsMessage }
}
