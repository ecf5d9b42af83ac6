import KubernetesModel

/// What a node does next for one pod: pure, of the pod's object and what the node knows of it.
///
/// Planning again after the actions were carried out gives no more of them until something happens or a moment comes.
struct PodPlan: Sendable, Hashable {
    enum Action: Sendable, Hashable {
        /// Make the volumes and the network.
        case prepare
        /// Write new tokens into the volumes that have some, before the old ones expire.
        case renewTokens
        case refreshVolumes
        /// Get the image and start the container.
        case start(String)
        /// Ask the container to stop, and kill it after `grace`.
        case stop(String, grace: Duration, why: String)
        /// The grace period is over.
        case kill(String)
        case probe(String, ContainerProbe.Kind)
        /// The pod as a whole has failed.
        case fail(PodState.Failure)
        /// Nothing runs and nothing will: take down the network and the volumes.
        case cleanUp
        /// Nothing is left: tell the API server that the deletion is complete.
        case confirmDeletion
    }

    var actions: [Action] = []
    /// When to plan again even if nothing happens, on the monotonic clock.
    var wakeAt: Duration?

    init(_ pod: NodePod, _ state: PodState, now: Duration, wall: Timestamp) {
        if state.isRemoved || pod.metadata.isBeingDeleted {
            planDeletion(pod, state, now)
            return
        }
        if state.finalPhase != nil { return }
        if let failure = state.failure {
            stopAll(pod, state, now, grace: pod.terminationGracePeriod, why: failure.message)
            if isIdle(pod, state), !state.isCleanedUp { actions.append(.cleanUp) }
            return
        }
        if planDeadline(pod, state, now, wall) { return }
        guard state.address != nil else {
            if due(state.nextPreparation, now) { actions.append(.prepare) }
            return
        }
        if let renewal = state.nextTokenRenewal, !PodOutcome(pod, state).isFinal, due(renewal, now) {
            actions.append(.renewTokens)
        }
        if let refresh = state.nextRefresh, !PodOutcome(pod, state).isFinal, due(refresh, now) {
            actions.append(.refreshVolumes)
        }
        for container in pod.allContainers where state.isRunning(container) { planRunning(container, pod, state, now) }
        planContainers(pod, state, now)
    }

    /// - Returns: whether the deadline has passed.
    private mutating func planDeadline(_ pod: NodePod, _ state: PodState, _ now: Duration, _ wall: Timestamp) -> Bool {
        guard let deadline = pod.activeDeadline, !PodOutcome(pod, state).isFinal else { return false }
        let left = deadline - (wall - state.startTime)
        guard left > .zero else {
            actions.append(
                .fail(
                    PodState.Failure(
                        reason: "DeadlineExceeded",
                        message: "Pod was active on the node longer than the specified deadline")))
            return true
        }
        wake(now + left)
        return false
    }

    private mutating func planDeletion(_ pod: NodePod, _ state: PodState, _ now: Duration) {
        let grace = state.isRemoved ? .zero : pod.deletionGracePeriod ?? pod.terminationGracePeriod
        stopAll(pod, state, now, grace: grace, why: "Stopping container")
        guard isIdle(pod, state) else { return }
        if !state.isCleanedUp { actions.append(.cleanUp) }
        if !state.isRemoved { actions.append(.confirmDeletion) }
    }

    private mutating func stopAll(_ pod: NodePod, _ state: PodState, _ now: Duration, grace: Duration, why: String) {
        let mains = pod.containers.filter(state.isRunning)
        // Sidecars outlive the containers that use them, within the same grace period.
        let stopped = mains.isEmpty ? pod.allContainers : mains + pod.initContainers.filter { $0.role == .initial }
        for container in stopped { planStop(container, state, now, grace, why) }
    }

    private mutating func planStop(
        _ container: NodeContainer, _ state: PodState, _ now: Duration, _ grace: Duration, _ why: String
    ) {
        let current = state[container.name]
        guard current.running != nil else { return }
        guard let stopping = current.stopping else {
            actions.append(.stop(container.name, grace: grace, why: why))
            return
        }
        // A second deletion may have shortened what is left.
        let deadline = min(stopping.deadline, now + grace)
        if stopping.isKilled { return }
        if deadline <= now { actions.append(.kill(container.name)) } else { wake(deadline) }
    }

    private func isIdle(_ pod: NodePod, _ state: PodState) -> Bool {
        !pod.allContainers.contains(where: state.isRunning)
    }

    /// Probes, and what follows from them, for a container that runs.
    private mutating func planRunning(_ container: NodeContainer, _ pod: NodePod, _ state: PodState, _ now: Duration) {
        let current = state[container.name]
        if current.stopping != nil {
            planStop(container, state, now, pod.terminationGracePeriod, "")
            return
        }
        for kind in [ContainerProbe.Kind.startup, .liveness] where current.probes[kind]?.isPassing == false {
            let word = kind.rawValue.lowercased()
            actions.append(
                .stop(
                    container.name, grace: pod.terminationGracePeriod,
                    why: "Container \(container.name) failed \(word) probe, will be restarted"))
            return
        }
        let isStarted = current.isStarted(container)
        for kind in ContainerProbe.Kind.allCases where container.probes[kind] != nil {
            guard (kind == .startup) != isStarted, let at = current.probes[kind]?.nextAt else { continue }
            if at <= now { actions.append(.probe(container.name, kind)) } else { wake(at) }
        }
    }

    /// Which containers start: init containers one after another, then all others.
    private mutating func planContainers(_ pod: NodePod, _ state: PodState, _ now: Duration) {
        let outcome = PodOutcome(pod, state)
        if outcome.isFinal {
            for sidecar in pod.initContainers {
                planStop(sidecar, state, now, pod.terminationGracePeriod, "Stopping container")
            }
            if isIdle(pod, state), !state.isCleanedUp { actions.append(.cleanUp) }
            return
        }
        for container in pod.initContainers {
            let current = state[container.name]
            switch container.role {
            case .sidecar:
                planStart(container, pod, current, now)
                // What follows waits until the sidecar has started, the first time.
                if !current.isStarted(container), !outcome.isInitialized { return }
            default:
                if current.terminated?.exitCode == 0 { continue }
                planStart(container, pod, current, now)
                return
            }
        }
        for container in pod.containers { planStart(container, pod, state[container.name], now) }
    }

    private mutating func planStart(
        _ container: NodeContainer, _ pod: NodePod, _ current: ContainerState, _ now: Duration
    ) {
        guard current.running == nil else { return }
        if let end = current.terminated, !container.restarts(after: end.exitCode, pod.restartPolicy) { return }
        if due(current.nextAttempt, now) { actions.append(.start(container.name)) }
    }

    private mutating func due(_ moment: Duration?, _ now: Duration) -> Bool {
        guard let moment, moment > now else { return true }
        wake(moment)
        return false
    }

    private mutating func wake(_ moment: Duration) { wakeAt = min(wakeAt ?? moment, moment) }
}

/// How a pod stands as a whole.
struct PodOutcome: Sendable, Hashable {
    /// All init containers have done their work, and the sidecars among them have started.
    var isInitialized: Bool
    /// The pod's phase, by the kubelet's rules.
    var phase: String

    var isFinal: Bool { phase == "Succeeded" || phase == "Failed" }

    init(_ pod: NodePod, _ state: PodState) {
        let mainsBegan = pod.containers.contains {
            state[$0.name].running != nil || state[$0.name].terminated != nil
        }
        isInitialized =
            mainsBegan
            || pod.initContainers.allSatisfy {
                let current = state[$0.name]
                return $0.role == .sidecar ? current.isStarted($0) : current.terminated?.exitCode == 0
            }
        let isRunning = pod.allContainers.contains(where: state.isRunning)
        if let final = state.finalPhase {
            phase = final
        } else if state.failure != nil {
            phase = isRunning ? "Running" : "Failed"
        } else if !isInitialized {
            let failed = pod.initContainers.contains {
                guard let end = state[$0.name].terminated, $0.role == .initial else { return false }
                return end.exitCode != 0 && !$0.restarts(after: end.exitCode, pod.restartPolicy)
            }
            phase = failed ? "Failed" : "Pending"
        } else {
            phase = Self.phase(of: pod.containers, pod, state)
        }
    }

    private static func phase(of containers: [NodeContainer], _ pod: NodePod, _ state: PodState) -> String {
        let states = containers.map { ($0, state[$0.name]) }
        if states.contains(where: { $0.1.running == nil && $0.1.terminated == nil }) { return "Pending" }
        if states.contains(where: { $0.1.running != nil }) { return "Running" }
        let restarting = states.contains { container, current in
            current.terminated.map { container.restarts(after: $0.exitCode, pod.restartPolicy) } ?? true
        }
        // A pod on its way out starts nothing again.
        if restarting, !pod.metadata.isBeingDeleted { return "Running" }
        return states.allSatisfy { $0.1.terminated?.exitCode == 0 } ? "Succeeded" : "Failed"
    }
}
