import ControllerRuntime
import CurlTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// What somebody wants: so many copies of a container.
struct Website: StoredObject {
    static let resourceType = ResourceType(group: "example.com", version: "v1", plural: "websites", kind: "Website")
    let metadata: ObjectMeta
    let spec: JSONValue
    let status: JSONValue?

    init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
        spec = json["spec"] ?? [:]
        status = json["status"]
    }

    var deployment: JSONValue {
        let labels: JSONValue = ["website": .string(metadata.name)]
        let owner = OwnerReference(controller: metadata, of: Self.resourceType)
        let pod: JSONValue = ["metadata": ["labels": labels], "spec": ["containers": [spec["container"] ?? [:]]]]
        return [
            "metadata": ["labels": labels, "ownerReferences": [owner.json]],
            "spec": ["replicas": spec["replicas"] ?? 1, "selector": ["matchLabels": labels], "template": pod],
        ]
    }
}

/// What there is: a Deployment, and how many of its pods are ready.
struct Deployment: StoredObject {
    static let resourceType = ResourceType.deployments
    let metadata: ObjectMeta
    let ready: Int64

    init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
        ready = try JSONCursor(json)["status"]["readyReplicas"].optionalInteger() ?? 0
    }
}

@main struct Program {
    static func main() async throws {
        let logger = Logger(label: "website") { StructuredLogHandler(label: $0) }
        let cluster = try ClientConfiguration.discover()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        var program = Operator(
            name: "example.com/website", configuration: cluster, transport: transport, logger: logger)
        let client = program.client
        let websites = program.watch(Website.self)
        let deployments = program.watch(Deployment.self, labelSelector: "website")
        program.controller(of: websites, owning: deployments) { site in
            let (key, ready) = (site.metadata.key, deployments.get(site.metadata.key)?.ready ?? 0)
            _ = try await client.apply(.deployments, key, site.deployment, fieldManager: "website")
            let status: JSONValue = [
                "observedGeneration": .integer(site.metadata.generation), "ready": .integer(ready),
            ]
            if site.status == status { return .done }
            _ = try await client.mergePatch(
                Website.resourceType, key, ["status": status], subresource: "status", fieldManager: "website-status")
            return .done
        }
        try await program.runUntilSignalled(logger: logger)
    }
}
