import JSON
import KubernetesModel

/// What has become of a step.
public struct StepStatus: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable, CaseIterable {
        /// For what other steps make.
        case waiting = "Waiting"
        case pending = "Pending"
        case running = "Running"
        /// It has ended, and its outputs are on their way to the store.
        case sealing = "Sealing"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case suspended = "Suspended"
        case invalid = "Invalid"
        /// Its outputs were there: another run has made them of the same.
        case reused = "Reused"

        /// What it makes is there.
        var isDone: Bool { self == .succeeded || self == .reused }
    }

    public var name: String
    public var phase: Phase
    /// What a person might want to know beside the phase: why a result that may be there was not looked for.
    public var message: String?
    /// See ``StepKey``; nil until it begins, or while an image or a version that goes into it is not known.
    public var recipe: String?
    /// By what others find the result; nil until it is begun, or has ended where only then its images were known.
    public var key: String?
    /// `ASSAY_RUN` of the run that has made what this one reuses.
    public var madeBy: String?
    public var attempts: [Attempt]
    public var outputs: [SealedArtifact]
    /// As a registry has told before it began, and then as they ran.
    public var images: [ContainerImage]
    public var startTime: Timestamp?
    public var completionTime: Timestamp?

    public init(name: String, phase: Phase = .waiting) {
        self.name = name
        self.phase = phase
        attempts = []
        outputs = []
        images = []
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        phase = try cursor["phase"].requiredEnum()
        message = try cursor["message"].optionalString()
        recipe = try cursor["recipe"].optionalString()
        key = try cursor["key"].optionalString()
        madeBy = try cursor["madeBy"].optionalString()
        attempts = try cursor["attempts"].map { element throws(JSONShapeError) in try Attempt(json: element) }
        outputs = try cursor["outputs"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = ["name": .string(name), "phase": .string(phase.rawValue)]
        result["message"] = JSONValue(message)
        result["recipe"] = JSONValue(recipe)
        result["key"] = JSONValue(key)
        result["madeBy"] = JSONValue(madeBy)
        if !attempts.isEmpty { result["attempts"] = JSONValue(attempts.map(\.json)) }
        if !outputs.isEmpty { result["outputs"] = JSONValue(outputs.map(\.json)) }
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        return result
    }
}
