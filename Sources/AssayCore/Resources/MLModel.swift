import JSON
import KubernetesModel

/// A model that is trained, judged and served.
public struct MLModel: Sendable, Hashable {
    public static let resourceType = ResourceType.mlModels

    public var metadata: ObjectMeta
    public var spec: Decoded<MLModelSpec>
    public var status: Decoded<MLModelStatus>

    public init(metadata: ObjectMeta, spec: MLModelSpec, status: MLModelStatus = .init()) {
        self.metadata = metadata
        self.spec = .valid(spec)
        self.status = .valid(status)
    }

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        spec = Decoded(cursor["spec"]) { cursor throws(JSONShapeError) in try MLModelSpec(json: cursor) }
        status = Decoded(cursor["status"]) { cursor throws(JSONShapeError) in try MLModelStatus(json: cursor) }
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
