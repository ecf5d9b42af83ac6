import JSON
import KubernetesModel

/// The pod of a workflow's step.
///
/// `assay-fetch` comes first and brings the inputs. Where the step has outputs, the user's container is the last of the
/// init containers, and the pod's container is `assay-seal`: when that has ended well, the Job counts the pod, and what
/// was made is in the store. Without outputs the user's containers stay what they are.
///
/// Of a step of several nodes the first pod alone keeps what it has made.
struct StepPod {
    /// What its Job is called.
    let job: String
    let run: String
    let spec: TrainingJobSpec
    let step: TrainingStep
    let inputs: [SealedArtifact]
    /// Under which the store shall have what it makes; nil where nobody could find it by one.
    let key: String?
    let nodes: NodeGroup?
    /// The operator's.
    let image: String
    /// How the user's containers push; nil where they cannot.
    let push: PushChannel?
    /// The TrainingJob.
    let owner: ObjectKey

    private static let checkpointVolume = ArtifactContainer.prefix + "checkpoint"
    private static let checkpointDirectory = ArtifactContainer.root + "/checkpoint"
    /// Beside the directories of the outputs; none of those has a dot in its name.
    private static let metricsFile = ArtifactContainer.outputsDirectory + "/metrics.json"

    private var seals: Bool { !step.outputs.isEmpty }

    private var ours: ArtifactContainer {
        ArtifactContainer(image: image, store: spec.artifactStore, served: step.template.main)
    }

    func rendered(labels: [String: String]) -> JSONValue {
        var pod = PodRendering(step.template)
        pod.addLabels(labels)
        pod.nameDefaultContainer(step.template.mainContainer)
        pod.setDefault("automountServiceAccountToken", false)
        pod.template["spec", "restartPolicy"] = "Never"
        pod.forEachContainer { container in
            PodRendering.prepend(variables(container), to: &container)
            if let nodes { PodRendering.prepend(nodes.variables(job: job, container: container), to: &container) }
            PodRendering.fallBackToLogs(&container)
            PodRendering.mount(mounts(readOnlyInputs: true) + checkpointMounts, in: &container)
        }
        push?.add(to: &pod, namespace: owner.namespace ?? "", name: owner.name)
        if let nodes { pod.template["spec", "subdomain"] = .string(nodes.service) }
        var first = [fetch]
        first += pod.template["spec", "initContainers"]?.array ?? []
        if seals {
            first += pod.template["spec", "containers"]?.array ?? []
            pod.template["spec", "containers"] = [seal]
        }
        pod.template["spec", "initContainers"] = .array(first)
        pod.addVolumes(volumes)
        return pod.template
    }

    /// Beside the user's rules: what cannot go better is not tried again, with the training before it.
    var failurePolicy: JSONValue {
        let containers = [ArtifactContainer.fetch] + (seals ? [ArtifactContainer.seal] : [])
        return ArtifactContainer.failurePolicy(containers, and: spec.podFailurePolicy?["rules"]?.array ?? [])
    }

    private func variables(_ container: JSONValue) -> [(name: String, value: String)] {
        var result = ContainerContract.training(
            run: run, spec: spec, parameters: step.parameters, container: container,
            metricsFile: seals && container["name"]?.string == step.template.mainContainer ? Self.metricsFile : nil)
        result.append((ContainerContract.parametersFile, "\(ArtifactContainer.inputsDirectory)/parameters.json"))
        result += ContainerContract.inputs(step.inputs)
        for name in step.outputs {
            result.append(
                (ContainerContract.variable(forOutput: name), "\(ArtifactContainer.outputsDirectory)/\(name)"))
        }
        if step.checkpointClaim != nil {
            result.append((ContainerContract.checkpointDirectory, Self.checkpointDirectory))
        }
        return result
    }

    private func mounts(readOnlyInputs: Bool) -> [JSONValue] {
        var result = [
            ArtifactContainer.mount(
                ArtifactContainer.inputsVolume, ArtifactContainer.inputsDirectory, readOnly: readOnlyInputs)
        ]
        if seals {
            result.append(ArtifactContainer.mount(ArtifactContainer.outputsVolume, ArtifactContainer.outputsDirectory))
        }
        return result
    }

    /// A directory of the claim that is this step's of this run, whatever its attempt.
    private var checkpointMounts: [JSONValue] {
        guard step.checkpointClaim != nil else { return [] }
        var mount = ArtifactContainer.mount(Self.checkpointVolume, Self.checkpointDirectory)
        mount["subPath"] = .string("checkpoints/\(run)/\(step.name)")
        return [mount]
    }

    // MARK: Ours

    private var fetch: JSONValue {
        var arguments = ["--inputs-directory", ArtifactContainer.inputsDirectory]
        if !step.inputs.isEmpty { arguments += ours.storeArguments }
        for input in inputs { arguments += ["--input", "\(input.name)=\(input.digest)"] }
        let parameters = spec.parameters.filter { step.parameters.contains($0.key) }
        arguments += ["--parameters", JSONValue(parameters).serialized()]
        if seals { arguments += outputArguments }
        var mounts = mounts(readOnlyInputs: false)
        if !step.inputs.isEmpty { mounts += ours.storeMounts(readOnly: true) }
        return ours.rendered(ArtifactContainer.fetch, arguments: arguments, mounts: mounts)
    }

    private var seal: JSONValue {
        let outputs = ArtifactContainer.mount(
            ArtifactContainer.outputsVolume, ArtifactContainer.outputsDirectory, readOnly: true)
        var arguments =
            ours.storeArguments + ["--patience", String(spec.artifactStore?.patience ?? 3600)] + outputArguments
        arguments += ["--metrics-file", Self.metricsFile, "--run", run]
        for expectation in step.expectations { arguments += ["--expectation", expectation.json.serialized()] }
        var mounts = [outputs]
        // What the first of several pods has made counts once all of them have ended well, which none of them knows.
        if let key, nodes == nil {
            // What the step has read is needed no more.
            arguments += ["--key", key, "--scratch-directory", ArtifactContainer.inputsDirectory]
            mounts.append(ArtifactContainer.mount(ArtifactContainer.inputsVolume, ArtifactContainer.inputsDirectory))
        }
        if nodes != nil { arguments += ["--rank", "$(\(NodeGroup.rankVariable))"] }
        var seal = ours.rendered(
            ArtifactContainer.seal, arguments: arguments, mounts: mounts + ours.storeMounts(readOnly: false))
        if nodes != nil { PodRendering.prepend([NodeGroup.rank], to: &seal) }
        return seal
    }

    private var outputArguments: [String] {
        ["--outputs-directory", ArtifactContainer.outputsDirectory] + step.outputs.flatMap { ["--output", $0] }
    }

    private var volumes: [JSONValue] {
        var result = [ArtifactContainer.emptyVolume(ArtifactContainer.inputsVolume)]
        if seals { result.append(ArtifactContainer.emptyVolume(ArtifactContainer.outputsVolume)) }
        if let claim = step.checkpointClaim {
            result.append(
                ["name": .string(Self.checkpointVolume), "persistentVolumeClaim": ["claimName": .string(claim)]])
        }
        return seals || !step.inputs.isEmpty ? result + ours.storeVolumes : result
    }
}
