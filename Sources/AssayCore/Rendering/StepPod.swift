import JSON
import KubernetesModel

/// The pod of a workflow's step.
///
/// `assay-fetch` comes first and brings the inputs. Where the step has outputs, the user's container is the last of the
/// init containers, and the pod's container is `assay-seal`: when that has ended well, the Job counts the pod, and what
/// was made is in the store. Without outputs the user's containers stay what they are.
struct StepPod {
    static let fetch = "assay-fetch"
    static let seal = "assay-seal"
    /// Names with this prefix are ours, of containers and volumes.
    static let prefix = "assay-"
    static let root = "/assay"
    static let inputsDirectory = root + "/inputs"
    static let outputsDirectory = root + "/outputs"
    static let storeDirectory = root + "/store"
    static let credentialsDirectory = root + "/credentials"
    let run: String
    let spec: TrainingJobSpec
    let step: TrainingStep
    let inputs: [SealedArtifact]
    /// The operator's.
    let image: String

    private var seals: Bool { !step.outputs.isEmpty }

    // MARK: The pod

    func rendered(labels: [String: String]) -> JSONValue {
        var pod = PodRendering(step.template)
        pod.addLabels(labels)
        pod.nameDefaultContainer(step.template.mainContainer)
        pod.setDefault("automountServiceAccountToken", false)
        pod.template["spec", "restartPolicy"] = "Never"
        pod.forEachContainer { container in
            PodRendering.prepend(variables(container), to: &container)
            PodRendering.fallBackToLogs(&container)
            mount(in: &container)
        }
        let own = pod.template["spec", "containers"]?.array ?? []
        var first = [ours(Self.fetch, arguments: fetchArguments, mounts: fetchMounts)]
        first += pod.template["spec", "initContainers"]?.array ?? []
        if seals {
            first += own
            pod.template["spec", "containers"] = [ours(Self.seal, arguments: sealArguments, mounts: sealMounts)]
        }
        pod.template["spec", "initContainers"] = .array(first)
        pod.template["spec", "volumes"] = .array((pod.template["spec", "volumes"]?.array ?? []) + volumes)
        return pod.template
    }

    /// Beside the user's rules: what cannot go better is not tried again, with the training before it.
    var failurePolicy: JSONValue {
        let containers = seals ? [Self.fetch, Self.seal] : [Self.fetch]
        let ours = containers.map { name -> JSONValue in
            [
                "action": "FailJob",
                "onExitCodes": [
                    "containerName": .string(name), "operator": "In",
                    "values": [.integer(Int64(StepExit.permanentFailure))],
                ],
            ]
        }
        return ["rules": .array(ours + (spec.podFailurePolicy?["rules"]?.array ?? []))]
    }

    private func variables(_ container: JSONValue) -> [(name: String, value: String)] {
        var result = ContainerContract.training(
            run: run, spec: spec, parameters: step.parameters, container: container)
        result.append((ContainerContract.parametersFile, "\(Self.inputsDirectory)/parameters.json"))
        for name in step.inputs {
            result.append((ContainerContract.variable(forInput: name), "\(Self.inputsDirectory)/\(name)"))
        }
        for name in step.outputs {
            result.append((ContainerContract.variable(forOutput: name), "\(Self.outputsDirectory)/\(name)"))
        }
        return result
    }

    private func mount(in container: inout JSONValue) {
        var mounts = container["volumeMounts"]?.array ?? []
        mounts.append(Self.mount("assay-inputs", Self.inputsDirectory, readOnly: true))
        if seals { mounts.append(Self.mount("assay-outputs", Self.outputsDirectory)) }
        container["volumeMounts"] = .array(mounts)
    }

    // MARK: Ours

    /// A container of the operator's image that runs as the step's does, so that it may read what that has written.
    private func ours(_ name: String, arguments: [String], mounts: [JSONValue]) -> JSONValue {
        [
            "name": .string(name), "image": .string(image),
            "command": JSONValue(["assay", "artifact"] + arguments),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": [
                "requests": ["cpu": "50m", "memory": "128Mi"], "limits": ["cpu": "2", "memory": "256Mi"],
            ],
            "securityContext": securityContext, "volumeMounts": .array(mounts),
        ]
    }

    /// What the step says of its user, and nothing that it does not say: an image that runs as root is not ours to refuse.
    private var securityContext: JSONValue {
        let main = step.template.containers.first { $0["name"]?.string == step.template.mainContainer }
        var result: JSONValue = [
            "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]], "readOnlyRootFilesystem": true,
            "seccompProfile": ["type": "RuntimeDefault"],
        ]
        for field in ["runAsUser", "runAsGroup", "runAsNonRoot"] { result[field] = main?["securityContext"]?[field] }
        return result
    }

    private var fetchArguments: [String] {
        var result = ["fetch", "--inputs-directory", Self.inputsDirectory]
        if !step.inputs.isEmpty { result += storeArguments }
        for input in inputs { result += ["--input", "\(input.name)=\(input.digest)"] }
        let parameters = spec.parameters.filter { step.parameters.contains($0.key) }
        result += ["--parameters", JSONValue(parameters).serialized()]
        if seals { result += outputArguments }
        return result
    }

    private var sealArguments: [String] {
        let timeout = spec.artifactStore?.sealTimeout ?? ArtifactStoreSpec.defaultSealTimeout
        let seconds = DurationText.seconds(timeout) ?? 3600
        return ["seal"] + storeArguments + ["--patience", String(Int(seconds.rounded(.up)))] + outputArguments
    }

    private var outputArguments: [String] {
        ["--outputs-directory", Self.outputsDirectory] + step.outputs.flatMap { ["--output", $0] }
    }

    private var storeArguments: [String] {
        var result = ["--store", storeAddress]
        if spec.artifactStore?.secretRef != nil { result += ["--credentials-directory", Self.credentialsDirectory] }
        return result
    }

    /// The store as a container sees it: a claim is a directory there.
    private var storeAddress: String {
        let uri = spec.artifactStore?.uri ?? ""
        guard case .claim(_, let path) = location else { return uri }
        return "file://" + ([Self.storeDirectory] + (path.isEmpty ? [] : [path])).joined(separator: "/")
    }

    private var location: StoreLocation? { try? spec.artifactStore.map { try StoreLocation($0.uri) } }

    // MARK: Volumes

    private var fetchMounts: [JSONValue] {
        var result = [Self.mount("assay-inputs", Self.inputsDirectory)]
        if seals { result.append(Self.mount("assay-outputs", Self.outputsDirectory)) }
        return step.inputs.isEmpty ? result : result + storeMounts(readOnly: true)
    }

    private var sealMounts: [JSONValue] {
        [Self.mount("assay-outputs", Self.outputsDirectory, readOnly: true)] + storeMounts(readOnly: false)
    }

    private func storeMounts(readOnly: Bool) -> [JSONValue] {
        var result: [JSONValue] = []
        if case .claim = location {
            result.append(Self.mount("assay-store", Self.storeDirectory, readOnly: readOnly))
        }
        if spec.artifactStore?.secretRef != nil {
            result.append(Self.mount("assay-credentials", Self.credentialsDirectory, readOnly: true))
        }
        return result
    }

    private var volumes: [JSONValue] {
        var result: [JSONValue] = [["name": "assay-inputs", "emptyDir": [:]]]
        if seals { result.append(["name": "assay-outputs", "emptyDir": [:]]) }
        guard seals || !step.inputs.isEmpty else { return result }
        if case .claim(let name, _) = location {
            result.append(["name": "assay-store", "persistentVolumeClaim": ["claimName": .string(name)]])
        }
        if let secret = spec.artifactStore?.secretRef {
            result.append([
                "name": "assay-credentials", "secret": ["secretName": .string(secret)],
            ])
        }
        return result
    }

    private static func mount(_ volume: String, _ path: String, readOnly: Bool = false) -> JSONValue {
        var result: JSONValue = ["name": .string(volume), "mountPath": .string(path)]
        if readOnly { result["readOnly"] = true }
        return result
    }
}

/// How our containers end.
public enum StepExit {
    /// Another attempt would come to the same: an unreadable file, an artifact that is not what its digest says, a store
    /// that stayed away for as long as it was waited for.
    public static let permanentFailure: Int32 = 3
}
