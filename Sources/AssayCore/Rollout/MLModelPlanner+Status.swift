import JSON
import KubernetesModel

/// What the status says of each situation: the table in `docs/api.md`.
extension MLModelPlanner {
    static let largestStatus = 96_000

    private mutating func settle(
        _ phase: MLModelStatus.Phase, reason: String, message: String, _ movement: ConditionWriter.Movement
    ) {
        status.phase = phase
        status.reason = reason
        let serving = serving
        if serving.isReady {
            let movement = isQuiet ? .settled : movement
            conditions.settle(ready: true, reason: "Serving", message: serving.message, movement)
        } else {
            let text = status.revision == nil ? message : serving.message
            conditions.settle(
                ready: false, reason: status.revision == nil ? reason : "Unavailable", message: text, movement)
        }
    }

    mutating func progress(_ phase: MLModelStatus.Phase, reason: String, message: String) {
        settle(phase, reason: reason, message: message, .reconciling(reason: reason, message: message))
    }

    mutating func stall(_ phase: MLModelStatus.Phase, reason: String, message: String) {
        settle(phase, reason: reason, message: message, .stalled(reason: reason, message: message))
    }

    mutating func tellTraining(reason: String, message: String) {
        conditions.set("Trained", .unknown, reason: "Training", message: message)
        conditions.set("Validated", .unknown, reason: "Training", message: "the run has no metrics yet")
        conditions.set("RolledOut", .false, reason: "Training", message: "the run has not passed yet")
        progress(.training, reason: reason, message: message)
    }

    mutating func tellTrainingFailed(_ index: Int) {
        let run = status.runs[index]
        status.candidate = nil
        let reason = run.reason ?? "TrainingFailed"
        let message = "run \(run.number) failed: \(run.message ?? reason)"
        conditions.set("Trained", .false, reason: reason, message: message)
        conditions.set("Validated", .unknown, reason: "TrainingFailed", message: "the run has no metrics")
        conditions.set("RolledOut", .false, reason: "TrainingFailed", message: "the run has nothing to roll out")
        stall(.failed, reason: "TrainingFailed", message: message)
    }

    mutating func tellRefused(_ run: Run, _ outcome: Gate.Outcome) {
        status.candidate = nil
        var message = "run \(run.number) is refused: \(outcome.verdicts.refusal)"
        if let holdout = run.judgedHoldout { message += "; the holdout is \(holdout)" }
        if let problem = run.judgedMessage { message += " (\(problem))" }
        conditions.set("Validated", .false, reason: "Refused", message: message)
        if servingRevision?.run == run.number {
            // It serves on: what passed once is not taken away by a new rule, but said.
            stall(.serving, reason: "NoLongerValid", message: message)
        } else {
            conditions.set("RolledOut", .false, reason: "Refused", message: "the run did not pass the gate")
            stall(.refused, reason: "Refused", message: message)
        }
    }

    /// That a run has passed, and a candidate of it what was asked of its server.
    mutating func tellValidated(_ revision: Revision, _ summary: String, _ spec: MLModelSpec) {
        let known = status.revisions.last { $0.name == revision.name }
        guard status.revision == revision.name || isProven(known ?? revision, spec) else {
            // What was refused says so itself.
            guard known?.state != .failed else { return }
            conditions.set(
                "Validated", .unknown, reason: "Proving", message: "\(summary); its server is still to be proven")
            return
        }
        let shown = (known?.proof?.verdicts ?? []).map(\.summary)
        if spec.validation.runThresholds.isEmpty, let first = known?.proof?.verdicts.summary { status.verdict = first }
        conditions.set(
            "Validated", .true, reason: "Passed", message: ([summary] + shown).joined(separator: "; "))
    }

    mutating func tellRollingOut(reason: String, message: String) {
        conditions.set("RolledOut", .false, reason: reason, message: message)
        progress(.rollingOut, reason: reason, message: message)
    }

    mutating func tellRolloutFailed(reason: String, message: String) {
        conditions.set("RolledOut", .false, reason: reason, message: message)
        stall(.failed, reason: "RolloutFailed", message: "\(reason): \(message)")
    }

    mutating func tellServing() {
        let serving = serving
        conditions.set(
            "RolledOut", .true, reason: "RolledOut", message: "the revision \(status.revision ?? "") is rolled out")
        if serving.isReady {
            let phase: MLModelStatus.Phase = isAsleep ? .hibernating : .serving
            settle(phase, reason: phase.rawValue, message: serving.message, .settled)
        } else {
            progress(.unavailable, reason: "Unavailable", message: serving.message)
        }
    }

    mutating func tellSuspended(_ message: String) {
        conditions.set("Suspended", .true, reason: "Suspended", message: message)
        settle(.suspended, reason: "Suspended", message: message, .settled)
    }

    /// Nothing begins while suspended, a training under way is held, and what serves serves on.
    mutating func suspend(_ spec: MLModelSpec) {
        let followed = Set(status.runs.flatMap(\.followedJobs))
        for child in observed.trainingJobs
        where followed.contains(child.metadata.name) && child.metadata.controller?.uid == model.metadata.uid {
            hold(child, spec)
        }
        tellSuspended("held by spec.suspend; set it to false to go on")
    }

    mutating func planAfter(_ failure: ActionFailure) -> Plan {
        status.observedGeneration = model.metadata.generation
        status.lastHandledReconcileAt = model.metadata.annotations[Label.requestedAt]
        let message = "\(failure.operation): \(failure.message)"
        if model.metadata.isBeingDeleted, failure.isForbidden, failure.message.contains("is being terminated") {
            // Known before the namespace itself shows it.
            progress(status.phase ?? .pending, reason: Self.namespaceTerminating, message: message)
        } else if failure.isOfJob, !isOfProof(failure) {
            tellNoJob(message)
        } else if failure.isRejection {
            stall(.failed, reason: failure.reason, message: message)
        } else {
            progress(status.phase ?? .pending, reason: failure.reason, message: message)
        }
        return finish()
    }

    mutating func finish() -> Plan {
        status.conditions = conditions.conditions
        status.aliases = ["champion": status.revision, "challenger": status.candidate].compactMapValues(\.self)
        shrink()
        result.status = StatusWrite(metadata: model.metadata, from: old, to: status)
        if status.phase != old.phase || status.reason != old.reason, let event = event() { result.events.append(event) }
        return result
    }

    private func event() -> PlannedEvent? {
        guard let reason = status.reason else { return nil }
        let stalled = status.conditions["Stalled"]
        let governing = stalled ?? status.conditions["Reconciling"] ?? status.conditions["Ready"]
        let isWarning =
            stalled != nil || status.phase == .unavailable || ActionFailure.forbiddenReasons.contains(reason)
        return PlannedEvent(
            isWarning ? .warning : .normal, reason: reason, action: "Reconcile", note: governing?.message ?? "")
    }

    /// The oldest of the history first gives up its details, then its values, then its place. The TrainingJobs still
    /// have them.
    private mutating func shrink() {
        guard isTooLarge else { return }
        shrinkRuns {
            $0.parameters = [:]
            $0.verdicts = []
            $0.message = nil
            $0.independence?.places = []
            $0.evaluation?.independence?.places = []
            $0.baseline = nil
        }
        shrinkRuns {
            $0.metrics = []
            $0.evaluation?.metrics = []
        }
        for index in status.revisions.indices where isTooLarge && isPast(status.revisions[index]) {
            status.revisions[index].proof?.verdicts = []
        }
        while isTooLarge, let index = status.runs.firstIndex(where: { isPast($0) }) { status.runs.remove(at: index) }
        for index in status.runs.indices where isTooLarge { status.runs[index].parameters = [:] }
    }

    private var isTooLarge: Bool { status.json.serializedBytes().count > Self.largestStatus }

    /// Neither what is wanted nor what serves.
    private func isPast(_ run: Run) -> Bool {
        let wanted = model.spec.value.flatMap { runIndex(for: $0.training.hash) }
        return run.number != servingRevision?.run && run.phase != .training
            && run.number != wanted.map { status.runs[$0].number } && run.number != status.runs.last?.number
    }

    private func isPast(_ revision: Revision) -> Bool {
        revision.name != status.revision && revision.name != status.candidate
            && revision.name != status.revisions.last?.name
    }

    private mutating func shrinkRuns(_ change: (inout Run) -> Void) {
        for index in status.runs.indices where isPast(status.runs[index]) {
            guard isTooLarge else { return }
            change(&status.runs[index])
        }
    }
}
