import JSON
import KubernetesModel

/// The pod that asks registries for the digests of images, and the store for results that are there already.
struct LookupPod {
    private static let pullSecretsVolume = ArtifactContainer.prefix + "pull-"
    private static let pullSecretsDirectory = ArtifactContainer.root + "/pull/"
    /// It is no reason not to train if a registry does not answer.
    static let deadline: Int64 = 600

    let request: LookupRequest
    let spec: TrainingJobSpec
    /// A step that is asked for: as whom it reads the store, this one does.
    let step: TrainingStep
    let policy: PodPolicy
    /// The operator's.
    let image: String

    func rendered(labels: [String: String]) -> JSONValue {
        let ours = ArtifactContainer(image: image, store: spec.artifactStore, served: step.template.main)
        let secrets = pullSecrets
        var arguments = ours.storeArguments + ["--request", request.json.serialized()]
        arguments += ["--scratch-directory", ArtifactContainer.inputsDirectory]
        var mounts = [ArtifactContainer.mount(ArtifactContainer.inputsVolume, ArtifactContainer.inputsDirectory)]
        mounts += ours.storeMounts(readOnly: false)
        var volumes = [ArtifactContainer.emptyVolume(ArtifactContainer.inputsVolume)] + ours.storeVolumes
        for (index, name) in secrets.enumerated() {
            let directory = "\(Self.pullSecretsDirectory)\(index)"
            arguments += ["--pull-secret-directory", directory]
            mounts.append(ArtifactContainer.mount("\(Self.pullSecretsVolume)\(index)", directory, readOnly: true))
            // One that is not there is no reason for a pod not to start: the kubelet does without it too.
            volumes.append([
                "name": .string("\(Self.pullSecretsVolume)\(index)"),
                "secret": ["secretName": .string(name), "optional": true],
            ])
        }
        return ours.pod(
            ArtifactContainer.resolve, arguments: arguments, mounts: mounts, volumes: volumes, like: step.template,
            labels: labels)
    }

    /// By which the images of the steps are pulled: the templates', and where one names none, its service account's.
    private var pullSecrets: [String] {
        var names: [String] = []
        for step in spec.steps {
            let named = (step.template.spec?["imagePullSecrets"]?.array ?? []).compactMap { $0["name"]?.string }
            let account = step.template.spec?["serviceAccountName"]?.string ?? ""
            let lent = policy.serviceAccounts[account.isEmpty ? "default" : account]?.pullSecrets ?? []
            for name in named.isEmpty ? lent : named where !name.isEmpty && !names.contains(name) { names.append(name) }
        }
        return names
    }
}

extension TrainingJob {
    func renderedLookup(name: String, _ pod: LookupPod) -> JSONValue {
        var labels = [Label.managedBy: Label.manager]
        labels[Label.trainingJob] = metadata.name
        var plain = TrainingJobSpec()
        plain.backoffLimit = 1
        plain.activeDeadlineSeconds = LookupPod.deadline
        plain.queueName = pod.spec.queueName
        plain.workloadPriorityClass = pod.spec.workloadPriorityClass
        var job = renderedJob(name: name, spec: plain, labels: labels)
        job["spec", "template"] = pod.rendered(labels: labels)
        return job
    }
}
