import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

private func node(_ name: String, ready: Bool = true, _ patch: JSONValue = [:]) -> JSONValue {
    let node: JSONValue = [
        "metadata": ["name": .string(name), "labels": ["kubernetes.io/hostname": .string(name)]],
        "status": [
            "allocatable": ["cpu": "2", "memory": "1Gi", "pods": "3"],
            "conditions": [["type": "Ready", "status": ready ? "True" : "False"]],
        ],
    ]
    return node.merging(patch: patch)
}

private func pod(_ spec: JSONValue = [:], on node: String? = nil) -> JSONValue {
    var pod: JSONValue = ["metadata": ["name": "p", "namespace": "ml", "uid": "u"], "spec": ["containers": [[:]]]]
    pod["spec"] = pod["spec"]?.merging(patch: spec)
    pod["spec", "nodeName"] = JSONValue(node)
    return pod
}

private func asking(_ resources: JSONValue, on node: String? = nil) -> JSONValue {
    pod(["containers": [["name": "main", "resources": ["requests": resources]]]], on: node)
}

@Suite struct SchedulerTests {
    private func decide(_ pod: JSONValue, _ nodes: [JSONValue], _ pods: [JSONValue] = []) -> Scheduler.Decision {
        Scheduler().decide(pod: pod, nodes: nodes, pods: pods, claims: [:])
    }

    @Test func `a pod goes to a node where it fits`() {
        let busy = asking(["cpu": "1500m"], on: "a")
        #expect(decide(asking(["cpu": "1"]), [node("a"), node("b")], [busy]) == .bind(node: "b"))
        #expect(decide(asking(["cpu": "500m", "memory": "1Gi"]), [node("a")], [busy]) == .bind(node: "a"))
    }

    @Test func `a pod that does not fit is told what is missing, as Kubernetes says it`() {
        let cases: [(JSONValue, JSONValue, String)] = [
            (asking(["cpu": "3"]), node("a"), "0/1 nodes are available: 1 Insufficient cpu."),
            (asking(["nvidia.com/gpu": "1"]), node("a"), "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
            (
                asking(["cpu": "3", "memory": "2Gi"]), node("a"),
                "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
            ),
            (
                pod(["nodeSelector": ["disk": "ssd"]]), node("a"),
                "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
            ),
            (
                pod(), node("a", ["spec": ["unschedulable": true]]),
                "0/1 nodes are available: 1 node(s) were unschedulable."
            ),
        ]
        for (pod, node, message) in cases {
            #expect(decide(pod, [node]) == .unschedulable(message: message))
        }
        #expect(decide(pod(), []) == .unschedulable(message: "no nodes available to schedule pods"))
    }

    @Test func `finished pods free what they used, running ones count against the number of pods`() {
        var done = asking(["cpu": "2"], on: "a")
        done["status", "phase"] = "Succeeded"
        #expect(decide(asking(["cpu": "2"]), [node("a")], [done]) == .bind(node: "a"))
        let full = Array(repeating: pod(on: "a"), count: 3)
        #expect(
            decide(pod(), [node("a")], full) == .unschedulable(message: "0/1 nodes are available: 1 Too many pods."))
    }

    @Test(arguments: [("host", false), ("pod", true)])
    func `a container port is taken only where pods share the host's network`(network: String, fits: Bool) {
        let serving: JSONValue = ["containers": [["name": "main", "ports": [["containerPort": 8080]]]]]
        let decision = decide(
            pod(serving), [node("a", ["metadata": ["annotations": ["assay.dev/network": .string(network)]]])],
            [pod(serving, on: "a")])
        let message = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
        #expect(decision == (fits ? .bind(node: "a") : .unschedulable(message: message)))
    }

    @Test func `a pod waits for its claims`() {
        let mounting = pod(["volumes": [["name": "v", "persistentVolumeClaim": ["claimName": "data"]]]])
        func decide(_ claims: [String: JSONValue]) -> Scheduler.Decision {
            Scheduler().decide(pod: mounting, nodes: [node("a")], pods: [], claims: claims)
        }
        #expect(
            decide([:])
                == .unschedulable(message: "0/1 nodes are available: persistentvolumeclaim \"data\" not found."))
        #expect(decide(["data": ["status": ["phase": "Bound"]]]) == .bind(node: "a"))
    }

    @Test func `the largest init container counts when it is larger than the containers together`() {
        let pod = pod([
            "initContainers": [["name": "i", "resources": ["requests": ["cpu": "2"]]]],
            "containers": [["name": "c", "resources": ["requests": ["cpu": "1"], "limits": ["memory": "1Gi"]]]],
        ])
        #expect(Scheduler.requests(pod)["cpu"]?.description == "2")
        #expect(Scheduler.requests(pod)["memory"]?.description == "1Gi")
    }
}
