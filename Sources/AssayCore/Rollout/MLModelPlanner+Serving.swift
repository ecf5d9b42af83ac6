import JSON
import KubernetesModel

/// Keeping up what serves, and clearing away what no longer does.
extension MLModelPlanner {
    /// Runs after the candidate was looked at, so that the Service leads where status says.
    mutating func maintainServing(_ spec: MLModelSpec) {
        guard let revision = servingRevision else { return }
        let run = run(number: revision.run)
        if let child = deployment(revision.deployment) {
            if child.metadata.controller?.uid == model.metadata.uid {
                keepUp(child, revision, run, spec, replicas: replicas(of: child, spec))
            }
        } else if let run, revision.servingHash == spec.serving.revisionHash {
            recreate(revision, run, spec, replicas: replicas(of: nil, spec))
        }
        if isRouted(spec) {
            leadToGateway(revision)
        } else if mayLeadToPods, spec.serving.auth == nil || observed.service != nil {
            // Who asks for callers to be known is led to no pods who was not before.
            lead(to: ServingRendering.service(of: model, revision))
            leadFromGateway()
        }
    }

    /// What serves sleeps for as long as its successor is tried, where there is no place for both.
    func isMakingRoom(_ spec: MLModelSpec) -> Bool {
        spec.serving.surge == 0
            && (isRollingBack || status.revisions.contains { $0.name == status.candidate && $0.state == .rollingOut })
    }

    /// What the scale subresource and the printed table show.
    mutating func tellReplicas() {
        let name = model.metadata.name
        guard let revision = servingRevision else {
            status.replicas = 0
            status.readyReplicas = 0
            status.selector = "\(Label.model)=\(name)"
            return
        }
        let child = deployment(revision.deployment).flatMap {
            $0.metadata.controller?.uid == model.metadata.uid ? $0 : nil
        }
        status.replicas = child?.statusReplicas ?? 0
        status.readyReplicas = child?.readyReplicas ?? 0
        status.selector = ServingRendering.selector(model: name, revision: revision.name)
            .sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        status.url = model.metadata.namespace.map { "http://\(name).\($0).svc" }
    }

    /// Somebody deleted the Deployment that serves.
    mutating func recreate(_ revision: Revision, _ run: Run, _ spec: MLModelSpec, replicas count: Int) {
        var deployment = ServingRendering.deployment(
            of: model, revision, run: run.run ?? run.trainingJob, serving: spec.serving)
        let refusals = PodCheck.problems(
            in: deployment["spec", "template"] ?? .null, at: "spec.serving.template", policy: observed.policy)
        guard refusals.isEmpty, rejectionStands == false else { return }
        // The model may be gone too, and its cache not know yet: then the garbage collector was at work.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        deployment["spec", "replicas"] = JSONValue(count)
        result.actions.append(.create(.deployments, deployment, manager: FieldManager.scaler))
    }

    private var rejectionStands: Bool { conditions.conditions["Stalled"]?.reason == "Rejected" }

    /// - Parameter service: as it ought to be.
    mutating func lead(to service: JSONValue) {
        var wanted = service
        guard let service = observed.service else {
            guard observed.isLive else {
                result.needsLiveObservation = true
                return
            }
            result.actions.append(.create(.services, wanted, manager: FieldManager.spec))
            return
        }
        guard service.metadata.controller?.uid == model.metadata.uid, !service.metadata.isBeingDeleted else { return }
        let selector = wanted["spec", "selector"] ?? [:]
        let foreign = (service.spec["selector"]?.object ?? [:]).keys.filter { selector[$0] == nil }
        let isCovered = Coverage.covers(service.spec, wanted["spec"] ?? [:])
        if isCovered, foreign.isEmpty { return }
        // The Service of a promotion may be known before the status that tells of it: back would be wrong.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        if !isCovered {
            wanted["metadata", "uid"] = .string(service.metadata.uid)
            // It moves what people use: one that comes late, after another move, is refused.
            wanted["metadata", "resourceVersion"] = .string(service.metadata.resourceVersion)
            result.actions.append(.apply(.services, service.metadata.key, wanted, manager: FieldManager.spec))
        }
        if !foreign.isEmpty {
            // A label that somebody has added to the selector would leave the Service without pods.
            let remove = JSONValue.object(JSONObject(foreign.map { ($0, .null) }))
            result.actions.append(
                .mergePatch(
                    .services, service.metadata.key,
                    ["metadata": ["uid": .string(service.metadata.uid)], "spec": ["selector": remove]],
                    subresource: nil, manager: FieldManager.spec))
        }
    }

    /// Whether the revision that serves answers.
    var serving: (isReady: Bool, message: String) {
        guard let revision = servingRevision else { return (false, "nothing serves yet") }
        guard let child = deployment(revision.deployment), child.metadata.controller?.uid == model.metadata.uid else {
            return (false, "the Deployment \(revision.deployment) is gone")
        }
        if let spec = model.spec.value, isMakingRoom(spec) {
            return (
                false, "the revision \(revision.name) sleeps while its successor is tried (spec.serving.surge is 0)"
            )
        }
        if let spec = model.spec.value, isRouted(spec), let gateway = observed.gateway,
            !gateway.pods.contains(where: \.isReady)
        {
            return (false, "no pod of the gateway in \(gateway.namespace) is ready")
        }
        if let spec = model.spec.value, isRouted(spec), observed.service == nil {
            return (false, "the Service \(model.metadata.name) is about to be made")
        }
        if let sleeping = tellSleep(child, revision) { return sleeping }
        if child.replicas == 0 { return (true, "the revision \(revision.name) is scaled to 0") }
        let isAvailable =
            child.conditions["Available"].map { $0.status == .true } ?? (child.availableReplicas >= child.replicas)
        if isAvailable && child.availableReplicas > 0 { return (true, "the revision \(revision.name) serves") }
        let pods = observed.pods.filter { $0.metadata.labels[Label.revision] == revision.name }
        let template = model.spec.value?.serving.template ?? PodTemplate(json: [:])
        let trouble = PodTrouble.pending(pods, template: template, path: "spec.serving.template")
        let count = "\(child.availableReplicas) of \(child.replicas) replicas of \(revision.name) are available"
        return (false, trouble.map { "\(count): \($0.message)" } ?? count)
    }

    /// Deletes what neither serves nor is tried, and forgets what the history has no room for.
    mutating func tidy(_ spec: MLModelSpec) {
        supersedeCandidates()
        tidyDeployments(spec)
        tidyProofs(spec)
        trimHistory(limit: min(max(1, spec.revisionHistoryLimit ?? MLModelSpec.defaultHistoryLimit), Bounds.history))
        let kept = Set(status.runs.filter { $0.phase != .superseded }.flatMap(\.trainingJobs))
        for child in observed.trainingJobs where !kept.contains(child.metadata.name) {
            release(child)
            delete(.trainingJobs, child.metadata)
        }
    }

    private mutating func supersedeCandidates() {
        guard model.spec.value?.suspend != true else { return }
        for index in status.revisions.indices where status.revisions[index].state == .rollingOut {
            if status.revisions[index].name != status.candidate { status.revisions[index].state = .superseded }
        }
    }

    private mutating func tidyDeployments(_ spec: MLModelSpec) {
        let tried = Set(status.revisions.filter { $0.state == .rollingOut || hasJustFailed($0) }.map(\.deployment))
        let failed = Set(status.revisions.filter { $0.state == .failed }.map(\.deployment))
        let known = Set(status.revisions.map(\.deployment))
        let serving = servingRevision
        let warm = warmDeployments
        let kept = lastGood(spec)
        // What the Service leads to serves, even where the status that says so could not be written.
        let led = serving == nil ? observed.service?.spec["selector", Label.revision]?.string : nil
        for child in observed.deployments {
            let name = child.metadata.name
            guard name != serving?.deployment, led == nil || child.metadata.labels[Label.revision] != led,
                !tried.contains(name), !warm.contains(name),
                child.metadata.controller?.uid == model.metadata.uid, !child.metadata.isBeingDeleted
            else { continue }
            if let since = serving?.servingTime, now - since < MLModelPlan.settling, !failed.contains(name) {
                let wait = MLModelPlan.settling - (now - since)
                result.requeueAfter = min(result.requeueAfter ?? wait, wait)
                continue
            }
            if !known.contains(name), let made = child.metadata.creationTimestamp, now - made < MLModelPlan.overlap {
                let wait = MLModelPlan.overlap - (now - made)
                result.requeueAfter = min(result.requeueAfter ?? wait, wait)
                continue
            }
            if let kept, kept.deployment == name {
                rest(child, kept, spec)
            } else {
                delete(.deployments, child.metadata)
            }
        }
    }

    private func hasJustFailed(_ revision: Revision) -> Bool {
        revision.state == .failed && old.revisions.last { $0.name == revision.name }?.state != .failed
    }

    private mutating func trimHistory(limit: Int) {
        let current = model.spec.value.flatMap { runIndex(for: $0.training.hash) }.map { status.runs[$0].number }
        let servingRun = servingRevision?.run
        let kept = model.spec.value.flatMap { lastGood($0) }
        // By it the next one gets its number.
        let newest = status.runs.last?.number
        var excess = status.runs.count - limit
        status.runs.removeAll { run in
            guard excess > 0, run.number != current, run.number != servingRun, run.number != kept?.run,
                run.number != newest, run.phase != .training
            else { return false }
            excess -= 1
            return true
        }
        var excessRevisions = status.revisions.count - limit
        status.revisions.removeAll { revision in
            guard excessRevisions > 0, revision.state == .superseded || revision.state == .failed,
                revision.run != current, revision.name != kept?.name
            else { return false }
            excessRevisions -= 1
            return true
        }
    }
}
