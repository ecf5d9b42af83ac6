import JSON
import KubernetesModel

/// The fields of a pod that plans read.
public struct PodObservation: Sendable, Hashable {
    public static let resourceType = ResourceType.pods

    public struct Container: Sendable, Hashable {
        public struct Termination: Sendable, Hashable {
            public var exitCode: Int
            public var signal: Int
            public var reason: String
            public var message: String
            public var finishedAt: Timestamp?
        }

        public var name: String
        public var imageID: String
        public var ready: Bool
        public var restartCount: Int
        public var isRunning: Bool
        public var waitingReason: String?
        public var waitingMessage: String
        public var terminated: Termination?
        public var lastTermination: Termination?
    }

    public var metadata: ObjectMeta
    public var phase: String
    public var reason: String
    public var message: String
    public var conditions: [Condition]
    public var initContainers: [Container]
    public var containers: [Container]

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        let status = cursor["status"]
        phase = try status["phase"].optionalString() ?? ""
        reason = try status["reason"].optionalString() ?? ""
        message = try status["message"].optionalString() ?? ""
        conditions = try [Condition](json: status["conditions"])
        initContainers = try status["initContainerStatuses"].map { element throws(JSONShapeError) in
            try Container(json: element)
        }
        containers = try status["containerStatuses"].map { element throws(JSONShapeError) in
            try Container(json: element)
        }
    }

    /// Which of an Indexed Job's pods it is.
    var index: Int? { metadata.annotations[Label.completionIndex].flatMap { Int($0) } }

    var hasEnded: Bool { phase == "Succeeded" || phase == "Failed" }

    /// When the last container ended.
    var finishedAt: Timestamp? { containers.compactMap { $0.terminated?.finishedAt }.max() }
}

extension PodObservation.Container {
    init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].optionalString() ?? ""
        imageID = try cursor["imageID"].optionalString() ?? ""
        ready = try cursor["ready"].optionalBool() ?? false
        restartCount = try cursor["restartCount"].optionalInt() ?? 0
        isRunning = cursor["state"]["running"].exists
        let waiting = cursor["state"]["waiting"]
        waitingReason = waiting.exists ? try waiting["reason"].optionalString() ?? "" : nil
        waitingMessage = try waiting["message"].optionalString() ?? ""
        terminated = try Termination(json: cursor["state"]["terminated"])
        lastTermination = try Termination(json: cursor["lastState"]["terminated"])
    }
}

extension PodObservation.Container.Termination {
    /// The longest message that is kept: some room above the kubelet's 4,096 bytes.
    private static let longestMessage = 8192

    init?(json cursor: JSONCursor) throws(JSONShapeError) {
        guard cursor.exists else { return nil }
        exitCode = try cursor["exitCode"].optionalInt() ?? 0
        signal = try cursor["signal"].optionalInt() ?? 0
        reason = try cursor["reason"].optionalString() ?? ""
        message = String(try cursor["message"].optionalString()?.prefix(Self.longestMessage) ?? "")
        finishedAt = try cursor["finishedAt"].optionalTimestamp()
    }
}
