import JSON
import KubernetesModel

/// What controllers and the scheduler read of a pod.
struct PodFacts: Sendable, Hashable {
    let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    var phase: String { json["status", "phase"]?.string ?? "Pending" }
    var isFinished: Bool { phase == "Succeeded" || phase == "Failed" }
    /// Neither finished nor being deleted.
    var isActive: Bool { !isFinished && !json.isTerminating }
    var isReady: Bool { json.hasCondition("Ready") }
    var nodeName: String? { json["spec", "nodeName"]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    var completionIndex: Int? {
        json.annotations["batch.kubernetes.io/job-completion-index"].flatMap { Int($0) }
    }

    var readySince: Timestamp? {
        isReady ? json.condition("Ready")?["lastTransitionTime"]?.timestamp : nil
    }

    /// Ready for at least `minReadySeconds`.
    func isAvailable(minReadySeconds: Int, now: Timestamp) -> Bool {
        guard isReady else { return false }
        if minReadySeconds == 0 { return true }
        guard let readySince else { return false }
        return now - readySince >= .seconds(minReadySeconds)
    }

    /// Init and app containers, with the state each has.
    var containerStatuses: [JSONValue] {
        (json["status", "initContainerStatuses"]?.array ?? []) + (json["status", "containerStatuses"]?.array ?? [])
    }

    var restarts: Int { containerStatuses.reduce(0) { $0 + ($1["restartCount"]?.int ?? 0) } }

    /// When the last container ended; else when the pod stopped being ready, else when it was created.
    var finishedAt: Timestamp? {
        let ends = containerStatuses.compactMap { $0["state", "terminated", "finishedAt"]?.timestamp }
        return ends.max() ?? json.condition("Ready")?["lastTransitionTime"]?.timestamp ?? json.creationTimestamp
    }
}

extension JSONValue {
    /// A pod from `spec.template` of its controller, owned by it. The server completes the name.
    static func pod(
        from template: JSONValue?, owner: JSONValue, ownerType: ResourceType, generateName: String,
        labels: [String: String] = [:]
    ) -> JSONValue {
        var metadata: JSONValue = [
            "generateName": .string(generateName),
            "ownerReferences": [ownerReference(owner, ownerType)],
        ]
        metadata["namespace"] = JSONValue(owner.namespace)
        let allLabels = (template?["metadata", "labels"]?.stringMap ?? [:]).merging(labels) { $1 }
        if !allLabels.isEmpty { metadata["labels"] = JSONValue(allLabels) }
        metadata["annotations"] = template?["metadata", "annotations"]
        metadata["finalizers"] = template?["metadata", "finalizers"]
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template?["spec"] ?? [:]]
    }

    static func ownerReference(_ owner: JSONValue, _ type: ResourceType) -> JSONValue {
        [
            "apiVersion": .string(type.apiVersion), "kind": .string(type.kind), "name": .string(owner.name),
            "uid": .string(owner.uid), "controller": true, "blockOwnerDeletion": true,
        ]
    }
}
