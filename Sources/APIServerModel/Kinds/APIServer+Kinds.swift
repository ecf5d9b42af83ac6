import JSON
import KubernetesModel

/// What the kinds' own strategies do before and after an object is written (`pkg/registry/*/strategy.go`).
extension APIServer {
    mutating func prepareForCreate(_ json: inout JSONValue, _ resource: ServedResource) throws(APIFailure) {
        // A node registers with its status.
        if resource.hasStatus, resource.type != .nodes { json["status"] = nil }
        // The schema's default of a status shows from the first read on (`observedGeneration: -1`).
        if resource.isCustom { json = resource.definition.applyDefaults(json) }
        if resource.definition.countsGenerations { json["metadata", "generation"] = 1 }
        switch resource.type {
        case .persistentVolumeClaims, .persistentVolumes: json["status"] = ["phase": "Pending"]
        case .namespaces: prepareNamespace(&json)
        case .pods: try preparePod(&json)
        case .jobs: try prepareJob(&json)
        case .services: try allocateAddress(&json, resource)
        case .deployments, .replicaSets: json["status"] = [:]
        default: break
        }
    }

    func prepareForUpdate(_ json: inout JSONValue, _ old: JSONValue, _ resource: ServedResource) {
        if resource.hasStatus { json["status"] = old["status"] }
        switch resource.type {
        case .namespaces:
            json["spec"] = old["spec"]
            json["metadata", "labels", "kubernetes.io/metadata.name"] = json["metadata", "name"]
        case .services: keepAddress(&json, old)
        case .pods:
            // The node is set by a binding.
            if json["spec", "nodeName"] == nil { json["spec", "nodeName"] = old["spec", "nodeName"] }
        case .jobs:
            // A template without the labels that the server added is the same template.
            for label in Self.jobLabels where json["spec", "template", "metadata", "labels", label] == nil {
                json["spec", "template", "metadata", "labels", label] =
                    old["spec", "template", "metadata", "labels", label]
            }
            if json["spec", "selector"] == nil { json["spec", "selector"] = old["spec", "selector"] }
        default: break
        }
        guard resource.definition.countsGenerations else { return }
        let generation = old["metadata", "generation"]?.integer ?? 1
        json["metadata", "generation"] = .integer(
            changesDesired(json, old, resource) ? generation + 1 : generation)
    }

    /// Whether an update changes what is desired, which is what generations count.
    private func changesDesired(_ json: JSONValue, _ old: JSONValue, _ resource: ServedResource) -> Bool {
        guard resource.isCustom else {
            // A Deployment's annotations travel to its ReplicaSets, so they count.
            let isDeployment = resource.type == .deployments
            return json["spec"] != old["spec"]
                || (isDeployment && json["metadata", "annotations"] != old["metadata", "annotations"])
        }
        func desired(_ json: JSONValue) -> JSONValue {
            var json = json
            json["metadata"] = nil
            json["apiVersion"] = nil
            if resource.hasStatus { json["status"] = nil }
            return json
        }
        return desired(json) != desired(old)
    }

    mutating func didCreate(_ entry: StoredEntry, _ resource: ServedResource) {
        switch resource.type {
        case .namespaces: furnishNamespace(entry.name)
        case .customResourceDefinitions: establishDefinition(entry)
        default: break
        }
    }

    mutating func didUpdate(_ entry: StoredEntry, _ old: StoredEntry, _ resource: ServedResource) {
        if resource.type == .customResourceDefinitions, entry.json["spec"] != old.json["spec"] {
            establishDefinition(entry)
        }
    }

    private mutating func preparePod(_ json: inout JSONValue) throws(APIFailure) {
        json["status"] = ["phase": "Pending", "qosClass": .string(PodQuality.of(json["spec"] ?? [:]))]
        try admitServiceAccount(&json)
    }

    static let jobLabels = [
        "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name",
    ]

    /// A Job selects its pods by its own uid, unless the user took that on himself.
    private func prepareJob(_ json: inout JSONValue) throws(APIFailure) {
        json["status"] = [:]
        guard json["spec", "manualSelector"]?.bool != true, json["spec"]?.object != nil else { return }
        if let own = json["spec", "selector"] {
            throw .invalid(
                .jobs, json["metadata", "name"]?.string ?? "",
                [.invalid("spec.selector", own, "`selector` not auto-generated")])
        }
        let uid = json["metadata", "uid"] ?? ""
        let name = json["metadata", "name"] ?? ""
        for (label, value) in zip(Self.jobLabels, [uid, name, uid, name]) {
            json["spec", "template", "metadata", "labels", label] = value
        }
        json["spec", "selector"] = ["matchLabels": ["batch.kubernetes.io/controller-uid": uid]]
    }
}

/// The class that a pod's requests and limits put it in (`pkg/apis/core/v1/helper/qos`).
enum PodQuality {
    static func of(_ spec: JSONValue) -> String {
        let containers = (spec["containers"]?.array ?? []) + (spec["initContainers"]?.array ?? [])
        var hasAny = false
        var isGuaranteed = true
        for container in containers {
            let limits = container["resources", "limits"]
            let requests = container["resources", "requests"]
            for resource in ["cpu", "memory"] {
                let limit = limits?[resource]
                let request = requests?[resource] ?? limit
                if limit != nil || request != nil { hasAny = true }
                if limit == nil || request != limit { isGuaranteed = false }
            }
        }
        if !hasAny { return "BestEffort" }
        return isGuaranteed ? "Guaranteed" : "Burstable"
    }
}
