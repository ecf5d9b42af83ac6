import JSON
import KubernetesModel

/// What a node knows of one pod: the memory that its plans are made from.
struct PodState: Sendable, Hashable {
    struct Failure: Sendable, Hashable {
        var reason: String
        var message: String
    }

    var containers: [String: ContainerState] = [:]
    /// The pod's address, once its network and volumes are there.
    var address: String?
    var startTime: Timestamp
    /// Why the network or a volume could not be made; tried again at `nextPreparation`.
    var preparationProblem: String?
    var nextPreparation: Duration?
    var preparationFailures = 0
    /// When the files of ConfigMaps and Secrets in its volumes are to be looked at again; nil where there are none.
    var nextRefresh: Duration?
    /// When the tokens in the pod's volumes are to be renewed; nil where there are none.
    var nextTokenRenewal: Duration?
    /// Set when the pod as a whole has failed, as for its deadline.
    var failure: Failure?
    /// The object is gone from the API server.
    var isRemoved = false
    /// The network and the volumes are taken down.
    var isCleanedUp = false
    /// The phase that the API server had when this node first saw the pod, if it was an end.
    var finalPhase: String?

    subscript(name: String) -> ContainerState {
        get { containers[name] ?? ContainerState() }
        set { containers[name] = newValue }
    }

    func isRunning(_ container: NodeContainer) -> Bool { self[container.name].running != nil }

    /// A pod seen for the first time.
    ///
    /// Where its status shows containers that ran, they ran under a node process that is no more, and ended with it:
    /// containers die with their node.
    init(_ pod: NodePod, wall: Timestamp, now: Duration, backoff: RestartBackoff) {
        let status = pod.json["status"] ?? [:]
        startTime = status["startTime"]?.string.flatMap { Timestamp($0) } ?? wall
        if let phase = status["phase"]?.string, phase == "Succeeded" || phase == "Failed" { finalPhase = phase }
        if let reason = status["reason"]?.string, finalPhase == "Failed" {
            failure = Failure(reason: reason, message: status["message"]?.string ?? "")
        }
        let old = (status["initContainerStatuses"]?.array ?? []) + (status["containerStatuses"]?.array ?? [])
        for container in pod.allContainers {
            guard let known = old.first(where: { $0["name"]?.string == container.name }) else { continue }
            containers[container.name] = Self.recovered(known, container, pod, wall: wall, now: now, backoff)
        }
    }

    private static func recovered(
        _ status: JSONValue, _ container: NodeContainer, _ pod: NodePod, wall: Timestamp, now: Duration,
        _ backoff: RestartBackoff
    ) -> ContainerState {
        var state = ContainerState()
        state.restartCount = status["restartCount"]?.int ?? 0
        state.imageID = status["imageID"]?.string ?? ""
        state.previous = termination(status["lastState", "terminated"], wall)
        if let end = termination(status["state", "terminated"], wall) {
            state.terminated = end
        } else if let running = status["state", "running"] {
            state.terminated = Termination(
                exitCode: 137, reason: "ContainerStatusUnknown",
                message: "The node that ran the container was stopped, and the container with it",
                startedAt: running["startedAt"]?.string.flatMap { Timestamp($0) }, finishedAt: wall,
                containerID: status["containerID"]?.string ?? "")
        } else {
            // It waited to be started again: its last end is the one that a new start follows.
            state.terminated = state.previous
            state.previous = nil
        }
        if let end = state.terminated, container.restarts(after: end.exitCode, pod.restartPolicy) {
            state.nextAttempt = now
            state.crashes = min(state.restartCount, 1)
        }
        return state
    }

    private static func termination(_ json: JSONValue?, _ wall: Timestamp) -> Termination? {
        guard let json, !json.isNull else { return nil }
        return Termination(
            exitCode: json["exitCode"]?.int ?? 0, reason: json["reason"]?.string ?? "Error",
            message: json["message"]?.string ?? "", startedAt: json["startedAt"]?.string.flatMap { Timestamp($0) },
            finishedAt: json["finishedAt"]?.string.flatMap { Timestamp($0) } ?? wall,
            containerID: json["containerID"]?.string ?? "")
    }
}

extension NodeContainer {
    /// Whether the pod's policy starts this container again after it ended so.
    func restarts(after exitCode: Int, _ policy: RestartPolicy) -> Bool {
        switch (role, policy) {
        case (.sidecar, _): true
        case (.initial, .never): false
        case (.initial, _): exitCode != 0
        case (.main, .always): true
        case (.main, .onFailure): exitCode != 0
        case (.main, .never): false
        }
    }
}
