import JSON
import KubernetesModel

/// Runs: one for each training that the spec has asked for.
extension MLModelPlanner {
    /// The run stands in status before anything is made for it, so that its number and trigger are recorded once.
    mutating func beginRun(_ spec: MLModelSpec) {
        // A Service of the name that is somebody else's is in no cache, and better found before the training.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        guard mayRun(spec) else { return }
        let trigger: Run.Trigger =
            status.runs.isEmpty ? .created : spec.artifact == nil ? .trainingChanged : .artifactChanged
        forgetFailures()
        appendRun(trigger, spec)
    }

    /// - Parameter dataVersion: of the data outside from now on; nil where nobody says that it has changed.
    mutating func appendRun(
        _ trigger: Run.Trigger, _ spec: MLModelSpec, message: String? = nil, dataVersion: String? = nil
    ) {
        let number = (status.runs.map(\.number).max() ?? 0) + 1
        let name = ChildName.run(
            namespace: model.metadata.namespace ?? "", name: model.metadata.name, uid: model.metadata.uid,
            number: number, trainingHash: spec.training.hash)
        var run = Run(number: number, trigger: trigger, trainingHash: spec.training.hash, trainingJob: name)
        run.triggerMessage = message
        // Nobody goes back to data of before.
        run.dataVersion = dataVersion ?? status.runs.last?.dataVersion
        run.startTime = now.truncatedToSeconds
        status.runs.append(run)
        status.candidate = name
        tellTraining(reason: "RunStarted", message: "run \(number) begins")
    }

    /// Checks both pods before any time is spent on training.
    private mutating func mayRun(_ spec: MLModelSpec) -> Bool {
        let refusals = runRefusals(spec)
        guard !refusals.isEmpty else { return true }
        refusePods(refusals)
        return false
    }

    func runRefusals(_ spec: MLModelSpec) -> [FieldProblem] {
        let training = spec.training.spec
        return
            training.templates.enumerated().flatMap { index, template in
                PodCheck.problems(
                    in: template.json, at: training.templatePath(of: index, at: "spec.training.template.spec"),
                    policy: observed.policy)
            }
            + PodCheck.problems(
                in: spec.serving.template.json, at: "spec.serving.template", policy: observed.policy)
            + evaluationRefusals(spec)
            + spec.validation.tests.enumerated().flatMap { index, test in
                PodCheck.problems(
                    in: test.template.json, at: "spec.validation.tests[\(index)].template", policy: observed.policy)
            }
    }

    mutating func refusePods(_ refusals: [FieldProblem]) {
        stall(.invalid, reason: "PodRefused", message: refusals.text)
        // Labels of the namespace and annotations of service accounts are not watched.
        result.requeueAfter = .seconds(60)
    }

    /// A training that the spec no longer asks for ends, before it has a result.
    mutating func supersedeRuns(except hash: String) {
        for index in status.runs.indices where status.runs[index].phase == .training {
            guard status.runs[index].trainingHash != hash else { continue }
            status.runs[index].phase = .superseded
            status.runs[index].message = "spec.training changed before it had a result"
            status.runs[index].completionTime = now.truncatedToSeconds
        }
    }

    mutating func followTraining(_ index: Int, _ spec: MLModelSpec) {
        let run = status.runs[index]
        status.candidate = run.trainingJob
        guard let child = observed.trainingJobs.first(where: { $0.metadata.name == run.trainingJob }) else {
            // The cache may not know yet that the model is gone, or another of its name.
            guard observed.isLive else {
                result.needsLiveObservation = true
                return
            }
            guard mayRun(spec) else { return }
            result.actions.append(
                .create(
                    .trainingJobs, trainingJob(run, spec), manager: FieldManager.spec))
            tellTraining(reason: "Training", message: "the TrainingJob \(run.trainingJob) is made")
            return
        }
        guard isOurs(child.metadata, kind: "TrainingJob") else { return }
        hold(child, spec)
        guard let training = child.status.value else {
            tellTraining(reason: "Training", message: "the status of the TrainingJob \(run.trainingJob) is unreadable")
            return
        }
        switch training.phase {
        case .succeeded:
            record(training, in: index, holdout: child.spec.value?.holdout)
            takeJudgement(training, in: index, spec)
            judge(index, spec)
        case .failed:
            status.runs[index].reason = training.reason
            let message = training.conditions["Failed"]?.message ?? training.conditions["Ready"]?.message ?? ""
            status.runs[index].message = inModel(message)
            status.runs[index].phase = .failed
            status.runs[index].completionTime = training.completionTime ?? now.truncatedToSeconds
            tellTrainingFailed(index)
        default: tellUnfinished(training, run)
        }
    }

    private mutating func tellUnfinished(_ training: TrainingJobStatus, _ run: Run) {
        if let stalled = training.conditions["Stalled"], stalled.status == .true {
            conditions.set("Trained", .false, reason: stalled.reason, message: inModel(stalled.message))
            stall(.failed, reason: stalled.reason, message: inModel(stalled.message))
        } else if training.phase == .suspended {
            tellSuspended("the TrainingJob \(run.trainingJob) is held by spec.training.template.spec.suspend")
        } else {
            let ready = training.conditions["Ready"]
            tellTraining(
                reason: ready?.reason ?? "Training",
                message: ready.map { inModel($0.message) } ?? "the TrainingJob \(run.trainingJob) is not begun")
        }
    }

    /// A message of the TrainingJob names fields of its own spec, which users have written inside the model's.
    private func inModel(_ message: String) -> String {
        // An artifact stands in both under the same name.
        message.hasPrefix("spec.") && model.spec.value?.artifact == nil
            ? "spec.training.template." + message : message
    }

    private func trainingJob(_ run: Run, _ spec: MLModelSpec) -> JSONValue {
        var training = spec.training.spec
        // Who writes one into the spec means that one; what was made elsewhere has none.
        if training.artifact == nil { training.dataVersion = training.dataVersion ?? run.dataVersion }
        return trainingJob(run.trainingJob, training, spec)
    }

    func trainingJob(_ name: String, _ training: TrainingJobSpec, _ spec: MLModelSpec) -> JSONValue {
        var child = training
        child.suspend = spec.training.spec.suspend == true || spec.suspend == true ? true : nil
        let labels = [Label.managedBy: Label.manager, Label.model: model.metadata.name]
        var result: JSONValue = [
            "apiVersion": .string(TrainingJob.resourceType.apiVersion),
            "kind": .string(TrainingJob.resourceType.kind),
            "metadata": [
                "name": .string(name), "labels": JSONValue(labels),
                "ownerReferences": [OwnerReference(controller: model.metadata, of: MLModel.resourceType).json],
            ],
            "spec": child.json,
        ]
        result["metadata", "namespace"] = JSONValue(model.metadata.namespace)
        return result
    }

    /// Carries over what may change in a TrainingJob that is there.
    mutating func hold(_ child: TrainingJob, _ spec: MLModelSpec) {
        guard let there = child.spec.value else { return }
        let suspend = spec.suspend == true || spec.training.spec.suspend == true
        let ttl = spec.training.spec.ttlSecondsAfterFinished
        var change: JSONValue = [:]
        if (there.suspend ?? false) != suspend { change["suspend"] = .bool(suspend) }
        if there.ttlSecondsAfterFinished != ttl {
            change["ttlSecondsAfterFinished"] = ttl.map { JSONValue($0) } ?? .null
        }
        guard change != [:] else { return }
        result.actions.append(
            .mergePatch(
                .trainingJobs, child.metadata.key, ["metadata": ["uid": .string(child.metadata.uid)], "spec": change],
                subresource: nil, manager: FieldManager.spec))
    }

    private mutating func record(_ training: TrainingJobStatus, in index: Int, holdout: String?) {
        status.runs[index].holdout = training.allArtifacts.first { $0.name == holdout }?.digest
        status.runs[index].independence = training.independence
        status.runs[index].phase = .trained
        status.runs[index].run = training.run
        status.runs[index].metrics = training.metrics
        status.runs[index].metricsMessage = training.metricsMessage
        status.runs[index].images = training.allImages
        status.runs[index].artifacts = training.allArtifacts
        status.runs[index].artifactStore = training.artifactStore
        status.runs[index].parameters = training.parameters
        status.runs[index].seed = training.seed
        status.runs[index].completionTime = training.completionTime ?? now.truncatedToSeconds
    }

    /// What was judged by the same rules before is not judged again, where there is nothing to compare with: a rule against what
    /// serves could say nothing of it, and has said what it had to.
    private mutating func takeJudgement(_ training: TrainingJobStatus, in index: Int, _ spec: MLModelSpec) {
        guard let sealed = training.judgement, servingRevision == nil, sealed.validationHash == spec.judgementHash
        else { return }
        let run = status.runs[index]
        status.runs[index].baselineRun = 0
        status.runs[index].verdicts = sealed.verdicts
        status.runs[index].judgement = sealed.judgement
        // What was judged before there was such a rule has said nothing of it.
        if !sealed.verdicts.contains(where: { $0.rule == Gate.overlapRule }), !sealed.verdicts.isEmpty,
            let verdict = Gate.overlap(run.independence, holdout: run.holdout, by: spec.validation)
        {
            status.runs[index].verdicts.append(verdict)
            if !verdict.passed { status.runs[index].judgement = .refused }
        }
        status.runs[index].validationHash = sealed.validationHash
        status.runs[index].record = SealedRun(
            job: recordName(of: run, validationHash: sealed.validationHash), validationHash: sealed.validationHash,
            digest: sealed.digest)
    }

    /// Judges a run, again where the rules have changed. Values and baseline are those of the first time.
    mutating func judge(_ index: Int, _ spec: MLModelSpec) {
        let run = status.runs[index]
        conditions.set("Trained", .true, reason: "Succeeded", message: "run \(run.number) has trained")
        if !isJudged(run, spec) {
            status.runs[index].validationHash = nil
            guard isMeasured(index, spec) else { return }
            status.runs[index].baselineRun = run.baselineRun ?? servingRevision?.run ?? 0
            guard isBaselineMeasured(index, spec) else { return }
            let run = status.runs[index]
            let outcome = Gate.judge(
                run.judgedMetrics, by: spec.validation, holdout: run.judgedHoldout,
                independence: run.judgedIndependence, baseline: baseline(of: run, spec))
            status.runs[index].verdicts = outcome.verdicts
            status.runs[index].judgement = outcome.passed ? .passed : .refused
            status.runs[index].validationHash = spec.judgementHash
        }
        let judged = status.runs[index]
        let outcome = Gate.Outcome(verdicts: judged.verdicts, passed: judged.judgement == .passed)
        status.verdict = outcome.summary
        if outcome.passed {
            rollOut(judged, spec, summary: outcome.summary)
        } else {
            tellRefused(judged, outcome)
        }
    }

    /// By these very rules. Where what serves could not be measured again, it is tried once more when a reconcile is asked for.
    func isJudged(_ run: Run, _ spec: MLModelSpec) -> Bool {
        run.judgement != nil && run.validationHash == spec.judgementHash
            && !(run.judgement == .refused && run.baseline?.phase == .failed && isAskedToReconcile)
    }
}
