import JSON

/// The server's rules for names, labels and annotations, which hold for every kind.
enum NameRules {
    static let labelMessage =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    static let subdomainMessage =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    static let dns1035Message =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    static let labelValueMessage =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    static let qualifiedNameMessage =
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

    static func metadata(of object: JSONValue, kind: String, isBuiltIn: Bool = true) -> [FieldError] {
        let metadata = object["metadata"] ?? [:]
        var errors: [FieldError] = []
        if let name = metadata["name"]?.string, !name.isEmpty {
            if let problem = problem(withName: name, kind: kind) {
                errors.append(.invalid("metadata.name", .string(name), problem))
            }
        } else if metadata["generateName"]?.string ?? "" == "" {
            errors.append(.required("metadata.name", "name or generateName is required"))
        }
        errors += labels(metadata["labels"], "metadata.labels")
        for (key, _) in metadata["annotations"]?.object ?? [:] {
            if let problem = problem(withQualifiedName: key.lowercased()) {
                errors.append(.invalid("metadata.annotations", .string(key), problem))
            }
        }
        return errors + finalizers(metadata["finalizers"], isBuiltIn) + owners(metadata["ownerReferences"])
    }

    private static func finalizers(_ finalizers: JSONValue?, _ isBuiltIn: Bool) -> [FieldError] {
        var errors: [FieldError] = []
        for (index, finalizer) in (finalizers?.array ?? []).enumerated() {
            guard let name = finalizer.string else { continue }
            if let problem = problem(withQualifiedName: name) {
                errors.append(.invalid("metadata.finalizers", finalizer, problem))
            } else if isBuiltIn, !name.contains("/"), !["kubernetes", "orphan", "foregroundDeletion"].contains(name) {
                errors.append(
                    .invalid(
                        "metadata.finalizers[\(index)]", finalizer,
                        "name is neither a standard finalizer name nor is it fully qualified"))
            }
        }
        return errors
    }

    private static func owners(_ references: JSONValue?) -> [FieldError] {
        var errors: [FieldError] = []
        var controllers = 0
        for reference in references?.array ?? [] {
            for field in ["apiVersion", "kind", "name", "uid"] where reference[field]?.string ?? "" == "" {
                let word = field == "apiVersion" ? "version" : field
                errors.append(.invalid("metadata.ownerReferences.\(field)", "", "\(word) must not be empty"))
            }
            if reference["controller"]?.bool == true { controllers += 1 }
        }
        if controllers > 1, let references {
            errors.append(
                .invalid(
                    "metadata.ownerReferences", references,
                    "Only one reference can have Controller set to true. Found \"true\" in references"))
        }
        return errors
    }

    static func labels(_ labels: JSONValue?, _ path: String) -> [FieldError] {
        var errors: [FieldError] = []
        for (key, value) in labels?.object ?? [:] {
            if let problem = problem(withQualifiedName: key) {
                errors.append(.invalid(path, .string(key), problem))
            }
            if let text = value.string, let problem = problem(withLabelValue: text) {
                errors.append(.invalid(path, value, problem))
            }
        }
        return errors
    }

    static func problem(withName name: String, kind: String) -> String? {
        switch kind {
        case "Namespace": return problem(withLabel: name)
        case "Service": return isDNS1035(name) ? nil : tooLong(name, 63) ?? dns1035Message
        case "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
            if name == "." || name == ".." { return "may not be '\(name)'" }
            return name.contains("/") ? "may not contain '/'" : name.contains("%") ? "may not contain '%'" : nil
        default:
            return StringFormat.isSubdomain(name) ? nil : tooLong(name, 253) ?? subdomainMessage
        }
    }

    static func problem(withLabel name: String) -> String? {
        StringFormat.isLabel(name) ? nil : tooLong(name, 63) ?? labelMessage
    }

    private static func tooLong(_ name: String, _ limit: Int) -> String? {
        name.utf8.count > limit ? "must be no more than \(limit) characters" : nil
    }

    static func isDNS1035(_ name: String) -> Bool {
        StringFormat.isLabel(name) && !(name.utf8.first.map { $0 < UInt8(ascii: "a") } ?? true)
    }

    static func problem(withLabelValue value: String) -> String? {
        if value.utf8.count > 63 { return "must be no more than 63 bytes" }
        return value.isEmpty || isNamePart(value) ? nil : labelValueMessage
    }

    static func problem(withQualifiedName name: String) -> String? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 2 {
            return
                "a qualified name \(qualifiedNameMessage.dropFirst("name part ".count)) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        }
        if parts.count == 2, let prefix = parts.first, !StringFormat.isSubdomain(String(prefix)) {
            return prefix.isEmpty ? "prefix part must be non-empty" : "prefix part \(subdomainMessage)"
        }
        let last = String(parts.last ?? "")
        if last.isEmpty { return "name part must be non-empty" }
        if last.utf8.count > 63 { return "name part must be no more than 63 bytes" }
        return isNamePart(last) ? nil : qualifiedNameMessage
    }

    private static func isNamePart(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            StringFormat.isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        }
        guard let first = text.utf8.first, let last = text.utf8.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        let marks = Set("-_.".utf8)
        return text.utf8.allSatisfy { isAlphanumeric($0) || marks.contains($0) }
    }
}
