import Files
import JSON
import KubernetesModel

/// What a node says about itself, as a kubelet does: pure.
struct NodeStatus: Sendable {
    var name: String
    var address: String
    var capacity: NodeCapacity
    var now: Timestamp

    private struct Condition {
        var type: String
        var status: String
        var reason: String
        var message: String
    }

    private static let conditions = [
        Condition(
            type: "MemoryPressure", status: "False", reason: "KubeletHasSufficientMemory",
            message: "kubelet has sufficient memory available"),
        Condition(
            type: "DiskPressure", status: "False", reason: "KubeletHasNoDiskPressure",
            message: "kubelet has no disk pressure"),
        Condition(
            type: "PIDPressure", status: "False", reason: "KubeletHasSufficientPID",
            message: "kubelet has sufficient PID available"),
        Condition(
            type: "Ready", status: "True", reason: "KubeletReady",
            message: "the node runs pods as processes of its machine"),
    ]

    /// Whether the Node's conditions stand as this node has them; who watches over nodes sets them to Unknown.
    func isShown(by node: JSONValue) -> Bool {
        let shown = node["status", "conditions"]?.array ?? []
        return Self.conditions.allSatisfy { condition in
            shown.contains { $0["type"]?.string == condition.type && $0["status"]?.string == condition.status }
        }
    }

    /// - Parameter node: the Node as it is, whose conditions say since when they have been so, and of which the
    ///   conditions of others are kept.
    func json(after node: JSONValue) -> JSONValue {
        let old = node["status", "conditions"]?.array ?? []
        let own = Self.conditions.map { json($0, before: old) }
        let others = old.filter { condition in !Self.conditions.contains { $0.type == condition["type"]?.string } }
        return [
            "capacity": capacity.json, "allocatable": capacity.json, "conditions": .array(others + own),
            "addresses": [
                ["type": "InternalIP", "address": .string(address)], ["type": "Hostname", "address": .string(name)],
            ],
            "nodeInfo": [
                "machineID": "", "systemUUID": "", "bootID": "", "operatingSystem": "linux",
                "architecture": .string(Self.architecture), "kernelVersion": .string(Self.kernel),
                "osImage": "Assay local node", "containerRuntimeVersion": "assay://0.1",
                "kubeletVersion": "v1.34.0-assay", "kubeProxyVersion": "",
            ],
        ]
    }

    private func json(_ condition: Condition, before old: [JSONValue]) -> JSONValue {
        let now = JSONValue.string(now.description)
        let before = old.first { $0["type"]?.string == condition.type }
        let moved = before?["status"]?.string != condition.status
        return [
            "type": .string(condition.type), "status": .string(condition.status),
            "reason": .string(condition.reason), "message": .string(condition.message), "lastHeartbeatTime": now,
            "lastTransitionTime": moved ? now : before?["lastTransitionTime"] ?? now,
        ]
    }

    static var architecture: String {
        #if arch(arm64)
        "arm64"
        #else
        "amd64"
        #endif
    }

    private static var kernel: String {
        String(FileSystem.text("/proc/sys/kernel/osrelease")?.prefix { $0 != "\n" } ?? "")
    }
}
