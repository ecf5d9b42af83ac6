import JSON
import KubernetesModel

/// The pod that removes from a store what a model needs no more.
struct ForgetPod {
    /// For how many seconds a store that is away is waited for: nothing is lost where it is not.
    static let patience = 300

    let removal: StoreRemoval
    /// Those of its artifacts that nobody refers to.
    let digests: Set<String>
    /// A pod that writes or reads the same store: as whom it runs, this one does.
    let like: PodTemplate
    /// The operator's.
    let image: String

    func rendered(labels: [String: String]) -> JSONValue {
        let ours = ArtifactContainer(image: image, store: removal.store, served: like.main)
        var arguments = ours.storeArguments + ["--patience", String(Self.patience)]
        for artifact in removal.artifacts where digests.contains(artifact.digest) {
            arguments += ["--artifact", argument(artifact)]
        }
        return ours.pod(
            ArtifactContainer.forget, arguments: arguments, mounts: ours.storeMounts(readOnly: false),
            volumes: ours.storeVolumes, like: like, labels: labels)
    }

    /// A registry tells no times.
    private func argument(_ artifact: StoreRemoval.Artifact) -> String {
        if case .registry = removal.store.location { return artifact.digest }
        return "\(artifact.digest)=\(artifact.keptBefore)"
    }
}

extension MLModel {
    /// - Parameter isOwned: so that it goes with the model. One that is made while the model goes would go at once.
    func renderedForget(name: String, _ pod: ForgetPod, isOwned: Bool) -> JSONValue {
        storeJob(
            name: name, patience: ForgetPod.patience, container: ArtifactContainer.forget, isOwned: isOwned
        ) { pod.rendered(labels: $0) }
    }
}
