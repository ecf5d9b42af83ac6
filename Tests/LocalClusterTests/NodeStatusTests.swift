import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

@Suite struct NodeStatusTests {
    private static let capacity = NodeCapacity(processors: 2, memoryBytes: 1 << 30)

    private static func status(at seconds: Int64) -> NodeStatus {
        NodeStatus(name: "n", address: "10.0.0.1", capacity: capacity, now: Timestamp(seconds: seconds))
    }

    private static func node(_ status: JSONValue) -> JSONValue { ["metadata": ["name": "n"], "status": status] }

    @Test func `a node that another has said to be dead speaks for itself again`() throws {
        let first = Self.status(at: 1000).json(after: [:])
        #expect(Self.status(at: 1010).isShown(by: Self.node(first)))
        var silenced = first
        var conditions = try #require(first["conditions"]?.array)
        let ready = try #require(conditions.firstIndex { $0["type"] == "Ready" })
        conditions[ready]["status"] = "Unknown"
        conditions[ready]["lastTransitionTime"] = .string(Timestamp(seconds: 1040).description)
        silenced["conditions"] = .array(conditions)
        #expect(!Self.status(at: 1050).isShown(by: Self.node(silenced)))
        let again = Self.status(at: 1050).json(after: Self.node(silenced))
        #expect(Self.status(at: 1050).isShown(by: Self.node(again)))
        let times = (again["conditions"]?.array ?? []).map { ($0["type"]?.string, $0["lastTransitionTime"]?.string) }
        for (type, time) in times {
            let expected = type == "Ready" ? Timestamp(seconds: 1050) : Timestamp(seconds: 1000)
            #expect(time == expected.description, "\(type ?? "")")
        }
    }

    @Test func `a new node is not shown yet, and conditions of others are kept`() {
        #expect(!Self.status(at: 1000).isShown(by: Self.node([:])))
        let network: JSONValue = ["type": "NetworkUnavailable", "status": "False"]
        let status = Self.status(at: 1000).json(after: Self.node(["conditions": [network]]))
        #expect(status["conditions"]?.array?.count == 5)
        #expect(status["conditions"]?.array?.contains(network) == true)
    }

    private static let written: JSONValue = [
        "phase": "Running",
        "conditions": [
            ["type": "Ready", "status": "True"], ["type": "ContainersReady", "status": "True"],
            ["type": "PodScheduled", "status": "True"],
        ],
    ]

    @Test(arguments: [
        ("as it was written", "Running", ["Ready": "True", "ContainersReady": "True", "PodScheduled": "True"], true),
        ("another denies readiness", "Running", ["Ready": "False", "ContainersReady": "True"], false),
        ("a server that does not know a condition", "Running", ["Ready": "True"], true),
        ("what another owns", "Running", ["Ready": "True", "PodScheduled": "False"], true),
        ("a phase that another has set", "Failed", ["Ready": "False"], true),
    ])
    func `a pod whose readiness another has denied is not what the node wrote`(
        _ name: String, _ phase: String, _ conditions: [String: String], _ isShown: Bool
    ) {
        let shown: [JSONValue] = conditions.map { ["type": .string($0), "status": .string($1)] }
        let pod: JSONValue = ["status": ["phase": .string(phase), "conditions": .array(shown)]]
        #expect(PodStatus.isShown(Self.written, by: pod) == isShown, "\(name)")
    }
}
