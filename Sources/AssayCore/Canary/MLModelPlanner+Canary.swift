import KubernetesModel

/// From a candidate that is proven to one that gets all requests, step by step.
///
/// `status.rollout` stands only while each plan goes on with it: where anything keeps the candidate from being looked at, it gets
/// no requests, and begins anew later.
extension MLModelPlanner {
    /// The rules for it; nil where a candidate serves as soon as it is proven, since nothing serves that could go on meanwhile.
    func canaryRules(_ spec: MLModelSpec) -> RolloutSpec? {
        guard let rules = spec.serving.rollout, !rules.steps.isEmpty, isRouted(spec), let serving = servingRevision,
            deployment(serving.deployment) != nil || serving.servingHash == spec.serving.revisionHash,
            spec.serving.autoscaling != nil || spec.serving.wantedReplicas > 0
        else { return nil }
        return rules
    }

    /// Whether the candidate is on its way already, so that a replica that goes does not end it.
    func isCanary(_ revision: Revision) -> Bool { status.rollout?.revision == revision.name }

    /// How many replicas a candidate has once it is proven.
    func provenReplicas(_ spec: MLModelSpec) -> Int {
        let initial = spec.serving.initialReplicas
        // It may get all that what serves has.
        guard canaryRules(spec) != nil, spec.serving.autoscaling != nil,
            let serving = servingRevision.flatMap({ deployment($0.deployment) })
        else { return initial }
        return max(initial, serving.replicas)
    }

    // MARK: Where it stands

    /// - Parameter isUp: all of its replicas are available.
    mutating func followCanary(
        _ index: Int, _ child: DeploymentObservation, isUp: Bool, _ rules: RolloutSpec, _ run: Run, _ spec: MLModelSpec
    ) {
        let revision = status.revisions[index]
        guard !isFenced(revision) else {
            // `tidyProofs` takes it away.
            tellProving("the way to \(revision.name) is being opened")
            return
        }
        var rollout = status.rollout ?? RolloutStatus(revision: "", state: .awaitingApproval, since: now)
        if rollout.revision != revision.name || isAskedAgain(rollout) {
            rollout = RolloutStatus(
                revision: revision.name, state: .awaitingApproval, since: now.truncatedToSeconds)
        }
        canaryGoesOn = true
        if !isApproved(revision, rules) { rollout.approved = nil }
        if isUp, rollout.state == .awaitingApproval, rules.approval != .manual || isApproved(revision, rules) {
            if rules.approval == .manual { rollout.approved = true }
            rollout.begin(at: now, isAsleep: isServingAsleep)
        }
        if rollout.state == .waking, isServingAwake || now - rollout.since >= wakeTime(spec) {
            rollout.enter(step: 1, at: now)
        }
        status.rollout = rollout
        switch rollout.state {
        case .awaitingApproval: tellApproval(rollout)
        case .waking:
            look(after: wakeTime(spec) - (now - rollout.since))
            tellCanary(reason: "Waking", "\(status.revision ?? "") is woken, so that it has its part of the requests")
        case .progressing: followStep(index, isUp: isUp, rules, spec)
        case .inconclusive: followInconclusive(index, isUp: isUp, rules, spec)
        }
        // What is taken back or serves now is not mended here: nothing that could fail stands before that.
        if canaryGoesOn { keepUp(child, revision, run, spec, replicas: provenReplicas(spec)) }
    }

    private func isApproved(_ revision: Revision, _ rules: RolloutSpec) -> Bool {
        model.metadata.annotations[Label.approve] == revision.name || rules.approvedRevision == revision.name
    }

    /// Somebody wants it tried once more.
    private func isAskedAgain(_ rollout: RolloutStatus) -> Bool {
        rollout.state == .inconclusive && status.lastHandledReconcileAt != nil
            && status.lastHandledReconcileAt != old.lastHandledReconcileAt
    }

    private var isServingAsleep: Bool {
        old.traffic.contains {
            $0.revision == status.revision && ($0.state == .hibernating || $0.state == .draining)
        }
    }

    private var isServingAwake: Bool {
        servingRevision.flatMap { deployment($0.deployment) }.map { $0.availableReplicas > 0 } ?? false
    }

    private func wakeTime(_ spec: MLModelSpec) -> Duration { .seconds(Int64(spec.serving.progressDeadline)) }

    // MARK: A step

    private mutating func followStep(_ index: Int, isUp: Bool, _ rules: RolloutSpec, _ spec: MLModelSpec) {
        guard let rollout = status.rollout, let step = rules.step(rollout.step) else { return }
        let count = observed.gateway?.canary.flatMap { $0.isOf(rollout) ? $0 : nil }
        noteFigures(count)
        let analysis = rules.analysis.map {
            CanaryAnalysis(count.flatMap { $0.step == rollout.step ? $0 : nil }, by: $0)
        }
        if case .violated(let figures) = analysis {
            rollBack(index, rollout, rules, figures)
            return
        }
        let elapsed = now - rollout.since
        var lack: String?
        if case .waiting(let what) = analysis { lack = what }
        if !isUp { lack = "not every replica is available" }
        if elapsed < step.pauseTime {
            look(after: step.pauseTime - elapsed)
        } else if let lack, elapsed >= step.pauseTime + rules.stepDeadline {
            endUndecided(index, isUp: isUp, rules, lack, spec)
            return
        } else if lack != nil {
            look(after: step.pauseTime + rules.stepDeadline - elapsed)
        } else {
            takeNextStep(index, rules)
            return
        }
        tellStep(lack, rules)
    }

    private mutating func takeNextStep(_ index: Int, _ rules: RolloutSpec) {
        guard let rollout = status.rollout, rollout.step < rules.steps.count else {
            canaryGoesOn = false
            promote(index)
            return
        }
        status.rollout?.enter(step: rollout.step + 1, at: now)
        tellStep(nil, rules)
        look(after: max(.seconds(1), rules.step(rollout.step + 1)?.pauseTime ?? .zero))
    }

    /// Whatever it was given is taken away, and what serves goes on.
    private mutating func rollBack(_ index: Int, _ rollout: RolloutStatus, _ rules: RolloutSpec, _ figures: String) {
        canaryGoesOn = false
        let message = "in step \(rollout.step) of \(rules.steps.count) of its canary, \(figures)"
        giveUp(index, reason: "AnalysisFailed", message: message)
        result.events.append(
            PlannedEvent(
                .warning, reason: "RolledBack", action: "RollOut",
                note: "\(rollout.revision) gets no more requests: \(message)"))
    }

    private mutating func endUndecided(
        _ index: Int, isUp: Bool, _ rules: RolloutSpec, _ lack: String, _ spec: MLModelSpec
    ) {
        guard isUp else {
            canaryGoesOn = false
            let trouble = trouble(status.revisions[index], spec)
            giveUp(
                index, reason: trouble?.reason ?? "ProgressDeadlineExceeded", message: trouble?.message ?? lack)
            return
        }
        status.rollout?.state = .inconclusive
        status.rollout?.since = now.truncatedToSeconds
        status.rollout?.message = lack
        followInconclusive(index, isUp: isUp, rules, spec)
    }

    private mutating func followInconclusive(
        _ index: Int, isUp: Bool, _ rules: RolloutSpec, _ spec: MLModelSpec
    ) {
        let revision = status.revisions[index]
        if isUp, isApproved(revision, rules), status.rollout?.approved != true {
            canaryGoesOn = false
            promote(index)
            return
        }
        let lack = status.rollout?.message ?? "too little was measured"
        let message =
            "step \(status.rollout?.step ?? 0) of \(rules.steps.count) of the canary \(revision.name) came to no end in time: "
            + "\(lack). \(status.revision ?? "") serves; to let the new one serve, set the annotation \(Label.approve)"
        conditions.set("RolledOut", .false, reason: "Inconclusive", message: message)
        stall(.rollingOut, reason: "Inconclusive", message: message)
    }

    // MARK: What is told

    private mutating func noteFigures(_ count: CanaryCount?) {
        status.rollout?.requests = count?.total.requests
        status.rollout?.errorRate = count?.total.errorRate().map { ($0 * 1e6).rounded() / 1e6 }
        status.rollout?.latencyP99Seconds = count?.total.latency(0.99).flatMap { $0.isFinite ? $0 : nil }
    }

    private mutating func tellApproval(_ rollout: RolloutStatus) {
        tellCanary(
            reason: "AwaitingApproval",
            "\(rollout.revision) is proven and waits for the annotation \(Label.approve) or for "
                + "spec.serving.rollout.approvedRevision to name it")
    }

    private mutating func tellStep(_ lack: String?, _ rules: RolloutSpec) {
        guard let rollout = status.rollout, let step = rules.step(rollout.step) else { return }
        var message =
            "step \(rollout.step) of \(rules.steps.count): \(rollout.revision) gets \(step.weight) of 100 requests"
        if let lack { message += "; \(lack)" }
        tellCanary(reason: "Canary", message)
        guard old.rollout?.step != rollout.step || old.rollout?.revision != rollout.revision else { return }
        result.events.append(PlannedEvent(reason: "CanaryStep", action: "RollOut", note: message))
    }

    private mutating func tellCanary(reason: String, _ message: String) {
        status.rollout?.message = Text.limited(message, to: 512)
        tellRollingOut(reason: reason, message: message)
    }
}

extension RolloutStatus {
    fileprivate mutating func begin(at now: Timestamp, isAsleep: Bool) {
        startTime = now.truncatedToSeconds
        if isAsleep {
            (state, since) = (.waking, now.truncatedToSeconds)
        } else {
            enter(step: 1, at: now)
        }
    }

    fileprivate mutating func enter(step: Int, at now: Timestamp) {
        (state, self.step, since) = (.progressing, step, now.truncatedToSeconds)
    }
}
