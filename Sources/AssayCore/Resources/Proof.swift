import JSON
import KubernetesModel

/// How the proof of a candidate stands: what its server has shown before any user reached it.
public struct Proof: Sendable, Hashable {
    /// Something that was measured on the candidate.
    public struct Measurement: Sendable, Hashable {
        /// One of ``LoadSummary/names``.
        public var name: String
        public var value: MetricValue
    }

    /// Of this attempt: the Jobs are named after it.
    public var id: String
    /// Of the rules that it is by; see ``MLModelSpec/Validation/proofHash``.
    public var hash: String
    public var startTime: Timestamp?
    public var completionTime: Timestamp?
    /// Nil while it is under way.
    public var judgement: Run.Judgement?
    public var verdicts: [Verdict]
    public var metrics: [Measurement]
    /// The digest of the artifact that has the full report.
    public var report: String?

    public init(id: String, hash: String) {
        self.id = id
        self.hash = hash
        verdicts = []
        metrics = []
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        id = try cursor["id"].string()
        hash = try cursor["hash"].string()
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
        judgement = try cursor["judgement"].optionalEnum()
        verdicts = try cursor["verdicts"].map { element throws(JSONShapeError) in try Verdict(json: element) }
        // As text, for the API's conventions have no floats.
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in
            Measurement(
                name: try element["name"].string(), value: MetricValue(text: try element["value"].string()))
        }
        report = try cursor["report"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["id": .string(id), "hash": .string(hash)]
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        result["judgement"] = JSONValue(judgement?.rawValue)
        if !verdicts.isEmpty { result["verdicts"] = JSONValue(verdicts.map(\.json)) }
        if !metrics.isEmpty {
            result["metrics"] = .array(
                metrics.map { ["name": .string($0.name), "value": .string($0.value.description)] })
        }
        result["report"] = JSONValue(report)
        return result
    }

    public var passed: Bool { judgement == .passed }

    /// As the gate reads them.
    static func reported(_ metrics: [Measurement]) -> [Metric] {
        metrics.map { measured in
            var metric = Metric(name: measured.name, value: measured.value)
            metric.evidence = .candidate
            return metric
        }
    }
}
