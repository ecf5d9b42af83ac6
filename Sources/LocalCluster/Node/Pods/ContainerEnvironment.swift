import JSON
import KubernetesModel

/// Why a container's configuration cannot be made: `CreateContainerConfigError`, with these words.
struct ContainerConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// What a container's environment is made of, besides its own spec.
struct EnvironmentSources: Sendable {
    var configMaps: [String: JSONValue] = [:]
    var secrets: [String: JSONValue] = [:]
    /// Services of the pod's namespace, with the API server's own, for the variables of service links.
    var services: [ServiceAddress] = []
    var podIP: String
    var hostIP: String
    var nodeName: String
    /// The node's allocatable, for `resourceFieldRef` without a limit.
    var allocatable: [String: Quantity] = [:]

    struct ServiceAddress: Sendable, Hashable {
        var name: String
        var address: String
        var ports: [(name: String?, port: Int, protocolName: String)]
        static func == (left: Self, right: Self) -> Bool { left.name == right.name && left.address == right.address }
        func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }
}

/// The environment of a container, built in Kubernetes' order: service variables, then `envFrom`, then `env`, each
/// later one hiding the earlier of its name.
struct ContainerEnvironment: Sendable {
    private(set) var values: [String: String] = [:]
    private let pod: NodePod
    private let container: NodeContainer
    private let sources: EnvironmentSources

    /// - Parameter base: what the image would set; everything else hides it.
    init(
        _ pod: NodePod, _ container: NodeContainer, _ sources: EnvironmentSources, base: [String: String] = [:]
    ) throws(ContainerConfigurationError) {
        values = base
        self.pod = pod
        self.container = container
        self.sources = sources
        for service in sources.services { addService(service) }
        for source in container.envFrom { try addAll(from: source) }
        for entry in container.env { try add(entry) }
        if values["HOSTNAME"] == nil { values["HOSTNAME"] = pod.hostname }
    }

    func expand(_ text: String) -> String { expandVariables(text) { values[$0] } }

    private mutating func addService(_ service: EnvironmentSources.ServiceAddress) {
        let prefix = service.name.uppercased().replacing("-", with: "_")
        guard let first = service.ports.first else { return }
        values["\(prefix)_SERVICE_HOST"] = service.address
        values["\(prefix)_SERVICE_PORT"] = String(first.port)
        values["\(prefix)_PORT"] = "\(first.protocolName.lowercased())://\(service.address):\(first.port)"
        for port in service.ports {
            if let name = port.name {
                values["\(prefix)_SERVICE_PORT_\(name.uppercased().replacing("-", with: "_"))"] = String(port.port)
            }
            let stem = "\(prefix)_PORT_\(port.port)_\(port.protocolName.uppercased())"
            values[stem] = "\(port.protocolName.lowercased())://\(service.address):\(port.port)"
            values["\(stem)_PROTO"] = port.protocolName.lowercased()
            values["\(stem)_PORT"] = String(port.port)
            values["\(stem)_ADDR"] = service.address
        }
    }

    private mutating func addAll(from source: JSONValue) throws(ContainerConfigurationError) {
        let prefix = source["prefix"]?.string ?? ""
        if let reference = source["configMapRef"] {
            guard let object = try referenced(reference, sources.configMaps, "configmap") else { return }
            for (key, value) in object["data"]?.object ?? [:] { values[prefix + key] = value.string ?? "" }
        }
        if let reference = source["secretRef"] {
            guard let object = try referenced(reference, sources.secrets, "secret") else { return }
            for (key, _) in object["data"]?.object ?? [:] {
                values[prefix + key] = String(decoding: object.secretData(key) ?? [], as: UTF8.self)
            }
        }
    }

    private mutating func add(_ entry: JSONValue) throws(ContainerConfigurationError) {
        guard let name = entry["name"]?.string else { return }
        guard let source = entry["valueFrom"], !source.isNull else {
            let known = values
            values[name] = expandVariables(entry["value"]?.string ?? "") { known[$0] }
            return
        }
        if let value = try value(of: source) { values[name] = value }
    }

    private func value(of source: JSONValue) throws(ContainerConfigurationError) -> String? {
        if let field = source["fieldRef"] {
            let path = field["fieldPath"]?.string ?? ""
            guard
                let value = DownwardFields.value(
                    path, of: pod, podIP: sources.podIP, hostIP: sources.hostIP, nodeName: sources.nodeName)
            else { throw ContainerConfigurationError("unsupported fieldPath: \(path)") }
            return value
        }
        if let field = source["resourceFieldRef"] {
            return try DownwardFields.resource(
                field, of: pod, container: container.name, allocatable: sources.allocatable)
        }
        if let key = source["configMapKeyRef"] {
            return try keyed(key, sources.configMaps, "configmap") { object, name in object["data"]?[name]?.string }
        }
        if let key = source["secretKeyRef"] {
            return try keyed(key, sources.secrets, "secret") { object, name in
                object.secretData(name).map { String(decoding: $0, as: UTF8.self) }
            }
        }
        throw ContainerConfigurationError("invalid valueFrom: no source that this node knows is set")
    }

    private func referenced(
        _ reference: JSONValue, _ objects: [String: JSONValue], _ kind: String
    ) throws(ContainerConfigurationError) -> JSONValue? {
        let name = reference["name"]?.string ?? ""
        if let object = objects[name] { return object }
        if reference["optional"]?.bool == true { return nil }
        throw ContainerConfigurationError("\(kind) \"\(name)\" not found")
    }

    private func keyed(
        _ reference: JSONValue, _ objects: [String: JSONValue], _ kind: String,
        _ read: (JSONValue, String) -> String?
    ) throws(ContainerConfigurationError) -> String? {
        guard let object = try referenced(reference, objects, kind) else { return nil }
        let key = reference["key"]?.string ?? ""
        if let value = read(object, key) { return value }
        if reference["optional"]?.bool == true { return nil }
        let title = kind == "secret" ? "Secret" : "ConfigMap"
        throw ContainerConfigurationError(
            "couldn't find key \(key) in \(title) \(pod.key.namespace ?? "default")/\(reference["name"]?.string ?? "")")
    }

    /// The names of the config maps and secrets that a container's environment refers to.
    static func references(of container: NodeContainer) -> (configMaps: Set<String>, secrets: Set<String>) {
        var configMaps: Set<String> = []
        var secrets: Set<String> = []
        for source in container.envFrom {
            if let name = source["configMapRef", "name"]?.string { configMaps.insert(name) }
            if let name = source["secretRef", "name"]?.string { secrets.insert(name) }
        }
        for entry in container.env {
            if let name = entry[path: ["valueFrom", "configMapKeyRef", "name"]]?.string { configMaps.insert(name) }
            if let name = entry[path: ["valueFrom", "secretKeyRef", "name"]]?.string { secrets.insert(name) }
        }
        return (configMaps, secrets)
    }
}

extension JSONValue {
    /// A value of a Secret's `data`, decoded; nil where it is absent or no base64.
    func secretData(_ key: String) -> [UInt8]? { self["data"]?[key]?.string.flatMap(Base64.decode) }
}
