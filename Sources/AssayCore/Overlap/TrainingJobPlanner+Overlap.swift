import JSON
import KubernetesModel

/// Whether training has read rows of its holdout: a Job of ours compares them, beside whatever else goes on, and the training
/// has not succeeded before it is known. What keeps it from being known keeps nothing else: the result then says so.
extension TrainingJobPlanner {
    /// Nothing is waited for any more.
    var isCompared: Bool { job.spec.value?.holdout == nil || status.independence != nil }

    var isComparing: Bool { status.comparisons.last?.outcome == .running }

    mutating func compareHoldout(_ spec: TrainingJobSpec) {
        guard let holdout = spec.holdout, let comparison = HoldoutComparison(spec), status.independence == nil,
            !status.steps.contains(where: { $0.phase == .failed }),
            let digest = status.made.first(where: { $0.name == holdout })?.digest
        else { return }
        if let problem = comparison.problem {
            conclude(.unproven(digest, problem))
            return
        }
        guard let request = OverlapRequest(comparison, holdout: holdout, made: status.made) else { return }
        guard request.json.serializedBytes().count <= OverlapRequest.longest else {
            conclude(.unproven(digest, "training has read more artifacts than one comparison has room for"))
            return
        }
        if let last = status.comparisons.last {
            follow(last, request, spec)
        } else {
            beginComparison(1, request, spec)
        }
    }

    private mutating func conclude(_ independence: Independence) {
        status.independence = independence
        let isFine = independence.method != .unproven && independence.overlapping == 0
        result.events.append(
            PlannedEvent(
                isFine ? .normal : .warning,
                reason: independence.method == .unproven ? "IndependenceUnproven" : "HoldoutCompared",
                action: "Compare", note: independence.words))
    }

    // MARK: Its Job

    private mutating func beginComparison(_ number: Int, _ request: OverlapRequest, _ spec: TrainingJobSpec) {
        guard !isChanged, spec.suspend != true, let image = observed.operatorImage, let store = spec.artifactStore
        else {
            return
        }
        let name = TrainingJobPlan.comparisonName(of: job, number: number)
        let isThere = observed.jobs.contains { $0.metadata.name == name }
        // Where there is nothing else to do, so that nothing else waits for it where the server does not take it.
        guard isThere || (result.actions.isEmpty && status.steps == old.steps) else {
            result.requeueAfter = min(result.requeueAfter ?? .seconds(1), .seconds(1))
            return
        }
        guard isThere || mayCompare(spec) else { return }
        // The cache may not know yet that the training is gone, or that the Job was here.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        if !isThere {
            let reader = spec.steps.first { spec.readsHoldout($0.name) == true } ?? spec.steps.first
            let pod = OverlapPod(
                request: request, store: store, like: reader?.template ?? ImportPod.template, image: image)
            result.actions.append(
                .create(.jobs, job.renderedOverlap(name: name, spec: spec, pod), manager: FieldManager.spec))
        }
        status.comparisons = status.comparisons.suffix(9) + [Attempt(number: number, job: name)]
        if isThere { follow(status.comparisons[status.comparisons.count - 1], request, spec) }
    }

    /// A volume that one node mounts is left to whoever has it, and to the steps that can begin.
    private func mayCompare(_ spec: TrainingJobSpec) -> Bool {
        guard case .ofOneNode = observed.claim else { return true }
        return !isLookingUp
            && spec.steps.allSatisfy { step in
                let known = status.steps.first { $0.name == step.name }
                if known?.phase.isDone == true { return true }
                return known?.attempts.last?.outcome != .running && status.inputs(of: step) == nil
            }
    }

    private mutating func follow(_ attempt: Attempt, _ request: OverlapRequest, _ spec: TrainingJobSpec) {
        guard attempt.outcome == .running else {
            beginComparison(attempt.number + 1, request, spec)
            return
        }
        guard let child = observed.jobs.first(where: { $0.metadata.name == attempt.job }) else {
            guard observed.isLive else {
                result.needsLiveObservation = true
                return
            }
            lose("the Job was deleted before it had a result", attempt, request, spec)
            return
        }
        guard child.metadata.controller?.uid == job.metadata.uid else {
            end(.failed, "a Job of the name \(attempt.job) is somebody else's")
            conclude(
                .unproven(request.holdout.digest, "a Job of the name \(attempt.job) is somebody else's; delete it"))
            return
        }
        updateComparison {
            $0.jobUID = child.metadata.uid
            $0.startTime = $0.startTime ?? child.startTime
        }
        guard child.isFinished else { return }
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        take(child, attempt, request, spec)
    }

    private mutating func take(
        _ child: JobObservation, _ attempt: Attempt, _ request: OverlapRequest, _ spec: TrainingJobSpec
    ) {
        let pods = observed.pods.filter { $0.metadata.controller?.uid == child.metadata.uid }
        let ended = pods.flatMap(\.containers).filter { $0.name == ArtifactContainer.overlap }.compactMap(\.terminated)
        if let message = ended.first(where: { $0.exitCode == 0 })?.message {
            end(.succeeded, nil)
            let report = Independence(message: message)
            let isIts = report?.holdout == request.holdout.digest
            conclude(
                report.flatMap { isIts ? $0 : nil }
                    ?? .unproven(request.holdout.digest, "the Job \(attempt.job) did not say what it has found"))
        } else if child.isComplete {
            lose("the pod that succeeded was gone before its result was known", attempt, request, spec)
        } else {
            let said = ended.map(\.message).last { !$0.isEmpty } ?? child.conditions["Failed"]?.message ?? ""
            let why = said.isEmpty ? "the Job \(attempt.job) did not say why" : Text.tail(said)
            end(.failed, why)
            conclude(.unproven(request.holdout.digest, "the holdout could not be compared: \(why)"))
        }
    }

    /// Nothing came of a Job, for no fault of its own: there is another, but not for ever.
    private mutating func lose(
        _ why: String, _ attempt: Attempt, _ request: OverlapRequest, _ spec: TrainingJobSpec
    ) {
        end(.lost, why)
        if attempt.number < TrainingJobPlan.mostAttempts {
            beginComparison(attempt.number + 1, request, spec)
        } else {
            conclude(
                .unproven(request.holdout.digest, "the holdout could not be compared: \(why), \(attempt.number) times"))
        }
    }

    private mutating func end(_ outcome: Attempt.Outcome, _ message: String?) {
        let end = now.truncatedToSeconds
        updateComparison {
            $0.outcome = outcome
            $0.message = message
            $0.completionTime = end
        }
    }

    private mutating func updateComparison(_ change: (inout Attempt) -> Void) {
        guard let last = status.comparisons.indices.last else { return }
        change(&status.comparisons[last])
    }

    /// The server did not take a Job, and would not take it again. Whether it was this one.
    mutating func concludeRefused(_ failure: ActionFailure) -> Bool {
        let name = TrainingJobPlan.comparisonName(of: job, number: (status.comparisons.last?.number ?? 0) + 1)
        guard failure.isRejection, failure.operation.hasSuffix("/\(name)"), status.independence == nil,
            let holdout = job.spec.value?.holdout, let made = status.made.first(where: { $0.name == holdout })
        else { return false }
        conclude(
            .unproven(
                made.digest,
                "the server does not take the Job that compares the holdout: \(Text.tail(failure.message))"))
        return true
    }

    // MARK: What is told

    /// What is told where nothing else goes on.
    mutating func tellComparison(_ situations: [StepSituation], _ spec: TrainingJobSpec) {
        guard !isCompared, !isLookingUp, situations.allSatisfy({ $0 == .waiting || $0 == .succeeded }) else { return }
        guard let last = status.comparisons.last, last.outcome == .running else {
            guard situations.allSatisfy({ $0 == .succeeded }) else { return }
            if spec.suspend == true {
                suspended("held before the holdout is compared; set spec.suspend to false to go on")
            } else if observed.operatorImage == nil {
                progress(
                    .pending, reason: "OperatorImageUnknown",
                    message:
                        "the image that compares the holdout is not known; outside of a pod, start the operator with "
                        + "--image")
                result.requeueAfter = .seconds(5)
            } else {
                progress(
                    .running, reason: Self.comparing,
                    message: "the holdout is yet to be compared with what training has read")
            }
            return
        }
        let child = observed.jobs.first { $0.metadata.name == last.job }
        let pods = observed.pods.filter { $0.metadata.controller?.uid == child?.metadata.uid && child != nil }
        if child?.suspend == true, let queue = spec.queueName {
            progress(.pending, reason: "Queued", message: "the Job \(last.job) waits in the queue \(queue)")
        } else if let trouble = PodTrouble.pending(pods, template: ImportPod.template, path: "spec") {
            progress(.running, reason: trouble.reason, message: "the Job \(last.job): \(trouble.message)")
        } else {
            progress(
                .running, reason: Self.comparing,
                message: "the Job \(last.job) compares the holdout with what training has read")
        }
    }

    static var comparing: String { "ComparingHoldout" }
}
