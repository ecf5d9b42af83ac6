import JSON

/// What Kubernetes refuses in built-in kinds beyond the shape of their documents, as far as people commonly meet it.
enum BuiltinValidation {
    static func validate(_ object: JSONValue, old: JSONValue?, kind: String) -> [FieldError] {
        let spec = JSONCursor(object["spec"], path: "spec")
        switch kind {
        case "Pod": return PodValidation.validate(spec) + podUpdate(object, old)
        case "Deployment", "ReplicaSet": return workload(spec, old: old, kind: kind)
        case "Job": return job(object, spec, old: old)
        case "Service": return service(spec, old: old)
        case "ConfigMap", "Secret": return keys(object, old)
        case "ResourceQuota": return PodValidation.quantities(spec["hard"])
        case "PersistentVolumeClaim": return claim(spec)
        case "CustomResourceDefinition":
            return CustomResources.validate(object)
                + immutable("spec.group", object["spec", "group"], old?["spec", "group"])
                + immutable("spec.scope", object["spec", "scope"], old?["spec", "scope"])
        case "RoleBinding", "ClusterRoleBinding":
            return immutable("roleRef", object["roleRef"], old?["roleRef"], isBinding: true)
        default: return []
        }
    }

    static func immutable(
        _ path: String, _ new: JSONValue?, _ old: JSONValue?, isBinding: Bool = false
    ) -> [FieldError] {
        guard let old, old != new else { return [] }
        return [.invalid(path, new ?? .null, isBinding ? "cannot change roleRef" : "field is immutable")]
    }

    /// Of a pod's spec only images, a deadline, tolerations and scheduling gates may change.
    private static func podUpdate(_ object: JSONValue, _ old: JSONValue?) -> [FieldError] {
        guard let old else { return [] }
        func fixed(_ object: JSONValue) -> JSONValue {
            var spec = object["spec"] ?? [:]
            for name in ["activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds"] {
                spec[name] = nil
            }
            // The scheduler's binding sets it once.
            spec["nodeName"] = nil
            for list in ["containers", "initContainers"] {
                spec.update([list]) { $0.updateEach { $0["image"] = nil } }
            }
            return spec
        }
        if fixed(object) == fixed(old) { return [] }
        return [
            .forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
            )
        ]
    }

    private static func workload(_ spec: JSONCursor, old: JSONValue?, kind: String) -> [FieldError] {
        var errors: [FieldError] = []
        for name in ["replicas", "minReadySeconds", "revisionHistoryLimit"] { errors += notNegative(spec[name]) }
        errors += selector(spec)
        errors += immutable("spec.selector", spec["selector"].value, old?[path: ["spec", "selector"]])
        let template = spec["template"]
        errors += NameRules.labels(template["metadata"]["labels"].value, "\(template.path).metadata.labels")
        errors += PodValidation.validate(template["spec"])
        let policy = template["spec"]["restartPolicy"]
        if let value = policy.value, value != "Always" {
            errors.append(.notSupported(policy.path, value, ["Always"]))
        }
        errors += rollout(spec)
        if spec["strategy"]["type"].value == "Recreate", spec["strategy"]["rollingUpdate"].exists {
            errors.append(
                .forbidden(
                    "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"))
        }
        return errors
    }

    private static func rollout(_ spec: JSONCursor) -> [FieldError] {
        var errors: [FieldError] = []
        func isNone(_ value: JSONValue?) -> Bool { value == 0 || value == "0%" }
        let rolling = spec["strategy"]["rollingUpdate"]
        if isNone(rolling["maxSurge"].value), isNone(rolling["maxUnavailable"].value) {
            errors.append(
                .invalid("\(rolling.path).maxUnavailable", 0, "may not be 0 when `maxSurge` is 0"))
        }
        let ready = spec["minReadySeconds"].value?.integer ?? 0
        if let deadline = spec["progressDeadlineSeconds"].value, deadline.integer ?? 0 <= ready {
            errors.append(.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
        }
        return errors
    }

    private static func selector(_ spec: JSONCursor) -> [FieldError] {
        let selector = spec["selector"]
        let terms =
            (selector.value?["matchLabels"]?.object?.count ?? 0)
            + (selector.value?["matchExpressions"]?.array?.count ?? 0)
        guard let value = selector.value else { return [] }
        if terms == 0 {
            return [.invalid(selector.path, value, "empty selector is invalid for deployment")]
        }
        let labels = spec["template"]["metadata"]["labels"]
        if Selectors.matches(value, labels: labels.value) { return [] }
        return [.invalid(labels.path, labels.value ?? .null, "`selector` does not match template `labels`")]
    }

    private static func service(_ spec: JSONCursor, old: JSONValue?) -> [FieldError] {
        var errors: [FieldError] = []
        let type = spec["type"].value?.string
        let ports = spec["ports"].value?.array ?? []
        if ports.isEmpty, type != "ExternalName", spec["clusterIP"].value != "None" {
            errors.append(.required("spec.ports"))
        }
        if type == "ExternalName", spec["externalName"].value?.string ?? "" == "" {
            errors.append(.required("spec.externalName"))
        }
        errors += NameRules.labels(spec["selector"].value, "spec.selector")
        var names: Set<String> = []
        var numbers: Set<[JSONValue]> = []
        for index in ports.indices {
            let port = spec["ports"][index]
            if !numbers.insert([port["port"].value ?? .null, port["protocol"].value ?? "TCP"]).inserted {
                errors.append(.duplicate(port.path, ports[index]))
            }
            if let name = port["name"].value?.string, !name.isEmpty {
                if let problem = NameRules.problem(withLabel: name) {
                    errors.append(.invalid(port["name"].path, .string(name), problem))
                }
                if !names.insert(name).inserted { errors.append(.duplicate(port["name"].path, .string(name))) }
            } else if ports.count > 1 {
                errors.append(.required(port["name"].path))
            }
            errors += PodValidation.port(port["targetPort"])
        }
        if let before = old?[path: ["spec", "clusterIP"]]?.string, !before.isEmpty, type != "ExternalName",
            old?[path: ["spec", "type"]]?.string != "ExternalName", let after = spec["clusterIP"].value,
            after.string != before
        {
            errors.append(.invalid("spec.clusterIPs[0]", .array([after]), "may not change once set"))
        }
        return errors
    }

    private static func keys(_ object: JSONValue, _ old: JSONValue?) -> [FieldError] {
        var errors: [FieldError] = []
        for part in ["data", "binaryData"] {
            for (key, _) in object[part]?.object ?? [:] where !PodValidation.isConfigMapKey(key) {
                errors.append(
                    .invalid(
                        "\(part)[\(key)]", .string(key),
                        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                    ))
            }
        }
        if old?["immutable"]?.bool == true {
            if object["immutable"]?.bool != true {
                errors.append(.forbidden("immutable", "field is immutable when `immutable` is set"))
            }
            for part in ["data", "binaryData"] where object[part] != old?[part] {
                errors.append(.forbidden(part, "field is immutable when `immutable` is set"))
            }
        }
        if let old, object["type"] != old["type"] { errors += immutable("type", object["type"], old["type"]) }
        return errors
    }

    private static func claim(_ spec: JSONCursor) -> [FieldError] {
        var errors: [FieldError] = []
        if spec["accessModes"].value?.array?.isEmpty ?? true {
            errors.append(.required("spec.accessModes", "at least 1 access mode is required"))
        }
        if !spec["resources"]["requests"]["storage"].exists {
            errors.append(.required("spec.resources[storage]"))
        }
        return errors + PodValidation.quantities(spec["resources"]["requests"])
    }

    static func notNegative(_ field: JSONCursor) -> [FieldError] {
        guard let value = field.value?.integer, value < 0 else { return [] }
        return [.invalid(field.path, .integer(value), "must be greater than or equal to 0")]
    }
}
