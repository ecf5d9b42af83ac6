import JSON
import KubernetesModel

/// From a run that has passed to the revision that serves.
extension MLModelPlanner {
    /// - Parameter summary: of what the run has passed.
    mutating func rollOut(_ run: Run, _ spec: MLModelSpec, summary: String) {
        let pinning = ImagePinning(
            serving: spec.serving, training: spec.training.spec, trained: run.images)
        let revision = Revision(
            of: run, model: model.metadata, images: pinning.images, spec: spec, fetchImage: observed.operatorImage)
        tellValidated(revision, summary, spec)
        guard hasArtifacts(run, spec) else { return }
        if pinning.problems.isEmpty {
            conditions.set("ImagePinned", .true, reason: "Pinned", message: "every image is pinned to a digest")
        } else {
            conditions.set("ImagePinned", .false, reason: "NotPinned", message: pinning.problems.text)
            guard spec.serving.allowUnpinned == true else {
                status.candidate = nil
                stall(.failed, reason: "ImageNotPinned", message: pinning.problems.text)
                return
            }
        }
        if status.revision == revision.name {
            status.candidate = nil
            watchService(revision, spec)
        } else {
            tryCandidate(revision, run, spec)
        }
    }

    /// What an artifact that was made elsewhere brings is known only when it was read.
    private mutating func hasArtifacts(_ run: Run, _ spec: MLModelSpec) -> Bool {
        let names = run.artifacts.map(\.name)
        guard let index = spec.serving.artifacts.firstIndex(where: { !names.contains($0) }) else { return true }
        let known = names.isEmpty ? "none" : names.joined(separator: ", ")
        status.candidate = nil
        stall(
            .failed, reason: "ArtifactMissing",
            message:
                "spec.serving.artifacts[\(index)]: there is no \(spec.serving.artifacts[index]) in spec.artifact; there is "
                + "\(known). What a sealed revision lists must be in its store too; bring it there by assay artifact copy"
        )
        return false
    }

    private mutating func tryCandidate(_ revision: Revision, _ run: Run, _ spec: MLModelSpec) {
        guard mayFetch(revision, spec) else { return }
        let index = enter(revision, spec)
        if status.revisions[index].state == .failed {
            tellFailed(index, run)
            return
        }
        status.candidate = revision.name
        guard let child = deployment(revision.deployment) else {
            guard hasRoom(spec) else { return }
            create(status.revisions[index], run, spec)
            return
        }
        guard isOurs(child.metadata, kind: "Deployment") else { return }
        let isProven = isProven(status.revisions[index], spec)
        // What one cannot show, more of the same cannot either.
        let replicas = isProven ? provenReplicas(spec) : 1
        let isUp = child.isFullyAvailable && child.replicas == replicas
        if isProven, let rules = canaryRules(spec), isUp || isCanary(status.revisions[index]) {
            followCanary(index, child, isUp: isUp, rules, run, spec)
        } else if isUp {
            if isProven { promote(index) } else { prove(index, run, spec) }
        } else if let failure = failure(of: child, status.revisions[index], spec) {
            giveUp(index, reason: failure.reason, message: failure.message)
        } else {
            keepUp(child, status.revisions[index], run, spec, replicas: replicas)
            let trouble = trouble(status.revisions[index], spec)
            tellRollingOut(
                reason: trouble?.reason ?? "Progressing",
                message: trouble?.message
                    ?? "\(child.availableReplicas) of \(child.replicas) replicas of \(revision.name) are available")
        }
    }

    /// Whether its pods can get what they serve; else what is in the way is told.
    private mutating func mayFetch(_ revision: Revision, _ spec: MLModelSpec) -> Bool {
        guard let content = revision.content else { return true }
        let isUnderWay = status.revisions.contains { $0.name == revision.name && $0.state == .rollingOut }
        if content.image.isEmpty, !isUnderWay {
            tellOperatorImageUnknown()
            return false
        }
        guard observed.claim == .ofOneNode, spec.serving.mostReplicas > 1 else { return true }
        stall(
            .failed, reason: "StoreOfOneNode",
            message: "spec.serving.replicas: more than one needs a PersistentVolumeClaim with ReadWriteMany, and "
                + "\(content.store.claimName ?? "") has not; set 1, or keep the artifacts elsewhere")
        return false
    }

    private mutating func tellFailed(_ index: Int, _ run: Run) {
        status.candidate = nil
        let failed = status.revisions[index]
        if failed.reason == Self.rolledBack {
            tellRolledBack(failed)
        } else if failed.proof?.judgement == .refused {
            tellNotProven(index, run)
        } else {
            tellRolloutFailed(reason: failed.reason ?? "RolloutFailed", message: failed.message ?? "")
        }
    }

    /// Where there is no place for both, what serves sleeps while its successor is tried.
    mutating func hasRoom(_ spec: MLModelSpec) -> Bool {
        guard spec.serving.surge == 0, let serving = servingRevision.flatMap({ deployment($0.deployment) }),
            serving.replicas > 0 || serving.statusReplicas > 0
        else { return true }
        tellRollingOut(
            reason: "MakingRoom", message: "the pods of \(serving.metadata.name) are going (spec.serving.surge is 0)")
        return false
    }

    mutating func tellOperatorImageUnknown() {
        tellRollingOut(
            reason: "OperatorImageUnknown",
            message: "the image that fetches artifacts is not known; outside of a pod, start the operator with --image")
        result.requeueAfter = .seconds(5)
    }

    /// The revision's place in the history.
    private mutating func enter(_ revision: Revision, _ spec: MLModelSpec) -> Int {
        if let index = status.revisions.lastIndex(where: { $0.name == revision.name }) {
            if status.revisions[index].state == .superseded || isAskedToRetry(index)
                || isRefusedByOtherRules(index, spec)
            {
                // Of equal products the newest run is told.
                status.revisions[index] = revision
                status.revisions[index].startTime = now.truncatedToSeconds
            }
            return index
        }
        var new = revision
        new.startTime = now.truncatedToSeconds
        status.revisions.append(new)
        return status.revisions.count - 1
    }

    /// A rollout that failed is not tried again by itself; a change of the spec or a request to reconcile asks for it.
    private func isAskedToRetry(_ index: Int) -> Bool {
        status.revisions[index].state == .failed && status.lastHandledReconcileAt != nil
            && status.lastHandledReconcileAt != old.lastHandledReconcileAt
    }

    private func isRefusedByOtherRules(_ index: Int, _ spec: MLModelSpec) -> Bool {
        let revision = status.revisions[index]
        return revision.state == .failed && revision.proof.map { $0.hash != spec.validation.proofHash } ?? false
    }

    private mutating func create(_ revision: Revision, _ run: Run, _ spec: MLModelSpec) {
        // The cache may not know yet that the model is gone, or another of its name.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        var deployment = ServingRendering.deployment(
            of: model, revision, run: run.run ?? run.trainingJob, serving: spec.serving)
        let refusals = PodCheck.problems(
            in: deployment["spec", "template"] ?? .null, at: "spec.serving.template", policy: observed.policy)
        guard refusals.isEmpty else {
            refusePods(refusals)
            return
        }
        let isProven = isProven(revision, spec)
        guard isProven || fence(revision) else { return }
        deployment["spec", "replicas"] = JSONValue(isProven ? spec.serving.initialReplicas : 1)
        result.actions.append(.create(.deployments, deployment, manager: FieldManager.scaler))
        tellRollingOut(reason: "DeploymentCreated", message: "the Deployment \(revision.deployment) is made")
        result.requeueAfter = .seconds(Int64(spec.serving.progressDeadline)) + MLModelPlan.deadlineGrace
    }

    private mutating func failure(
        of child: DeploymentObservation, _ revision: Revision, _ spec: MLModelSpec
    ) -> (reason: String, message: String)? {
        let trouble = trouble(revision, spec)
        if let condition = child.progressFailure {
            return (condition.reason, trouble?.message ?? condition.message)
        }
        let deadline = Duration.seconds(Int64(spec.serving.progressDeadline)) + MLModelPlan.deadlineGrace
        guard let recorded = revision.startTime, !child.isFullyAvailable else { return nil }
        // Where the server had it wait, the Deployment is younger than the attempt to make it. What was proven gets its other
        // replicas only then.
        let start = max(
            recorded, child.metadata.creationTimestamp ?? recorded, revision.proof?.completionTime ?? recorded)
        guard now - start < deadline else {
            return (
                "ProgressDeadlineExceeded",
                trouble?.message ?? "not available within \(spec.serving.progressDeadline) s"
            )
        }
        result.requeueAfter = deadline - (now - start)
        return nil
    }

    func trouble(_ revision: Revision, _ spec: MLModelSpec) -> PodTrouble? {
        let pods = observed.pods.filter { $0.metadata.labels[Label.revision] == revision.name }
        return PodTrouble.pending(pods, template: spec.serving.template, path: "spec.serving.template")
    }

    /// The candidate goes once the status says so (`tidy`), for else it would be tried again after a crash in between;
    /// what serves was never touched.
    mutating func giveUp(_ index: Int, reason: String, message: String) {
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        status.revisions[index].state = .failed
        status.revisions[index].reason = reason
        status.revisions[index].message = Text.limited(message, to: 512)
        status.candidate = nil
        tellRolloutFailed(reason: reason, message: message)
    }

    /// The Service moves first (`maintainServing`), the serving revision after it, and the pods of the one before go
    /// last (`tidy`).
    mutating func promote(_ index: Int) {
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        guard !isFenced(status.revisions[index]) else {
            // `tidyProofs` takes it away.
            tellProving("the way to \(status.revisions[index].name) is being opened")
            return
        }
        serve(index)
        result.events.append(
            PlannedEvent(
                reason: "Promoted", action: "RollOut",
                note: "the revision \(status.revisions[index].name) serves\(status.verdict.map { ": \($0)" } ?? "")"))
        tellServing()
    }

    /// From now on it is what serves.
    mutating func serve(_ index: Int) {
        for other in status.revisions.indices where status.revisions[other].state == .serving {
            status.revisions[other].state = .superseded
        }
        status.revisions[index].state = .serving
        status.revisions[index].servingTime = now.truncatedToSeconds
        status.revision = status.revisions[index].name
        status.candidate = nil
    }

    /// Mends what somebody else has changed, and follows the wanted replicas.
    mutating func keepUp(
        _ child: DeploymentObservation, _ revision: Revision, _ run: Run?, _ spec: MLModelSpec, replicas: Int
    ) {
        guard !child.metadata.isBeingDeleted else { return }
        // With another spec.serving the old revision can no longer be rendered; it stays as it is until it is replaced.
        if let run, revision.servingHash == spec.serving.revisionHash, revision.rendering == ServingRendering.version {
            var wanted = ServingRendering.deployment(
                of: model, revision, run: run.run ?? run.trainingJob, serving: spec.serving)
            let labels = wanted["metadata", "labels"]?.object ?? [:]
            let hasLabels = labels.allSatisfy { child.metadata.labels[$0.key] == $0.value.string }
            if !hasLabels || !Coverage.covers(child.spec, wanted["spec"] ?? [:]) {
                wanted["metadata", "uid"] = .string(child.metadata.uid)
                result.actions.append(
                    .apply(.deployments, child.metadata.key, wanted, manager: FieldManager.spec))
            }
        }
        if child.replicas != replicas {
            result.actions.append(
                .mergePatch(
                    .deployments, child.metadata.key,
                    ["metadata": ["uid": .string(child.metadata.uid)], "spec": ["replicas": JSONValue(replicas)]],
                    subresource: "scale", manager: FieldManager.scaler))
        }
    }
}
