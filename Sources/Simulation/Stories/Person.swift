import APIServerModel
import AssayCore
import JSON
import KubernetesModel

/// Does what a story says, as the administrator.
struct Person: Sendable {
    static let key = ObjectKey(namespace: ToyModel.namespace, name: ToyModel.name)

    let server: SimulatedServer

    func perform(_ act: Story.Act, number: Int) {
        switch act {
        case .apply(let model): apply(model, in: ToyModel.namespace)
        case .delete: delete(.mlModels, Self.key)
        case .recreate(let model):
            delete(.mlModels, Self.key)
            apply(model, in: ToyModel.namespace)
        case .deleteChildren(let plural): deleteChildren(plural)
        case .scaleDeployment(let replicas):
            for deployment in server.objects(.deployments) where deployment.isInStory {
                patch(.deployments, deployment.place, ["spec": ["replicas": JSONValue(replicas)]])
            }
        case .redirectService: patch(.services, Self.key, ["spec": ["selector": ["app": "other"]]])
        case .requestReconcile:
            for type in [ResourceType.mlModels, .trainingJobs] {
                for object in server.objects(type) {
                    patch(
                        type, object.place,
                        ["metadata": ["annotations": [Label.requestedAt: .string("act \(number)")]]])
                }
            }
        case .foreignService:
            let service: JSONValue = [
                "metadata": ["name": .string(ToyModel.name), "namespace": .string(ToyModel.namespace)],
                "spec": ["ports": [["port": 80]], "selector": ["app": "somebody"]],
            ]
            send("POST", ResourceType.services.path(namespace: ToyModel.namespace), service)
        case .removeForeignService:
            if server.object(.services, Self.key)?.controllerUID == nil { delete(.services, Self.key) }
        case .limitJobs(let count):
            let quota: JSONValue = [
                "apiVersion": "v1", "kind": "ResourceQuota",
                "metadata": ["name": "jobs", "namespace": .string(ToyModel.namespace)],
                "spec": ["hard": ["count/jobs.batch": .string("\(count)")]],
            ]
            apply(quota, at: ResourceType.resourceQuotas.path(namespace: ToyModel.namespace, name: "jobs"))
        case .deleteNamespace:
            send("DELETE", ResourceType.namespaces.path(name: ToyModel.namespace), [:])
        }
    }

    /// Makes a model what it is to be, or makes it.
    func apply(_ model: ToyModel, in namespace: String) {
        apply(model.json(in: namespace), at: ResourceType.mlModels.path(namespace: namespace, name: ToyModel.name))
    }

    private func apply(_ object: JSONValue, at path: String) {
        send("PATCH", path + "?fieldManager=gitops&force=true", object, "application/apply-patch+yaml")
    }

    private func deleteChildren(_ plural: String) {
        guard let type = ResourceType.simulated.first(where: { $0.plural == plural }) else { return }
        for object in server.objects(type) where object.controllerUID != nil && object.isInStory {
            delete(type, object.place)
        }
    }

    private func patch(_ type: ResourceType, _ key: ObjectKey, _ change: JSONValue) {
        send("PATCH", type.path(namespace: key.namespace, name: key.name), change, "application/merge-patch+json")
    }

    private func delete(_ type: ResourceType, _ key: ObjectKey) {
        send("DELETE", type.path(namespace: key.namespace, name: key.name), ["propagationPolicy": "Background"])
    }

    private func send(_ method: String, _ target: String, _ body: JSONValue, _ type: String = "application/json") {
        let request = APIRequest(
            method: method, target: target, headers: ["content-type": type], body: body.serializedBytes(),
            user: .admin)
        server.handle(request, by: "person")
    }
}

extension JSONValue {
    /// It is not the neighbour's.
    var isInStory: Bool { place.namespace == ToyModel.namespace }
}
