import JSON
import KubernetesModel

/// Sleep, and how many replicas are awake.
///
/// A model falls asleep in two steps, so that a request that comes meanwhile is not lost. While it is `Draining` the gateways send
/// nothing on and hold what comes; only when every one of them has said, of this very generation of the traffic, that nothing is in
/// flight and nothing held, the replicas go, by the version of the Deployment that was read before they were asked. Whoever
/// has scaled it in between is not undone.
///
/// Who is called back may have been sent to sleep all the same, by a write that is still under way. So the Deployment is changed
/// before the gateways are told to send requests again: what names its old version is refused from then on.
extension MLModelPlanner {
    /// How long a model may be on its way to sleep before it is called back.
    static let drainingTime: Duration = .seconds(30)

    // MARK: How the traffic stands

    func state(of revision: Revision, _ spec: MLModelSpec) -> TrafficShare.State {
        // Who is compared with a canary is awake, and so is who is about to be left.
        let wanted = status.rollout?.isOn == true || isRollingBack ? .serving : wantedState(of: revision, spec)
        return wanted == .serving && isToBeCalledBack(revision) ? .draining : wanted
    }

    private func wantedState(of revision: Revision, _ spec: MLModelSpec) -> TrafficShare.State {
        let share = old.traffic.first { $0.revision == revision.name }
        guard let rules = spec.serving.autoscaling, rules.sleeps, let child = deployment(revision.deployment) else {
            return .serving
        }
        switch share?.state {
        case .hibernating:
            // The gateway has woken it; its pods are not there at once.
            return child.replicas > 0 && child.availableReplicas > 0 ? .serving : .hibernating
        case .draining:
            if child.replicas == 0 { return .hibernating }
            let isLate = share?.since.map { now - $0 >= Self.drainingTime } ?? false
            return isLate || isAskedFor || isCalledBack(child) ? .serving : .draining
        default:
            return mayDrain(revision, rules, child) ? .draining : .serving
        }
    }

    /// How a revision stands that nothing sends to sleep any more.
    func stateOnLeaving(_ revision: Revision) -> TrafficShare.State {
        if isToBeCalledBack(revision) { return .draining }
        let isAsleep = old.traffic.contains { $0.revision == revision.name && $0.state == .hibernating }
        return isAsleep && deployment(revision.deployment)?.availableReplicas ?? 0 == 0 ? .hibernating : .serving
    }

    /// It drains, and a write that sends it to sleep may be under way.
    private func isToBeCalledBack(_ revision: Revision) -> Bool {
        guard old.traffic.contains(where: { $0.revision == revision.name && $0.state == .draining }),
            let child = deployment(revision.deployment), child.replicas > 0,
            child.metadata.controller?.uid == model.metadata.uid
        else { return false }
        return !isCalledBack(child)
    }

    /// For good: whoever is called back once in a generation of the traffic is not sent to sleep in it.
    private func isCalledBack(_ child: DeploymentObservation) -> Bool {
        child.metadata.annotations[Label.calledBack] == callBackMark
    }

    private var callBackMark: String { "\(old.trafficGeneration ?? 0)" }

    private func mayDrain(_ revision: Revision, _ rules: Autoscaling, _ child: DeploymentObservation) -> Bool {
        guard let scaling = observed.gateway?.scaling, scaling.idle >= rules.idleTime, child.replicas > 0,
            status.candidate == nil || status.rollout?.state == .inconclusive, !isBeingLedHere,
            revision.servingTime.map({ now - $0 >= rules.idleTime }) ?? true
        else { return false }
        return !livePods.isEmpty && livePods.allSatisfy { scaling.reports[$0.metadata.uid]?.isIdle == true }
    }

    /// Users may still be led straight to its pods, where no gateway counts what they ask.
    private var isBeingLedHere: Bool { status.gatewaySince.map { now - $0 < Self.closingTime } ?? false }

    /// The gateway's pods that may have a request.
    private var livePods: [GatewayPod] { (observed.gateway?.pods ?? []).filter { !$0.hasEnded } }

    /// A gateway holds a request for it.
    private var isAskedFor: Bool { observed.gateway?.scaling?.reports.values.contains { $0.held > 0 } ?? false }

    /// Every pod of the gateway routes by what stands in status, and has nothing.
    private var isDrained: Bool {
        guard let generation = old.trafficGeneration, let reports = observed.gateway?.scaling?.reports,
            !livePods.isEmpty
        else { return false }
        return livePods.allSatisfy { pod in
            reports[pod.metadata.uid].map { $0.generation == generation && $0.isIdle } ?? false
        }
    }

    private func share(of revision: Revision) -> TrafficShare? { status.traffic.first { $0.revision == revision.name } }

    // MARK: Replicas

    /// How many the serving revision is to have.
    /// - Parameter child: nil where it is gone.
    func replicas(of child: DeploymentObservation?, _ spec: MLModelSpec) -> Int {
        if isMakingRoom(spec) { return 0 }
        guard let rules = spec.serving.autoscaling else { return spec.serving.wantedReplicas }
        switch servingRevision.flatMap(share(of:))?.state {
        // Who wakes it is the gateway.
        case .hibernating: return child?.replicas ?? 0
        case .draining: return child?.replicas ?? 1
        default:
            let current = child?.replicas ?? spec.serving.initialReplicas
            let wanted = observed.gateway?.scaling?.desired ?? current
            let bounded = min(max(wanted, rules.least, 1), rules.maxReplicas)
            // What a canary takes from it may come back at any moment.
            return status.rollout?.isOn == true ? max(bounded, current) : bounded
        }
    }

    /// The second step.
    mutating func fallAsleep(_ spec: MLModelSpec) {
        guard let revision = servingRevision, share(of: revision)?.state == .draining,
            old.traffic == status.traffic, let child = deployment(revision.deployment), child.replicas > 0,
            child.metadata.controller?.uid == model.metadata.uid
        else { return }
        look(after: .seconds(1))
        guard wantedState(of: revision, spec) == .draining else {
            callBack(child)
            return
        }
        guard isDrained else { return }
        // The gateways are asked again, after the Deployment was read.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        result.actions.append(
            .mergePatch(
                .deployments, child.metadata.key,
                [
                    "metadata": [
                        "uid": .string(child.metadata.uid), "resourceVersion": .string(child.metadata.resourceVersion),
                    ], "spec": ["replicas": 0],
                ], subresource: "scale", manager: FieldManager.scaler))
    }

    private mutating func callBack(_ child: DeploymentObservation) {
        result.actions.append(
            .mergePatch(
                .deployments, child.metadata.key,
                [
                    "metadata": [
                        "uid": .string(child.metadata.uid), "annotations": [Label.calledBack: .string(callBackMark)],
                    ]
                ], subresource: nil, manager: FieldManager.scaler))
    }

    // MARK: What is told

    var isAsleep: Bool {
        status.traffic.contains { $0.revision == status.revision && $0.state == .hibernating }
    }

    /// Whether what sleeps is as ready as it can be; nil where it does not sleep.
    func tellSleep(_ child: DeploymentObservation, _ revision: Revision) -> (isReady: Bool, message: String)? {
        guard isAsleep else { return nil }
        if child.replicas == 0 { return (true, "the revision \(revision.name) sleeps; the first request wakes it") }
        if child.availableReplicas > 0 { return nil }
        if let failure = child.progressFailure {
            return (false, "the revision \(revision.name) does not wake up: \(failure.message)")
        }
        return (true, "the revision \(revision.name) wakes up")
    }

    mutating func tellHibernated() {
        guard model.spec.value?.serving.autoscaling?.sleeps == true, let name = status.revision else {
            conditions.remove("Hibernated")
            return
        }
        let was = old.traffic.contains { $0.revision == name && $0.state == .hibernating }
        conditions.set(
            "Hibernated", isAsleep ? .true : .false, reason: isAsleep ? "Idle" : "Awake",
            message: isAsleep
                ? "the revision \(name) has no pods until a request comes" : "the revision \(name) is awake")
        guard was != isAsleep else { return }
        result.events.append(
            PlannedEvent(
                reason: isAsleep ? "Hibernated" : "Woken", action: "Scale",
                note: isAsleep
                    ? "the revision \(name) sleeps: there was no request for a while"
                    : "the revision \(name) is awake again"))
    }
}
