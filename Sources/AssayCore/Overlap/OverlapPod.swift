import JSON
import KubernetesModel

/// The pod that compares the holdout with what training has read.
struct OverlapPod {
    /// In seconds, beside the time that a store is waited for: for as much data as anybody trains on. Then nothing is proven.
    static let deadline = 6 * 3600

    let request: OverlapRequest
    let store: ArtifactStoreSpec
    /// A pod that reads the same store: as whom it runs, this one does.
    let like: PodTemplate
    /// The operator's.
    let image: String

    func rendered(labels: [String: String]) -> JSONValue {
        ArtifactContainer(image: image, store: store, served: like.main).scratchPod(
            ArtifactContainer.overlap, arguments: ["--request", request.json.serialized()], patience: store.patience,
            readOnly: true, like: like, labels: labels)
    }
}

extension TrainingJob {
    func renderedOverlap(name: String, spec: TrainingJobSpec, _ pod: OverlapPod) -> JSONValue {
        var labels = [Label.managedBy: Label.manager]
        labels[Label.trainingJob] = metadata.name
        var plain = TrainingJobSpec()
        plain.backoffLimit = 2
        plain.activeDeadlineSeconds = Int64(pod.store.patience + OverlapPod.deadline)
        plain.queueName = spec.queueName
        plain.workloadPriorityClass = spec.workloadPriorityClass
        var job = renderedJob(name: name, spec: plain, labels: labels)
        job["spec", "template"] = pod.rendered(labels: labels)
        job["spec", "podFailurePolicy"] = ArtifactContainer.failurePolicy([ArtifactContainer.overlap])
        return job
    }
}
