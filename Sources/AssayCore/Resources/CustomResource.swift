import JSON
import KubernetesModel

/// What somebody wants of a kind of ours.
public protocol ResourceSpec: Sendable, Hashable {
    static var resourceType: ResourceType { get }
    init(json cursor: JSONCursor) throws(JSONShapeError)
    var json: JSONValue { get }
}

/// What became of it.
public protocol ResourceStatus: Sendable, Hashable {
    /// Nothing yet.
    init()
    init(json cursor: JSONCursor) throws(JSONShapeError)
    var json: JSONValue { get }
}

/// An object of a kind of ours.
public struct CustomResource<Spec: ResourceSpec, Status: ResourceStatus>: Sendable, Hashable {
    public static var resourceType: ResourceType { Spec.resourceType }

    public var metadata: ObjectMeta
    public var spec: Decoded<Spec>
    public var status: Decoded<Status>

    public init(metadata: ObjectMeta, spec: Spec, status: Status = Status()) {
        self.metadata = metadata
        self.spec = .valid(spec)
        self.status = .valid(status)
    }

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        spec = Decoded(cursor["spec"]) { cursor throws(JSONShapeError) in try Spec(json: cursor) }
        status = Decoded(cursor["status"]) { cursor throws(JSONShapeError) in try Status(json: cursor) }
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

/// A model that is trained, judged and served.
public typealias MLModel = CustomResource<MLModelSpec, MLModelStatus>

extension MLModelSpec: ResourceSpec {
    public static var resourceType: ResourceType { .mlModels }
}

extension MLModelStatus: ResourceStatus {}

/// One training, run as a batch Job.
public typealias TrainingJob = CustomResource<TrainingJobSpec, TrainingJobStatus>

extension TrainingJobSpec: ResourceSpec {
    public static var resourceType: ResourceType { .trainingJobs }
}

extension TrainingJobStatus: ResourceStatus {}
