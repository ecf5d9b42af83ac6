import JSON
import OpenSSL

/// What came of a step: the termination message of the container that seals, what the store has under the step's key, and
/// what is known of the steps of other trainings. `{"outputs": [{"name", "digest", "size"}], "metrics", "run"}`.
public struct StepRecord: Sendable, Hashable {
    /// The file of that name is all that an artifact with a record has in it.
    public static let fileName = "record.json"
    /// A termination message has 4,096 bytes, of which a lookup needs some for the step's name and the images.
    public static let longest = 3072

    public var outputs: [SealedArtifact]
    /// What the step wrote to `ASSAY_METRICS_FILE`.
    public var metrics: String?
    /// Why that is missing.
    public var metricsProblem: String?
    /// `ASSAY_RUN` of the run in which it was made.
    public var run: String?

    public init(
        outputs: [SealedArtifact], metrics: String? = nil, metricsProblem: String? = nil, run: String? = nil
    ) {
        self.outputs = outputs
        self.metrics = metrics
        self.metricsProblem = metricsProblem
        self.run = run
    }

    /// With metrics where there is room for them.
    public init(outputs: [SealedArtifact], metricsFile: String?, run: String?) {
        self.init(outputs: outputs, metrics: metricsFile, run: run)
        let size = json.serializedBytes().count
        guard let metricsFile, size > Self.longest else { return }
        let count = metricsFile.utf8.count
        metrics = nil
        metricsProblem =
            "ASSAY_METRICS_FILE has \(count) bytes, \(size - Self.longest) more than there is room for beside the outputs"
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        outputs = try cursor["outputs"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        metrics = try cursor["metrics"].optionalString()
        metricsProblem = try cursor["metricsProblem"].optionalString()
        run = try cursor["run"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["outputs": JSONValue(outputs.map(\.json))]
        result["metrics"] = JSONValue(metrics)
        result["metricsProblem"] = JSONValue(metricsProblem)
        result["run"] = JSONValue(run)
        return result
    }

    /// Nil for anything but the record of exactly these outputs, in whatever order; they are in the one given then.
    public init?(text: String, of expected: [String]) {
        do { try self.init(json: JSONCursor(try JSONValue(parsing: text))) } catch { return nil }
        guard isOf(expected) else { return nil }
        outputs = expected.compactMap { name in outputs.first { $0.name == name } }
    }

    func isOf(_ expected: [String]) -> Bool {
        outputs.map(\.name).sorted() == expected.sorted()
            && outputs.allSatisfy { Digest($0.digest) != nil && ($0.size ?? 0) >= 0 }
    }

    var reading: MetricsReading {
        if let metricsProblem { return MetricsReading(failure: metricsProblem) }
        // Of a workflow's steps only some measure anything.
        guard let metrics, !metrics.isEmpty else { return MetricsReading() }
        return MetricsReading(terminationMessage: metrics)
    }
}

extension TrainingJobStatus {
    /// What came of a step, for others; nil while nothing has, or where its metrics were not to be read.
    public func record(of step: StepStatus) -> StepRecord? {
        guard step.phase.isDone, metricsMessage == nil else { return nil }
        let reported = metrics.filter { $0.step == step.name }
        var text: String?
        if !reported.isEmpty {
            let list = reported.map { metric -> JSONValue in
                var metric = metric
                metric.step = nil
                return metric.json
            }
            text = (["metrics": .array(list)] as JSONValue).serialized()
        }
        return StepRecord(outputs: step.outputs, metrics: text, run: step.madeBy ?? run)
    }
}

extension TrainingJob {
    /// The keys of the steps whose results stand in its status.
    public var resultKeys: [String] { (status.value?.steps ?? []).filter(\.phase.isDone).compactMap(\.key) }

    /// What came of the step with this key.
    public func record(key: String) -> StepRecord? {
        guard let status = status.value else { return nil }
        return status.steps.first { $0.key == key }.flatMap { status.record(of: $0) }
    }
}
