import JSON
import KubernetesModel

/// One planning: it changes a copy of the status and collects actions.
struct TrainingJobPlanner {
    let observed: TrainingJobObservation
    let job: TrainingJob
    let old: TrainingJobStatus
    let now: Timestamp
    var status: TrainingJobStatus
    var conditions: ConditionWriter
    var result = Plan()

    init(_ observed: TrainingJobObservation, status: TrainingJobStatus, now: Timestamp) {
        self.observed = observed
        job = observed.trainingJob
        old = status
        self.status = status
        self.now = now
        conditions = ConditionWriter(status.conditions, generation: job.metadata.generation, now: now)
    }

    mutating func plan() -> Plan {
        status.observedGeneration = job.metadata.generation
        status.lastHandledReconcileAt = job.metadata.annotations[Label.requestedAt]
        let problems = job.problems
        if let spec = job.spec.value, problems.isEmpty {
            if status.specHash == nil { status.specHash = spec.hash }
            if isRejected { return Plan() }
            advance(spec)
            if result.needsLiveObservation { return Plan.live }
            if isChanged(spec) { stallAsChanged() }
        } else if !status.isFinished {
            stall(.invalid, reason: "InvalidSpec", message: problems.text)
        } else {
            stallAsChanged()
        }
        return finish()
    }

    /// The server has refused this very spec: it would again.
    private var isRejected: Bool {
        guard let stalled = old.conditions["Stalled"], stalled.status == .true, stalled.reason == "Rejected" else {
            return false
        }
        return stalled.observedGeneration == job.metadata.generation
            && old.lastHandledReconcileAt == status.lastHandledReconcileAt
    }

    private func isChanged(_ spec: TrainingJobSpec) -> Bool {
        guard let hash = status.specHash, hash.hasPrefix("\(SpecHash.version):") else { return false }
        return hash != spec.hash
    }

    private mutating func advance(_ spec: TrainingJobSpec) {
        endLateJobs()
        if status.isFinished {
            keepResult(spec)
            return
        }
        if let attempt = status.attempts.last, attempt.outcome == .running {
            follow(attempt, spec)
        } else {
            let number = (status.attempts.last?.number ?? 0) + 1
            begin(TrainingJobPlan.jobName(of: job, attempt: number), number: number, spec)
        }
    }

    /// A creation that was given up may arrive when its attempt is over and the name is free again. What it makes trains for
    /// nobody: it is ended at once, and cleared away. (A Job has no lifetime of ours before its result is kept.)
    private mutating func endLateJobs() {
        for attempt in status.attempts where attempt.outcome != .running {
            for child in observed.jobs
            where child.metadata.name == attempt.job && child.metadata.uid != attempt.jobUID
                && child.metadata.controller?.uid == job.metadata.uid && !child.isFinished
                && !child.metadata.isBeingDeleted && child.ttlSecondsAfterFinished != 0
            {
                patch(child, ["spec": ["activeDeadlineSeconds": 1, "ttlSecondsAfterFinished": 0]])
            }
        }
    }

    private mutating func follow(_ attempt: Attempt, _ spec: TrainingJobSpec) {
        if let child = observed.jobs.first(where: { $0.metadata.name == attempt.job }) {
            guard isOurs(child.metadata) else { return }
            attend(child, spec)
        } else if attempt.jobUID == nil {
            begin(attempt.job, number: attempt.number, spec)
        } else {
            replaceLost(attempt, spec)
        }
    }

    /// The Job went away, and we had not seen how it ended.
    private mutating func replaceLost(_ attempt: Attempt, _ spec: TrainingJobSpec) {
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        let end = now.truncatedToSeconds
        updateAttempt {
            $0.outcome = .lost
            $0.reason = "JobDeleted"
            $0.message = "the Job was deleted before it had a result"
            $0.completionTime = end
        }
        guard attempt.number < TrainingJobPlan.mostAttempts else {
            let message = "the Job was deleted \(attempt.number) times before it had a result; make a new TrainingJob"
            status.completionTime = now.truncatedToSeconds
            fail(reason: "JobDeleted", message: message)
            return
        }
        result.events.append(
            PlannedEvent(
                .warning, reason: "JobDeleted", action: "Retrain",
                note: "the Job \(attempt.job) was deleted before it had a result; training starts again"))
        let number = attempt.number + 1
        begin(TrainingJobPlan.jobName(of: job, attempt: number), number: number, spec)
    }

    /// Creates the Job of an attempt, unless it is there or may not be. After a restart the caches may be so old that they
    /// know nothing of a Job that was made, had its result and was cleared away.
    private mutating func begin(_ name: String, number: Int, _ spec: TrainingJobSpec) {
        if let child = observed.jobs.first(where: { $0.metadata.name == name }) {
            guard isOurs(child.metadata) else { return }
            record(name, number: number, spec)
            attend(child, spec)
            return
        }
        if isChanged(spec) { return }
        if spec.suspend == true {
            suspended("held before its Job was made; set spec.suspend to false to go on")
            return
        }
        let rendered = job.renderedJob(name: name, spec: spec)
        let refusals = PodCheck.problems(
            in: rendered["spec", "template"] ?? .null, at: "spec.template", policy: observed.policy)
        guard refusals.isEmpty else {
            stall(.invalid, reason: "PodRefused", message: refusals.text)
            // Labels of the namespace and annotations of service accounts are not watched.
            result.requeueAfter = .seconds(60)
            return
        }
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        result.actions.append(.create(.jobs, rendered, manager: FieldManager.spec))
        record(name, number: number, spec)
        progress(.pending, reason: TrainingJobPlan.jobCreated, message: "the Job \(name) is made")
    }

    private mutating func record(_ name: String, number: Int, _ spec: TrainingJobSpec) {
        status.parameters = spec.parameters
        status.seed = spec.seed
        guard status.attempts.last?.number != number else { return }
        status.attempts.append(Attempt(number: number, job: name))
    }

    /// Nothing is touched that is not ours. What our predecessor of the same name left is waited for.
    private mutating func isOurs(_ child: ObjectMeta) -> Bool {
        guard child.controller?.uid != job.metadata.uid else { return true }
        if child.isBeingDeleted || child.controller?.kind == TrainingJob.resourceType.kind {
            progress(
                .pending, reason: "WaitingForDeletion",
                message: "a Job of the name \(child.name) belongs to an older object and is going")
            result.requeueAfter = .seconds(5)
        } else {
            stall(
                .invalid, reason: "NameTaken",
                message: "a Job of the name \(child.name) is there that is not this TrainingJob's; delete it")
            result.requeueAfter = .seconds(60)
        }
        return false
    }

    mutating func updateAttempt(_ change: (inout Attempt) -> Void) {
        guard let last = status.attempts.indices.last else { return }
        change(&status.attempts[last])
    }
}
