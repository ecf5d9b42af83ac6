import JSON
import KubernetesModel

/// The plan of a TrainingJob: one batch Job per attempt, created once, and its result kept in status.
public enum TrainingJobPlan {
    /// The attempts that a training gets if its Jobs are deleted before they have a result.
    static let mostAttempts = 5
    /// The status' reason from the making of an attempt's Job until that was seen.
    public static let jobCreated = "JobCreated"

    public static func plan(_ observed: TrainingJobObservation, now: Timestamp) -> Plan {
        guard !observed.trainingJob.metadata.isBeingDeleted else { return Plan() }
        guard let status = observed.trainingJob.status.value else {
            return Plan.unreadableStatus
        }
        var planner = TrainingJobPlanner(observed, status: status, now: now)
        return planner.plan()
    }

    /// The status and events after an action of the plan failed; it has no actions. What only fails for now (conflicts,
    /// lost answers, a server in trouble) is not told: it is tried again.
    public static func statusAfter(
        _ failure: ActionFailure, _ observed: TrainingJobObservation, now: Timestamp
    ) -> Plan {
        guard failure.isRejection || failure.isForbidden, let status = observed.trainingJob.status.value else {
            return Plan()
        }
        var planner = TrainingJobPlanner(observed, status: status, now: now)
        return planner.planAfter(failure)
    }

    /// The names that Jobs of this TrainingJob have or get next. Of a workflow those of the steps that have ended are left out:
    /// nothing of that name is waited for.
    public static func jobNames(of job: TrainingJob) -> [String] {
        guard let spec = job.spec.value, spec.isWorkflow else {
            return jobNames(of: job, step: "", job.status.value?.attempts ?? [])
        }
        let known = job.status.value?.steps ?? []
        return spec.steps.flatMap { step -> [String] in
            let status = known.first { $0.name == step.name }
            guard status?.phase.isDone != true, status?.phase != .failed else { return [] }
            return jobNames(of: job, step: step.name, status?.attempts ?? [])
        }.sorted() + lookupNames(of: job) + comparisonNames(of: job)
    }

    private static func comparisonNames(of job: TrainingJob) -> [String] {
        guard job.spec.value?.holdout != nil, let status = job.status.value, status.independence == nil else {
            return []
        }
        let last = status.comparisons.last
        return (last.map { [$0.job] } ?? []) + [comparisonName(of: job, number: (last?.number ?? 0) + 1)]
    }

    static func comparisonName(of job: TrainingJob, number: Int) -> String {
        ChildName.comparison(
            namespace: job.metadata.namespace ?? "", name: job.metadata.name, uid: job.metadata.uid, number: number)
    }

    private static func lookupNames(of job: TrainingJob) -> [String] {
        let last = job.status.value?.lookups.last
        let next = lookupName(of: job, number: (last?.number ?? 0) + 1)
        return (last.map { [$0.job] } ?? []) + [next]
    }

    static func lookupName(of job: TrainingJob, number: Int) -> String {
        ChildName.lookup(
            namespace: job.metadata.namespace ?? "", name: job.metadata.name, uid: job.metadata.uid, number: number)
    }

    /// The keys of the steps that could be reused now, if another training is known to have had the same.
    public static func wantedKeys(of job: TrainingJob) -> [String] {
        guard let spec = job.spec.value, let status = job.status.value, !status.isFinished else { return [] }
        return spec.steps.compactMap { status.wantedKey(of: $0) }
    }

    /// What the templates of steps that may be reused refer to, while one of them is not begun.
    public static func references(of job: TrainingJob) -> [TemplateReference] {
        guard let spec = job.spec.value, let status = job.status.value, !status.isFinished else { return [] }
        let open = spec.steps.filter { step in
            guard step.reuse != .never else { return false }
            guard let known = status.steps.first(where: { $0.name == step.name }) else { return true }
            return known.attempts.isEmpty && !known.phase.isDone
        }
        return Set(open.flatMap(\.template.references)).sorted()
    }

    /// The names of the Services that its steps of several nodes have or get.
    public static func serviceNames(of job: TrainingJob) -> [String] {
        (job.spec.value?.steps ?? []).compactMap { NodeGroup(of: $0, in: job)?.service }
    }

    /// The store of a workflow as far as it is known: nil where the namespace's must be asked.
    public static func store(of job: TrainingJob) -> ArtifactStoreSpec? {
        job.spec.value?.artifact?.store ?? job.spec.value?.artifactStore ?? job.status.value?.artifactStore
    }

    private static func jobNames(of job: TrainingJob, step: String, _ recorded: [Attempt]) -> [String] {
        let hasNext: Set<Attempt.Outcome> = step.isEmpty ? [.lost] : [.lost, .failed]
        let next = recorded.last.map { hasNext.contains($0.outcome) ? $0.number + 1 : $0.number } ?? 1
        return Set(recorded.map(\.job) + [jobName(of: job, step: step, attempt: next)]).sorted()
    }

    static func jobName(of job: TrainingJob, step: String, attempt: Int) -> String {
        ChildName.job(
            namespace: job.metadata.namespace ?? "", name: job.metadata.name, uid: job.metadata.uid, step: step,
            attempt: attempt)
    }
}

extension Plan {
    /// Somebody has written what is ours alone. Nothing is built on it, and nothing overwritten.
    static var unreadableStatus: Plan {
        var plan = Plan()
        plan.events = [
            PlannedEvent(
                .warning, reason: "StatusUnreadable", action: "Plan",
                note: "the status is not as the operator wrote it; remove it (or the object) to go on")
        ]
        return plan
    }
}
