import JSON

/// Our containers beside the user's, which carry artifacts between a store and the pod. They run the operator's image.
struct ArtifactContainer {
    static let fetch = "assay-fetch"
    static let seal = "assay-seal"
    static let resolve = "assay-resolve"
    static let importing = "assay-import"
    static let record = "assay-record"
    static let forget = "assay-forget"
    static let prove = "assay-prove"
    static let overlap = "assay-overlap"
    /// Names with this prefix are ours, of containers and volumes.
    static let prefix = "assay-"
    static let root = "/assay"
    static let inputsDirectory = root + "/inputs"
    static let outputsDirectory = root + "/outputs"
    static let inputsVolume = prefix + "inputs"
    static let outputsVolume = prefix + "outputs"
    private static let storeDirectory = root + "/store"
    private static let credentialsDirectory = root + "/credentials"

    /// The operator's.
    let image: String
    let store: ArtifactStoreSpec?
    /// The container whose files they read or write.
    let served: JSONValue?

    func rendered(_ name: String, arguments: [String], mounts: [JSONValue]) -> JSONValue {
        [
            "name": .string(name), "image": .string(image),
            "command": JSONValue(Self.command(name) + arguments),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": [
                "requests": ["cpu": "50m", "memory": "128Mi"], "limits": ["cpu": "2", "memory": "256Mi"],
            ],
            "securityContext": securityContext, "volumeMounts": .array(mounts),
        ]
    }

    private static func command(_ name: String) -> [String] {
        name == prove ? ["assay", "prove"] : ["assay", "artifact", String(name.dropFirst(prefix.count))]
    }

    /// A pod of nothing but one container of ours.
    /// - Parameter like: a pod of the user's that opens the same store: as whom and where it runs, this one does.
    func pod(
        _ name: String, arguments: [String], mounts: [JSONValue], volumes: [JSONValue], like: PodTemplate,
        labels: [String: String]
    ) -> JSONValue {
        var pod: JSONValue = [
            "metadata": ["labels": JSONValue(labels)],
            "spec": [
                "restartPolicy": "Never", "automountServiceAccountToken": false,
                "containers": [rendered(name, arguments: arguments, mounts: mounts)], "volumes": .array(volumes),
            ],
        ]
        for field in ["securityContext", "tolerations", "imagePullSecrets"] { pod["spec", field] = like.spec?[field] }
        return pod
    }

    /// The same, with a directory for its files, in which it works on what is in the store.
    /// - Parameter arguments: beside those that name the store and the directory.
    func scratchPod(
        _ name: String, arguments: [String], patience: Int, readOnly: Bool, like: PodTemplate, labels: [String: String]
    ) -> JSONValue {
        let scratch = ["--scratch-directory", Self.inputsDirectory, "--patience", String(patience)]
        return pod(
            name, arguments: storeArguments + arguments + scratch,
            mounts: [Self.mount(Self.inputsVolume, Self.inputsDirectory)] + storeMounts(readOnly: readOnly),
            volumes: [Self.emptyVolume(Self.inputsVolume)] + storeVolumes, like: like, labels: labels)
    }

    /// What the user's container says of its user, so that files can be read, and nothing that it does not say: an image
    /// that runs as root is not ours to refuse.
    private var securityContext: JSONValue {
        var result: JSONValue = [
            "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]], "readOnlyRootFilesystem": true,
            "seccompProfile": ["type": "RuntimeDefault"],
        ]
        for field in ["runAsUser", "runAsGroup", "runAsNonRoot"] { result[field] = served?["securityContext"]?[field] }
        return result
    }

    /// What cannot go better is not tried again.
    static func failurePolicy(_ containers: [String], and rules: [JSONValue] = []) -> JSONValue {
        let ours = containers.map { name -> JSONValue in
            [
                "action": "FailJob",
                "onExitCodes": [
                    "containerName": .string(name), "operator": "In",
                    "values": [.integer(Int64(StepExit.permanentFailure))],
                ],
            ]
        }
        return ["rules": .array(ours + rules)]
    }

    // MARK: The store

    var storeArguments: [String] {
        var result = ["--store", storeAddress]
        // Who wrote the address is not who owns the node.
        if store?.claimName == nil { result.append("--refuse-node-addresses") }
        if store?.secretRef != nil { result += ["--credentials-directory", Self.credentialsDirectory] }
        return result
    }

    /// The store as a container sees it: a claim is a directory there.
    private var storeAddress: String {
        guard case .claim(_, let path) = store?.location else { return store?.uri ?? "" }
        return "file://" + ([Self.storeDirectory] + (path.isEmpty ? [] : [path])).joined(separator: "/")
    }

    func storeMounts(readOnly: Bool) -> [JSONValue] {
        var result: [JSONValue] = []
        if case .claim = store?.location {
            result.append(Self.mount("assay-store", Self.storeDirectory, readOnly: readOnly))
        }
        if store?.secretRef != nil {
            result.append(Self.mount("assay-credentials", Self.credentialsDirectory, readOnly: true))
        }
        return result
    }

    var storeVolumes: [JSONValue] {
        var result: [JSONValue] = []
        if case .claim(let name, _) = store?.location {
            result.append(["name": "assay-store", "persistentVolumeClaim": ["claimName": .string(name)]])
        }
        if let secret = store?.secretRef {
            result.append(["name": "assay-credentials", "secret": ["secretName": .string(secret)]])
        }
        return result
    }

    static func emptyVolume(_ name: String) -> JSONValue { ["name": .string(name), "emptyDir": [:]] }

    static func mount(_ volume: String, _ path: String, readOnly: Bool = false) -> JSONValue {
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
