import JSON
import OpenSSL

/// A judged run as a store keeps it: what was made of what, what it has shown, and what was said of it. No times are in it, and
/// nothing of the cluster but the run's name, so that equal ones have equal digests.
public struct RevisionRecord: Sendable, Hashable {
    /// The file of that name is all that an artifact with a record has in it.
    public static let fileName = "revision.json"
    /// More is none of ours.
    public static let longest = 1 << 20
    private static let version = "1"

    public var artifacts: [SealedArtifact]
    public var images: [ContainerImage]
    public var metrics: [Metric]
    public var metricsMessage: String?
    public var parameters: [String: String]
    public var seed: Int64?
    /// `ASSAY_RUN` of its containers.
    public var run: String?
    public var validationHash: String?
    public var judgement: Run.Judgement?
    public var verdicts: [Verdict]

    public init(of run: Run) {
        artifacts = run.allArtifacts
        images = run.images
        metrics = run.judgedMetrics
        metricsMessage = run.judgedMessage
        parameters = run.parameters
        seed = run.seed
        self.run = run.run
        validationHash = run.validationHash
        judgement = run.judgement
        verdicts = run.verdicts
    }

    /// Nil for anything else.
    public init?(text: String) {
        do { try self.init(json: JSONCursor(try JSONValue(parsing: text))) } catch { return nil }
    }

    init(json cursor: JSONCursor) throws(JSONShapeError) {
        guard try cursor["version"].string() == Self.version else { throw cursor["version"].failure("is unknown") }
        artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        for artifact in artifacts where !Bounds.isArtifactName(artifact.name) || Digest(artifact.digest) == nil {
            throw cursor["artifacts"].failure("has one without a name and a digest")
        }
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
        metricsMessage = try cursor["metricsMessage"].optionalString()
        parameters = try cursor["parameters"].stringMap()
        seed = try cursor["seed"].optionalInteger()
        run = try cursor["run"].optionalString()
        validationHash = try cursor["validationHash"].optionalString()
        judgement = try cursor["judgement"].optionalEnum()
        verdicts = try cursor["verdicts"].map { element throws(JSONShapeError) in try Verdict(json: element) }
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "version": .string(Self.version), "artifacts": JSONValue(artifacts.map(\.json)),
            "images": JSONValue(images.map(\.json)), "metrics": JSONValue(metrics.map(\.json)),
            "parameters": JSONValue(parameters), "verdicts": JSONValue(verdicts.map(\.json)),
        ]
        result["metricsMessage"] = JSONValue(metricsMessage)
        if let seed { result["seed"] = .integer(seed) }
        result["run"] = JSONValue(run)
        result["validationHash"] = JSONValue(validationHash)
        result["judgement"] = JSONValue(judgement?.rawValue)
        return result
    }

    /// - Parameter digest: its own.
    public func judged(digest: String) -> SealedJudgement? {
        guard let validationHash, let judgement else { return nil }
        return SealedJudgement(
            digest: digest, validationHash: validationHash, judgement: judgement, verdicts: verdicts)
    }
}

/// By what a judged run is found again.
public enum RunKey {
    /// Also the tag of its record.
    /// - Parameter steps: the keys of all its steps, in any order.
    public static func key(steps: [String]) -> String { "revision-" + ContentHash(of: steps.sorted()).prefix(32) }

    /// Of a run whose steps have no keys, or that has none: by what it consists of.
    static func key(of run: Run) -> String {
        let parts = run.artifacts.map { "\($0.name)=\($0.digest)" } + run.images.compactMap(\.digest)
        return key(steps: parts)
    }
}

/// What `assay artifact record` writes.
public struct RecordRequest: Sendable, Hashable {
    /// Linux gives a program no argument of more than 128 KiB.
    static let longest = 120_000

    /// The results of steps, by their keys.
    public var steps: [String: StepRecord]
    /// The tag of the record.
    public var tag: String
    public var record: RevisionRecord

    /// - Parameter training: what is known of its steps; nil where that is gone.
    init(_ run: Run, training: TrainingJobStatus?) {
        record = RevisionRecord(of: run)
        steps = [:]
        let known = training?.steps ?? []
        for step in known {
            if let key = step.key, let made = training?.record(of: step) { steps[key] = made }
        }
        let isWhole = !known.isEmpty && steps.count == known.count
        tag = isWhole ? RunKey.key(steps: Array(steps.keys)) : RunKey.key(of: run)
        // Most of them are in the store already, put there when they were sealed.
        if size > Self.longest { steps = [:] }
    }

    var size: Int { json.serializedBytes().count }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        tag = try cursor["tag"].string()
        record = try RevisionRecord(json: cursor["record"])
        steps = [:]
        for (key, value) in try cursor["steps"].optionalObject() ?? [:] {
            steps[key] = try StepRecord(json: JSONCursor(value))
        }
    }

    public var json: JSONValue {
        var made: JSONValue = [:]
        for (key, record) in steps { made[key] = record.json }
        return ["tag": .string(tag), "record": record.json, "steps": made]
    }
}
