import JSON
import KubernetesModel
import Schedule

/// One planning: it changes a copy of the status and collects actions.
struct MLModelPlanner {
    let observed: MLModelObservation
    let model: MLModel
    let old: MLModelStatus
    let now: Timestamp
    var status: MLModelStatus
    var conditions: ConditionWriter
    var result = Plan()
    /// This plan has gone on with the canary that the status tells of.
    var canaryGoesOn = false
    /// The same of the way back to what served before.
    var rollbackGoesOn = false
    /// What is told is of a run that nobody's spec waits for.
    var isQuiet = false

    init(_ observed: MLModelObservation, status: MLModelStatus, now: Timestamp) {
        self.observed = observed
        model = observed.model
        old = status
        self.status = status
        self.now = now
        conditions = ConditionWriter(status.conditions, generation: observed.model.metadata.generation, now: now)
    }

    var key: ObjectKey { model.metadata.key }

    mutating func plan() -> Plan {
        status.observedGeneration = model.metadata.generation
        status.lastHandledReconcileAt = model.metadata.annotations[Label.requestedAt]
        if model.spec.value?.suspend != true { conditions.remove("Suspended") }
        let problems = model.problems
        if let spec = model.spec.value, let plan = finalizerPlan(spec) { return plan }
        if let spec = model.spec.value, problems.isEmpty {
            if mayUseService() { advance(spec) }
            if !canaryGoesOn { status.rollout = nil }
            if !rollbackGoesOn { status.rollback = nil }
            route(spec)
            maintainServing(spec)
            fallAsleep(spec)
            tellHibernated()
            tidy(spec)
            seal(spec)
            removeForgotten()
        } else {
            withdrawCanary()
            stall(.invalid, reason: "InvalidSpec", message: problems.text)
        }
        tellReplicas()
        if result.needsLiveObservation { return Plan.live }
        return finish()
    }

    private mutating func advance(_ spec: MLModelSpec) {
        if let rejection {
            stall(status.phase ?? .failed, reason: rejection.reason, message: rejection.message)
            return
        }
        if !isRouted(spec), let missing = spec.serving.gatewayNeed {
            stall(
                .invalid, reason: "GatewayMissing",
                message: "\(missing), and the operator knows of none; start it with --gateway-namespace, or remove this"
            )
            return
        }
        if spec.suspend == true {
            suspend(spec)
            return
        }
        if case .failure(let error) = observed.zone, error.isMistakeInName {
            stall(.invalid, reason: "InvalidSpec", message: "spec.training.timeZone: \(error)")
            // Zones may be installed meanwhile.
            look(after: .seconds(300))
            return
        }
        supersedeRuns(except: spec.training.hash)
        noteTriggers(spec)
        if runIndex(for: spec.training.hash) != nil { beginRetraining(spec) }
        let current = runIndex(for: spec.training.hash)
        dropEvaluations(except: current)
        guard let index = current else {
            beginRun(spec)
            return
        }
        if status.runs[index].trigger.isRetraining, servingRevision != nil {
            followAnew(index, spec)
        } else {
            follow(index, spec)
        }
    }

    /// Goes on with a run from where it is.
    mutating func follow(_ index: Int, _ spec: MLModelSpec) {
        switch status.runs[index].phase {
        case .training: followTraining(index, spec)
        case .trained: judge(index, spec)
        case .failed, .superseded: tellTrainingFailed(index)
        }
    }

    /// The server has refused what this very spec leads to: it would again. Of what a TrainingJob was refused that one
    /// keeps count itself, and it may have been asked to try again.
    private var rejection: Condition? {
        guard let stalled = old.conditions["Stalled"], stalled.status == .true, stalled.reason == "Rejected",
            stalled.observedGeneration == model.metadata.generation,
            old.lastHandledReconcileAt == status.lastHandledReconcileAt,
            old.conditions["Trained"]?.reason != stalled.reason
        else { return nil }
        return stalled
    }

    /// A Service of the model's name that is not the model's is left alone, and without it nothing can be served.
    private mutating func mayUseService() -> Bool {
        guard let service = observed.service else { return true }
        return isOurs(service.metadata, kind: "Service")
    }

    mutating func isOurs(_ child: ObjectMeta, kind: String) -> Bool {
        if child.controller?.uid == model.metadata.uid {
            if child.isBeingDeleted {
                progress(
                    status.phase ?? .pending, reason: "WaitingForDeletion",
                    message: "the \(kind) \(child.name) is being deleted")
                result.requeueAfter = .seconds(5)
                return false
            }
            return true
        }
        if child.isBeingDeleted || child.controller?.kind == MLModel.resourceType.kind {
            progress(
                status.phase ?? .pending, reason: "WaitingForDeletion",
                message: "a \(kind) of the name \(child.name) belongs to an older object and is going")
            result.requeueAfter = .seconds(5)
        } else {
            stall(
                .failed, reason: "NameTaken",
                message: "a \(kind) of the name \(child.name) is there that is not this model's, and is left alone; "
                    + "delete it, or give the model another name")
            result.requeueAfter = .seconds(60)
        }
        return false
    }

    /// The newest run of this training that has not been in vain. Whatever the spec was in between, it is not trained again.
    func runIndex(for hash: String) -> Int? {
        status.runs.lastIndex { $0.trainingHash == hash && $0.phase != .superseded && !$0.isLeft }
    }

    func run(number: Int) -> Run? { status.runs.last { $0.number == number } }

    var servingRevision: Revision? { status.revision.flatMap { name in status.revisions.last { $0.name == name } } }

    func deployment(_ name: String) -> DeploymentObservation? {
        observed.deployments.first { $0.metadata.name == name }
    }

    /// Deletes what was read, and only after it was read live: a decision on an old cache could hit what serves.
    mutating func delete(_ type: ResourceType, _ metadata: ObjectMeta) {
        guard metadata.controller?.uid == model.metadata.uid, !metadata.isBeingDeleted else { return }
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        let action = Action.delete(type, metadata.key, uid: metadata.uid, propagation: .background)
        if !result.actions.contains(action) { result.actions.append(action) }
    }
}
