import JSON
import KubernetesModel

/// One attempt to make a model.
public struct Run: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable, CaseIterable {
        case training = "Training"
        case trained = "Trained"
        case failed = "Failed"
        /// The spec changed before it had a result.
        case superseded = "Superseded"
    }

    public enum Trigger: String, Sendable, Hashable, CaseIterable {
        case created = "Created"
        case trainingChanged = "TrainingChanged"
        case artifactChanged = "ArtifactChanged"
        /// `spec.training.schedule` was due.
        case scheduled = "Scheduled"
        /// By a person, with the annotation `reconcile.fluxcd.io/forceAt`.
        case requested = "Requested"

        /// Nothing in the spec has changed: the model is made anew.
        public var isRetraining: Bool {
            switch self {
            case .created, .trainingChanged, .artifactChanged: false
            case .scheduled, .requested: true
            }
        }
    }

    /// Whether the gate let it pass.
    public enum Judgement: String, Sendable, Hashable, CaseIterable {
        case passed = "Passed"
        case refused = "Refused"
    }

    /// Rises with every run of the model.
    public var number: Int
    public var trigger: Trigger
    /// What the trigger was, for people.
    public var triggerMessage: String?
    /// What the data outside is a version of, as far as anybody has said so: steps that read nothing here run anew with it.
    public var dataVersion: String?
    /// It was made anew, and did not come to serve: what served before goes on as though it had not been.
    public var isLeft: Bool {
        get { left ?? false }
        set { left = newValue ? true : nil }
    }
    private var left: Bool?
    /// It came to nothing, and not because the gate has said so.
    var hasFailed: Bool { phase == .failed || (isLeft && judgement != .refused) }
    /// Of `spec.training`. Only a trigger makes a second run of one.
    public var trainingHash: String
    public var trainingJob: String
    public var phase: Phase
    /// Why it failed, or how far it is.
    public var reason: String?
    public var message: String?
    /// What its containers were told in `ASSAY_RUN`.
    public var run: String?
    public var metrics: [Metric]
    public var metricsMessage: String?
    public var images: [ContainerImage]
    /// What its steps have made.
    public var artifacts: [SealedArtifact]
    /// The digest of the holdout that its metrics were measured on.
    public var holdout: String?
    /// Whether training has read of that; nil where nobody has compared it.
    public var independence: Independence?
    /// Where those are, if the spec does not say.
    public var artifactStore: ArtifactStoreSpec?
    public var parameters: [String: String]
    public var seed: Int64?
    public var startTime: Timestamp?
    public var completionTime: Timestamp?
    /// Of the `spec.validation` that `judgement` and `verdicts` are by, and of `spec.evaluation` where there is one.
    public var validationHash: String?
    public var judgement: Judgement?
    public var verdicts: [Verdict]
    /// The run that it was compared with: the one that served when it was judged first. 0 for none.
    public var baselineRun: Int?
    /// How it was measured, where `spec.evaluation` says how.
    public var evaluation: Evaluation?
    /// The baseline run measured again, on the holdout of this one.
    public var baseline: Evaluation?
    /// What of it is sealed in the store.
    public var record: SealedRun?

    public init(number: Int, trigger: Trigger, trainingHash: String, trainingJob: String, phase: Phase = .training) {
        self.number = number
        self.trigger = trigger
        self.trainingHash = trainingHash
        self.trainingJob = trainingJob
        self.phase = phase
        metrics = []
        images = []
        artifacts = []
        parameters = [:]
        verdicts = []
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        number = try cursor["number"].int()
        trigger = try cursor["trigger"].requiredEnum()
        triggerMessage = try cursor["triggerMessage"].optionalString()
        dataVersion = try cursor["dataVersion"].optionalString()
        left = try cursor["left"].optionalBool()
        trainingHash = try cursor["trainingHash"].string()
        trainingJob = try cursor["trainingJob"].string()
        phase = try cursor["phase"].requiredEnum()
        reason = try cursor["reason"].optionalString()
        message = try cursor["message"].optionalString()
        run = try cursor["run"].optionalString()
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
        metricsMessage = try cursor["metricsMessage"].optionalString()
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        holdout = try cursor["holdout"].optionalString()
        independence = cursor["independence"].exists ? try Independence(json: cursor["independence"]) : nil
        artifactStore =
            cursor["artifactStore"].exists ? try ArtifactStoreSpec(json: cursor["artifactStore"]) : nil
        parameters = try cursor["parameters"].stringMap()
        seed = try cursor["seed"].optionalInteger()
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
        validationHash = try cursor["validationHash"].optionalString()
        judgement = try cursor["judgement"].optionalEnum()
        verdicts = try cursor["verdicts"].map { element throws(JSONShapeError) in try Verdict(json: element) }
        baselineRun = try cursor["baselineRun"].optionalInt()
        evaluation = cursor["evaluation"].exists ? try Evaluation(json: cursor["evaluation"]) : nil
        baseline = cursor["baseline"].exists ? try Evaluation(json: cursor["baseline"]) : nil
        record = cursor["record"].exists ? try SealedRun(json: cursor["record"]) : nil
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "number": JSONValue(number), "trigger": .string(trigger.rawValue), "trainingHash": .string(trainingHash),
            "trainingJob": .string(trainingJob), "phase": .string(phase.rawValue),
        ]
        result["triggerMessage"] = JSONValue(triggerMessage)
        result["dataVersion"] = JSONValue(dataVersion)
        if let left { result["left"] = .bool(left) }
        result["reason"] = JSONValue(reason)
        result["message"] = JSONValue(message)
        result["run"] = JSONValue(run)
        if !metrics.isEmpty { result["metrics"] = JSONValue(metrics.map(\.json)) }
        result["metricsMessage"] = JSONValue(metricsMessage)
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        if !artifacts.isEmpty { result["artifacts"] = JSONValue(artifacts.map(\.json)) }
        result["holdout"] = JSONValue(holdout)
        result["independence"] = independence?.json
        result["artifactStore"] = artifactStore?.json
        if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
        if let seed { result["seed"] = .integer(seed) }
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        result["validationHash"] = JSONValue(validationHash)
        result["judgement"] = JSONValue(judgement?.rawValue)
        if !verdicts.isEmpty { result["verdicts"] = JSONValue(verdicts.map(\.json)) }
        if let baselineRun { result["baselineRun"] = JSONValue(baselineRun) }
        result["evaluation"] = evaluation?.json
        result["baseline"] = baseline?.json
        result["record"] = record?.json
        return result
    }
}
