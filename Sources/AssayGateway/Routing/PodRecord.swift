import AssayCore
import ControllerRuntime
import JSON
import KubernetesModel

/// The fields of a serving pod that requests are routed by.
public struct PodRecord: StoredObject, Hashable {
    public static let resourceType = ResourceType.pods

    public static var fields: JSONFields? {
        ObjectMeta.fields.union(
            JSONFields(
                "spec.nodeName", "spec.initContainers.name", "spec.containers.name",
                "spec.containers.ports.containerPort", "spec.containers.readinessProbe", "status.podIP", "status.phase",
                "status.conditions.type", "status.conditions.status", "status.containerStatuses.name",
                "status.containerStatuses.state.running"))
    }

    public var metadata: ObjectMeta
    /// Nil until it has one.
    public var address: String?
    public var isReady: Bool
    /// Its containers have ended for good.
    public var hasEnded: Bool
    /// It has a node.
    private var isBound: Bool
    /// Its init containers are done.
    private var isInitialized: Bool
    /// The containers, of which one answers at a port; see ``probe(port:)``.
    private var containers: [Container]

    private struct Container: Sendable, Hashable {
        var ports: [Int]
        var probe: PodProbe
        var isRunning: Bool
    }

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        let status = cursor["status"]
        address = try status["podIP"].optionalString().flatMap { $0.isEmpty ? nil : $0 }
        let phase = try status["phase"].optionalString() ?? ""
        hasEnded = phase == "Succeeded" || phase == "Failed"
        var conditions: Set<String> = []
        for condition in try status["conditions"].elements() where try condition["status"].optionalString() == "True" {
            if let type = try condition["type"].optionalString() { conditions.insert(type) }
        }
        isReady = conditions.contains("Ready")
        isBound = try cursor["spec"]["nodeName"].optionalString() ?? "" != "" || conditions.contains("PodScheduled")
        isInitialized = try cursor["spec"]["initContainers"].elements().isEmpty || conditions.contains("Initialized")
        var running: Set<String> = []
        for container in try status["containerStatuses"].elements() where container["state"]["running"].exists {
            if let name = try container["name"].optionalString() { running.insert(name) }
        }
        containers = []
        for container in try cursor["spec"]["containers"].elements() {
            var ports: [Int] = []
            for port in try container["ports"].elements() {
                if let number = try port["containerPort"].optionalInt() { ports.append(number) }
            }
            containers.append(
                Container(
                    ports: ports, probe: PodProbe(json: container["readinessProbe"]),
                    isRunning: running.contains(try container["name"].optionalString() ?? "")))
        }
    }

    /// How a pod is asked whether it is ready: as the kubelet asks the container that says it has the port, or else the one
    /// that has a probe.
    public func probe(port: Int) -> PodProbe {
        container(port: port)?.probe ?? .connect
    }

    private func container(port: Int) -> Container? {
        containers.first { $0.ports.contains(port) } ?? containers.first { $0.probe != .connect }
    }

    /// How far it is on its way to serving at a port.
    func progress(port: Int) -> PodProgress {
        if !isBound { return .none }
        if !isInitialized { return .bound }
        return (container(port: port) ?? containers.first)?.isRunning == true ? .started : .fetched
    }

    /// The revision that it is of.
    var revision: String? { metadata.labels[RevisionRoute.label] }

    /// The model that it serves; nil where it serves none.
    public var model: ObjectKey? {
        metadata.labels[Label.model].map { ObjectKey(namespace: metadata.namespace, name: $0) }
    }
}

/// How the gateway finds out for itself that a pod answers, which the kubelet would tell only after its next period.
public enum PodProbe: Sendable, Hashable {
    /// It takes a connection.
    case connect
    /// It answers a GET of this path with a status of 200 to 399.
    case get(path: String)
    /// Only the kubelet can tell.
    case kubelet

    /// Reads a container's readiness probe. One that says more than we can do is left to the kubelet.
    init(json cursor: JSONCursor) {
        guard cursor.exists else {
            self = .connect
            return
        }
        let get = cursor["httpGet"].value
        if let get, (get["scheme"]?.string ?? "HTTP") == "HTTP", get["host"] == nil, get["httpHeaders"] == nil {
            let path = get["path"]?.string ?? "/"
            let isPlain = path.utf8.first == UInt8(ascii: "/") && path.utf8.allSatisfy { $0 > 32 && $0 < 127 }
            self = isPlain ? .get(path: path) : .kubelet
        } else {
            self = cursor["tcpSocket"].exists ? .connect : .kubelet
        }
    }
}
