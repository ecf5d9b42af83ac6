import JSON
import KubernetesModel

/// Back to what served before, where what serves has become bad.
///
/// Only what the spec wants is left this way, and only for what it has replaced: so it happens once, and a person or a change of
/// the spec decides what comes then. What is left is a failed revision, which is not tried again by itself. Users are led back
/// when the old revision is up; where it does not come up either, as in a cluster that has lost its nodes, nothing has changed.
extension MLModelPlanner {
    /// How long a revision may be unready before it is left.
    static let unreadyTime: Duration = .seconds(60)
    static let rolledBack = "RolledBack"

    // MARK: What there is to go back to

    /// What served before the revision that serves. Its Deployment is kept, without pods, unless the history has no place for it.
    func lastGood(_ spec: MLModelSpec) -> Revision? {
        guard spec.revisionHistoryLimit ?? MLModelSpec.defaultHistoryLimit > 1 else { return nil }
        return status.revisions.filter {
            $0.state == .superseded && $0.servingTime != nil && $0.name != status.revision
        }
        .max { ($0.servingTime ?? now) < ($1.servingTime ?? now) }
    }

    /// Lets it have no pods until it is needed.
    mutating func rest(_ child: DeploymentObservation, _ revision: Revision, _ spec: MLModelSpec) {
        guard status.rollback?.to != revision.name || !isRollingBack else { return }
        guard child.replicas == 0 || observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        keepUp(child, revision, run(number: revision.run), spec, replicas: 0)
    }

    // MARK: Watching

    var isRollingBack: Bool { status.rollback?.state == .rollingBack }

    /// Tells that the wanted revision serves, and goes back where it has become bad.
    mutating func watchService(_ revision: Revision, _ spec: MLModelSpec) {
        guard let target = lastGood(spec) else {
            tellServing()
            return
        }
        let isAskedAgain =
            status.lastHandledReconcileAt != nil && status.lastHandledReconcileAt != old.lastHandledReconcileAt
        let known = status.rollback.flatMap {
            $0.from == revision.name && $0.to == target.name && !isAskedAgain ? $0 : nil
        }
        guard let reason = degradation(revision, known, spec) else {
            // What was in vain once is not tried a second time.
            rollbackGoesOn = known?.state == .failed
            tellServing()
            return
        }
        rollbackGoesOn = true
        var rollback =
            known
            ?? RollbackStatus(
                from: revision.name, to: target.name, state: .degraded, reason: reason.reason,
                since: now.truncatedToSeconds, message: "")
        if rollback.state == .degraded {
            (rollback.reason, rollback.message) = (reason.reason, Text.limited(reason.message, to: 512))
            let wait = reason.reason == .unready ? Self.unreadyTime - (now - rollback.since) : .zero
            if wait <= .zero {
                (rollback.state, rollback.since) = (.rollingBack, now.truncatedToSeconds)
            } else {
                look(after: wait)
            }
        }
        status.rollback = rollback
        switch rollback.state {
        case .degraded: tellServing()
        case .rollingBack: goBack(rollback, target, spec)
        case .failed: tellStuck(rollback)
        }
    }

    /// What is wrong with what serves, as far as it is a fault of its own.
    private func degradation(
        _ revision: Revision, _ known: RollbackStatus?, _ spec: MLModelSpec
    ) -> (reason: RollbackStatus.Reason, message: String)? {
        // The figures of a minute end with the requests; and where there is no place for both, it has no pods now.
        if let known, known.state == .rollingBack, known.reason == .analysisFailed || isMakingRoom(spec) {
            return (known.reason, known.message)
        }
        if let rules = spec.serving.rollout?.analysis, isRouted(spec),
            let count = observed.gateway?.service, count.revision == revision.name,
            let figures = count.violation(of: rules)
        {
            return (.analysisFailed, "in the last minute \(figures)")
        }
        return unreadiness(revision, spec).map { (.unready, $0) }
    }

    /// Why nobody answers, where every pod says that it is to blame: one that found no node, no image or no store is not.
    private func unreadiness(_ revision: Revision, _ spec: MLModelSpec) -> String? {
        guard let child = deployment(revision.deployment), child.replicas > 0, child.availableReplicas == 0,
            child.observedGeneration >= child.metadata.generation, !child.metadata.isBeingDeleted
        else { return nil }
        let pods = observed.pods.filter {
            $0.metadata.labels[Label.revision] == revision.name && !$0.hasEnded && !$0.metadata.isBeingDeleted
        }
        guard !pods.isEmpty, pods.allSatisfy({ isAtFault($0, spec) }) else { return nil }
        let trouble = PodTrouble.pending(pods, template: spec.serving.template, path: "spec.serving.template")
        return "no pod of \(revision.name) is ready" + (trouble.map { ": \($0.message)" } ?? "")
    }

    /// Its server has crashed, or runs and is not ready though it had all the time that a start may take.
    private func isAtFault(_ pod: PodObservation, _ spec: MLModelSpec) -> Bool {
        let hasCrashed = pod.containers.contains { !$0.ready && ($0.restartCount > 0 || $0.terminated != nil) }
        let isLate = pod.metadata.creationTimestamp.map {
            now - $0 >= .seconds(Int64(spec.serving.progressDeadline))
        }
        return hasCrashed || (isLate == true && pod.containers.contains { $0.isRunning && !$0.ready })
    }

    // MARK: Going back

    private mutating func goBack(_ rollback: RollbackStatus, _ target: Revision, _ spec: MLModelSpec) {
        let from = servingRevision.flatMap { deployment($0.deployment) }
        // It takes over all that the other one had to do.
        let replicas =
            spec.serving.autoscaling == nil
            ? spec.serving.wantedReplicas : max(from?.replicas ?? 1, spec.serving.initialReplicas)
        let message = "\(target.name) is to serve again, for \(rollback.message)"
        let deadline = Duration.seconds(Int64(spec.serving.progressDeadline)) + MLModelPlan.deadlineGrace
        let elapsed = now - rollback.since
        if elapsed < deadline { look(after: deadline - elapsed) }
        guard let child = deployment(target.deployment), !child.metadata.isBeingDeleted else {
            guard elapsed < deadline, let run = run(number: target.run),
                target.servingHash == spec.serving.revisionHash
            else {
                stayBad(rollback, "the Deployment \(target.deployment) is gone")
                return
            }
            guard hasRoom(spec) else { return }
            recreate(target, run, spec, replicas: replicas)
            tellRollingOut(reason: "RollingBack", message: message)
            return
        }
        guard isOurs(child.metadata, kind: "Deployment") else { return }
        if child.isFullyAvailable, child.replicas >= replicas {
            arrive(rollback)
        } else if elapsed >= deadline {
            let trouble = trouble(target, spec)
            stayBad(rollback, trouble?.message ?? "no replica of \(target.name) is available")
        } else if child.replicas > 0 || hasRoom(spec) {
            keepUp(child, target, run(number: target.run), spec, replicas: replicas)
            tellRollingOut(reason: "RollingBack", message: message)
        }
    }

    private mutating func arrive(_ rollback: RollbackStatus) {
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        guard let bad = status.revisions.lastIndex(where: { $0.name == rollback.from }),
            let good = status.revisions.lastIndex(where: { $0.name == rollback.to })
        else { return }
        rollbackGoesOn = false
        serve(good)
        status.revisions[bad].state = .failed
        status.revisions[bad].reason = Self.rolledBack
        status.revisions[bad].message = Text.limited("\(rollback.reason.rawValue): \(rollback.message)", to: 512)
        result.events.append(
            PlannedEvent(
                .warning, reason: Self.rolledBack, action: "RollBack",
                note: "the revision \(rollback.to) serves again in place of \(rollback.from): \(rollback.message)"))
        tellRolledBack(status.revisions[bad])
    }

    private mutating func stayBad(_ rollback: RollbackStatus, _ lack: String) {
        var failed = rollback
        (failed.state, failed.since) = (.failed, now.truncatedToSeconds)
        failed.message = Text.limited("\(rollback.message); and \(rollback.to) did not come up: \(lack)", to: 512)
        status.rollback = failed
        tellStuck(failed)
    }

    // MARK: What is told

    private mutating func tellStuck(_ rollback: RollbackStatus) {
        conditions.set("RolledOut", .true, reason: "RolledOut", message: "the revision \(rollback.from) is rolled out")
        stall(.unavailable, reason: "RollbackFailed", message: rollback.message)
    }

    /// What the spec wants was left; what served before serves.
    mutating func tellRolledBack(_ failed: Revision) {
        status.candidate = nil
        let message =
            "\(failed.name) was left for \(status.revision ?? ""): \(failed.message ?? ""); change spec.serving or "
            + "spec.training, or set the annotation \(Label.requestedAt) to try it again"
        conditions.set("RolledOut", .false, reason: Self.rolledBack, message: message)
        stall(.failed, reason: Self.rolledBack, message: message)
    }
}
