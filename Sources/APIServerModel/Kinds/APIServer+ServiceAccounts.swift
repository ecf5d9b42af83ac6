import JSON
import KubernetesModel

/// What the admission plugin ServiceAccount does to pods (`plugin/pkg/admission/serviceaccount`).
extension APIServer {
    static let tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Checks the pod's account, and gives the pod its token and its pull secrets.
    mutating func admitServiceAccount(_ json: inout JSONValue) throws(APIFailure) {
        if json["spec", "serviceAccountName"] == nil { json["spec", "serviceAccountName"] = "default" }
        json["spec", "serviceAccount"] = json["spec", "serviceAccountName"]
        let name = json["spec", "serviceAccountName"]?.string ?? ""
        let namespace = json["metadata", "namespace"]?.string ?? ""
        guard let account = entry(.serviceAccounts, namespace: namespace, name: name)?.json else {
            throw .forbidden(
                .pods, json["metadata", "name"]?.string ?? "",
                "error looking up service account \(namespace)/\(name): serviceaccount \"\(name)\" not found")
        }
        let wanted = json["spec", "automountServiceAccountToken"] ?? account["automountServiceAccountToken"]
        // Without an authority of its own the server has nothing that a pod could trust it by.
        if wanted?.bool ?? true, options.rootCertificate != nil { mountToken(&json) }
        if (json["spec", "imagePullSecrets"]?.array ?? []).isEmpty, let secrets = account["imagePullSecrets"] {
            json["spec", "imagePullSecrets"] = secrets
        }
    }

    /// Mounts token, certificate and namespace into each container that has nothing at that path.
    private mutating func mountToken(_ json: inout JSONValue) {
        let volume = "kube-api-access-\(generator.suffix())"
        var isMounted = false
        for list in ["initContainers", "containers"] {
            guard var containers = json["spec", list]?.array else { continue }
            for index in containers.indices {
                var mounts = containers[index]["volumeMounts"]?.array ?? []
                if mounts.contains(where: { $0["mountPath"]?.string == Self.tokenPath }) { continue }
                mounts.append(["name": .string(volume), "readOnly": true, "mountPath": .string(Self.tokenPath)])
                containers[index]["volumeMounts"] = .array(mounts)
                isMounted = true
            }
            json["spec", list] = .array(containers)
        }
        guard isMounted else { return }
        let volumes = json["spec", "volumes"]?.array ?? []
        json["spec", "volumes"] = .array(volumes + [Self.tokenVolume(volume)])
    }

    private static func tokenVolume(_ name: String) -> JSONValue {
        let namespace: JSONValue = [
            "path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"],
        ]
        let certificate: JSONValue = [
            "name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]],
        ]
        let sources: JSONValue = [
            ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]], ["configMap": certificate],
            ["downwardAPI": ["items": [namespace]]],
        ]
        return ["name": .string(name), "projected": ["defaultMode": 420, "sources": sources]]
    }
}
