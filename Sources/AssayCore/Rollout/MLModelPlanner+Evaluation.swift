import JSON
import KubernetesModel

/// Measuring a run apart from its training, and what serves again on the same holdout: each is a TrainingJob whose steps are
/// those of `spec.evaluation`, given what was made before.
extension MLModelPlanner {
    /// Whether the run is measured as the spec asks, or need not be; else what goes on is told.
    mutating func isMeasured(_ index: Int, _ spec: MLModelSpec) -> Bool {
        guard let wanted = spec.evaluation else {
            status.runs[index].evaluation = nil
            status.runs[index].baseline = nil
            return true
        }
        let run = status.runs[index]
        guard let known = run.evaluation, known.hash == wanted.hash, !isToMeasureAgain(known) else {
            beginEvaluation(index, spec, wanted)
            return false
        }
        switch known.phase {
        case .succeeded: return true
        case .failed:
            tellNotMeasured(run, known)
            return false
        case .running:
            let measuring = spec.measuring(
                run.artifacts, by: wanted.steps, makers: spec.training.spec.lineage, store: store(of: run, spec))
            let followed = follow(known, measuring, telling: "run \(run.number) is measured", spec)
            status.runs[index].evaluation = followed
            guard followed.phase == .succeeded else {
                if followed.phase == .failed { tellNotMeasured(run, followed) }
                return false
            }
            return true
        }
    }

    /// Whether the run may be judged as far as what it is compared with goes: measured on the same holdout by the same evaluation,
    /// or known not to be measurable so.
    mutating func isBaselineMeasured(_ index: Int, _ spec: MLModelSpec) -> Bool {
        let run = status.runs[index]
        guard let wanted = spec.evaluation, spec.validation.comparesHoldout,
            let other = run.baselineRun.flatMap({ self.run(number: $0) }), !isMeasuredAlike(other, run)
        else {
            status.runs[index].baseline = nil
            return true
        }
        let hash = SpecHash.text([.string(wanted.hash), JSONValue(run.judgedHoldout ?? ""), JSONValue(other.number)])
        let measuring = measuringAgain(other, on: run, wanted, spec)
        if let problem = obstacle(to: other, measuring, run, spec) {
            status.runs[index].baseline = Evaluation(hash: hash, trainingJob: "", phase: .failed)
            status.runs[index].baseline?.message = problem
            return true
        }
        guard let known = run.baseline, known.hash == hash, !isToMeasureAgain(known) else {
            let name = evaluationName("baseline-\(run.number)", hash)
            status.runs[index].baseline = Evaluation(hash: hash, trainingJob: name)
            tellMeasuring("\(describe(other)) is about to be measured on the holdout of run \(run.number)")
            return false
        }
        guard known.phase == .running else { return true }
        let followed = follow(
            known, measuring, telling: "what serves is measured on the holdout of run \(run.number)", spec)
        status.runs[index].baseline = followed
        return followed.phase != .running
    }

    /// What a comparing rule compares with.
    func baseline(of run: Run, _ spec: MLModelSpec) -> Gate.Baseline? {
        guard let number = run.baselineRun, number > 0 else { return nil }
        // A run that has left the history still was the baseline: without its values nothing passes.
        guard let other = self.run(number: number) else { return Gate.Baseline(revision: "run \(number)", metrics: []) }
        let measured = run.baseline.flatMap { $0.phase == .succeeded ? $0 : nil }
        guard spec.evaluation != nil else {
            return Gate.Baseline(revision: describe(other), metrics: other.metrics, holdout: other.holdout)
        }
        guard let measured else {
            return Gate.Baseline(
                revision: describe(other), metrics: other.judgedMetrics, holdout: other.judgedHoldout,
                problem: run.baseline?.message)
        }
        return Gate.Baseline(
            revision: describe(other), metrics: other.metrics(measuredBy: measured), holdout: measured.holdout)
    }

    private func isMeasuredAlike(_ other: Run, _ run: Run) -> Bool {
        other.number == run.number
            || (other.evaluation?.hash == run.evaluation?.hash && other.evaluation?.phase == .succeeded
                && other.judgedHoldout == run.judgedHoldout)
    }

    /// Why what serves cannot be measured again; nil where it can.
    private func obstacle(
        to other: Run, _ measuring: TrainingJobSpec, _ run: Run, _ spec: MLModelSpec
    ) -> String? {
        guard store(of: other, spec) == store(of: run, spec) else {
            return "it is in another store than run \(run.number), and could not be measured again on the same holdout"
        }
        guard run.judgedHoldout != nil || spec.holdout == nil else {
            return "run \(run.number) has no holdout to measure it on"
        }
        let problems = measuring.problems(at: "spec")
        return problems.isEmpty ? nil : "it could not be measured again: \(problems.text)"
    }

    private func describe(_ run: Run) -> String {
        status.revisions.last { $0.run == run.number }?.name ?? run.trainingJob
    }

    private func store(of run: Run, _ spec: MLModelSpec) -> ArtifactStoreSpec? {
        let revision = status.revisions.last { $0.run == run.number && $0.content != nil }
        return run.artifactStore ?? revision?.content?.store ?? spec.training.spec.artifactStore
            ?? spec.artifact?.store
    }

    // MARK: The TrainingJob that measures

    private mutating func beginEvaluation(_ index: Int, _ spec: MLModelSpec, _ wanted: MLModelSpec.Evaluation) {
        let run = status.runs[index]
        if let missing = missing(run, wanted) {
            status.candidate = nil
            conditions.set("Validated", .unknown, reason: "ArtifactMissing", message: missing)
            conditions.set("RolledOut", .false, reason: "ArtifactMissing", message: "the run could not be measured")
            stall(.failed, reason: "ArtifactMissing", message: missing)
            return
        }
        let refusals = evaluationRefusals(spec)
        guard refusals.isEmpty else {
            refusePods(refusals)
            return
        }
        // It stands in status before anything is made for it.
        status.runs[index].evaluation = Evaluation(
            hash: wanted.hash, trainingJob: evaluationName("evaluation-\(run.number)", wanted.hash))
        status.runs[index].baseline = nil
        tellMeasuring("run \(run.number) is about to be measured")
    }

    /// What an artifact that was made elsewhere brings is known only when it was read.
    private func missing(_ run: Run, _ wanted: MLModelSpec.Evaluation) -> String? {
        let there = Set(run.artifacts.map(\.name) + wanted.steps.flatMap(\.outputs))
        for (place, step) in wanted.steps.enumerated() {
            guard let index = step.inputs.firstIndex(where: { !there.contains($0) }) else { continue }
            return "spec.evaluation.steps[\(place)].inputs[\(index)]: there is no \(step.inputs[index]); there is "
                + run.artifacts.map(\.name).joined(separator: ", ")
        }
        if let holdout = wanted.holdout, !there.contains(holdout) {
            return "spec.evaluation.holdout: there is no \(holdout)"
        }
        return nil
    }

    func evaluationRefusals(_ spec: MLModelSpec) -> [FieldProblem] {
        (spec.evaluation?.steps ?? []).enumerated().flatMap { index, step in
            PodCheck.problems(
                in: step.template.json, at: "spec.evaluation.steps[\(index)].template", policy: observed.policy)
        }
    }

    /// One that has failed is tried again when a reconcile is asked for.
    private func isToMeasureAgain(_ evaluation: Evaluation) -> Bool {
        evaluation.phase == .failed && isAskedToReconcile
    }

    private func evaluationName(_ suffix: String, _ hash: String) -> String {
        ChildName.make(
            prefix: model.metadata.name, suffix: suffix,
            identity: [
                model.metadata.namespace ?? "", model.metadata.name, model.metadata.uid, suffix, hash,
                status.lastHandledReconcileAt ?? "",
            ])
    }

    /// What serves, as the training that measures it: the data is the run's. Steps that make it are not run again, and what they
    /// have made is given.
    private func measuringAgain(
        _ other: Run, on run: Run, _ wanted: MLModelSpec.Evaluation, _ spec: MLModelSpec
    ) -> TrainingJobSpec {
        let data = wanted.dataSteps(of: spec.holdout)
        let names =
            wanted.steps.filter { data.contains($0.name) }.flatMap(\.outputs) + [spec.holdout].compactMap(\.self)
        let shared = run.allArtifacts.filter { names.contains($0.name) }
        let own = other.artifacts.filter { artifact in !shared.contains { $0.name == artifact.name } }
        return spec.measuring(
            own + shared, by: wanted.steps.filter { !data.contains($0.name) }, makers: [], store: store(of: other, spec)
        )
    }

    private mutating func follow(
        _ evaluation: Evaluation, _ measuring: TrainingJobSpec, telling subject: String, _ spec: MLModelSpec
    ) -> Evaluation {
        let name = evaluation.trainingJob
        guard let child = observed.trainingJobs.first(where: { $0.metadata.name == name }) else {
            // The cache may not know yet that the model is gone, or another of its name.
            guard observed.isLive else {
                result.needsLiveObservation = true
                return evaluation
            }
            result.actions.append(
                .create(.trainingJobs, trainingJob(name, measuring, spec), manager: FieldManager.spec))
            tellMeasuring("\(subject): the TrainingJob \(name) is made")
            return evaluation
        }
        guard isOurs(child.metadata, kind: "TrainingJob") else { return evaluation }
        hold(child, spec)
        guard let training = child.status.value else {
            tellMeasuring("the status of the TrainingJob \(name) is unreadable")
            return evaluation
        }
        var result = evaluation
        switch training.phase {
        case .succeeded: result.take(training, holdout: child.spec.value?.holdout)
        case .failed:
            let message = training.conditions["Failed"]?.message ?? training.conditions["Ready"]?.message ?? ""
            result.phase = .failed
            result.message = "the TrainingJob \(name) failed: \(Text.limited(message, to: 512))"
        default: tellUnmeasured(training, name, subject)
        }
        if result.phase != .running { result.completionTime = training.completionTime ?? now.truncatedToSeconds }
        return result
    }

    private mutating func tellUnmeasured(_ training: TrainingJobStatus, _ name: String, _ subject: String) {
        if let stalled = training.conditions["Stalled"], stalled.status == .true {
            let message = "the TrainingJob \(name): \(stalled.message)"
            conditions.set("Validated", .unknown, reason: stalled.reason, message: message)
            stall(.failed, reason: stalled.reason, message: message)
        } else if training.phase == .suspended {
            tellSuspended("the TrainingJob \(name) is held")
        } else {
            tellMeasuring(training.conditions["Ready"].map { "\(subject): \($0.message)" } ?? subject)
        }
    }

    private mutating func tellMeasuring(_ message: String) {
        conditions.set("Validated", .unknown, reason: Self.evaluating, message: message)
        let isOfServing =
            model.spec.value.flatMap { runIndex(for: $0.training.hash) }
            .map { status.runs[$0].number == servingRevision?.run } ?? false
        if !isOfServing {
            conditions.set("RolledOut", .false, reason: Self.evaluating, message: "the run has not passed yet")
        }
        progress(.evaluating, reason: Self.evaluating, message: message)
    }

    private mutating func tellNotMeasured(_ run: Run, _ evaluation: Evaluation) {
        status.candidate = nil
        let message = "run \(run.number) could not be measured: \(evaluation.message ?? "")"
        conditions.set("Validated", .unknown, reason: "EvaluationFailed", message: message)
        conditions.set("RolledOut", .false, reason: "EvaluationFailed", message: "the run has not passed")
        stall(.failed, reason: "EvaluationFailed", message: message)
    }

    static var evaluating: String { "Evaluating" }

    // MARK: What is left

    /// What the spec no longer asks to have measured ends.
    mutating func dropEvaluations(except current: Int?) {
        for index in status.runs.indices where index != current {
            if status.runs[index].evaluation?.phase == .running { status.runs[index].evaluation = nil }
            if status.runs[index].baseline?.phase == .running { status.runs[index].baseline = nil }
        }
    }
}

extension Evaluation {
    fileprivate mutating func take(_ training: TrainingJobStatus, holdout name: String?) {
        phase = .succeeded
        message = nil
        metrics = training.metrics
        metricsMessage = training.metricsMessage
        artifacts = training.steps.flatMap(\.outputs)
        holdout = training.allArtifacts.first { $0.name == name }?.digest
        independence = training.independence
    }
}

extension Run {
    /// The TrainingJobs that have to do with it.
    var trainingJobs: [String] {
        [trainingJob] + [evaluation, baseline].compactMap { $0?.trainingJob }.filter { !$0.isEmpty }
    }

    /// Those of them that are followed.
    var followedJobs: [String] {
        let measuring = [evaluation, baseline].compactMap(\.self).filter { $0.phase == .running }
        return (phase == .training ? [trainingJob] : []) + measuring.map(\.trainingJob)
    }
}

extension MLModelSpec.Validation {
    /// Whether a rule compares the holdout's values with those of what serves.
    var comparesHoldout: Bool {
        runThresholds.contains { ($0.split ?? .holdout) == .holdout && $0.rules.contains(where: \.compares) }
    }
}
