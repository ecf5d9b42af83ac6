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
    /// A look for what is there already is under way.
    var isLookingUp = false

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
            if isChanged { stallAsChanged() }
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

    /// Whether the spec is another than the one that was accepted.
    var isChanged: Bool {
        guard let hash = status.specHash, hash.hasPrefix("\(SpecHash.version):") else { return false }
        return hash != job.spec.value?.hash
    }

    private mutating func advance(_ given: TrainingJobSpec) {
        endLateJobs()
        if status.isFinished {
            keepResult(given)
            return
        }
        var spec = given
        spec.artifactStore = TrainingJobPlan.store(of: job) ?? observed.defaultStore.spec
        if !spec.given.isEmpty {
            status.artifacts = spec.given.map { SealedArtifact(name: $0.name, digest: $0.digest) }
        }
        lookForResults(spec)
        // What is made in this planning is read from the next one on, which knows who else has made the same of it.
        let made = status
        var situations: [StepSituation] = []
        for index in spec.allSteps.indices {
            var planner = stepPlanner(index, spec, made)
            planner.plan()
            take(planner, spec)
            situations.append(planner.situation)
        }
        compareHoldout(spec)
        if !result.needsLiveObservation { tell(situations, spec) }
        tellLookup(situations)
        tellComparison(situations, spec)
        // Where it has begun it goes on, whatever the namespace's store is by then.
        if given.artifactStore == nil, !status.allAttempts.isEmpty, spec.usesStore {
            status.artifactStore = spec.artifactStore
        }
    }

    private func stepPlanner(_ index: Int, _ spec: TrainingJobSpec, _ made: TrainingJobStatus) -> StepPlanner {
        let step = spec.allSteps[index]
        return StepPlanner(
            observed: observed, spec: spec, step: step, path: spec.templatePath(of: index), now: now,
            isChanged: isChanged, inputs: made.inputs(of: step), mayBegin: mayBegin(step, spec),
            status: status(of: step, spec))
    }

    /// The short form has no step in its status: what there is of one stands at the top.
    private func status(of step: TrainingStep, _ spec: TrainingJobSpec) -> StepStatus {
        if spec.isWorkflow { return status.steps.first { $0.name == step.name } ?? StepStatus(name: step.name) }
        var result = StepStatus(name: "")
        result.attempts = status.attempts
        result.startTime = status.startTime
        return result
    }

    /// Nothing more is begun once a step has failed, and of a volume that one node mounts one step at a time.
    private func mayBegin(_ step: TrainingStep, _ spec: TrainingJobSpec) -> Bool {
        if isLookingUp { return false }
        let others = status.steps.filter { $0.name != step.name }
        if others.contains(where: { $0.phase == .failed }) { return false }
        let running = others.filter { $0.attempts.last?.outcome == .running }.map(\.name)
        if case .ofOneNode = observed.claim, !running.isEmpty || isComparing { return false }
        guard let claim = step.checkpointClaim, case .ofOneNode = observed.checkpointClaims[claim] else { return true }
        return !spec.steps.contains { running.contains($0.name) && $0.checkpointClaim == claim }
    }

    private mutating func take(_ planner: StepPlanner, _ spec: TrainingJobSpec) {
        var step = planner.status
        if !step.attempts.isEmpty || step.phase == .reused {
            status.parameters = spec.parameters
            status.seed = spec.seed
        }
        status.startTime = [status.startTime, step.startTime].compactMap(\.self).min()
        if spec.isWorkflow {
            step.phase = planner.phase
            // Ten attempts are more than are ever made; the oldest would go first.
            step.attempts = step.attempts.suffix(10)
            if let index = status.steps.firstIndex(where: { $0.name == step.name }) {
                status.steps[index] = step
            } else {
                status.steps.append(step)
            }
        } else {
            status.attempts = step.attempts
            status.images = step.images
            if let imported = planner.imported { keep(imported) }
            status.completionTime = step.completionTime
            status.run = planner.run
        }
        if let metrics = planner.metrics { keep(metrics, of: spec.isWorkflow ? step.name : nil) }
        result.needsLiveObservation = result.needsLiveObservation || planner.result.needsLiveObservation
        result.actions += planner.result.actions
        result.events += planner.result.events
        if let after = planner.result.requeueAfter { result.requeueAfter = min(result.requeueAfter ?? after, after) }
    }

    /// As though it had been made here.
    private mutating func keep(_ imported: ImportReport) {
        status.artifacts = imported.artifacts
        status.parameters = imported.parameters
        status.seed = imported.seed
        status.judgement = imported.judgement
    }

    mutating func keep(_ reading: MetricsReading, of step: String?) {
        var all = reading
        if let step {
            all = MetricsReading(metrics: status.metrics, message: status.metricsMessage)
            all.add(reading, step: step, readsHoldout: job.spec.value?.readsHoldout(step))
        }
        status.metrics = all.metrics
        status.metricsMessage = all.message.map { Text.limited($0, to: 512) }
    }

    /// A creation that was given up may arrive when its attempt is over and the name is free again. What it makes trains for
    /// nobody: it is ended at once, and cleared away. (A Job has no lifetime of ours before its result is kept.)
    private mutating func endLateJobs() {
        for attempt in status.allAttempts where attempt.outcome != .running {
            for child in observed.jobs
            where child.metadata.name == attempt.job && child.metadata.uid != attempt.jobUID
                && child.metadata.controller?.uid == job.metadata.uid && !child.isFinished
                && !child.metadata.isBeingDeleted && child.ttlSecondsAfterFinished != 0
            {
                result.actions.append(
                    .patch(child, ["spec": ["activeDeadlineSeconds": 1, "ttlSecondsAfterFinished": 0]]))
            }
        }
    }

    /// The result stands in status; only now may the Jobs be cleaned away.
    private mutating func keepResult(_ spec: TrainingJobSpec) {
        if let ttl = spec.ttlSecondsAfterFinished {
            let known = status.jobUIDs
            for child in observed.jobs
            where known.contains(child.metadata.uid) && child.metadata.controller?.uid == job.metadata.uid
                && child.ttlSecondsAfterFinished != ttl && !child.metadata.isBeingDeleted
            {
                result.actions.append(.patch(child, ["spec": ["ttlSecondsAfterFinished": JSONValue(ttl)]]))
            }
        }
        if status.phase == .succeeded {
            tellSuccess()
        } else if spec.isWorkflow {
            tellFailedStep()
        } else {
            let attempt = status.attempts.last
            fail(reason: attempt?.reason ?? "Failed", message: attempt?.message ?? "")
        }
    }
}
