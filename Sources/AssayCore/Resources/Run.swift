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
    }

    /// Whether the gate let it pass.
    public enum Judgement: String, Sendable, Hashable, CaseIterable {
        case passed = "Passed"
        case refused = "Refused"
    }

    /// Rises with every run of the model.
    public var number: Int
    public var trigger: Trigger
    /// Of `spec.training`: a run stands for one and is never repeated for it.
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
    public var parameters: [String: String]
    public var seed: Int64?
    public var startTime: Timestamp?
    public var completionTime: Timestamp?
    /// Of the `spec.validation` that `judgement` and `verdicts` are by.
    public var validationHash: String?
    public var judgement: Judgement?
    public var verdicts: [Verdict]
    /// The run that it was compared with: the one that served when it was judged first. 0 for none.
    public var baselineRun: Int?

    public init(number: Int, trigger: Trigger, trainingHash: String, trainingJob: String, phase: Phase = .training) {
        self.number = number
        self.trigger = trigger
        self.trainingHash = trainingHash
        self.trainingJob = trainingJob
        self.phase = phase
        metrics = []
        images = []
        parameters = [:]
        verdicts = []
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        number = try cursor["number"].int()
        trigger = try cursor["trigger"].requiredEnum()
        trainingHash = try cursor["trainingHash"].string()
        trainingJob = try cursor["trainingJob"].string()
        phase = try cursor["phase"].requiredEnum()
        reason = try cursor["reason"].optionalString()
        message = try cursor["message"].optionalString()
        run = try cursor["run"].optionalString()
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
        metricsMessage = try cursor["metricsMessage"].optionalString()
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        parameters = try cursor["parameters"].stringMap()
        seed = try cursor["seed"].optionalInteger()
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
        validationHash = try cursor["validationHash"].optionalString()
        judgement = try cursor["judgement"].optionalEnum()
        verdicts = try cursor["verdicts"].map { element throws(JSONShapeError) in try Verdict(json: element) }
        baselineRun = try cursor["baselineRun"].optionalInt()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "number": JSONValue(number), "trigger": .string(trigger.rawValue), "trainingHash": .string(trainingHash),
            "trainingJob": .string(trainingJob), "phase": .string(phase.rawValue),
        ]
        result["reason"] = JSONValue(reason)
        result["message"] = JSONValue(message)
        result["run"] = JSONValue(run)
        if !metrics.isEmpty { result["metrics"] = JSONValue(metrics.map(\.json)) }
        result["metricsMessage"] = JSONValue(metricsMessage)
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
        if let seed { result["seed"] = .integer(seed) }
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        result["validationHash"] = JSONValue(validationHash)
        result["judgement"] = JSONValue(judgement?.rawValue)
        if !verdicts.isEmpty { result["verdicts"] = JSONValue(verdicts.map(\.json)) }
        if let baselineRun { result["baselineRun"] = JSONValue(baselineRun) }
        return result
    }
}

/// What a run produced, as it is served. Its lineage is the run's (`status.runs[].number == run`).
public struct Revision: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        case rollingOut = "RollingOut"
        case serving = "Serving"
        case superseded = "Superseded"
        case failed = "Failed"
    }

    public var name: String
    public var run: Int
    public var servingHash: String
    /// The version of the rendering of its pods, so that an upgrade of the operator restarts none.
    public var rendering: Int
    public var deployment: String
    public var port: Int
    public var images: [ContainerImage]
    public var state: State
    public var reason: String?
    public var message: String?
    /// When the rollout began.
    public var startTime: Timestamp?
    /// When it began to serve.
    public var servingTime: Timestamp?

    public init(
        name: String, run: Int, servingHash: String, rendering: Int, deployment: String, port: Int,
        images: [ContainerImage], state: State = .rollingOut
    ) {
        self.name = name
        self.run = run
        self.servingHash = servingHash
        self.rendering = rendering
        self.deployment = deployment
        self.port = port
        self.images = images
        self.state = state
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        run = try cursor["run"].int()
        servingHash = try cursor["servingHash"].string()
        rendering = try cursor["rendering"].int()
        deployment = try cursor["deployment"].string()
        port = try cursor["port"].int()
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        state = try cursor["state"].requiredEnum()
        reason = try cursor["reason"].optionalString()
        message = try cursor["message"].optionalString()
        startTime = try cursor["startTime"].optionalTimestamp()
        servingTime = try cursor["servingTime"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "name": .string(name), "run": JSONValue(run), "servingHash": .string(servingHash),
            "rendering": JSONValue(rendering), "deployment": .string(deployment), "port": JSONValue(port),
            "state": .string(state.rawValue),
        ]
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        result["reason"] = JSONValue(reason)
        result["message"] = JSONValue(message)
        result["startTime"] = JSONValue(startTime?.description)
        result["servingTime"] = JSONValue(servingTime?.description)
        return result
    }
}
