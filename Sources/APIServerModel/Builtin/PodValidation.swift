import JSON

/// The rules of a pod's spec (`pkg/apis/core/validation`).
enum PodValidation {
    static func validate(_ spec: JSONCursor) -> [FieldError] {
        guard spec.exists else { return [] }
        var errors: [FieldError] = []
        let volumes = names(spec["volumes"], &errors)
        var seen: Set<String> = []
        for list in ["initContainers", "containers"] {
            for index in (spec[list].value?.array ?? []).indices {
                errors += container(spec[list][index], volumes: volumes, seen: &seen)
            }
        }
        for index in (spec["volumes"].value?.array ?? []).indices { errors += volume(spec["volumes"][index]) }
        for name in ["terminationGracePeriodSeconds"] { errors += BuiltinValidation.notNegative(spec[name]) }
        if let deadline = spec["activeDeadlineSeconds"].value?.integer, deadline < 1 {
            errors.append(
                .invalid(
                    spec["activeDeadlineSeconds"].path, .integer(deadline),
                    "must be between 1 and 2147483647, inclusive"))
        }
        errors += NameRules.labels(spec["nodeSelector"].value, spec["nodeSelector"].path)
        for name in ["nodeName", "serviceAccountName"] {
            guard let text = spec[name].value?.string, !text.isEmpty, !StringFormat.isSubdomain(text) else { continue }
            errors.append(.invalid(spec[name].path, .string(text), NameRules.subdomainMessage))
        }
        return errors
    }

    /// The names of volumes; wrong and repeated ones are reported.
    private static func names(_ list: JSONCursor, _ errors: inout [FieldError]) -> Set<String> {
        var result: Set<String> = []
        for index in (list.value?.array ?? []).indices {
            guard let name = list[index]["name"].value?.string, !name.isEmpty else { continue }
            if let problem = NameRules.problem(withLabel: name) {
                errors.append(.invalid(list[index]["name"].path, .string(name), problem))
            }
            if !result.insert(name).inserted {
                errors.append(.duplicate(list[index]["name"].path, .string(name)))
            }
        }
        return result
    }

    private static func volume(_ volume: JSONCursor) -> [FieldError] {
        let sources = (volume.value?.object ?? [:]).keys.filter { $0 != "name" }
        if sources.count > 1, let second = sources.last {
            return [.forbidden("\(volume.path).\(second)", "may not specify more than 1 volume type")]
        }
        if volume["secret"].exists, volume["secret"]["secretName"].value?.string ?? "" == "" {
            return [.required(volume["secret"]["secretName"].path)]
        }
        if volume["configMap"].exists, volume["configMap"]["name"].value?.string ?? "" == "" {
            return [.required(volume["configMap"]["name"].path)]
        }
        return []
    }

    private static func container(
        _ container: JSONCursor, volumes: Set<String>, seen: inout Set<String>
    ) -> [FieldError] {
        var errors: [FieldError] = []
        if let name = container["name"].value?.string, !name.isEmpty {
            if let problem = NameRules.problem(withLabel: name) {
                errors.append(.invalid(container["name"].path, .string(name), problem))
            }
            if !seen.insert(name).inserted { errors.append(.duplicate(container["name"].path, .string(name))) }
        }
        if let image = container["image"].value?.string, !image.isEmpty {
            if image.first == " " || image.last == " " {
                errors.append(
                    .invalid(container["image"].path, .string(image), "must not have leading or trailing whitespace"))
            }
        } else {
            errors.append(.required(container["image"].path))
        }
        errors += environment(container["env"])
        errors += ports(container["ports"])
        errors += mounts(container["volumeMounts"], volumes)
        errors += resources(container["resources"])
        for name in ["livenessProbe", "readinessProbe", "startupProbe"] { errors += probe(container[name], name) }
        return errors
    }

    private static func environment(_ list: JSONCursor) -> [FieldError] {
        var errors: [FieldError] = []
        for index in (list.value?.array ?? []).indices {
            let variable = list[index]
            if let name = variable["name"].value?.string, !name.isEmpty {
                // Since KEP-4369 any printable character but '='.
                if name.contains("=") || !name.unicodeScalars.allSatisfy({ (0x20...0x7E).contains($0.value) }) {
                    errors.append(
                        .invalid(
                            variable["name"].path, .string(name),
                            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                        ))
                }
            }
            let source = variable["valueFrom"]
            guard source.exists else { continue }
            if variable["value"].value?.string ?? "" != "" {
                errors.append(
                    .invalid(source.path, "", "may not be specified when `value` is not empty"))
            }
            if source.value?.object?.count != 1 {
                errors.append(
                    .invalid(
                        source.path, "",
                        source.value?.object?.isEmpty == true
                            ? "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
                            : "may not have more than one field specified at a time"))
            }
        }
        return errors
    }

    private static func ports(_ list: JSONCursor) -> [FieldError] {
        var errors: [FieldError] = []
        var names: Set<String> = []
        for index in (list.value?.array ?? []).indices {
            let name = list[index]["name"]
            guard let text = name.value?.string, !text.isEmpty else { continue }
            if !isPortName(text) {
                errors.append(
                    .invalid(
                        name.path, .string(text),
                        text.utf8.count > 15
                            ? "must be no more than 15 characters"
                            : "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"))
            }
            if !names.insert(text).inserted { errors.append(.duplicate(name.path, .string(text))) }
        }
        return errors
    }

    /// An IANA service name.
    static func isPortName(_ text: String) -> Bool {
        text.utf8.count <= 15 && StringFormat.isLabel(text) && !text.contains("--")
            && text.utf8.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    }

    /// A number or a name of a port.
    static func port(_ field: JSONCursor) -> [FieldError] {
        switch field.value {
        case .integer(let number) where !(1...65535).contains(number):
            [.invalid(field.path, .integer(number), "must be between 1 and 65535, inclusive")]
        case .string(let name) where !isPortName(name):
            [
                .invalid(
                    field.path, .string(name),
                    "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
            ]
        default: []
        }
    }

    private static func mounts(_ list: JSONCursor, _ volumes: Set<String>) -> [FieldError] {
        var errors: [FieldError] = []
        var paths: Set<String> = []
        for index in (list.value?.array ?? []).indices {
            let mount = list[index]
            if let name = mount["name"].value, let text = name.string, !text.isEmpty, !volumes.contains(text) {
                errors.append(
                    FieldError(
                        kind: .invalid, path: mount["name"].path, message: "Not found: \(name.serialized())"))
            }
            if let path = mount["mountPath"].value?.string {
                if path.contains(":") {
                    errors.append(.invalid(mount["mountPath"].path, .string(path), "must not contain ':'"))
                }
                if !paths.insert(path).inserted {
                    errors.append(.invalid(mount["mountPath"].path, .string(path), "must be unique"))
                }
            }
            if let path = mount["subPath"].value?.string {
                if path.hasPrefix("/") {
                    errors.append(.invalid(mount["subPath"].path, .string(path), "must be a relative path"))
                }
                if path.split(separator: "/").contains("..") {
                    errors.append(.invalid(mount["subPath"].path, .string(path), "must not contain '..'"))
                }
            }
        }
        return errors
    }

    private static func resources(_ resources: JSONCursor) -> [FieldError] {
        var errors = quantities(resources["limits"]) + quantities(resources["requests"])
        for (name, limit) in resources["limits"].value?.object ?? [:] {
            guard let request = resources["requests"].value?[name],
                let requested = QuantityText.value(of: request), let limited = QuantityText.value(of: limit),
                requested > limited
            else { continue }
            errors.append(
                .invalid(
                    "\(resources["requests"].path)", request,
                    "must be less than or equal to \(name) limit of \(limit.string ?? limit.serialized())"))
        }
        return errors
    }

    static func quantities(_ map: JSONCursor) -> [FieldError] {
        (map.value?.object ?? [:]).compactMap { name, value in
            guard let amount = QuantityText.value(of: value) else {
                return .invalid(
                    "\(map.path)[\(name)]", value,
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
            }
            return amount < 0
                ? .invalid("\(map.path)[\(name)]", value, "must be greater than or equal to 0") : nil
        }
    }

    private static func probe(_ probe: JSONCursor, _ name: String) -> [FieldError] {
        guard probe.exists else { return [] }
        let handlers = ["exec", "httpGet", "tcpSocket", "grpc"].filter { probe[$0].exists }
        var errors: [FieldError] = []
        if handlers.isEmpty { errors.append(.required(probe.path, "must specify a handler type")) }
        if handlers.count > 1, let last = handlers.last {
            errors.append(.forbidden("\(probe.path).\(last)", "may not specify more than 1 handler type"))
        }
        errors += port(probe["httpGet"]["port"]) + port(probe["tcpSocket"]["port"])
        for field in [
            "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
        ] { errors += BuiltinValidation.notNegative(probe[field]) }
        if name != "readinessProbe", let count = probe["successThreshold"].value?.integer, count != 1 {
            errors.append(.invalid(probe["successThreshold"].path, .integer(count), "must be 1"))
        }
        return errors
    }

    static func isConfigMapKey(_ text: String) -> Bool {
        let marks = Set("-._".utf8)
        return (1...253).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { byte in
                marks.contains(byte) || StringFormat.isLowerAlphanumeric(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            }
    }
}
