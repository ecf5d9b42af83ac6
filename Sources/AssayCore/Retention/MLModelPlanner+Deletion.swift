import JSON
import KubernetesModel

/// Deleting a model together with its artifacts, where it says so. A finalizer holds it until they are gone.
extension MLModelPlanner {
    /// Puts the finalizer where it belongs: a plan of its own, since the object is another one after it.
    func finalizerPlan(_ spec: MLModelSpec) -> Plan? {
        let isWanted = spec.deletionPolicy == .delete
        guard isWanted != model.metadata.finalizers.contains(Finalizer.artifacts) else { return nil }
        let others = model.metadata.finalizers.filter { $0 != Finalizer.artifacts }
        return plan(finalizers: isWanted ? others + [Finalizer.artifacts] : others)
    }

    private func plan(finalizers: [String]) -> Plan {
        guard observed.isLive else { return .live }
        var plan = Plan()
        let patch: JSONValue = [
            "metadata": [
                "uid": .string(model.metadata.uid), "resourceVersion": .string(model.metadata.resourceVersion),
                "finalizers": JSONValue(finalizers),
            ]
        ]
        plan.actions = [
            .mergePatch(.mlModels, model.metadata.key, patch, subresource: nil, manager: FieldManager.spec)
        ]
        return plan
    }

    mutating func planDeletion() -> Plan {
        guard observed.isLive else { return .live }
        let namespace = observed.policy.namespace?.metadata
        if namespace?.isBeingDeleted == true || old.reason == Self.namespaceTerminating {
            var event = retained(
                "the artifacts of the MLModel \(model.metadata.name) stay where they are: its namespace is going, where "
                    + "no pod begins any more")
            // In it nothing can be written but away.
            event.isAboutNamespace = true
            return letGo([event])
        }
        guard let spec = model.spec.value else { return letGoUnread() }
        guard spec.deletionPolicy == .delete else { return letGo() }
        if let given = status.removals.first(where: { $0.attempts >= Self.mostAttempts }) {
            return letGo([
                retained(
                    "the model goes without its artifacts in \(given.store.uri), which \(Self.mostAttempts) times could not "
                        + "be removed: \(given.message ?? ""); `assay artifact gc` removes what nobody refers to")
            ])
        }
        status.observedGeneration = model.metadata.generation
        progress(status.phase ?? .pending, reason: "Deleting", message: "what it has made is removed before it goes")
        if status.runs.isEmpty {
            stopChildren()
            if nothingRuns { removeForgotten() }
            if status.removals.isEmpty, result.actions.isEmpty, nothingRuns { return letGo(result.events) }
            tellWhatIsWaitedFor()
        } else if !waitsForRecords() {
            releaseAll()
        }
        tellReplicas()
        return finish()
    }

    /// A record that is being written makes what it tells of as young as itself: when it is done is waited for.
    private mutating func waitsForRecords() -> Bool {
        guard let spec = model.spec.value else { return false }
        for index in status.runs.indices {
            guard let record = status.runs[index].record, record.isUnderWay,
                observed.jobs.contains(where: { $0.metadata.name == record.job })
            else { continue }
            follow(record, index, spec)
            if status.runs[index].record?.isUnderWay == true { return true }
        }
        return false
    }

    /// All of it stands in status before the TrainingJobs go that tell of it.
    private mutating func releaseAll() {
        for training in observed.trainingJobs { release(training) }
        status.runs = []
        status.revisions = []
        status.revision = nil
        status.candidate = nil
    }

    /// Owners' deletion would end them only when the model has gone.
    private mutating func stopChildren() {
        for child in observed.trainingJobs { delete(.trainingJobs, child.metadata) }
        for child in observed.deployments { delete(.deployments, child.metadata) }
    }

    private var nothingRuns: Bool {
        let uid = model.metadata.uid
        let removals = Set(status.removals.compactMap(\.job))
        let jobs = Set(observed.jobs.filter { removals.contains($0.metadata.name) }.map(\.metadata.uid))
        return !observed.trainingJobs.contains { $0.metadata.controller?.uid == uid }
            && !observed.deployments.contains { $0.metadata.controller?.uid == uid }
            && !observed.pods.contains { pod in
                !pod.hasEnded && !(pod.metadata.controller.map { jobs.contains($0.uid) } ?? false)
            }
    }

    private mutating func tellWhatIsWaitedFor() {
        guard let failed = status.removals.first(where: { $0.job == nil && $0.message != nil }) else {
            // Pods of its trainings are not watched under its name.
            if !nothingRuns { result.requeueAfter = .seconds(5) }
            return
        }
        let pause = Self.pause(after: failed.attempts)
        result.requeueAfter = pause
        progress(
            status.phase ?? .pending, reason: "ArtifactsNotRemoved",
            message:
                "\(failed.store.uri): \(failed.message ?? ""); it is tried again, and deletionPolicy: Retain lets the "
                + "model go without it")
    }

    /// Whoever deletes a model is not held up for ever by a store that is gone.
    private static let mostAttempts = 3

    static let namespaceTerminating = "NamespaceTerminating"

    private func retained(_ note: String) -> PlannedEvent {
        PlannedEvent(.warning, reason: "ArtifactsRetained", action: "Forget", note: note)
    }

    /// Where spec or status is not as it was written, nobody knows what there is to remove, and it holds nobody up.
    func letGoUnread() -> Plan {
        letGo([
            retained(
                "the model goes without its artifacts, for its spec or status cannot be read; `assay artifact gc` removes "
                    + "what nobody refers to")
        ])
    }

    private func letGo(_ events: [PlannedEvent] = []) -> Plan {
        var plan = plan(finalizers: model.metadata.finalizers.filter { $0 != Finalizer.artifacts })
        if !plan.needsLiveObservation { plan.events = events }
        return plan
    }
}
