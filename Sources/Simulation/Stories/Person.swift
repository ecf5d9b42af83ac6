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
        case .apply(let model): apply(model)
        case .delete: delete(.mlModels, Self.key)
        case .recreate(let model):
            delete(.mlModels, Self.key)
            apply(model)
        case .deleteChildren(let plural): deleteChildren(plural)
        case .scaleDeployment(let replicas):
            patchAll(.deployments, ["spec": ["replicas": JSONValue(replicas)]])
        case .redirectService: patch(.services, Self.key, ["spec": ["selector": ["app": "other"]]])
        case .requestReconcile:
            for type in [ResourceType.mlModels, .trainingJobs] {
                patchAll(type, ["metadata": ["annotations": [Label.requestedAt: .string("act \(number)")]]])
            }
        case .foreignService:
            let service: JSONValue = [
                "metadata": ["name": .string(ToyModel.name), "namespace": .string(ToyModel.namespace)],
                "spec": ["ports": [["port": 80]], "selector": ["app": "somebody"]],
            ]
            send("POST", ResourceType.services.path(namespace: ToyModel.namespace), service)
        case .removeForeignService:
            if server.object(.services, Self.key)?.controllerUID == nil { delete(.services, Self.key) }
        }
    }

    private func apply(_ model: ToyModel) {
        let path = ResourceType.mlModels.path(namespace: ToyModel.namespace, name: ToyModel.name)
        send(
            "PATCH", path + "?fieldManager=gitops&force=true", model.json, "application/apply-patch+yaml")
    }

    private func deleteChildren(_ plural: String) {
        guard let type = ResourceType.simulated.first(where: { $0.plural == plural }) else { return }
        for object in server.objects(type) where object.controllerUID != nil { delete(type, object.place) }
    }

    private func patchAll(_ type: ResourceType, _ change: JSONValue) {
        for object in server.objects(type) { patch(type, object.place, change) }
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
