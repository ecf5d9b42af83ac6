import JSON
import KubernetesModel

/// Following a Job that is there, and keeping its result.
extension StepPlanner {
    mutating func attend(_ child: JobObservation) {
        updateAttempt {
            $0.jobUID = child.metadata.uid
            $0.startTime = $0.startTime ?? child.startTime
        }
        status.startTime = status.startTime ?? child.startTime
        let pods = observed.pods.filter { $0.metadata.controller?.uid == child.metadata.uid }
        if child.isFinished {
            // The pods' cache may be behind the Jobs'.
            guard observed.isLive else {
                result.needsLiveObservation = true
                return
            }
            if child.isComplete { succeed(child, pods) } else { fail(child, pods) }
            return
        }
        if let queue = spec.queueName {
            attend(child, pods, in: queue)
            return
        }
        let wanted = spec.suspend ?? false
        if child.suspend != wanted {
            result.actions.append(.patch(child, ["spec": ["suspend": .bool(wanted)]]))
        }
        if wanted {
            situation = .suspended("the Job \(child.metadata.name) is held; set spec.suspend to false to go on")
        } else {
            tellProgress(child, pods)
        }
    }

    /// Whether the Job is held is the queue's to say, and so are node selectors and tolerations: nothing of it is changed.
    private mutating func attend(_ child: JobObservation, _ pods: [PodObservation], in queue: String) {
        guard child.suspend else {
            tellProgress(child, pods)
            return
        }
        situation = .progressing(
            .pending, reason: "Queued", message: "the Job \(child.metadata.name) waits in the queue \(queue)")
    }

    private mutating func tellProgress(_ child: JobObservation, _ pods: [PodObservation]) {
        var trouble = PodTrouble.pending(pods, template: step.template, path: path)
        if trouble == nil, pods.allSatisfy({ $0.phase == "Failed" }) {
            trouble = PodTrouble.refusedCreation(observed.events, uid: child.metadata.uid)
            // Nothing is watched that would tell of a refusal, or of its end.
            if pods.isEmpty { result.requeueAfter = trouble == nil ? .seconds(5) : .seconds(30) }
            // Between two tries: why the last one failed.
            trouble = trouble ?? lastFailure(pods)
        }
        // Of several nodes the first alone seals; the others' containers for it end at once.
        let isSealing = pods.contains {
            ($0.index ?? 0) == 0 && $0.containers.contains { $0.name == ArtifactContainer.seal && $0.isRunning }
        }
        let running = pods.count(where: isRunning)
        let isRunning = isSealing || running > 0
        guard let trouble else {
            updateAttempt {
                $0.reason = nil
                $0.message = nil
            }
            let name = child.metadata.name
            if isSealing {
                situation = .progressing(
                    .running, reason: "Sealing", message: "the Job \(name) stores what it has made")
            } else {
                situation = .progressing(
                    isRunning ? .running : .pending, reason: isRunning ? "Training" : "Starting",
                    message: isRunning ? "the Job \(name) runs\(onNodes(running))" : "the Job \(name) starts")
            }
            return
        }
        // A kubelet tells ErrImagePull and ImagePullBackOff in turns, and the former says why.
        let last = status.attempts.last
        if trouble.reason == "ImagePullBackOff", last?.reason == "ErrImagePull", let told = last?.message {
            situation = .progressing(.pending, reason: "ErrImagePull", message: told)
            return
        }
        updateAttempt {
            $0.reason = trouble.reason
            $0.message = trouble.message
        }
        situation = .progressing(
            isRunning ? .running : .pending, reason: trouble.reason, message: trouble.message)
    }

    /// A pod is Pending until its init containers have ended, and of a step with outputs the user's container is one.
    private func isRunning(_ pod: PodObservation) -> Bool {
        pod.phase == "Running"
            || pod.initContainers.contains { $0.name == step.template.mainContainer && $0.isRunning }
    }

    private mutating func succeed(_ child: JobObservation, _ pods: [PodObservation]) {
        let end = child.completionTime ?? child.conditions["Complete"]?.lastTransitionTime ?? now.truncatedToSeconds
        let counted =
            pods.filter { $0.phase == "Succeeded" && (step.nodes == nil || $0.index == 0) }
            .max { ($0.finishedAt ?? end, $0.metadata.uid) < ($1.finishedAt ?? end, $1.metadata.uid) }
        guard keepOutputs(of: counted), keepImport(of: counted) else { return }
        status.completionTime = end
        run = imported?.run ?? child.metadata.name
        updateAttempt {
            $0.outcome = .succeeded
            $0.reason = nil
            $0.message = nil
            $0.pod = counted?.metadata.name
            $0.podUID = counted?.metadata.uid
            $0.completionTime = end
        }
        if let counted {
            metrics = imported?.reading ?? sealed?.reading ?? readMetrics(of: counted)
            status.images = imported?.images ?? images(of: counted)
            status.key = inputs.flatMap { status.key(inputs: $0) }
        } else {
            metrics = MetricsReading(failure: "the pod that succeeded was gone before its metrics could be read")
        }
        situation = .succeeded
    }

    /// Takes the digests from the one pod that the Job has counted. False where they are not to be had, which leaves the
    /// training without a result.
    private mutating func keepOutputs(of pod: PodObservation?) -> Bool {
        guard !step.outputs.isEmpty, let attempt = status.attempts.last else { return true }
        guard let pod else {
            lose(
                attempt, reason: "ResultLost", message: "the pod that succeeded was gone before its outputs were known",
                inAll:
                    "the pod that succeeded was gone \(lostAttempts + 1) times before its outputs were known; keep pods "
                    + "of finished Jobs for some seconds, and make a new TrainingJob",
                note: "the pod of the Job \(attempt.job) was gone before its outputs were known; it runs again")
            return false
        }
        let message = pod.containers.first { $0.name == ArtifactContainer.seal }?.terminated?.message ?? ""
        guard let record = StepRecord(text: message, of: step.outputs) else {
            fail(pod, reason: "SealUnreadable", "did not say what it has stored: \(Text.tail(message))")
            return false
        }
        status.outputs = record.outputs
        sealed = record
        return true
    }

    /// The same of an artifact that was made elsewhere.
    private mutating func keepImport(of pod: PodObservation?) -> Bool {
        guard spec.artifact != nil, let attempt = status.attempts.last else { return true }
        guard let pod else {
            let message = "the pod that succeeded was gone before it was known what it has read"
            lose(
                attempt, reason: "ResultLost", message: message, inAll: "\(message), \(lostAttempts + 1) times",
                note: "\(message); it runs again")
            return false
        }
        let message = pod.containers.first { $0.name == ArtifactContainer.importing }?.terminated?.message ?? ""
        guard let report = ImportReport(message: message) else {
            fail(pod, reason: "ImportUnreadable", "did not say what it has read: \(Text.tail(message))")
            return false
        }
        imported = report
        return true
    }

    /// What cannot be read was not written by a program of ours, or not by this version of it.
    private mutating func fail(_ pod: PodObservation, reason: String, _ what: String) {
        let end = now.truncatedToSeconds
        let why = "the pod \(pod.metadata.name) \(what)"
        updateAttempt {
            $0.outcome = .failed
            $0.reason = reason
            $0.message = why
            $0.pod = pod.metadata.name
            $0.completionTime = end
        }
        status.completionTime = end
        situation = .failed(reason: reason, message: why)
    }

    private func readMetrics(of pod: PodObservation) -> MetricsReading {
        let name = step.template.mainContainer
        let containers = pod.containers + pod.initContainers
        guard let termination = containers.first(where: { $0.name == name })?.terminated, termination.exitCode == 0
        else { return MetricsReading(failure: "the container \(name ?? "") did not end with exit code 0") }
        // Of a workflow's steps only some measure anything.
        if spec.isWorkflow, termination.message.isEmpty { return MetricsReading() }
        return MetricsReading(terminationMessage: termination.message)
    }

    private func images(of pod: PodObservation) -> [ContainerImage] {
        let reported = Dictionary(
            (pod.initContainers + pod.containers).map { ($0.name, $0.imageID) }, uniquingKeysWith: { first, _ in first }
        )
        return (step.template.containers + step.template.initContainers).compactMap { container in
            guard let name = container["name"]?.string, let image = container["image"]?.string else { return nil }
            return ContainerImage(container: name, image: image, imageID: reported[name] ?? "")
        }
    }

    private mutating func fail(_ child: JobObservation, _ pods: [PodObservation]) {
        let failed = child.conditions["Failed"]
        let end = failed?.lastTransitionTime ?? now.truncatedToSeconds
        let ofJob = failed?.reason.isEmpty == false ? failed?.reason ?? "Failed" : "Failed"
        // The Job may have deleted its pods: then what was last seen of them tells.
        let last = status.attempts.last
        let recorded = last?.reason.map {
            PodTrouble(reason: $0, message: last?.message ?? "", pod: last?.pod)
        }
        let trouble = lastFailure(pods) ?? recorded
        var reason = trouble?.reason ?? ofJob
        var message = trouble?.message ?? failed?.message ?? ""
        switch ofJob {
        case "DeadlineExceeded":
            reason = ofJob
            message =
                "spec.activeDeadlineSeconds: the Job ran longer than \(spec.activeDeadlineSeconds.map(String.init) ?? "") s"
                + (trouble.map { "; last seen: \($0.message)" } ?? "")
        case "BackoffLimitExceeded" where child.failed > 1:
            message += " (\(child.failed) pods failed)"
        case "PodFailurePolicy":
            message += " (\(Text.tail(failed?.message ?? "")))"
        default: break
        }
        updateAttempt {
            $0.outcome = .failed
            $0.reason = reason
            $0.message = Text.limited(message, to: 1024)
            $0.pod = trouble?.pod
            $0.completionTime = end
        }
        if ofJob == "BackoffLimitExceeded", let attempt = status.attempts.last, mayRetry(attempt) {
            retry(attempt)
            return
        }
        status.completionTime = end
        situation = .failed(reason: reason, message: message)
    }

    private func lastFailure(_ pods: [PodObservation]) -> PodTrouble? {
        var ended = pods.filter { $0.phase == "Failed" }
            .sorted { ($0.finishedAt ?? now, $0.metadata.name) > ($1.finishedAt ?? now, $1.metadata.name) }
        // Of several nodes the others fail because the first one did.
        if step.nodes != nil { ended.reverse() }
        for pod in ended {
            guard var trouble = PodTrouble.failure(pod, template: step.template, path: path) else { continue }
            if step.nodes != nil, let index = pod.index { trouble.message = "rank \(index): \(trouble.message)" }
            return trouble
        }
        return nil
    }
}

extension Action {
    /// A change of a Job of ours.
    static func patch(_ child: JobObservation, _ change: JSONValue) -> Action {
        var patch = change
        patch["metadata", "uid"] = .string(child.metadata.uid)
        return .mergePatch(.jobs, child.metadata.key, patch, subresource: nil, manager: FieldManager.spec)
    }
}
