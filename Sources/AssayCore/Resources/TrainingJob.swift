import JSON
import KubernetesModel

/// One training, run as a batch Job.
public struct TrainingJob: Sendable, Hashable {
    public static let resourceType = ResourceType.trainingJobs

    public var metadata: ObjectMeta
    public var spec: Decoded<TrainingJobSpec>
    public var status: Decoded<TrainingJobStatus>

    public init(metadata: ObjectMeta, spec: TrainingJobSpec, status: TrainingJobStatus = .init()) {
        self.metadata = metadata
        self.spec = .valid(spec)
        self.status = .valid(status)
    }

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        spec = Decoded(cursor["spec"]) { cursor throws(JSONShapeError) in try TrainingJobSpec(json: cursor) }
        status = Decoded(cursor["status"]) { cursor throws(JSONShapeError) in try TrainingJobStatus(json: cursor) }
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "apiVersion": .string(Self.resourceType.apiVersion), "kind": .string(Self.resourceType.kind),
            "metadata": metadata.json,
        ]
        switch spec {
        case .valid(let spec): result["spec"] = spec.json
        case .invalid(_, let raw): result["spec"] = raw
        }
        switch status {
        case .valid(let status): result["status"] = status.json
        case .invalid(_, let raw): result["status"] = raw
        }
        return result
    }
}
