import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

private let start = Timestamp(seconds: 1_767_225_600)

private func pod(on node: String?, terminating: Bool = false) -> JSONValue {
    var pod: JSONValue = [
        "metadata": ["name": "p", "namespace": "ml", "uid": "u", "creationTimestamp": .string(start.description)],
        "status": ["phase": "Running"],
    ]
    pod["spec", "nodeName"] = JSONValue(node)
    if terminating { pod["metadata", "deletionTimestamp"] = .string(start.description) }
    return pod
}

@Suite struct PodCollectorTests {
    private func plan(_ pod: JSONValue, after seconds: Int64) -> ControllerPlan {
        PodCollector().plan(pod: pod, nodes: ["here"], now: start + .seconds(seconds))
    }

    @Test func `a pod of a node that is gone fails and is deleted, but not before the node had time to appear`() {
        #expect(plan(pod(on: "gone"), after: 10) == ControllerPlan(requeueAfter: .seconds(30)))
        let late = plan(pod(on: "gone"), after: 40)
        #expect(late.status(.pods)?["phase"] == "Failed")
        #expect(late.deleted == ["p"])
    }

    @Test func `a pod that never got a node goes at once, one that runs stays`() {
        #expect(plan(pod(on: nil, terminating: true), after: 0).deleted == ["p"])
        #expect(plan(pod(on: nil), after: 100) == ControllerPlan())
        #expect(plan(pod(on: "here", terminating: true), after: 100) == ControllerPlan())
    }
}
