import JSON
import KubernetesModel

public struct TrainingJobStatus: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable, CaseIterable {
        case pending = "Pending"
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case suspended = "Suspended"
        case invalid = "Invalid"
    }

    /// -1 until the operator has looked: kstatus then reads InProgress.
    public var observedGeneration: Int64
    public var phase: Phase?
    /// The reason of the condition that governs, for the printed table.
    public var reason: String?
    /// The hash of the spec that was accepted first; the spec is immutable.
    public var specHash: String?
    public var conditions: [Condition]
    /// Of the short form.
    public var attempts: [Attempt]
    /// Of a workflow, in the order of the spec.
    public var steps: [StepStatus]
    /// The looks for what steps would make, in the order that they were made.
    public var lookups: [Attempt]
    /// The Jobs that have compared the holdout, in the order that they were made.
    public var comparisons: [Attempt]
    /// Where its artifacts are, if the spec does not say: the namespace's store of the time when it began.
    public var artifactStore: ArtifactStoreSpec?
    public var metrics: [Metric]
    /// Why metrics could not be read, where they could not.
    public var metricsMessage: String?
    /// What the comparison of the holdout with what training has read has come to; nil where there is no holdout, and until
    /// that is known.
    public var independence: Independence?
    /// What the training has said of itself while it ran.
    public var progress: PushedProgress?
    /// What an artifact that was made elsewhere has brought, or what was given to a workflow; each step of a workflow has its own outputs.
    public var artifacts: [SealedArtifact]
    /// What was said of the same product before, as the store has it.
    public var judgement: SealedJudgement?
    /// Of the short form, and of an artifact; each step of a workflow has its own.
    public var images: [ContainerImage]
    /// What the run was called in its containers: `ASSAY_RUN` of the attempt that counts.
    public var run: String?
    public var parameters: [String: String]
    public var seed: Int64?
    public var startTime: Timestamp?
    public var completionTime: Timestamp?
    public var lastHandledReconcileAt: String?

    public init() {
        observedGeneration = -1
        conditions = []
        attempts = []
        steps = []
        lookups = []
        comparisons = []
        metrics = []
        artifacts = []
        images = []
        parameters = [:]
    }

    /// The training has ended and stays ended.
    public var isFinished: Bool { phase == .succeeded || phase == .failed }

    var allAttempts: [Attempt] { attempts + steps.flatMap(\.attempts) + lookups + comparisons }

    /// Of the Jobs that it has had, as far as they were seen.
    public var jobUIDs: [String] { allAttempts.compactMap(\.jobUID) }

    /// What there is to serve.
    public var allArtifacts: [SealedArtifact] { artifacts + steps.flatMap(\.outputs) }

    /// The images of all steps, each with its step's name.
    public var allImages: [ContainerImage] {
        images
            + steps.flatMap { step in
                step.images.map { image in
                    var image = image
                    image.step = step.name
                    return image
                }
            }
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        observedGeneration = try cursor["observedGeneration"].optionalInteger() ?? -1
        phase = try cursor["phase"].optionalEnum()
        reason = try cursor["reason"].optionalString()
        specHash = try cursor["specHash"].optionalString()
        conditions = try [Condition](json: cursor["conditions"])
        attempts = try cursor["attempts"].map { element throws(JSONShapeError) in try Attempt(json: element) }
        steps = try cursor["steps"].map { element throws(JSONShapeError) in try StepStatus(json: element) }
        lookups = try cursor["lookups"].map { element throws(JSONShapeError) in try Attempt(json: element) }
        comparisons = try cursor["comparisons"].map { element throws(JSONShapeError) in try Attempt(json: element) }
        artifactStore =
            cursor["artifactStore"].exists ? try ArtifactStoreSpec(json: cursor["artifactStore"]) : nil
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
        metricsMessage = try cursor["metricsMessage"].optionalString()
        independence = cursor["independence"].exists ? try Independence(json: cursor["independence"]) : nil
        progress = cursor["progress"].exists ? try PushedProgress(json: cursor["progress"]) : nil
        artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        judgement = cursor["judgement"].exists ? try SealedJudgement(json: cursor["judgement"]) : nil
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        run = try cursor["run"].optionalString()
        parameters = try cursor["parameters"].stringMap()
        seed = try cursor["seed"].optionalInteger()
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
        lastHandledReconcileAt = try cursor["lastHandledReconcileAt"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["observedGeneration": .integer(observedGeneration)]
        result["phase"] = JSONValue(phase?.rawValue)
        result["reason"] = JSONValue(reason)
        result["specHash"] = JSONValue(specHash)
        if !conditions.isEmpty { result["conditions"] = JSONValue(conditions.map(\.json)) }
        if !attempts.isEmpty { result["attempts"] = JSONValue(attempts.map(\.json)) }
        if !steps.isEmpty { result["steps"] = JSONValue(steps.map(\.json)) }
        if !lookups.isEmpty { result["lookups"] = JSONValue(lookups.map(\.json)) }
        if !comparisons.isEmpty { result["comparisons"] = JSONValue(comparisons.map(\.json)) }
        result["artifactStore"] = artifactStore?.json
        if !metrics.isEmpty { result["metrics"] = JSONValue(metrics.map(\.json)) }
        result["metricsMessage"] = JSONValue(metricsMessage)
        result["independence"] = independence?.json
        result["progress"] = progress?.json
        if !artifacts.isEmpty { result["artifacts"] = JSONValue(artifacts.map(\.json)) }
        result["judgement"] = judgement?.json
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        result["run"] = JSONValue(run)
        if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
        if let seed { result["seed"] = .integer(seed) }
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        result["lastHandledReconcileAt"] = JSONValue(lastHandledReconcileAt)
        return result
    }
}
