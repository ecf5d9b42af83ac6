import JSON
import KubernetesModel

/// What every namespace has, and pods that nobody will finish.
public struct HousekeepingPlanner: Sendable {
    /// Put into each namespace, for clients inside pods.
    public var certificateAuthorityPEM: String

    public init(certificateAuthorityPEM: String) { self.certificateAuthorityPEM = certificateAuthorityPEM }

    public func plan(namespace: JSONValue, hasServiceAccount: Bool, hasRootCertificate: Bool) -> ControllerPlan {
        var plan = ControllerPlan()
        if namespace.isTerminating || namespace["status", "phase"]?.string == "Terminating" { return plan }
        let name = JSONValue.string(namespace.name)
        if !hasServiceAccount {
            plan.actions.append(
                .create(
                    .serviceAccounts,
                    [
                        "apiVersion": "v1", "kind": "ServiceAccount",
                        "metadata": ["name": "default", "namespace": name],
                    ],
                    owner: namespace))
        }
        if !hasRootCertificate {
            plan.actions.append(
                .create(
                    .configMaps,
                    [
                        "apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": ["name": "kube-root-ca.crt", "namespace": name],
                        "data": ["ca.crt": .string(certificateAuthorityPEM)],
                    ], owner: namespace))
        }
        return plan
    }

    /// - Parameter nodes: the names of the nodes there are.
    public func plan(pod: JSONValue, nodes: Set<String>) -> ControllerPlan {
        let facts = PodFacts(pod)
        guard let node = facts.nodeName else {
            if !pod.isTerminating { return ControllerPlan() }
            return ControllerPlan(actions: [.delete(.pods, pod.key, uid: pod.uid, .immediate)])
        }
        if nodes.contains(node) { return ControllerPlan() }
        var plan = ControllerPlan()
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
