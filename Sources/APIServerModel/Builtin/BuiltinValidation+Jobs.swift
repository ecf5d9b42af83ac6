import JSON

extension BuiltinValidation {
    static func job(_ object: JSONValue, _ spec: JSONCursor, old: JSONValue?) -> [FieldError] {
        var errors: [FieldError] = []
        for name in [
            "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished",
            "backoffLimitPerIndex", "maxFailedIndexes",
        ] { errors += notNegative(spec[name]) }
        let template = spec["template"]
        errors += NameRules.labels(template["metadata"]["labels"].value, "\(template.path).metadata.labels")
        errors += PodValidation.validate(template["spec"])
        let policy = template["spec"]["restartPolicy"]
        if policy.value == "Always" || !policy.exists {
            errors.append(
                FieldError(
                    kind: .notSupported, path: policy.path,
                    message: "Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\""))
        }
        errors += completionMode(object, spec) + failurePolicy(spec)
        guard let old = old?["spec"] else { return errors }
        errors += immutable("spec.selector", spec["selector"].value, old["selector"])
        errors += completions(spec, old)
        errors += immutable("spec.completionMode", spec["completionMode"].value, old["completionMode"])
        errors += immutable("spec.podFailurePolicy", spec["podFailurePolicy"].value, old["podFailurePolicy"])
        errors += immutable(
            "spec.backoffLimitPerIndex", spec["backoffLimitPerIndex"].value, old["backoffLimitPerIndex"])
        // Scheduling directives of a suspended job may change; queue controllers use that (KEP-2926).
        func fixed(_ template: JSONValue?) -> JSONValue? {
            guard var template, old["suspend"]?.bool == true else { return template }
            for path in [
                ["metadata"], ["spec", "nodeSelector"], ["spec", "affinity"], ["spec", "tolerations"],
                ["spec", "schedulingGates"],
            ] { template[path: path] = nil }
            return template
        }
        if fixed(template.value) != fixed(old["template"]) {
            errors.append(.invalid("spec.template", template.value ?? .null, "field is immutable"))
        }
        return errors
    }

    /// Most pods that an Indexed Job may run at once.
    private static let maxIndexedParallelism: Int64 = 100_000

    private static func completionMode(_ object: JSONValue, _ spec: JSONCursor) -> [FieldError] {
        var errors: [FieldError] = []
        guard spec["completionMode"].value == "Indexed" else {
            for name in ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"] {
                guard let value = spec[name].value else { continue }
                errors.append(.invalid(spec[name].path, value, "requires indexed completion mode"))
            }
            return errors
        }
        if !spec["completions"].exists {
            errors.append(.required("spec.completions", "when completion mode is Indexed"))
        }
        if let value = spec["parallelism"].value, value.integer ?? 0 > maxIndexedParallelism {
            let detail = "must be less than or equal to \(maxIndexedParallelism) when completion mode is Indexed"
            errors.append(.invalid("spec.parallelism", value, detail))
        }
        if spec["maxFailedIndexes"].exists, !spec["backoffLimitPerIndex"].exists {
            errors.append(.required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
        }
        // The last pod's host name is the longest.
        let name = object["metadata", "name"]?.string ?? ""
        if let completions = spec["completions"].value?.integer, completions > 0, !name.isEmpty {
            let hostname = "\(name)-\(completions - 1)"
            if !StringFormat.isLabel(hostname) {
                let detail = "will not able to create pod with invalid DNS label: \(hostname)"
                errors.append(.invalid("metadata.name", .string(name), detail))
            }
        }
        return errors
    }

    private static func failurePolicy(_ spec: JSONCursor) -> [FieldError] {
        guard let policy = spec["podFailurePolicy"].value else { return [] }
        var errors: [FieldError] = []
        let restart = spec["template"]["spec"]["restartPolicy"]
        if let value = restart.value, value != "Never" {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified"
            errors.append(.invalid(restart.path, value, detail))
        }
        if let value = spec["podReplacementPolicy"].value, value != "Failed" {
            errors.append(.notSupported("spec.podReplacementPolicy", value, ["Failed"]))
        }
        for (number, rule) in (policy["rules"]?.array ?? []).enumerated()
        where rule["action"] == "FailIndex" && !spec["backoffLimitPerIndex"].exists {
            let path = "spec.podFailurePolicy.rules[\(number)].action"
            errors.append(.invalid(path, "FailIndex", "requires the backoffLimitPerIndex to be set"))
        }
        return errors
    }

    /// Of an Indexed Job they may change together with the parallelism (KEP-3715).
    private static func completions(_ spec: JSONCursor, _ old: JSONValue) -> [FieldError] {
        let value = spec["completions"].value
        if spec["completionMode"].value != "Indexed" {
            return immutable("spec.completions", value, old["completions"])
        }
        if value == old["completions"] || value == spec["parallelism"].value { return [] }
        return [.invalid("spec.completions", value ?? .null, "can only be modified in tandem with spec.parallelism")]
    }
}
