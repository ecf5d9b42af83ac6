import JSON
import KubernetesModel

/// What a CustomResourceDefinition defines.
public enum CustomResources {
    /// The served versions of a CRD, in its order.
    public static func definitions(from crd: JSONValue) throws(FieldError) -> [ResourceDefinition] {
        let spec = crd["spec"] ?? [:]
        let names = spec["names"] ?? [:]
        guard let group = spec["group"]?.string, let plural = names["plural"]?.string, let kind = names["kind"]?.string
        else { throw .required("spec.names") }
        var result: [ResourceDefinition] = []
        for (index, version) in (spec["versions"]?.array ?? []).enumerated() where version["served"]?.bool == true {
            guard let name = version["name"]?.string else { continue }
            let type = ResourceType(
                group: group, version: name, plural: plural, kind: kind,
                isNamespaced: spec["scope"]?.string == "Namespaced")
            let place = "spec.versions[\(index)].schema.openAPIV3Schema"
            let json = version[path: ["schema", "openAPIV3Schema"]] ?? [:]
            var schema = try Schema(openAPI: json, path: place).asResource
            schema = schema.with { rules in
                rules.name = schemaName(of: type)
                rules.typeDescription = rules.description
            }
            var definition = ResourceDefinition(type: type, schema: schema, isBuiltIn: false)
            definition.read(version: version, names: names)
            result.append(definition)
        }
        return result
    }

    /// `dev.assay.v1alpha1.MLModel`, as the server names schemas of custom resources.
    private static func schemaName(of type: ResourceType) -> String {
        let domain = type.group.split(separator: ".").reversed().joined(separator: ".")
        return "\(domain).\(type.version).\(type.kind)"
    }

    /// What is wrong with a CRD beyond its own schema.
    static func validate(_ crd: JSONValue) -> [FieldError] {
        var errors: [FieldError] = []
        let spec = crd["spec"] ?? [:]
        let expected = "\(spec[path: ["names", "plural"]]?.string ?? "").\(spec["group"]?.string ?? "")"
        if let name = crd[path: ["metadata", "name"]], name.string != expected {
            errors.append(.invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"))
        }
        if let group = spec["group"]?.string, !group.contains(".") {
            errors.append(.invalid("spec.group", .string(group), "should be a domain with at least one dot"))
        }
        if spec["preserveUnknownFields"]?.bool == true {
            errors.append(
                .invalid(
                    "spec.preserveUnknownFields", true,
                    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                        + "spec.versions[*].schema instead"))
        }
        let versions = spec["versions"]?.array ?? []
        if versions.count(where: { $0["storage"]?.bool == true }) != 1 {
            errors.append(
                .invalid("spec.versions", .array(versions), "must have exactly one version marked as storage version"))
        }
        for (index, version) in versions.enumerated() {
            let place = "spec.versions[\(index)].schema.openAPIV3Schema"
            guard let schema = version[path: ["schema", "openAPIV3Schema"]] else {
                errors.append(.required(place, "schemas are required"))
                continue
            }
            if schema["type"]?.string != "object" {
                errors.append(
                    schema["type"] == nil
                        ? .required("\(place).type", "must not be empty at the root")
                        : .invalid("\(place).type", schema["type"] ?? .null, "must be object at the root"))
            }
            errors += structuralProblems(schema, place, isRoot: true)
            do {
                _ = try Schema(openAPI: schema, path: place)
                errors += try badDefaults(schema, place)
            } catch {
                errors.append(error)
            }
        }
        return errors
    }

    /// Defaults that are not valid themselves.
    private static func badDefaults(_ schema: JSONValue, _ path: String) throws(FieldError) -> [FieldError] {
        var errors: [FieldError] = []
        if let value = schema["default"] {
            let rules = try Schema(openAPI: schema, path: path)
            for problem in rules.validate(rules.applyDefaults(value)) {
                errors.append(FieldError(kind: problem.kind, path: "\(path).default", message: problem.message))
            }
        }
        for (name, child) in schema["properties"]?.object ?? [:] {
            errors += try badDefaults(child, "\(path).properties[\(name)]")
        }
        for name in ["items", "additionalProperties"] {
            guard let child = schema[name], child.object != nil else { continue }
            errors += try badDefaults(child, "\(path).\(name)")
        }
        return errors
    }

    /// The rules of structural schemas that people break: a type everywhere, nothing that structural schemas lack.
    private static func structuralProblems(_ schema: JSONValue, _ path: String, isRoot: Bool) -> [FieldError] {
        var errors: [FieldError] = []
        let hasFreeType =
            schema["x-kubernetes-int-or-string"]?.bool == true
            || schema["x-kubernetes-preserve-unknown-fields"]?.bool == true
        if !isRoot, schema["type"]?.string ?? "" == "", !hasFreeType {
            errors.append(.required("\(path).type", "must not be empty for specified object fields"))
        }
        if schema["$ref"] != nil { errors.append(.forbidden("\(path).$ref", "$ref is not supported")) }
        if schema["uniqueItems"]?.bool == true {
            errors.append(
                .forbidden(
                    "\(path).uniqueItems",
                    "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
        }
        if schema["properties"] != nil, schema["additionalProperties"] != nil {
            errors.append(
                .forbidden("\(path).additionalProperties", "additionalProperties and properties are mutual exclusive"))
        }
        if schema["type"]?.string == "array", schema["items"] == nil {
            errors.append(.required("\(path).items", "must be specified"))
        }
        for (name, child) in schema["properties"]?.object ?? [:] {
            if isRoot, ["apiVersion", "kind", "metadata"].contains(name) { continue }
            errors += structuralProblems(child, "\(path).properties[\(name)]", isRoot: false)
        }
        for name in ["items", "additionalProperties"] {
            guard let child = schema[name], child.object != nil else { continue }
            errors += structuralProblems(child, "\(path).\(name)", isRoot: false)
        }
        return errors
    }
}

extension ResourceDefinition {
    fileprivate mutating func read(version: JSONValue, names: JSONValue) {
        singular = names["singular"]?.string ?? type.kind.lowercased()
        listKind = names["listKind"]?.string ?? type.kind + "List"
        shortNames = (names["shortNames"]?.array ?? []).compactMap(\.string)
        categories = (names["categories"]?.array ?? []).compactMap(\.string)
        isStorageVersion = version["storage"]?.bool ?? false
        if version["deprecated"]?.bool == true {
            deprecationWarning =
                version["deprecationWarning"]?.string ?? "\(type.apiVersion) \(type.kind) is deprecated"
        }
        if let status = version[path: ["subresources", "status"]], !status.isNull { subresources.append("status") }
        if let paths = version[path: ["subresources", "scale"]], !paths.isNull {
            subresources.append("scale")
            scale = ScalePaths(
                specReplicas: paths["specReplicasPath"]?.string ?? "",
                statusReplicas: paths["statusReplicasPath"]?.string ?? "",
                labelSelector: paths["labelSelectorPath"]?.string)
        }
        columns = (version["additionalPrinterColumns"]?.array ?? []).map { column in
            PrinterColumn(
                name: column["name"]?.string ?? "", type: column["type"]?.string ?? "string",
                format: column["format"]?.string ?? "", description: column["description"]?.string ?? "",
                priority: column["priority"]?.int ?? 0, jsonPath: column["jsonPath"]?.string ?? "")
        }
    }
}
