import JSON
import KubernetesModel

/// The pod that reads an artifact that was made elsewhere, every byte of it, and says what it is.
struct ImportPod {
    /// Nobody has written one for it.
    static let template = PodTemplate(json: ["spec": ["containers": []]])

    let artifact: GivenArtifact
    let store: ArtifactStoreSpec?
    let policy: PodPolicy
    /// The operator's.
    let image: String

    func rendered(labels: [String: String]) -> JSONValue {
        let ours = ArtifactContainer(image: image, store: store, served: nil)
        let (volume, scratch) = (ArtifactContainer.inputsVolume, ArtifactContainer.inputsDirectory)
        var arguments = ours.storeArguments + ["--digest", artifact.wantedDigest]
        arguments += ["--name", artifact.name ?? GivenArtifact.defaultName, "--scratch-directory", scratch]
        arguments += ["--patience", String(store?.patience ?? 60)]
        var spec: JSONValue = [
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "containers": [
                ours.rendered(
                    ArtifactContainer.importing, arguments: arguments,
                    mounts: [ArtifactContainer.mount(volume, scratch)] + ours.storeMounts(readOnly: true))
            ],
            "volumes": .array([ArtifactContainer.emptyVolume(volume)] + ours.storeVolumes),
        ]
        // Nobody has said as whom it runs; where that may not be left to the image, it is nobody.
        if policy.level == .restricted { spec["securityContext"] = ["runAsNonRoot": true, "runAsUser": 65_532] }
        return ["metadata": ["labels": JSONValue(labels)], "spec": spec]
    }
}

extension TrainingJob {
    func renderedImport(name: String, spec: TrainingJobSpec, _ pod: ImportPod) -> JSONValue {
        var labels = [Label.managedBy: Label.manager]
        labels[Label.trainingJob] = metadata.name
        var job = renderedJob(name: name, spec: spec, labels: labels)
        job["spec", "template"] = pod.rendered(labels: labels)
        // It waits for its store itself, so that a second pod is for what befell the first one's node.
        if spec.backoffLimit == nil { job["spec", "backoffLimit"] = 1 }
        job["spec", "podFailurePolicy"] = ArtifactContainer.failurePolicy([ArtifactContainer.importing])
        return job
    }
}
