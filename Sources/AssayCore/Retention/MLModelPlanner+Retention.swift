import JSON
import KubernetesModel

/// Removing from a store what the runs have made that left the history.
///
/// On a claim alone: all that may refer to it stands in the claim's namespace. What else refers to what is in a bucket or
/// a registry only somebody knows who knows all clusters: `assay artifact gc`.
extension MLModelPlanner {
    /// Notes what goes with a TrainingJob that is about to be deleted.
    mutating func release(_ training: TrainingJob) {
        guard !training.metadata.isBeingDeleted, training.metadata.controller?.uid == model.metadata.uid,
            training.spec.value?.isWorkflow == true, let store = TrainingJobPlan.store(of: training),
            let made = training.status.value
        else { return }
        let isClaim = store.claimName != nil
        guard isClaim || model.metadata.isBeingDeleted else { return }
        // Elsewhere another may have made what is reused here, of whom nothing is known.
        let steps = made.steps.filter { $0.phase == .succeeded || (isClaim && $0.phase == .reused) }
        var digests = steps.flatMap(\.outputs).map(\.digest)
        var times = steps.compactMap(\.completionTime)
        let run = (status.runs + old.runs).first { $0.trainingJob == training.metadata.name }
        if let record = run?.record,
            let digest = record.digest, isClaim || record.completionTime != nil
        {
            digests.append(digest)
            times += [record.completionTime].compactMap(\.self)
        }
        let proofs = (status.revisions + old.revisions).filter { $0.run == run?.number }.compactMap(\.proof)
        for proof in proofs where isClaim && proof.report != nil {
            digests += [proof.report].compactMap(\.self)
            times += [proof.completionTime].compactMap(\.self)
        }
        guard let last = times.max() else { return }
        // Times of Jobs are cut to the second.
        status.removals.add(digests, keptBefore: last + .seconds(1), of: store)
    }

    /// Comes after everything else, and where there is nothing else to do.
    mutating func removeForgotten() {
        // What trains may be looking for what is to go; when it has trained it is known what it has found.
        guard result.actions.isEmpty, !result.needsLiveObservation, noneFetches,
            !status.runs.contains(where: { $0.phase == .training }),
            let index = status.removals.firstIndex(where: { $0.job != nil || isDue($0) })
        else { return }
        if let name = status.removals[index].job {
            followRemoval(name, index)
        } else {
            // It stands in status before anything is made for it, so that the Job is looked for.
            status.removals[index].job = removalName(status.removals[index])
        }
    }

    /// Again with the next training; or while the model waits for it, after a pause that doubles.
    private func isDue(_ removal: StoreRemoval) -> Bool {
        guard let tried = removal.triedAt else { return true }
        if isAskedToReconcile { return true }
        if model.metadata.isBeingDeleted { return now - tried >= Self.pause(after: removal.attempts) }
        return status.runs.contains { $0.startTime.map { $0 > tried } ?? false }
    }

    static func pause(after attempts: Int) -> Duration { .seconds(30 << min(attempts, 7)) }

    private func removalName(_ removal: StoreRemoval) -> String {
        ChildName.make(
            prefix: model.metadata.name, suffix: "forget",
            identity: [
                model.metadata.namespace ?? "", model.metadata.name, model.metadata.uid, removal.store.uri,
                String(removal.attempts), String(old.runs.last?.number ?? 0),
            ] + removal.artifacts.map(\.digest))
    }

    /// Pods of revisions before go on for a moment, and one that begins anew fetches its artifacts again.
    private var noneFetches: Bool {
        let current = status.revisions.filter { $0.state == .serving || $0.state == .rollingOut }.map(\.deployment)
        return observed.deployments.allSatisfy {
            $0.metadata.controller?.uid != model.metadata.uid || current.contains($0.metadata.name)
        }
    }

    private mutating func followRemoval(_ name: String, _ index: Int) {
        guard let child = observed.jobs.first(where: { $0.metadata.name == name }) else {
            createRemoval(name, index)
            return
        }
        guard child.metadata.labels[Label.model] == model.metadata.name else {
            tellNotRemoved("a Job of the name \(name) is somebody else's", index)
            return
        }
        guard child.isFinished else { return }
        // The pods' cache may be behind the Jobs'.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        guard !child.isComplete else {
            let removal = status.removals.remove(at: index)
            tellRemoved(removal)
            return
        }
        let said = observed.pods.filter { $0.metadata.controller?.uid == child.metadata.uid }
            .flatMap(\.containers).filter { $0.name == ArtifactContainer.forget }
            .compactMap(\.terminated?.message).last { !$0.isEmpty }
        tellNotRemoved(said ?? child.conditions["Failed"]?.message ?? "its Job failed", index)
    }

    private mutating func createRemoval(_ name: String, _ index: Int) {
        guard let image = observed.operatorImage else { return }
        // Who refers to what is read live alone.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        let removal = status.removals[index]
        let referred = observed.references.union(ownReferences)
        let digests = Set(removal.artifacts.map(\.digest)).subtracting(referred)
        let isGone = removal.store.claimName.map(observed.missingClaims.contains) ?? false
        guard !digests.isEmpty, !isGone else {
            status.removals.remove(at: index)
            return
        }
        let spec = model.spec.value
        let writer = spec?.training.spec.steps.first { !$0.outputs.isEmpty }?.template
        let pod = ForgetPod(
            removal: removal, digests: digests, like: writer ?? spec?.serving.template ?? PodTemplate(json: [:]),
            image: image)
        let job = model.renderedForget(name: name, pod, isOwned: !model.metadata.isBeingDeleted)
        result.actions.append(.create(.jobs, job, manager: FieldManager.spec))
    }

    /// What the model itself needs: all that stands in it but what is to go.
    private var ownReferences: Set<String> {
        var rest = status
        rest.removals = []
        var names = ArtifactReferences.names(in: rest.json)
        if !model.metadata.isBeingDeleted, let spec = model.spec.value {
            names.formUnion(ArtifactReferences.names(in: spec.json))
        }
        return names
    }

    private mutating func tellRemoved(_ removal: StoreRemoval) {
        result.events.append(
            PlannedEvent(
                reason: "ArtifactsRemoved", action: "Forget",
                note:
                    "what runs have made that left the history is removed from \(removal.store.uri), but for what others "
                    + "refer to"))
    }

    mutating func tellNotRemoved(_ why: String, _ index: Int) {
        let message = Text.tail(why)
        status.removals[index].job = nil
        status.removals[index].message = message
        status.removals[index].attempts += 1
        status.removals[index].triedAt = now.truncatedToSeconds
        result.events.append(
            PlannedEvent(
                .warning, reason: "ArtifactsNotRemoved", action: "Forget",
                note: "in \(status.removals[index].store.uri) is what the model needs no more: \(message)"))
    }
}
