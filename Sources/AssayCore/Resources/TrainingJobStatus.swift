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
    public var attempts: [Attempt]
    public var metrics: [Metric]
    /// Why metrics could not be read, where they could not.
    public var metricsMessage: String?
    public var images: [ContainerImage]
    /// What the run was called in its containers: `ASSAY_RUN` of the attempt that counts.
    public var run: String?
    public var parameters: [String: String]
    public var seed: Int64?
    public var startTime: Timestamp?
    public var completionTime: Timestamp?
    public var lastHandledReconcileAt: String?

    public init(observedGeneration: Int64 = -1) {
        self.observedGeneration = observedGeneration
        conditions = []
        attempts = []
        metrics = []
        images = []
        parameters = [:]
    }

    /// The training has ended and stays ended.
    public var isFinished: Bool { phase == .succeeded || phase == .failed }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        observedGeneration = try cursor["observedGeneration"].optionalInteger() ?? -1
        phase = try cursor["phase"].optionalEnum()
        reason = try cursor["reason"].optionalString()
        specHash = try cursor["specHash"].optionalString()
        conditions = try [Condition](json: cursor["conditions"])
        attempts = try cursor["attempts"].map { element throws(JSONShapeError) in try Attempt(json: element) }
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
        metricsMessage = try cursor["metricsMessage"].optionalString()
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
        if !metrics.isEmpty { result["metrics"] = JSONValue(metrics.map(\.json)) }
        result["metricsMessage"] = JSONValue(metricsMessage)
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

/// One batch Job of a TrainingJob. There is a second only where the first was lost before it had a result.
public struct Attempt: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case lost = "Lost"
    }

    public var number: Int
    public var job: String
    public var jobUID: String?
    public var outcome: Outcome
    /// The pod that the Job counted as succeeded, or the one whose failure is told.
    public var pod: String?
    public var podUID: String?
    public var reason: String?
    public var message: String?
    public var startTime: Timestamp?
    public var completionTime: Timestamp?

    public init(number: Int, job: String, outcome: Outcome = .running) {
        self.number = number
        self.job = job
        self.outcome = outcome
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        number = try cursor["number"].int()
        job = try cursor["job"].string()
        jobUID = try cursor["jobUID"].optionalString()
        outcome = try cursor["outcome"].requiredEnum()
        pod = try cursor["pod"].optionalString()
        podUID = try cursor["podUID"].optionalString()
        reason = try cursor["reason"].optionalString()
        message = try cursor["message"].optionalString()
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "number": JSONValue(number), "job": .string(job), "outcome": .string(outcome.rawValue),
        ]
        result["jobUID"] = JSONValue(jobUID)
        result["pod"] = JSONValue(pod)
        result["podUID"] = JSONValue(podUID)
        result["reason"] = JSONValue(reason)
        result["message"] = JSONValue(message)
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        return result
    }
}

/// The image that a container of the successful pod really ran.
public struct ContainerImage: Sendable, Hashable {
    public var container: String
    /// As the template names it.
    public var image: String
    /// `sha256:…`; absent where the runtime reported none, which pins nothing.
    public var digest: String?

    public init(container: String, image: String, digest: String? = nil) {
        self.container = container
        self.image = image
        self.digest = digest
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        container = try cursor["container"].string()
        image = try cursor["image"].string()
        digest = try cursor["digest"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["container": .string(container), "image": .string(image)]
        result["digest"] = JSONValue(digest)
        return result
    }
}
