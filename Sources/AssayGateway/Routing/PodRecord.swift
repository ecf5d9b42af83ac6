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
                "spec.containers.ports.containerPort", "spec.containers.readinessProbe", "status.podIP", "status.phase",
                "status.conditions.type", "status.conditions.status"))
    }

    public var metadata: ObjectMeta
    /// Nil until it has one.
    public var address: String?
    public var isReady: Bool
    /// Its containers have ended for good.
    public var hasEnded: Bool
    /// Of the container that answers at a port; see ``probe(port:)``.
    private var probes: [(ports: [Int], probe: PodProbe)]

    public init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        let status = cursor["status"]
        address = try status["podIP"].optionalString().flatMap { $0.isEmpty ? nil : $0 }
        let phase = try status["phase"].optionalString() ?? ""
        hasEnded = phase == "Succeeded" || phase == "Failed"
        isReady = false
        for condition in try status["conditions"].elements() where try condition["type"].optionalString() == "Ready" {
            isReady = try condition["status"].optionalString() == "True"
        }
        probes = []
        for container in try cursor["spec"]["containers"].elements() {
            var ports: [Int] = []
            for port in try container["ports"].elements() {
                if let number = try port["containerPort"].optionalInt() { ports.append(number) }
            }
            probes.append((ports, PodProbe(json: container["readinessProbe"])))
        }
    }

    /// How a pod is asked whether it is ready: as the kubelet asks the container that says it has the port, or else the one
    /// that has a probe.
    public func probe(port: Int) -> PodProbe {
        probes.first { $0.ports.contains(port) }?.probe ?? probes.first { $0.probe != .connect }?.probe ?? .connect
    }

    /// The model that it serves; nil where it serves none.
    public var model: ObjectKey? {
        metadata.labels[Label.model].map { ObjectKey(namespace: metadata.namespace, name: $0) }
    }

    public static func == (left: PodRecord, right: PodRecord) -> Bool {
        left.metadata == right.metadata && left.address == right.address && left.isReady == right.isReady
            && left.hasEnded == right.hasEnded && left.probes.map(\.probe) == right.probes.map(\.probe)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(metadata) }
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
