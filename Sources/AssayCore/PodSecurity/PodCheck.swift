import JSON

/// Checks a rendered pod before anything is created.
///
/// A pod template inside a custom resource would otherwise let somebody make pods that they may not make themselves
/// (CVE-2025-32445 in Argo Events was that), so the operator applies the Pod Security Standards itself:
/// https://kubernetes.io/docs/concepts/security/pod-security-standards/
public struct PodCheck {
    let spec: JSONValue
    let annotations: [(key: String, value: JSONValue)]
    let path: String
    let metadataPath: String
    var problems: [FieldProblem] = []

    /// What is wrong with a rendered PodTemplateSpec that stands at `path`.
    public static func problems(in template: JSONValue, at path: String, policy: PodPolicy) -> [FieldProblem] {
        var check = PodCheck(
            spec: template["spec"] ?? [:],
            annotations: Array(template["metadata", "annotations"]?.object ?? [:]),
            path: "\(path).spec", metadataPath: "\(path).metadata")
        check.always(policy)
        if policy.level >= .baseline { check.baseline() }
        if policy.level >= .restricted { check.restricted() }
        return check.problems
    }

    mutating func refuse(_ field: String, _ message: String) { problems.append(FieldProblem(field, message)) }

    /// A container with its path.
    struct Container {
        let json: JSONValue
        let path: String
        var security: JSONValue { json["securityContext"] ?? [:] }
        var securityPath: String { path + ".securityContext" }
    }

    var containers: [Container] {
        ["initContainers", "containers", "ephemeralContainers"].flatMap { list in
            (spec[list]?.array ?? []).enumerated().map { Container(json: $1, path: "\(path).\(list)[\($0)]") }
        }
    }

    var volumes: [(json: JSONValue, path: String)] {
        (spec["volumes"]?.array ?? []).enumerated().map { ($1, "\(path).volumes[\($0)]") }
    }

    /// The security contexts of the pod and of its containers.
    var securityContexts: [(json: JSONValue, path: String)] {
        [(spec["securityContext"] ?? [:], path + ".securityContext")]
            + containers.map { ($0.security, $0.securityPath) }
    }

    /// Anything but absent, null and false: a wrong type is the API server's to refuse, not ours to let through.
    static func isSet(_ value: JSONValue?) -> Bool {
        guard let value else { return false }
        return value != .null && value != false
    }

    /// Refused at every level.
    private mutating func always(_ policy: PodPolicy) {
        for field in ["hostNetwork", "hostPID", "hostIPC"] where Self.isSet(spec[field]) {
            refuse("\(path).\(field)", "pods may not use the host's namespaces; remove it")
        }
        if Self.isSet(spec["nodeName"]), spec["nodeName"] != "" {
            refuse("\(path).nodeName", "a pod may not pass by the scheduler; use nodeSelector or affinity")
        }
        for volume in volumes where Self.isSet(volume.json["hostPath"]) {
            refuse("\(volume.path).hostPath", "pods may not mount the node's files; use a persistentVolumeClaim")
        }
        for container in containers where Self.isSet(container.security["privileged"]) {
            refuse("\(container.securityPath).privileged", "containers may not be privileged; remove it")
        }
        for field in ["serviceAccountName", "serviceAccount"] {
            guard let name = spec[field]?.string, !name.isEmpty, !policy.mayUse(serviceAccount: name) else { continue }
            refuse(
                "\(path).\(field)",
                "the service account \(name) may not be used; its owner allows it with the annotation "
                    + "\(Label.allowUse): \"true\"")
        }
    }
}
