import JSON
import KubernetesModel

/// The controller of apps/v1 ReplicaSets.
public struct ReplicaSetPlanner: Sendable {
    public init() {}

    /// - Parameters:
    ///   - pods: those that the ReplicaSet controls.
    ///   - createFailure: why the last pod could not be created; then nothing is created, only reported.
    public func plan(
        replicaSet: JSONValue, pods: [JSONValue], createFailure: String? = nil, now: Timestamp
    ) -> ControllerPlan {
        var plan = ControllerPlan()
        let facts = pods.map(PodFacts.init)
        let active = facts.filter(\.isActive)
        let wanted = replicaSet["spec", "replicas"]?.int ?? 1
        if !replicaSet.isTerminating && createFailure == nil {
            for _ in 0..<max(0, wanted - active.count) {
                let pod = JSONValue.pod(
                    from: replicaSet["spec", "template"], owner: replicaSet, ownerType: .replicaSets,
                    generateName: "\(replicaSet.name)-")
                plan.actions.append(.create(.pods, pod, owner: replicaSet))
            }
            for pod in Self.leastWorthFirst(active).prefix(max(0, active.count - wanted)) {
                plan.actions.append(.delete(.pods, pod.json.key, uid: pod.json.uid, .background))
                plan.event(replicaSet, "SuccessfulDelete", "Deleted pod: \(pod.json.name)")
            }
        }
        writeStatus(&plan, replicaSet, active, createFailure, now)
        return plan
    }

    private func writeStatus(
        _ plan: inout ControllerPlan, _ replicaSet: JSONValue, _ active: [PodFacts], _ createFailure: String?,
        _ now: Timestamp
    ) {
        let minReady = replicaSet["spec", "minReadySeconds"]?.int ?? 0
        let templateLabels = replicaSet["spec", "template", "metadata", "labels"]?.stringMap ?? [:]
        let ready = active.filter(\.isReady)
        let available = ready.filter { $0.isAvailable(minReadySeconds: minReady, now: now) }
        let waits = ready.compactMap(\.readySince).map { $0 + .seconds(minReady) - now }.filter { $0 > .zero }
        if let next = waits.min() { plan.requeue(after: next) }
        var conditions = ConditionList(replicaSet)
        if let createFailure {
            conditions.set("ReplicaFailure", "True", reason: "FailedCreate", message: createFailure, now: now)
        } else {
            conditions.remove("ReplicaFailure")
        }
        func count(_ value: Int) -> JSONValue? { value == 0 ? nil : JSONValue(value) }
        var status = replicaSet["status"]?.object ?? [:]
        status["replicas"] = JSONValue(active.count)
        status["fullyLabeledReplicas"] = count(
            active.filter { pod in templateLabels.allSatisfy { pod.json.labels[$0.key] == $0.value } }.count)
        status["readyReplicas"] = count(ready.count)
        status["availableReplicas"] = count(available.count)
        status["observedGeneration"] = .integer(replicaSet.generation)
        status["conditions"] = conditions.conditions.isEmpty ? nil : .array(conditions.conditions)
        guard .object(status) != replicaSet["status"] else { return }
        var changed = replicaSet
        changed["status"] = .object(status)
        plan.actions.append(.replaceStatus(.replicaSets, changed))
    }

    /// Kubernetes' order of deletion: unscheduled, pending, not ready, cheap by annotation, lately ready, often
    /// restarted, young.
    static func leastWorthFirst(_ pods: [PodFacts]) -> [PodFacts] {
        func rank(_ pod: PodFacts) -> [Int64] {
            let phase: Int64 = pod.phase == "Pending" ? 0 : pod.phase == "Unknown" ? 1 : 2
            let cost = pod.json.annotations["controller.kubernetes.io/pod-deletion-cost"].flatMap { Int64($0) } ?? 0
            let ready = pod.readySince?.sinceEpoch.components.seconds ?? 0
            let created = pod.json.creationTimestamp?.sinceEpoch.components.seconds ?? 0
            return [
                pod.nodeName == nil ? 0 : 1, phase, pod.isReady ? 1 : 0, cost, -ready, -Int64(pod.restarts), -created,
            ]
        }
        return pods.map { (rank($0), $0) }
            .sorted { left, right in
                if left.0 != right.0 { return left.0.lexicographicallyPrecedes(right.0) }
                return left.1.json.name < right.1.json.name
            }
            .map(\.1)
    }
}
