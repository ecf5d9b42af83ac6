import JSON
import KubernetesModel

extension TrainingJob {
    /// The Job of an attempt, as it is created.
    func renderedJob(name: String, spec: TrainingJobSpec) -> JSONValue {
        let labels = [Label.managedBy: Label.manager, Label.trainingJob: metadata.name]
        var job: JSONValue = [
            "apiVersion": .string(ResourceType.jobs.apiVersion), "kind": .string(ResourceType.jobs.kind),
            "metadata": [
                "name": .string(name), "labels": JSONValue(labels),
                "ownerReferences": [OwnerReference(controller: metadata, of: Self.resourceType).json],
            ],
            "spec": [
                // The default starts another pod while the one being deleted still runs.
                "podReplacementPolicy": "Failed",
                "template": Self.renderedPod(run: name, spec: spec, labels: labels),
            ],
        ]
        job["metadata", "namespace"] = JSONValue(metadata.namespace)
        if let limit = spec.backoffLimit { job["spec", "backoffLimit"] = JSONValue(limit) }
        if let seconds = spec.activeDeadlineSeconds { job["spec", "activeDeadlineSeconds"] = .integer(seconds) }
        job["spec", "podFailurePolicy"] = spec.podFailurePolicy
        return job
    }

    private static func renderedPod(run: String, spec: TrainingJobSpec, labels: [String: String]) -> JSONValue {
        var pod = PodRendering(spec.template)
        pod.addLabels(labels)
        pod.nameDefaultContainer(spec.template.mainContainer)
        pod.setDefault("restartPolicy", "Never")
        pod.setDefault("automountServiceAccountToken", false)
        pod.forEachContainer { container in
            PodRendering.prepend(
                ContainerContract.training(run: run, spec: spec, container: container), to: &container)
            PodRendering.fallBackToLogs(&container)
        }
        return pod.template
    }
}
