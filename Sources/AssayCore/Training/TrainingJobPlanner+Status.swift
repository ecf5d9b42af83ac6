import JSON
import KubernetesModel

/// What the status says of each situation.
extension TrainingJobPlanner {
    /// What the steps' situations come to.
    mutating func tell(_ situations: [StepSituation], _ spec: TrainingJobSpec) {
        guard spec.isWorkflow else {
            if let only = situations.first { tell(only) }
            return
        }
        let named = zip(spec.steps, situations)
        let stalled = named.first { if case .stalled = $1 { true } else { false } }
        let failed = named.first { if case .failed = $1 { true } else { false } }
        let underWay = named.filter { $1.isProgressing }
        if let failed, underWay.isEmpty {
            status.completionTime = status.steps.compactMap(\.completionTime).max()
            tell(failed.1, of: failed.0.name)
        } else if let failed {
            let names = underWay.map(\.0.name).joined(separator: ", ")
            progress(
                .running, reason: "StepFailed",
                message: "the step \(failed.0.name) failed; no other is begun, and \(names) may end")
        } else if let stalled {
            tell(stalled.1, of: stalled.0.name)
        } else if situations.allSatisfy({ $0 == .succeeded }), isCompared {
            let ends = status.steps.map(\.completionTime) + [status.comparisons.last?.completionTime]
            status.completionTime = ends.compactMap(\.self).max()
            status.run = job.workflowRun
            tell(.succeeded)
        } else if let suspended = named.first(where: { if case .suspended = $1 { true } else { false } }) {
            tell(suspended.1, of: suspended.0.name)
        } else {
            tellUnderWay(Array(underWay))
        }
    }

    /// Trouble is told before what goes well.
    private mutating func tellUnderWay(_ steps: [(TrainingStep, StepSituation)]) {
        var phase = TrainingJobStatus.Phase.pending
        var told: (reason: String, message: String)?
        for case (let step, .progressing(let its, let reason, let message)) in steps {
            if its == .running { phase = .running }
            let isNews = told.map { !isTrouble($0.reason) && isTrouble(reason) } ?? true
            if isNews { told = (reason, "step \(step.name): \(message)") }
        }
        guard let told else { return }
        progress(phase, reason: told.reason, message: told.message)
    }

    private mutating func tell(_ situation: StepSituation, of step: String? = nil) {
        let prefix = step.map { "step \($0): " } ?? ""
        switch situation {
        case .waiting, .left: break
        case .progressing(let phase, let reason, let message):
            progress(phase, reason: reason, message: prefix + message)
        case .suspended(let message): suspended(prefix + message)
        case .stalled(let reason, let message): stall(.invalid, reason: reason, message: prefix + message)
        case .failed(let reason, let message): fail(reason: reason, message: prefix + message)
        case .succeeded:
            status.phase = .succeeded
            tellSuccess()
        }
    }

    /// The result of a workflow of which a step has failed.
    mutating func tellFailedStep() {
        let step = status.steps.first { $0.phase == .failed }
        let attempt = step?.attempts.last
        fail(reason: attempt?.reason ?? "Failed", message: "step \(step?.name ?? ""): \(attempt?.message ?? "")")
    }

    mutating func progress(_ phase: TrainingJobStatus.Phase, reason: String, message: String) {
        status.phase = phase
        status.reason = reason
        conditions.remove("Suspended")
        conditions.settle(
            ready: false, reason: reason, message: message, .reconciling(reason: reason, message: message))
    }

    mutating func suspended(_ message: String) {
        status.phase = .suspended
        status.reason = "Suspended"
        conditions.set("Suspended", .true, reason: "Suspended", message: message)
        conditions.settle(ready: false, reason: "Suspended", message: message, .settled)
    }

    mutating func stall(_ phase: TrainingJobStatus.Phase, reason: String, message: String) {
        status.phase = phase
        status.reason = reason
        conditions.remove("Suspended")
        conditions.settle(ready: false, reason: reason, message: message, .stalled(reason: reason, message: message))
    }

    mutating func fail(reason: String, message: String) {
        stall(.failed, reason: reason, message: message)
        conditions.set("Failed", .true, reason: reason, message: message)
    }

    mutating func tellSuccess() {
        var message =
            job.spec.value?.artifact == nil ? "the training succeeded" : "the artifact is whole, and was taken"
        if !status.metrics.isEmpty {
            let shown = status.metrics.prefix(4).map { "\($0.name) \($0.value)" }.joined(separator: ", ")
            message += ": \(shown)"
        }
        if let problem = status.metricsMessage { message += "; \(problem)" }
        if let independence = status.independence {
            message += independence.method == .unproven ? "; IndependenceUnproven: " : "; "
            message += independence.words
        }
        status.reason = "Succeeded"
        conditions.remove("Suspended")
        conditions.set("Complete", .true, reason: "Succeeded", message: message)
        conditions.settle(ready: true, reason: "Succeeded", message: message, .settled)
    }

    /// The result, if there is one, stays; what was asked for now will not be done.
    mutating func stallAsChanged() {
        let message =
            "spec is immutable but for suspend, the queue and ttlSecondsAfterFinished; take the change back, or make a new "
            + "TrainingJob"
        status.reason = "SpecChanged"
        conditions.settle(
            ready: status.phase == .succeeded, reason: "SpecChanged", message: message,
            .stalled(reason: "SpecChanged", message: message))
    }

    mutating func planAfter(_ failure: ActionFailure) -> Plan {
        status.observedGeneration = job.metadata.generation
        status.lastHandledReconcileAt = job.metadata.annotations[Label.requestedAt]
        let message = "\(failure.operation): \(failure.message)"
        if status.isFinished {
            tellBesideResult(failure, message)
        } else if concludeRefused(failure) {
            progress(status.phase ?? .pending, reason: Self.comparing, message: message)
        } else if failure.isRejection {
            stall(.invalid, reason: failure.reason, message: message)
        } else {
            progress(status.phase ?? .pending, reason: failure.reason, message: message)
        }
        return finish()
    }

    /// What failed comes after the result, which stays.
    private mutating func tellBesideResult(_ failure: ActionFailure, _ message: String) {
        status.reason = failure.reason
        conditions.settle(
            ready: status.phase == .succeeded, reason: failure.reason, message: message,
            failure.isRejection
                ? .stalled(reason: failure.reason, message: message)
                : .reconciling(reason: failure.reason, message: message))
    }

    mutating func finish() -> Plan {
        status.conditions = conditions.conditions
        status.progress = status.latestProgress(observed.pushes)
        // Ten attempts are more than are ever made; the oldest would go first.
        status.attempts = status.attempts.suffix(10)
        result.status = StatusWrite(metadata: job.metadata, from: old, to: status)
        if status.phase != old.phase || status.reason != old.reason, let event = event() { result.events.append(event) }
        return result
    }

    private func event() -> PlannedEvent? {
        guard let reason = status.reason else { return nil }
        let stalled = status.conditions["Stalled"]
        let severity: PlannedEvent.Severity =
            stalled != nil || (status.reason != "Succeeded" && isTrouble(reason)) ? .warning : .normal
        let note = stalled?.message ?? status.conditions["Ready"]?.message ?? ""
        return PlannedEvent(severity, reason: reason, action: "Train", note: note)
    }

    private func isTrouble(_ reason: String) -> Bool {
        ![
            TrainingJobPlan.jobCreated, "LookingUp", "Queued", "Starting", "Training", "Sealing", "Suspended",
            Self.comparing,
            "WaitingForDeletion", "WaitingForPods",
        ].contains(
            reason)
    }
}
