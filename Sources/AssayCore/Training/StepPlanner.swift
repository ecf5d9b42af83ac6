import JSON
import KubernetesModel

/// How a step stands, as it is told of the whole training.
enum StepSituation: Sendable, Hashable {
    /// For what other steps make, or for its turn.
    case waiting
    case progressing(TrainingJobStatus.Phase, reason: String, message: String)
    case suspended(String)
    case stalled(reason: String, message: String)
    case failed(reason: String, message: String)
    case succeeded
    /// The spec was changed, and nothing is begun for it.
    case left

    var isProgressing: Bool {
        if case .progressing = self { true } else { false }
    }
}

/// One planning of one step: its Job is created once, followed, and its result kept.
struct StepPlanner {
    let observed: TrainingJobObservation
    let spec: TrainingJobSpec
    let step: TrainingStep
    /// Where its template stands.
    let path: String
    let now: Timestamp
    /// The spec is another than the one that was accepted.
    let isChanged: Bool
    /// What it reads; nil while something of it is not there.
    let inputs: [SealedArtifact]?
    /// It is its turn.
    let mayBegin: Bool

    var status: StepStatus
    var situation = StepSituation.waiting
    /// What it reported, once it has succeeded.
    var metrics: MetricsReading?
    /// What was said by the container that has kept its outputs.
    var sealed: StepRecord?
    /// What was said by the one that has read an artifact that was made elsewhere.
    var imported: ImportReport?
    /// What its containers were told in `ASSAY_RUN`, once it has succeeded.
    var run: String?
    var result = Plan()

    var job: TrainingJob { observed.trainingJob }

    /// As the step's status has it after the planning.
    var phase: StepStatus.Phase {
        switch situation {
        case .waiting, .left: status.attempts.isEmpty ? .waiting : .pending
        case .progressing(.running, "Sealing", _): .sealing
        case .progressing(let phase, _, _): phase == .running ? .running : .pending
        case .suspended: .suspended
        case .stalled: .invalid
        case .failed: .failed
        case .succeeded: status.phase == .reused ? .reused : .succeeded
        }
    }

    mutating func plan() {
        let last = status.attempts.last
        if status.phase.isDone {
            situation = .succeeded
        } else if status.phase == .failed {
            situation = .failed(reason: last?.reason ?? "Failed", message: last?.message ?? "")
        } else if let last, last.outcome == .running {
            follow(last)
        } else if let last, last.outcome == .failed {
            retry(last)
        } else if inputs != nil, mayBegin {
            beginNext(after: last)
        }
    }

    mutating func beginNext(after attempt: Attempt?) {
        let number = (attempt?.number ?? 0) + 1
        begin(TrainingJobPlan.jobName(of: job, step: step.name, attempt: number), number: number)
    }

    private mutating func follow(_ attempt: Attempt) {
        if let child = observed.jobs.first(where: { $0.metadata.name == attempt.job }) {
            guard isOurs(child.metadata) else { return }
            attend(child)
        } else if attempt.jobUID == nil {
            begin(attempt.job, number: attempt.number)
        } else {
            replaceLost(attempt)
        }
    }

    /// The Job went away, and we had not seen how it ended.
    private mutating func replaceLost(_ attempt: Attempt) {
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        lose(
            attempt, reason: "JobDeleted", message: "the Job was deleted before it had a result",
            inAll: "the Job was deleted \(lostAttempts + 1) times before it had a result; make a new TrainingJob",
            note: "the Job \(attempt.job) was deleted before it had a result; training starts again")
    }

    /// Nothing came of an attempt, for no fault of the training: there is another, but not for ever.
    mutating func lose(_ attempt: Attempt, reason: String, message: String, inAll: String, note: String) {
        let end = now.truncatedToSeconds
        updateAttempt {
            $0.outcome = .lost
            $0.reason = reason
            $0.message = message
            $0.completionTime = end
        }
        guard lostAttempts < TrainingJobPlan.mostAttempts else {
            updateAttempt { $0.message = inAll }
            status.completionTime = end
            situation = .failed(reason: reason, message: inAll)
            return
        }
        result.events.append(PlannedEvent(.warning, reason: reason, action: "Retrain", note: note))
        beginNext(after: attempt)
    }

    /// Creates the Job of an attempt, unless it is there or may not be. After a restart the caches may be so old that they
    /// know nothing of a Job that was made, had its result and was cleared away.
    private mutating func begin(_ name: String, number: Int) {
        if let child = observed.jobs.first(where: { $0.metadata.name == name }) {
            guard isOurs(child.metadata) else { return }
            record(name, number: number)
            attend(child)
            return
        }
        if isChanged {
            situation = .left
            return
        }
        if spec.suspend == true {
            situation = .suspended("held before its Job was made; set spec.suspend to false to go on")
            return
        }
        guard let rendered = rendered(name) else { return }
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        guard pastPodsHaveEnded(), canMeet() else { return }
        result.actions.append(.create(.jobs, rendered, manager: FieldManager.spec))
        record(name, number: number)
        situation = .progressing(.pending, reason: TrainingJobPlan.jobCreated, message: "the Job \(name) is made")
    }

    /// The Job as it is to be made; nil, with the reason told, where it may not be.
    private mutating func rendered(_ name: String) -> JSONValue? {
        let rendered: JSONValue
        let checked: JSONValue
        if spec.usesStore {
            guard let image = observed.operatorImage else {
                situation = .progressing(
                    .pending, reason: "OperatorImageUnknown",
                    message: "the image that carries artifacts is not known; outside of a pod, start the operator with "
                        + "--image")
                result.requeueAfter = .seconds(5)
                return nil
            }
            guard hasStore() else { return nil }
            if let artifact = spec.artifact {
                let pod = ImportPod(
                    artifact: artifact, store: spec.artifactStore, policy: observed.policy, image: image)
                // Nothing in it is a user's.
                return job.renderedImport(name: name, spec: spec, pod)
            }
            status.key = inputs.flatMap { status.key(inputs: $0) }
            // What was asked for by a digest is what shall run, wherever the tag leads by then.
            var pinned = step
            pinned.template = step.template.pinned(to: status.images)
            rendered = job.renderedJob(
                name: name, spec: specOfAttempt, step: pinned, inputs: inputs ?? [], key: status.key, image: image,
                push: observed.push)
            // Ours are added to it by what it says of itself.
            checked = step.template.json
        } else {
            rendered = job.renderedJob(name: name, spec: spec, template: step.template, push: observed.push)
            checked = rendered["spec", "template"] ?? .null
        }
        let refusals = PodCheck.problems(in: checked, at: path, policy: observed.policy)
        guard refusals.isEmpty else {
            situation = .stalled(reason: "PodRefused", message: refusals.text)
            // Labels of the namespace and annotations of service accounts are not watched.
            result.requeueAfter = .seconds(60)
            return nil
        }
        return rendered
    }

    /// A store that nobody names, or a claim that is not there, keeps pods from starting, and only they would say so.
    private mutating func hasStore() -> Bool {
        guard observed.isLive else { return true }
        let message: String
        var reason = "StoreMissing"
        let path = spec.artifact == nil ? "spec.artifactStore" : "spec.artifact"
        if spec.artifactStore == nil, let problem = observed.defaultStore.problem(at: path),
            !step.outputs.isEmpty || !step.inputs.isEmpty || spec.artifact != nil
        {
            message = problem
        } else if case .missing(let name) = observed.claim {
            message = "\(path).uri: the namespace has no PersistentVolumeClaim \(name); create it"
        } else if let name = step.checkpointClaim, case .missing = observed.checkpointClaims[name] {
            reason = "ClaimMissing"
            message = "\(field("checkpoint.claim")): the namespace has no PersistentVolumeClaim \(name); create it"
        } else {
            return true
        }
        situation = .progressing(.pending, reason: reason, message: message)
        result.requeueAfter = .seconds(15)
        return false
    }

    private mutating func record(_ name: String, number: Int) {
        guard status.attempts.last?.number != number else { return }
        status.attempts.append(Attempt(number: number, job: name))
    }

    /// Nothing is touched that is not ours. What our predecessor of the same name left is waited for.
    private mutating func isOurs(_ child: ObjectMeta) -> Bool {
        guard child.controller?.uid != job.metadata.uid else { return true }
        if child.isBeingDeleted || child.controller?.kind == TrainingJob.resourceType.kind {
            situation = .progressing(
                .pending, reason: "WaitingForDeletion",
                message: "a Job of the name \(child.name) belongs to an older object and is going")
            result.requeueAfter = .seconds(5)
        } else {
            situation = .stalled(
                reason: "NameTaken",
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
