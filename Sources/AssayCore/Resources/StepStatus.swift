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
    }

    public var name: String
    public var phase: Phase
    public var attempts: [Attempt]
    public var outputs: [SealedArtifact]
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
        attempts = try cursor["attempts"].map { element throws(JSONShapeError) in try Attempt(json: element) }
        outputs = try cursor["outputs"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = ["name": .string(name), "phase": .string(phase.rawValue)]
        if !attempts.isEmpty { result["attempts"] = JSONValue(attempts.map(\.json)) }
        if !outputs.isEmpty { result["outputs"] = JSONValue(outputs.map(\.json)) }
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        return result
    }
}
