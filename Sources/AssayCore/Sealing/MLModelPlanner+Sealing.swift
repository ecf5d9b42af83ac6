import JSON
import KubernetesModel

/// Keeping what a judged run was, beside its artifacts: so that it is known where no status tells of it. Whatever goes wrong with
/// it is told, and keeps nothing from being served.
extension MLModelPlanner {
    /// Comes after everything else and where there is nothing else to do, so that nothing else waits for it.
    mutating func seal(_ spec: MLModelSpec) {
        guard result.actions.isEmpty, !result.needsLiveObservation, spec.suspend != true else { return }
        // Whatever the spec asks for by now, what is under way is known in the end.
        if let index = status.runs.firstIndex(where: { $0.record?.isUnderWay == true }),
            let record = status.runs[index].record
        {
            follow(record, index, spec)
            return
        }
        let left = status.runs.lastIndex { $0.isLeft && $0.validationHash != nil && $0.record == nil }
        guard let index = left ?? runIndex(for: spec.training.hash) else { return }
        let run = status.runs[index]
        guard let hash = run.validationHash, !run.artifacts.isEmpty, observed.operatorImage != nil,
            run.artifactStore ?? spec.training.spec.artifactStore != nil
        else { return }
        guard let record = run.record, record.validationHash == hash else {
            // It stands in status before anything is made for it, so that the Job is looked for.
            status.runs[index].record = SealedRun(
                job: recordName(of: run, validationHash: hash), validationHash: hash)
            return
        }
        if record.digest == nil, isAskedToReconcile {
            // By another Job: the one that failed is there for a while yet.
            status.runs[index].record = SealedRun(
                job: recordName(of: run, validationHash: hash), validationHash: hash)
        }
    }

    func recordName(of run: Run, validationHash: String) -> String {
        ChildName.make(
            prefix: model.metadata.name, suffix: "record-\(run.number)",
            identity: [
                model.metadata.namespace ?? "", model.metadata.name, model.metadata.uid, run.trainingJob,
                validationHash, status.lastHandledReconcileAt ?? "",
            ])
    }

    var isAskedToReconcile: Bool {
        status.lastHandledReconcileAt != nil && status.lastHandledReconcileAt != old.lastHandledReconcileAt
    }

    mutating func follow(_ record: SealedRun, _ index: Int, _ spec: MLModelSpec) {
        guard let child = observed.jobs.first(where: { $0.metadata.name == record.job }) else {
            create(record, index, spec)
            return
        }
        guard child.metadata.controller?.uid == model.metadata.uid else {
            tellNotSealed("a Job of the name \(record.job) is somebody else's", index)
            return
        }
        guard child.isFinished else { return }
        // The pods' cache may be behind the Jobs'.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        let ended = observed.pods.filter { $0.metadata.controller?.uid == child.metadata.uid }
            .flatMap(\.containers).filter { $0.name == ArtifactContainer.record }.compactMap(\.terminated)
        if let digest = ended.lazy.filter({ $0.exitCode == 0 }).compactMap({ SealedRun.digest(in: $0.message) }).first {
            status.runs[index].record?.digest = digest
            status.runs[index].record?.completionTime = child.completionTime ?? now.truncatedToSeconds
        } else {
            let said = ended.map(\.message).last { !$0.isEmpty } ?? child.conditions["Failed"]?.message ?? ""
            tellNotSealed(
                said.isEmpty ? "the pod of the Job \(record.job) was gone before its result was known" : said, index)
        }
    }

    private mutating func create(_ record: SealedRun, _ index: Int, _ spec: MLModelSpec) {
        let run = status.runs[index]
        guard let image = observed.operatorImage, let store = run.artifactStore ?? spec.training.spec.artifactStore
        else { return }
        // The cache may not know yet that the model is gone, or another of its name.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        let training = observed.trainingJobs.first {
            $0.metadata.name == run.trainingJob && $0.metadata.controller?.uid == model.metadata.uid
        }
        let request = RecordRequest(run, training: training?.status.value)
        guard request.size <= RecordRequest.longest else {
            tellNotSealed(
                "the record has \(request.size) bytes, and may have \(RecordRequest.longest); fewer parameters make it smaller",
                index)
            return
        }
        let writer = spec.training.spec.steps.first { !$0.outputs.isEmpty }?.template
        let pod = RecordPod(
            request: request, store: store, like: writer ?? spec.serving.template, image: image)
        result.actions.append(.create(.jobs, model.renderedRecord(name: record.job, pod), manager: FieldManager.spec))
    }

    /// The server did not take a Job.
    mutating func tellNoJob(_ why: String) {
        if let index = status.removals.firstIndex(where: { $0.job != nil }) {
            tellNotRemoved(why, index)
        } else if let index = status.runs.lastIndex(where: { $0.record?.isUnderWay == true }) {
            tellNotSealed(why, index)
        }
    }

    private mutating func tellNotSealed(_ why: String, _ index: Int) {
        let message = Text.tail(why)
        status.runs[index].record?.message = message
        result.events.append(
            PlannedEvent(
                .warning, reason: "NotSealed", action: "Seal",
                note:
                    "what run \(status.runs[index].number) was is not in the store, and is tried again when a reconcile is "
                    + "asked for: \(message)"))
    }
}

extension ActionFailure {
    /// Of a model's Jobs all concern what is in a store.
    var isOfJob: Bool { operation.hasPrefix("create \(ResourceType.jobs) ") }
}

extension MLModelPlan {
    /// The names of Jobs that the plan asks about.
    public static func jobNames(of model: MLModel) -> [String] {
        guard let status = model.status.value else { return [] }
        return status.runs.compactMap(\.record).filter(\.isUnderWay).map(\.job) + status.removals.compactMap(\.job)
    }
}
