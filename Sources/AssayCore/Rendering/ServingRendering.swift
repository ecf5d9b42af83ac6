import JSON
import KubernetesModel

/// The children that serve a revision.
enum ServingRendering {
    /// The version that new revisions get. A change of what is rendered is a new version beside the old one, so that an
    /// upgrade of the operator restarts no pod.
    static let version = 1

    /// Where model servers look for models.
    static let modelsDirectory = "/mnt/models"

    static func selector(model: String, revision: String) -> [String: String] {
        [Label.model: model, Label.revision: revision]
    }

    /// The Deployment of a revision, without replicas: those are the scaler's.
    static func deployment(of model: MLModel, _ revision: Revision, run: String, serving: MLModelSpec.Serving)
        -> JSONValue
    {
        let name = model.metadata.name
        var labels = selector(model: name, revision: revision.name)
        labels[Label.managedBy] = Label.manager
        var result: JSONValue = [
            "apiVersion": .string(ResourceType.deployments.apiVersion),
            "kind": .string(ResourceType.deployments.kind),
            "metadata": [
                "name": .string(revision.deployment), "labels": JSONValue(labels),
                "ownerReferences": [OwnerReference(controller: model.metadata, of: MLModel.resourceType).json],
            ],
            "spec": [
                "progressDeadlineSeconds": JSONValue(serving.progressDeadline),
                "selector": ["matchLabels": JSONValue(selector(model: name, revision: revision.name))],
                "template": pod(labels: labels, revision, run: run, serving: serving),
            ],
        ]
        result["metadata", "namespace"] = JSONValue(model.metadata.namespace)
        return result
    }

    static func pod(
        labels: [String: String], _ revision: Revision, run: String, serving: MLModelSpec.Serving
    ) -> JSONValue {
        let main = serving.template.mainContainer
        let hasProbe = serving.template.containers.contains { $0["readinessProbe"] != nil }
        let answering =
            serving.template.containers.first { container in
                (container["ports"]?.array ?? []).contains { $0["containerPort"]?.int == serving.port }
            }?["name"]?.string ?? main
        var pod = PodRendering(serving.template)
        pod.addLabels(labels)
        pod.nameDefaultContainer(main)
        pod.setDefault("automountServiceAccountToken", false)
        pod.forEachContainer { container in
            let name = container["name"]?.string
            let inputs = ContainerContract.inputs(revision.content?.artifacts.map(\.name) ?? [])
            PodRendering.prepend([(name: ContainerContract.run, value: run)] + inputs, to: &container)
            PodRendering.fallBackToLogs(&container)
            if let image = revision.images.first(where: { $0.container == name }) {
                container["image"] = .string(image.pinned)
            }
        }
        if let content = revision.content { fetch(content, in: &pod, served: serving.template.main) }
        if !hasProbe, let answering { probe(&pod, container: answering, port: serving.port) }
        return pod.template
    }

    /// What the pod serves is brought before any of its containers starts, and read against its digests; a pod that cannot
    /// get it never starts.
    private static func fetch(_ content: ServedContent, in pod: inout PodRendering, served: JSONValue?) {
        let (volume, place) = (ArtifactContainer.inputsVolume, ArtifactContainer.inputsDirectory)
        pod.forEachContainer { container in
            let mounts = [place, modelsDirectory].map { ArtifactContainer.mount(volume, $0, readOnly: true) }
            PodRendering.mount(mounts, in: &container)
        }
        let ours = ArtifactContainer(image: content.image, store: content.store, served: served)
        let inputs = content.artifacts.flatMap { ["--input", "\($0.name)=\($0.digest)"] }
        let container = ours.rendered(
            ArtifactContainer.fetch, arguments: ["--inputs-directory", place] + ours.storeArguments + inputs,
            mounts: [ArtifactContainer.mount(volume, place)] + ours.storeMounts(readOnly: true))
        pod.template["spec", "initContainers"] = .array(
            [container] + (pod.template["spec", "initContainers"]?.array ?? []))
        pod.addVolumes([ArtifactContainer.emptyVolume(volume)] + ours.storeVolumes)
    }

    /// Without a probe a pod is ready as soon as its process is there, and "available" would mean nothing.
    private static func probe(_ pod: inout PodRendering, container name: String, port: Int) {
        guard let containers = pod.template["spec", "containers"]?.array else { return }
        pod.template["spec", "containers"] = .array(
            containers.map {
                guard $0["name"]?.string == name else { return $0 }
                var container = $0
                container["readinessProbe"] = ["tcpSocket": ["port": JSONValue(port)], "periodSeconds": 2]
                return container
            })
    }

    /// The Service of the model's name, which leads to one revision.
    static func service(of model: MLModel, _ revision: Revision) -> JSONValue {
        service(
            of: model, selector: selector(model: model.metadata.name, revision: revision.name), port: revision.port)
    }

    /// - Parameter port: where its port 80 leads.
    static func service(of model: MLModel, selector: [String: String], port: Int) -> JSONValue {
        let name = model.metadata.name
        var result: JSONValue = [
            "apiVersion": .string(ResourceType.services.apiVersion), "kind": .string(ResourceType.services.kind),
            "metadata": [
                "name": .string(name),
                "labels": JSONValue([Label.managedBy: Label.manager, Label.model: name]),
                "ownerReferences": [OwnerReference(controller: model.metadata, of: MLModel.resourceType).json],
            ],
            "spec": [
                "selector": JSONValue(selector),
                "ports": [
                    ["name": "http", "port": 80, "protocol": "TCP", "targetPort": JSONValue(port)]
                ],
            ],
        ]
        result["metadata", "namespace"] = JSONValue(model.metadata.namespace)
        return result
    }
}

extension ContainerImage {
    /// The image as a pod shall run it.
    public var pinned: String { digest.map { ImageReference(image).pinned(to: $0) } ?? image }
}
