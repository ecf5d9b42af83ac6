import JSON
import KubernetesModel
import Schedule

/// Making the model anew though its spec has not changed: because it is time, or because somebody says so.
///
/// Whatever asks is remembered once, until a run has begun for it: two triggers make one run, and so do those that come while a
/// run is under way. What serves is told of all the while, and a run that does not come to serve leaves no trace but in the
/// history.
extension MLModelPlanner {
    private var retraining: RetrainingStatus { status.retraining ?? RetrainingStatus() }

    private mutating func change(_ body: (inout RetrainingStatus) -> Void) {
        var changed = retraining
        body(&changed)
        status.retraining = changed == RetrainingStatus() ? nil : changed
    }

    /// Another training begins, which has failed at nothing yet.
    mutating func forgetFailures() { change { $0.failures = nil } }

    // MARK: What asks for a run

    mutating func noteTriggers(_ spec: MLModelSpec) {
        change {
            $0.message = nil
            $0.waitingUntil = nil
        }
        noteRequest()
        noteSchedule(spec)
    }

    private mutating func remember(_ pending: RetrainingStatus.Pending) {
        change { if $0.pending?.trigger != .requested || pending.trigger == .requested { $0.pending = pending } }
    }

    private mutating func noteRequest() {
        let word = Text.limited(model.metadata.annotations[Label.forceAt] ?? "", to: 1024)
        guard !word.isEmpty, word != status.lastHandledForceAt else { return }
        status.lastHandledForceAt = word
        // The first run is about to begin anyway.
        guard !status.runs.isEmpty else { return }
        remember(
            .init(
                trigger: .requested, since: now.truncatedToSeconds, message: "asked for by \(Label.forceAt)",
                dataVersion: now.truncatedToSeconds.description))
    }

    private mutating func noteSchedule(_ spec: MLModelSpec) {
        let rules = spec.training.retraining
        guard let text = rules.schedule else {
            change {
                $0.schedule = nil
                $0.lastScheduleTime = nil
                $0.nextScheduleTime = nil
            }
            return
        }
        guard let recurrence = recurrence(text, rules) else { return }
        let stamp = "\(text) \(rules.timeZone ?? ZoneName.utc.description)"
        if retraining.schedule != stamp {
            // What has passed before it was written is not due.
            let begin = now.truncatedToSeconds
            change {
                $0.schedule = stamp
                $0.lastScheduleTime = begin
            }
        }
        let due = recurrence.due(
            handled: retraining.lastScheduleTime ?? now, now: now, startingDeadline: rules.startingDeadline)
        change { $0.nextScheduleTime = due.next }
        if let next = due.next { look(after: max(.seconds(1), next - now)) }
        if let passed = due.tooLate {
            change { $0.lastScheduleTime = passed }
            tellMissed(passed, count: due.missed)
        }
        guard let time = due.run else { return }
        guard mayTake(time, rules) else { return }
        change { $0.lastScheduleTime = time }
        remember(
            .init(
                trigger: .scheduled, since: time, message: "scheduled for \(time)", dataVersion: time.description))
    }

    private mutating func tellMissed(_ time: Timestamp, count: Int) {
        result.events.append(
            PlannedEvent(
                .warning, reason: "ScheduleMissed", action: "Retrain",
                note: "the run of \(time) could not begin within startingDeadlineSeconds; \(count) passed by"))
    }

    /// Nil where nobody can say when it is due; why is told.
    private mutating func recurrence(_ text: String, _ rules: RetrainingSpec) -> Recurrence? {
        guard let schedule = try? CronSchedule(text) else { return nil }
        switch observed.zone {
        case nil: return rules.timeZone == nil ? Recurrence(schedule) : nil
        case .success(let zone): return Recurrence(schedule, in: zone)
        case .failure(let error):
            tellUnknown("spec.training.timeZone: \(error)")
            return nil
        }
    }

    /// It is no mistake of who has written the spec.
    private mutating func tellUnknown(_ problem: String) {
        let message = Text.limited(problem, to: 512)
        change { $0.message = message }
        look(after: .seconds(300))
        guard old.retraining?.message != message else { return }
        result.events.append(
            PlannedEvent(.warning, reason: "ScheduleUnknown", action: "Retrain", note: message))
    }

    /// Whether a scheduled time asks for its run now, or only when the one that is under way has ended.
    private mutating func mayTake(_ time: Timestamp, _ rules: RetrainingSpec) -> Bool {
        guard let run = runUnderWay else { return true }
        guard rules.concurrencyPolicy == .replace, run.phase == .training, run.trigger.isRetraining else {
            change { $0.message = "the run of \(time) waits for the end of run \(run.number)" }
            return false
        }
        guard let index = status.runs.lastIndex(where: { $0.number == run.number }) else { return false }
        status.runs[index].phase = .superseded
        status.runs[index].message = "the run of \(time) has taken its place"
        status.runs[index].completionTime = now.truncatedToSeconds
        status.candidate = nil
        return true
    }

    private var runUnderWay: Run? {
        guard let last = status.runs.last, status.candidate != nil || last.phase == .training else { return nil }
        return last
    }

    // MARK: Beginning

    /// Begins the run that is asked for, where nothing is in its way.
    mutating func beginRetraining(_ spec: MLModelSpec) {
        guard let pending = retraining.pending, !isTooLate(pending, spec) else { return }
        if let run = runUnderWay {
            change { $0.message = "waits for the end of run \(run.number)" }
            return
        }
        let pause = RetrainingPause.standing(status.runs, retraining, spec.training.retraining, now: now)
        if pending.trigger != .requested, let pause {
            change {
                $0.waitingUntil = pause.until
                $0.message = "waits for \(pause.reason)"
            }
            look(after: pause.until - now)
            return
        }
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        let refusals = runRefusals(spec)
        guard refusals.isEmpty else {
            change { $0.message = Text.limited(refusals.text, to: 512) }
            look(after: .seconds(60))
            return
        }
        let (failures, begin) = (RetrainingPause.failures(status.runs, retraining), now.truncatedToSeconds)
        change {
            $0.pending = nil
            $0.failures = failures > 0 ? failures : nil
            $0.begun = RetrainingPause.ofToday($0.begun, now: begin) + (pending.trigger == .requested ? [] : [begin])
        }
        appendRun(pending.trigger, spec, message: pending.message, dataVersion: pending.dataVersion)
        result.events.append(
            PlannedEvent(
                reason: "RetrainingBegun", action: "Retrain",
                note: "run \(status.runs.last?.number ?? 0) begins: \(pending.message)"))
    }

    /// Takes back what waits for longer than it may.
    private mutating func isTooLate(_ pending: RetrainingStatus.Pending, _ spec: MLModelSpec) -> Bool {
        guard pending.trigger == .scheduled, let deadline = spec.training.retraining.startingDeadline else {
            return false
        }
        let left = deadline - (now - pending.since)
        guard left < .zero else {
            look(after: max(.seconds(1), left))
            return false
        }
        change { $0.pending = nil }
        tellMissed(pending.since, count: 1)
        return true
    }

    // MARK: Following

    /// Goes on with a run that was begun anew while something serves.
    mutating func followAnew(_ index: Int, _ spec: MLModelSpec) {
        let told = (conditions, status.phase, status.reason, status.verdict)
        isQuiet = true
        defer { isQuiet = false }
        follow(index, spec)
        let run = status.runs[index]
        if let loss = loss(of: run, spec) {
            (conditions, status.phase, status.reason, status.verdict) = told
            leave(index, loss, spec)
        } else if run.phase == .training, let standing = standing(before: index) {
            (conditions, status.phase, status.reason, status.verdict) = told
            isQuiet = false
            follow(standing, spec)
            if status.candidate == nil { status.candidate = run.trainingJob }
        }
    }

    /// The run that stands where this one does not come to serve.
    private func standing(before index: Int) -> Int? {
        let hash = status.runs[index].trainingHash
        return status.runs[..<index].lastIndex { $0.trainingHash == hash && $0.phase != .superseded && !$0.isLeft }
    }

    private func loss(of run: Run, _ spec: MLModelSpec) -> (reason: String, message: String)? {
        if run.phase == .failed { return ("RunFailed", run.message ?? run.reason ?? "it failed") }
        if run.judgement == .refused, isJudged(run, spec) { return ("RunRefused", run.verdicts.refusal) }
        if run.judgement == nil, run.evaluation?.phase == .failed {
            return ("RunFailed", run.evaluation?.message ?? "it could not be measured")
        }
        guard let failed = status.revisions.last(where: { $0.run == run.number && $0.state == .failed }) else {
            return nil
        }
        return ("RunFailed", failed.message ?? failed.reason ?? "its rollout failed")
    }

    private mutating func leave(_ index: Int, _ loss: (reason: String, message: String), _ spec: MLModelSpec) {
        guard let standing = standing(before: index) else { return }
        let run = status.runs[index]
        status.runs[index].isLeft = true
        (status.candidate, canaryGoesOn, rollbackGoesOn, isQuiet) = (nil, false, false, false)
        result.events.append(
            PlannedEvent(
                loss.reason == "RunFailed" ? .warning : .normal, reason: loss.reason, action: "Retrain",
                note: "run \(run.number) (\(run.trigger.rawValue)) does not come to serve: \(loss.message)"))
        follow(standing, spec)
    }
}
