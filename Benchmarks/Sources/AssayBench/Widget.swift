import ControllerRuntime
import JSON
import KubernetesModel

/// The resource that is measured: of its spec only what the controller reads.
struct Widget: StoredObject {
    static let resourceType = ResourceType(
        group: "bench.assay.dev", version: "v1", plural: "widgets", kind: "Widget")

    static let fields: JSONFields? = ObjectMeta.fields.union(JSONFields("spec.revision", "status"))

    let metadata: ObjectMeta
    let revision: Int64
    let phase: String
    let observedGeneration: Int64

    init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        revision = try cursor["spec"]["revision"].optionalInteger() ?? 0
        phase = try cursor["status"]["phase"].optionalString() ?? ""
        observedGeneration = try cursor["status"]["observedGeneration"].optionalInteger() ?? 0
    }

    var isDone: Bool { phase == "Done" && observedGeneration == metadata.generation }
}

/// Of a Job only whose it is.
struct Child: StoredObject {
    static let resourceType = ResourceType.jobs
    static let fields: JSONFields? = ObjectMeta.fields

    let metadata: ObjectMeta

    init(json: JSONValue) throws(JSONShapeError) { metadata = try ObjectMeta(json: JSONCursor(json)["metadata"]) }
}
