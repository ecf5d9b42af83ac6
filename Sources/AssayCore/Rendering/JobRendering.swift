import JSON
import KubernetesModel

extension TrainingJob {
    /// The Job of an attempt of the short form, as it is created.
    /// - Parameter push: how its containers push; nil where they cannot.
    func renderedJob(
        name: String, spec: TrainingJobSpec, template: PodTemplate, push: PushChannel? = nil
    ) -> JSONValue {
        var labels = [Label.managedBy: Label.manager]
        labels[Label.trainingJob] = metadata.name
        var job = renderedJob(name: name, spec: spec, labels: labels)
        job["spec", "template"] = renderedPod(run: name, spec: spec, template: template, labels: labels, push: push)
        job["spec", "podFailurePolicy"] = spec.podFailurePolicy
        return job
    }

    /// The Job of an attempt of a step, as it is created.
    /// - Parameters:
    ///   - key: under which the store shall have what it makes; see ``StepKey``.
    ///   - image: the operator's, which fetches and seals.
    ///   - push: how its containers push; nil where they cannot.
    func renderedJob(
        name: String, spec: TrainingJobSpec, step: TrainingStep, inputs: [SealedArtifact], key: String?, image: String,
        push: PushChannel? = nil
    ) -> JSONValue {
        var labels = [Label.managedBy: Label.manager, Label.step: step.name]
        labels[Label.trainingJob] = metadata.name
        var job = renderedJob(name: name, spec: spec, labels: labels)
        let nodes = NodeGroup(of: step, in: self)
        let pod = StepPod(
            job: name, run: workflowRun, spec: spec, step: step, inputs: inputs, key: key, nodes: nodes, image: image,
            push: push, owner: metadata.key)
        job["spec", "template"] = pod.rendered(labels: labels)
        job["spec", "podFailurePolicy"] = pod.failurePolicy
        nodes?.apply(to: &job)
        return job
    }

    /// What the containers of a workflow are told in `ASSAY_RUN`: the same in all its steps.
    var workflowRun: String {
        ChildName.workflowRun(namespace: metadata.namespace ?? "", name: metadata.name, uid: metadata.uid)
    }

    func renderedJob(name: String, spec: TrainingJobSpec, labels: [String: String]) -> JSONValue {
        var job: JSONValue = [
            "apiVersion": .string(ResourceType.jobs.apiVersion), "kind": .string(ResourceType.jobs.kind),
            "metadata": [
                "name": .string(name), "labels": JSONValue(labels),
                "ownerReferences": [OwnerReference(controller: metadata, of: Self.resourceType).json],
            ],
            // The default starts another pod while the one being deleted still runs.
            "spec": ["podReplacementPolicy": "Failed"],
        ]
        job["metadata", "namespace"] = JSONValue(metadata.namespace)
        if let queue = spec.queueName {
            job["metadata", "labels", Label.queueName] = .string(queue)
            job["metadata", "labels", Label.priorityClass] = JSONValue(spec.workloadPriorityClass)
            // From here on the field is the queue's.
            job["spec", "suspend"] = true
        }
        if let limit = spec.backoffLimit { job["spec", "backoffLimit"] = JSONValue(limit) }
        if let seconds = spec.activeDeadlineSeconds { job["spec", "activeDeadlineSeconds"] = .integer(seconds) }
        return job
    }

    private func renderedPod(
        run: String, spec: TrainingJobSpec, template: PodTemplate, labels: [String: String], push: PushChannel?
    ) -> JSONValue {
        var pod = PodRendering(template)
        pod.addLabels(labels)
        pod.nameDefaultContainer(template.mainContainer)
        pod.setDefault("restartPolicy", "Never")
        pod.setDefault("automountServiceAccountToken", false)
        pod.forEachContainer { container in
            PodRendering.prepend(
                ContainerContract.training(run: run, spec: spec, container: container), to: &container)
            PodRendering.fallBackToLogs(&container)
        }
        push?.add(to: &pod, namespace: metadata.namespace ?? "", name: metadata.name)
        return pod.template
    }
}
