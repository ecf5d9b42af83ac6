import JSON
import KubernetesModel

/// The pod that writes the record of a judged run into the store.
struct RecordPod {
    /// How long it goes on being there when it has ended: for people, since its result stands in status soon.
    static let lifetime = 600

    let request: RecordRequest
    let store: ArtifactStoreSpec
    /// A pod that writes or reads the same store: as whom it runs, this one does.
    let like: PodTemplate
    /// The operator's.
    let image: String

    func rendered(labels: [String: String]) -> JSONValue {
        ArtifactContainer(image: image, store: store, served: like.main).scratchPod(
            ArtifactContainer.record, arguments: ["--request", request.json.serialized()], patience: store.patience,
            readOnly: false, like: like, labels: labels)
    }
}

extension MLModel {
    func renderedRecord(name: String, _ pod: RecordPod) -> JSONValue {
        storeJob(name: name, patience: pod.store.patience, container: ArtifactContainer.record) {
            pod.rendered(labels: $0)
        }
    }

    /// A Job of one pod of ours that does something in a store.
    /// - Parameter patience: for how many seconds the pod waits for a store that is away.
    func storeJob(
        name: String, patience: Int, container: String, labels: [String: String] = [:], isOwned: Bool = true,
        pod: (_ labels: [String: String]) -> JSONValue
    ) -> JSONValue {
        let labels = labels.merging([Label.managedBy: Label.manager, Label.model: metadata.name]) { $1 }
        var job: JSONValue = [
            "apiVersion": .string(ResourceType.jobs.apiVersion), "kind": .string(ResourceType.jobs.kind),
            "metadata": ["name": .string(name), "labels": JSONValue(labels)],
            "spec": [
                "podReplacementPolicy": "Failed", "backoffLimit": 2,
                // It may wait for a volume that another node has for as long as the model serves.
                "activeDeadlineSeconds": JSONValue(patience + RecordPod.lifetime),
                "ttlSecondsAfterFinished": JSONValue(RecordPod.lifetime), "template": pod(labels),
                "podFailurePolicy": ArtifactContainer.failurePolicy([container]),
            ],
        ]
        job["metadata", "namespace"] = JSONValue(metadata.namespace)
        if isOwned {
            job["metadata", "ownerReferences"] = [OwnerReference(controller: metadata, of: Self.resourceType).json]
        }
        return job
    }
}
