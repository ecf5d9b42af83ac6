import JSON

/// Defaults that depend on other fields; the others stand in the schemas (`pkg/apis/*/v1/defaults.go`).
enum BuiltinDefaults {
    static func apply(to object: JSONValue, kind: String) -> JSONValue {
        var result = object
        switch kind {
        case "Pod":
            result.update(["spec"], podSpec)
            // Of templates it is left open.
            if result["spec", "enableServiceLinks"] == nil { result["spec", "enableServiceLinks"] = true }
        case "Deployment":
            result.update(["spec", "template", "spec"], podSpec)
            result.update(["spec", "strategy"], strategy)
        case "ReplicaSet": result.update(["spec", "template", "spec"], podSpec)
        case "Job":
            result.update(["spec", "template", "spec"], podSpec)
            result.update(["spec"], job)
        case "Service": result.update(["spec"], service)
        case "Secret": secret(&result)
        case "Namespace": namespace(&result)
        case "NetworkPolicy": result.update(["spec"], networkPolicy)
        case "RoleBinding", "ClusterRoleBinding": result.update(["subjects"], subjects)
        case "CustomResourceDefinition": result.update(["spec"], customResourceDefinition)
        default: break
        }
        return result
    }

    private static func strategy(_ strategy: inout JSONValue) {
        guard strategy["type"]?.string == "RollingUpdate" else { return }
        let given = strategy["rollingUpdate"] ?? [:]
        strategy["rollingUpdate"] = BuiltinTypes.schema("RollingUpdateDeployment").applyDefaults(given)
    }

    private static func job(_ spec: inout JSONValue) {
        if spec["completions"] == nil, spec["parallelism"] == nil {
            spec["completions"] = 1
            spec["parallelism"] = 1
        } else if spec["parallelism"] == nil {
            spec["parallelism"] = 1
        }
        if spec["backoffLimit"] == nil {
            // Where failures are counted by index, all of them together do not count.
            spec["backoffLimit"] = spec["backoffLimitPerIndex"] == nil ? 6 : JSONValue(Int(Int32.max))
        }
        if spec["podReplacementPolicy"] == nil {
            spec["podReplacementPolicy"] = spec["podFailurePolicy"] == nil ? "TerminatingOrFailed" : "Failed"
        }
    }

    private static func service(_ spec: inout JSONValue) {
        let type = spec["type"]?.string ?? "ClusterIP"
        spec.update(["ports"]) { ports in
            ports.updateEach { port in
                if port["targetPort"] == nil { port["targetPort"] = port["port"] }
            }
        }
        guard type != "ExternalName" else { return }
        if spec["internalTrafficPolicy"] == nil { spec["internalTrafficPolicy"] = "Cluster" }
        if spec["ipFamilies"] == nil { spec["ipFamilies"] = ["IPv4"] }
        if spec["ipFamilyPolicy"] == nil { spec["ipFamilyPolicy"] = "SingleStack" }
        if type != "ClusterIP", spec["externalTrafficPolicy"] == nil { spec["externalTrafficPolicy"] = "Cluster" }
        if type == "LoadBalancer", spec["allocateLoadBalancerNodePorts"] == nil {
            spec["allocateLoadBalancerNodePorts"] = true
        }
        if spec["sessionAffinity"]?.string == "ClientIP", spec["sessionAffinityConfig"] == nil {
            spec["sessionAffinityConfig"] = ["clientIP": ["timeoutSeconds": 10800]]
        }
    }

    /// `stringData` is written into `data`, and not kept.
    private static func secret(_ object: inout JSONValue) {
        guard let plain = object["stringData"]?.object else { return }
        object["stringData"] = nil
        for (name, value) in plain {
            guard let text = value.string else { continue }
            object[path: ["data", name]] = .string(Base64.encode(Array(text.utf8)))
        }
    }

    private static func namespace(_ object: inout JSONValue) {
        if object[path: ["status", "phase"]] == nil { object[path: ["status", "phase"]] = "Active" }
        guard let name = object[path: ["metadata", "name"]] else { return }
        object[path: ["metadata", "labels", "kubernetes.io/metadata.name"]] = name
    }

    private static func networkPolicy(_ spec: inout JSONValue) {
        guard spec["policyTypes"] == nil else { return }
        spec["policyTypes"] = spec["egress"] == nil ? ["Ingress"] : ["Ingress", "Egress"]
    }

    private static func subjects(_ subjects: inout JSONValue) {
        subjects.updateEach { subject in
            guard subject["apiGroup"] == nil, ["User", "Group"].contains(subject["kind"]?.string) else { return }
            subject["apiGroup"] = "rbac.authorization.k8s.io"
        }
    }

    private static func customResourceDefinition(_ spec: inout JSONValue) {
        guard let kind = spec[path: ["names", "kind"]]?.string else { return }
        if spec[path: ["names", "singular"]] == nil {
            spec[path: ["names", "singular"]] = .string(kind.lowercased())
        }
        if spec[path: ["names", "listKind"]] == nil { spec[path: ["names", "listKind"]] = .string(kind + "List") }
    }
}

extension BuiltinDefaults {
    private static func podSpec(_ spec: inout JSONValue) {
        if let account = spec["serviceAccountName"] ?? spec["serviceAccount"] {
            spec["serviceAccountName"] = account
            spec["serviceAccount"] = account
        }
        for list in ["containers", "initContainers"] {
            spec.update([list]) { $0.updateEach(container) }
        }
        spec.update(["volumes"]) { $0.updateEach(volume) }
        guard spec["hostNetwork"]?.bool == true else { return }
        for list in ["containers", "initContainers"] {
            spec.update([list]) { containers in
                containers.updateEach { container in
                    container.update(["ports"]) { ports in
                        ports.updateEach { if $0["hostPort"] == nil { $0["hostPort"] = $0["containerPort"] } }
                    }
                }
            }
        }
    }

    private static func container(_ container: inout JSONValue) {
        if container["imagePullPolicy"] == nil, let image = container["image"]?.string {
            container["imagePullPolicy"] = hasFixedTag(image) ? "IfNotPresent" : "Always"
        }
        container.update(["resources"]) { resources in
            for (name, limit) in resources["limits"]?.object ?? [:]
            where resources[path: ["requests", name]] == nil {
                resources[path: ["requests", name]] = limit
            }
        }
    }

    /// Images without a tag and with the tag `latest` are pulled each time.
    static func hasFixedTag(_ image: String) -> Bool {
        if image.contains("@") { return true }
        let name = image.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        guard let colon = name.lastIndex(of: ":") else { return false }
        return name[name.index(after: colon)...] != "latest"
    }

    private static func volume(_ volume: inout JSONValue) {
        let sources = volume.object?.count(where: { $0.key != "name" }) ?? 0
        if sources == 0 { volume["emptyDir"] = [:] }
        volume.update(["image"]) { image in
            guard image["pullPolicy"] == nil, let reference = image["reference"]?.string else { return }
            image["pullPolicy"] = hasFixedTag(reference) ? "IfNotPresent" : "Always"
        }
    }
}

extension JSONValue {
    /// Changes the value at a path, where there is one.
    mutating func update(_ path: [String], _ change: (inout JSONValue) -> Void) {
        guard var value = self[path: path], !value.isNull else { return }
        change(&value)
        self[path: path] = value
    }

    /// Changes each element of an array.
    mutating func updateEach(_ change: (inout JSONValue) -> Void) {
        guard case .array(var elements) = self else { return }
        for index in elements.indices { change(&elements[index]) }
        self = .array(elements)
    }
}
