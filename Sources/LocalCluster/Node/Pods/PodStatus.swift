import JSON
import KubernetesModel

/// The status that a node writes for a pod, as a kubelet does: pure.
struct PodStatus: Sendable {
    var pod: NodePod
    var state: PodState
    var hostIP: String

    /// The whole status; conditions that others own are kept as they are.
    ///
    /// - Parameter written: the status that the node wrote last, which the pod's object may not show yet.
    func json(now: Timestamp, written: JSONValue? = nil) -> JSONValue {
        let outcome = PodOutcome(pod, state)
        var status: JSONValue = [
            "phase": .string(outcome.phase), "hostIP": .string(hostIP), "hostIPs": [["ip": .string(hostIP)]],
            "startTime": .string(state.startTime.description),
        ]
        if let address = state.address {
            status["podIP"] = .string(address)
            status["podIPs"] = [["ip": .string(address)]]
        }
        if let failure = state.failure {
            status["reason"] = .string(failure.reason)
            status["message"] = .string(failure.message)
        }
        status["conditions"] = conditions(outcome, now, written)
        status["containerStatuses"] = .array(pod.containers.map { json($0, outcome) })
        if !pod.initContainers.isEmpty {
            status["initContainerStatuses"] = .array(pod.initContainers.map { json($0, outcome) })
        }
        return status
    }

    /// Whether a pod still shows what the node last wrote. Who watches over nodes denies the readiness of pods whose
    /// node was silent for too long, and nobody but the node takes that back. A phase that another has set stands.
    static func isShown(_ written: JSONValue, by pod: JSONValue) -> Bool {
        let shown = pod["status", "conditions"]?.array ?? []
        let own = (written["conditions"]?.array ?? []).filter { owned.contains($0["type"]?.string ?? "") }
        if pod["status", "phase"] != written["phase"] { return true }
        return own.allSatisfy { condition in
            shown.first { $0["type"] == condition["type"] }.map { $0["status"] == condition["status"] } ?? true
        }
    }

    /// The conditions that a node owns.
    private static let owned: Set = ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"]

    private func conditions(_ outcome: PodOutcome, _ now: Timestamp, _ written: JSONValue?) -> JSONValue {
        let old = pod.json["status", "conditions"]?.array ?? []
        let known = written?["conditions"]?.array ?? old
        func isOwned(_ condition: JSONValue) -> Bool { Self.owned.contains(condition["type"]?.string ?? "") }
        var result = old.filter { !isOwned($0) } + known.filter(isOwned)
        func set(_ type: String, _ isTrue: Bool, _ reason: String = "", _ message: String = "") {
            var condition: JSONValue = ["type": .string(type), "status": isTrue ? "True" : "False"]
            if !reason.isEmpty { condition["reason"] = .string(reason) }
            if !message.isEmpty { condition["message"] = .string(message) }
            let index = result.firstIndex { $0["type"]?.string == type }
            let same = index.map { result[$0]["status"] == condition["status"] } ?? false
            let moment = same ? index.flatMap { result[$0]["lastTransitionTime"] } : nil
            condition["lastTransitionTime"] = moment ?? .string(now.description)
            if let index { result[index] = condition } else { result.append(condition) }
        }
        let isOver = outcome.phase == "Succeeded"
        let unready = pod.containers.filter { !state[$0.name].isReady($0) }
        let uninitialized = outcome.isInitialized ? [] : pod.initContainers.filter { !state[$0.name].isReady($0) }
        set("PodReadyToStartContainers", state.address != nil && !state.isCleanedUp)
        set(
            "Initialized", outcome.isInitialized,
            isOver ? "PodCompleted" : uninitialized.isEmpty ? "" : "ContainersNotInitialized",
            uninitialized.isEmpty ? "" : "containers with incomplete status: [\(Self.names(uninitialized))]")
        let reason =
            switch outcome.phase {
            case "Succeeded": "PodCompleted"
            case "Failed": "PodFailed"
            default: unready.isEmpty ? "" : "ContainersNotReady"
            }
        let message = isOver || unready.isEmpty ? "" : "containers with unready status: [\(Self.names(unready))]"
        let isReady = unready.isEmpty && !outcome.isFinal && outcome.phase == "Running"
        set("ContainersReady", isReady, reason, message)
        let gates = (pod.json["spec", "readinessGates"]?.array ?? []).compactMap { $0["conditionType"]?.string }
        let closed = gates.filter { gate in
            !old.contains { $0["type"]?.string == gate && $0["status"]?.string == "True" }
        }
        if isReady, !closed.isEmpty {
            set(
                "Ready", false, "ReadinessGatesNotReady",
                "the condition of a readiness gate is absent or not true: \(closed.joined(separator: " "))")
        } else {
            set("Ready", isReady, reason, message)
        }
        return .array(result)
    }

    private static func names(_ containers: [NodeContainer]) -> String {
        containers.map(\.name).joined(separator: " ")
    }

    private func json(_ container: NodeContainer, _ outcome: PodOutcome) -> JSONValue {
        let current = state[container.name]
        var status: JSONValue = [
            "name": .string(container.name), "image": .string(container.image), "imageID": .string(current.imageID),
            "ready": .bool(current.isReady(container)), "started": .bool(current.isStarted(container)),
            "restartCount": JSONValue(current.restartCount),
        ]
        var (now, last) = (JSONValue.null, current.previous.map { Self.json($0) })
        if let running = current.running {
            now = ["running": ["startedAt": .string(running.startedAt.description)]]
            status["containerID"] = .string(running.containerID)
        } else if let waiting = waiting(container, current, outcome) {
            now = ["waiting": ["reason": .string(waiting.reason)]]
            if !waiting.message.isEmpty { now["waiting", "message"] = .string(waiting.message) }
            if let end = current.terminated {
                last = Self.json(end)
                status["containerID"] = .string(end.containerID)
            }
        } else if let end = current.terminated {
            now = Self.json(end)
            status["containerID"] = .string(end.containerID)
        }
        status["state"] = now
        status["lastState"] = last ?? [:]
        return status
    }

    private func waiting(
        _ container: NodeContainer, _ current: ContainerState, _ outcome: PodOutcome
    ) -> ContainerState.Waiting? {
        if let waiting = current.waiting { return waiting }
        if let end = current.terminated {
            let ends = outcome.isFinal || pod.metadata.isBeingDeleted || state.failure != nil
            guard !ends, container.restarts(after: end.exitCode, pod.restartPolicy) else { return nil }
            guard let seconds = current.restartDelay else { return nil }
            let name = "\(pod.metadata.name)_\(pod.key.namespace ?? "default")(\(pod.uid))"
            return ContainerState.Waiting(
                reason: "CrashLoopBackOff",
                message: "back-off \(seconds) restarting failed container=\(container.name) pod=\(name)")
        }
        let blocked = !pod.initContainers.isEmpty && container.role == .main && state.address != nil
        return ContainerState.Waiting(
            reason: blocked ? "PodInitializing" : "ContainerCreating", message: state.preparationProblem ?? "")
    }

    private static func json(_ end: Termination) -> JSONValue {
        var json: JSONValue = [
            "exitCode": JSONValue(end.exitCode), "reason": .string(end.reason),
            "finishedAt": .string(end.finishedAt.description), "containerID": .string(end.containerID),
        ]
        // A container that never ran shows the epoch, as containerd has it.
        json["startedAt"] = .string((end.startedAt ?? Timestamp(seconds: 0)).description)
        if !end.message.isEmpty { json["message"] = .string(end.message) }
        return ["terminated": json]
    }
}
