import JSON
import KubernetesModel

/// A pod as a node reads it: what concerns running it is decoded, the rest stays JSON.
struct NodePod: Sendable, Hashable {
    var metadata: ObjectMeta
    var containers: [NodeContainer]
    var initContainers: [NodeContainer]
    var volumes: [NodeVolume]
    var restartPolicy: RestartPolicy
    var terminationGracePeriod: Duration
    /// What the deletion asked for, once it was asked for.
    var deletionGracePeriod: Duration?
    var activeDeadline: Duration?
    var serviceAccountName: String
    var automountsToken: Bool
    var hostname: String
    var subdomain: String?
    var enableServiceLinks: Bool
    var security: PodSecurity
    var hostAliases: [(ip: String, hostnames: [String])] {
        (json["spec", "hostAliases"]?.array ?? []).map {
            ($0["ip"]?.string ?? "", ($0["hostnames"]?.array ?? []).compactMap(\.string))
        }
    }
    /// The whole object as the API server has it.
    var json: JSONValue

    var key: ObjectKey { metadata.key }
    var uid: String { metadata.uid }
    var allContainers: [NodeContainer] { initContainers + containers }

    init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        let spec = cursor["spec"]
        metadata = try ObjectMeta(json: cursor["metadata"])
        security = try PodSecurity(json: spec["securityContext"])
        var containers: [NodeContainer] = []
        for element in try spec["containers"].elements() { containers.append(try NodeContainer(json: element)) }
        self.containers = containers
        var initial: [NodeContainer] = []
        for element in try spec["initContainers"].elements() {
            var container = try NodeContainer(json: element)
            container.role = try element["restartPolicy"].optionalString() == "Always" ? .sidecar : .initial
            initial.append(container)
        }
        initContainers = initial
        var volumes: [NodeVolume] = []
        for element in try spec["volumes"].elements() { volumes.append(try NodeVolume(json: element)) }
        self.volumes = volumes
        restartPolicy = RestartPolicy(rawValue: try spec["restartPolicy"].optionalString() ?? "Always") ?? .always
        terminationGracePeriod = .seconds(max(0, try spec["terminationGracePeriodSeconds"].optionalInteger() ?? 30))
        deletionGracePeriod = try cursor["metadata"]["deletionGracePeriodSeconds"].optionalInteger().map {
            .seconds(max(0, $0))
        }
        activeDeadline = try spec["activeDeadlineSeconds"].optionalInteger().map { .seconds($0) }
        serviceAccountName = try spec["serviceAccountName"].optionalString() ?? "default"
        automountsToken = try spec["automountServiceAccountToken"].optionalBool() ?? true
        hostname = try spec["hostname"].optionalString() ?? String(metadata.name.prefix(63))
        subdomain = try spec["subdomain"].optionalString()
        enableServiceLinks = try spec["enableServiceLinks"].optionalBool() ?? true
        self.json = json
    }

    static func == (left: NodePod, right: NodePod) -> Bool { left.json == right.json }
    func hash(into hasher: inout Hasher) { hasher.combine(json) }
}

enum RestartPolicy: String, Sendable, Hashable {
    case always = "Always"
    case onFailure = "OnFailure"
    case never = "Never"
}

/// Who a pod's processes run as, pod-wide.
struct PodSecurity: Sendable, Hashable {
    var runAsUser: Int?
    var runAsGroup: Int?
    var runAsNonRoot: Bool?
    var fsGroup: Int?
    var supplementalGroups: [Int] = []

    init(json cursor: JSONCursor) throws(JSONShapeError) {
        runAsUser = try cursor["runAsUser"].optionalInt()
        runAsGroup = try cursor["runAsGroup"].optionalInt()
        runAsNonRoot = try cursor["runAsNonRoot"].optionalBool()
        fsGroup = try cursor["fsGroup"].optionalInt()
        for element in try cursor["supplementalGroups"].elements() { supplementalGroups.append(try element.int()) }
    }
}

/// A container of a pod.
struct NodeContainer: Sendable, Hashable {
    enum Role: Sendable, Hashable {
        case main
        /// Runs to its end before the next container starts.
        case initial
        /// An init container that is always restarted (KEP-753).
        case sidecar
    }

    struct Mount: Sendable, Hashable {
        var volume: String
        var path: String
        var subPath: String?
        var subPathExpr: String?
        var isReadOnly: Bool
    }

    enum MessagePolicy: String, Sendable, Hashable {
        case file = "File"
        case fallbackToLogs = "FallbackToLogsOnError"
    }

    var name: String
    var role = Role.main
    var image: String
    var pullPolicy: ImagePullPolicy?
    var command: [String]
    var arguments: [String]
    var workingDirectory: String?
    var env: [JSONValue]
    var envFrom: [JSONValue]
    var mounts: [Mount]
    var messagePath: String
    var messagePolicy: MessagePolicy
    var probes: [ContainerProbe.Kind: ContainerProbe]
    /// The command of an exec preStop hook.
    var preStop: [String]?
    var ports: [(name: String?, port: Int)]
    var memoryLimit: Int64?
    var runAsUser: Int?
    var runAsGroup: Int?
    var runAsNonRoot: Bool?
    var allowsPrivilegeEscalation: Bool
    var readOnlyRoot: Bool
    var resources: JSONValue

    init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        image = try cursor["image"].optionalString() ?? ""
        pullPolicy = try cursor["imagePullPolicy"].optionalString().flatMap(ImagePullPolicy.init(rawValue:))
        command = try cursor["command"].strings()
        arguments = try cursor["args"].strings()
        workingDirectory = try cursor["workingDir"].optionalString()
        env = try cursor["env"].elements().compactMap(\.value)
        envFrom = try cursor["envFrom"].elements().compactMap(\.value)
        var mounts: [Mount] = []
        for element in try cursor["volumeMounts"].elements() {
            mounts.append(
                Mount(
                    volume: try element["name"].string(), path: try element["mountPath"].string(),
                    subPath: try element["subPath"].optionalString(),
                    subPathExpr: try element["subPathExpr"].optionalString(),
                    isReadOnly: try element["readOnly"].optionalBool() ?? false))
        }
        self.mounts = mounts
        messagePath = try cursor["terminationMessagePath"].optionalString() ?? "/dev/termination-log"
        messagePolicy =
            MessagePolicy(rawValue: try cursor["terminationMessagePolicy"].optionalString() ?? "File") ?? .file
        var probes: [ContainerProbe.Kind: ContainerProbe] = [:]
        var ports: [(String?, Int)] = []
        for element in try cursor["ports"].elements() {
            ports.append((try element["name"].optionalString(), try element["containerPort"].int()))
        }
        self.ports = ports
        for kind in ContainerProbe.Kind.allCases where cursor[kind.field].exists {
            probes[kind] = try ContainerProbe(json: cursor[kind.field], ports: ports)
        }
        self.probes = probes
        let preStop = try cursor["lifecycle"]["preStop"]["exec"]["command"].strings()
        self.preStop = preStop.isEmpty ? nil : preStop
        memoryLimit = try cursor["resources"]["limits"]["memory"].optionalQuantity()?.value
        let security = cursor["securityContext"]
        runAsUser = try security["runAsUser"].optionalInt()
        runAsGroup = try security["runAsGroup"].optionalInt()
        runAsNonRoot = try security["runAsNonRoot"].optionalBool()
        allowsPrivilegeEscalation = try security["allowPrivilegeEscalation"].optionalBool() ?? true
        readOnlyRoot = try security["readOnlyRootFilesystem"].optionalBool() ?? false
        resources = cursor["resources"].value ?? [:]
    }

    static func == (left: NodeContainer, right: NodeContainer) -> Bool {
        left.name == right.name && left.role == right.role && left.image == right.image
            && left.command == right.command && left.arguments == right.arguments
    }
    func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// A volume of a pod: its name and the one source that is set.
struct NodeVolume: Sendable, Hashable {
    var name: String
    /// The name of the source: `emptyDir`, `configMap`, …
    var kind: String
    var source: JSONValue

    init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        let sources = (try cursor.optionalObject() ?? [:]).members.filter { $0.key != "name" && !$0.value.isNull }
        // The API defaults a volume without a source to an empty directory.
        kind = sources.first?.key ?? "emptyDir"
        source = sources.first?.value ?? [:]
    }
}
