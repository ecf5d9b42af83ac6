import JSON
import KubernetesModel

/// Clears away pods that no node will finish.
public struct PodCollector: Sendable {
    /// A binding may be heard of before its node: only after this time is the node taken to be gone.
    static let quarantine: Duration = .seconds(40)

    public init() {}

    /// - Parameter nodes: the names of the nodes there are.
    public func plan(pod: JSONValue, nodes: Set<String>, now: Timestamp) -> ControllerPlan {
        let facts = PodFacts(pod)
        guard let node = facts.nodeName else {
            if !pod.isTerminating { return ControllerPlan() }
            return ControllerPlan(actions: [.delete(.pods, pod.key, uid: pod.uid, .immediate)])
        }
        if nodes.contains(node) { return ControllerPlan() }
        var plan = ControllerPlan()
        let bound = pod.condition("PodScheduled")?["lastTransitionTime"]?.timestamp ?? pod.creationTimestamp ?? now
        if bound + Self.quarantine > now {
            plan.requeue(after: bound + Self.quarantine - now)
            return plan
        }
        if !facts.isFinished {
            var failed = pod
            failed["status", "phase"] = "Failed"
            failed["status", "reason"] = "NodeLost"
            failed["status", "message"] = .string("Node \(node) which was running pod \(pod.name) is gone")
            plan.actions.append(.replaceStatus(.pods, failed))
        }
        plan.actions.append(.delete(.pods, pod.key, uid: pod.uid, .immediate))
        return plan
    }
}
