import JSON
import KubernetesModel

/// What a volume is made of on the node: worked out from the pod and the objects that it names, without touching a
/// file.
enum VolumePlan: Sendable, Hashable {
    struct File: Sendable, Hashable {
        /// Relative to the volume's root, without `..`.
        var path: String
        var bytes: [UInt8]
        var mode: UInt32
    }

    /// An empty directory that lives as long as the pod.
    case empty
    /// A claim's directory, which outlives the pod: that of its volume, or one of the node's own where the claim has
    /// none.
    case claim(String, path: String?)
    /// A directory that the node fills once.
    case files([File])
    /// An image's snapshot, read-only.
    case image(String, ImagePullPolicy?)

    /// The objects that a volume needs before it can be planned.
    struct Needs: Sendable, Hashable {
        var configMaps: Set<String> = []
        var secrets: Set<String> = []
        var claims: Set<String> = []
        var tokens: Set<Token> = []
    }

    struct Token: Sendable, Hashable {
        var audience: String?
        var expirationSeconds: Int

        /// How long a token that was issued for so many seconds is used, by the kubelet's rule: for four fifths of them, and a
        /// day at most.
        static func renewal(lifetime seconds: Int) -> Duration { min(.seconds(seconds) * 0.8, .seconds(86_400)) }
    }

    /// The objects and facts that volumes are planned from.
    struct Sources: Sendable {
        var configMaps: [String: JSONValue] = [:]
        var secrets: [String: JSONValue] = [:]
        var claims: [String: JSONValue] = [:]
        /// By name.
        var volumes: [String: JSONValue] = [:]
        var tokens: [Token: String] = [:]
        /// How long the first of them is used; nil where there are none.
        var tokenRenewal: Duration?
        var podIP = ""
        var hostIP = ""
        var nodeName = ""
        var allocatable: [String: Quantity] = [:]
    }

    static func needs(of volume: NodeVolume) -> Needs {
        var needs = Needs()
        switch volume.kind {
        case "configMap": add(volume.source["name"], to: &needs.configMaps)
        case "secret": add(volume.source["secretName"], to: &needs.secrets)
        case "persistentVolumeClaim": add(volume.source["claimName"], to: &needs.claims)
        case "projected":
            for source in volume.source["sources"]?.array ?? [] {
                add(source["configMap", "name"], to: &needs.configMaps)
                add(source["secret", "name"], to: &needs.secrets)
                if let token = source["serviceAccountToken"] { needs.tokens.insert(Token(token)) }
            }
        default: break
        }
        return needs
    }

    private static func add(_ value: JSONValue?, to set: inout Set<String>) {
        if let name = value?.string { set.insert(name) }
    }

    /// Plans one volume; the error's words go into the pod's events and its waiting containers.
    init(
        _ volume: NodeVolume, of pod: NodePod, from sources: Sources
    ) throws(ContainerConfigurationError) {
        let source = volume.source
        switch volume.kind {
        case "emptyDir": self = .empty
        case "persistentVolumeClaim":
            let claim = source["claimName"]?.string ?? ""
            guard let object = sources.claims[claim] else {
                throw ContainerConfigurationError("persistentvolumeclaim \"\(claim)\" not found")
            }
            guard let name = object["spec", "volumeName"]?.string, !name.isEmpty else {
                self = .claim(claim, path: nil)
                return
            }
            let spec = sources.volumes[name]?["spec"]
            guard let path = spec?["hostPath", "path"]?.string ?? spec?["local", "path"]?.string else {
                throw ContainerConfigurationError(
                    "persistentvolumeclaim \"\(claim)\" is bound to the volume \"\(name)\", which is no directory of "
                        + "this node")
            }
            self = .claim(claim, path: path)
        case "image":
            self = .image(
                source["reference"]?.string ?? "",
                source["pullPolicy"]?.string.flatMap(ImagePullPolicy.init(rawValue:)))
        case "configMap", "secret", "downwardAPI":
            var source = source
            if volume.kind == "secret" { source["name"] = source["secretName"] }
            let mode = try Self.mode(source["defaultMode"]) ?? 0o644
            self = .files(try Self.files(volume.kind, source, mode, pod, sources))
        case "projected":
            let mode = try Self.mode(source["defaultMode"]) ?? 0o644
            var files: [File] = []
            for part in source["sources"]?.array ?? [] {
                guard let (kind, content) = part.object?.first(where: { !$0.value.isNull }) else { continue }
                files += try Self.files(kind, content, mode, pod, sources)
            }
            self = .files(files)
        case "hostPath":
            throw ContainerConfigurationError(
                "volume \"\(volume.name)\" is a hostPath, which this node refuses: its pods see no paths of the host. "
                    + "Use a persistentVolumeClaim or an emptyDir")
        default:
            throw ContainerConfigurationError(
                "volume \"\(volume.name)\" is of the kind \(volume.kind), which this node does not support")
        }
    }

    private static func files(
        _ kind: String, _ source: JSONValue, _ mode: UInt32, _ pod: NodePod, _ sources: Sources
    ) throws(ContainerConfigurationError) -> [File] {
        switch kind {
        case "configMap":
            return try keyed(source, mode, sources.configMaps, "configmap") { object in
                var data = (object["data"]?.object ?? [:]).map { ($0.key, Array(($0.value.string ?? "").utf8)) }
                data += (object["binaryData"]?.object ?? [:]).map {
                    ($0.key, $0.value.string.flatMap(Base64.decode) ?? [])
                }
                return data
            }
        case "secret":
            return try keyed(source, mode, sources.secrets, "secret") { object in
                (object["data"]?.object ?? [:]).map { ($0.key, object.secretData($0.key) ?? []) }
            }
        case "downwardAPI": return try downward(source, mode, pod, sources)
        case "serviceAccountToken":
            guard let token = sources.tokens[Token(source)] else {
                throw ContainerConfigurationError(
                    "failed to fetch token: the API server did not issue one for service account "
                        + "\"\(pod.key.namespace ?? "default")/\(pod.serviceAccountName)\"")
            }
            return [File(path: try safe(source["path"]?.string ?? "token"), bytes: Array(token.utf8), mode: mode)]
        default:
            throw ContainerConfigurationError("projected source \(kind) is not supported by this node")
        }
    }

    private static func keyed(
        _ source: JSONValue, _ mode: UInt32, _ objects: [String: JSONValue], _ kind: String,
        _ data: (JSONValue) -> [(String, [UInt8])]
    ) throws(ContainerConfigurationError) -> [File] {
        let name = source["name"]?.string ?? ""
        let isOptional = source["optional"]?.bool == true
        guard let object = objects[name] else {
            if isOptional { return [] }
            throw ContainerConfigurationError("\(kind) \"\(name)\" not found")
        }
        let data = data(object)
        guard let items = source["items"]?.array, !items.isEmpty else {
            return data.map { File(path: $0.0, bytes: $0.1, mode: mode) }
        }
        var files: [File] = []
        for item in items {
            let key = item["key"]?.string ?? ""
            guard let bytes = data.first(where: { $0.0 == key })?.1 else {
                if isOptional { continue }
                throw ContainerConfigurationError("references non-existent \(kind) key: \(key)")
            }
            files.append(
                File(
                    path: try safe(item["path"]?.string ?? key), bytes: bytes,
                    mode: try Self.mode(item["mode"]) ?? mode))
        }
        return files
    }

    private static func downward(
        _ source: JSONValue, _ mode: UInt32, _ pod: NodePod, _ sources: Sources
    ) throws(ContainerConfigurationError) -> [File] {
        var files: [File] = []
        for item in source["items"]?.array ?? [] {
            let text: String
            if let path = item["fieldRef", "fieldPath"]?.string {
                guard
                    let value = DownwardFields.value(
                        path, of: pod, podIP: sources.podIP, hostIP: sources.hostIP, nodeName: sources.nodeName)
                else { throw ContainerConfigurationError("unsupported fieldPath: \(path)") }
                text = value
            } else {
                text = try DownwardFields.resource(
                    item["resourceFieldRef"] ?? [:], of: pod, container: "", allocatable: sources.allocatable)
            }
            files.append(
                File(
                    path: try safe(item["path"]?.string ?? ""), bytes: Array(text.utf8),
                    mode: try Self.mode(item["mode"]) ?? mode))
        }
        return files
    }

    private static func mode(_ value: JSONValue?) throws(ContainerConfigurationError) -> UInt32? {
        guard let value, !value.isNull else { return nil }
        guard let mode = value.int, (0...0o777).contains(mode) else {
            throw ContainerConfigurationError("a file mode must be between 0 and 0777, not \(value)")
        }
        return UInt32(mode)
    }

    /// A path that stays in the volume.
    private static func safe(_ path: String) throws(ContainerConfigurationError) -> String {
        guard !path.isEmpty, !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw ContainerConfigurationError("the path \"\(path)\" must be relative and must not contain \"..\"")
        }
        return path
    }
}

extension VolumePlan.Token {
    init(_ source: JSONValue) {
        audience = source["audience"]?.string
        expirationSeconds = source["expirationSeconds"]?.int ?? 3600
    }
}
