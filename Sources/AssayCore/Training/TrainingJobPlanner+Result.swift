import JSON
import KubernetesModel

/// Following a Job that is there, and keeping its result.
extension TrainingJobPlanner {
    mutating func attend(_ child: JobObservation, _ spec: TrainingJobSpec) {
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
            if child.isComplete { succeed(child, pods, spec) } else { fail(child, pods, spec) }
            return
        }
        let wanted = spec.suspend ?? false
        if child.suspend != wanted {
            patch(child, ["spec": ["suspend": .bool(wanted)]])
        }
        if wanted {
            suspended("the Job \(child.metadata.name) is held; set spec.suspend to false to go on")
        } else {
            tellProgress(child, pods, spec)
        }
    }

    mutating func patch(_ child: JobObservation, _ change: JSONValue) {
        var patch = change
        patch["metadata", "uid"] = .string(child.metadata.uid)
        result.actions.append(
            .mergePatch(.jobs, child.metadata.key, patch, subresource: nil, manager: FieldManager.spec))
    }

    private mutating func tellProgress(_ child: JobObservation, _ pods: [PodObservation], _ spec: TrainingJobSpec) {
        var trouble = PodTrouble.pending(pods, template: spec.template, path: "spec.template")
        if trouble == nil, pods.allSatisfy({ $0.phase == "Failed" }) {
            trouble = PodTrouble.refusedCreation(observed.events, uid: child.metadata.uid)
            // Nothing is watched that would tell of a refusal, or of its end.
            if pods.isEmpty { result.requeueAfter = trouble == nil ? .seconds(5) : .seconds(30) }
            // Between two tries: why the last one failed.
            trouble = trouble ?? lastFailure(pods, spec)
        }
        let isRunning = pods.contains { $0.phase == "Running" }
        guard let trouble else {
            updateAttempt {
                $0.reason = nil
                $0.message = nil
            }
            let message = isRunning ? "the Job \(child.metadata.name) runs" : "the Job \(child.metadata.name) starts"
            progress(isRunning ? .running : .pending, reason: isRunning ? "Training" : "Starting", message: message)
            return
        }
        // A kubelet tells ErrImagePull and ImagePullBackOff in turns, and the former says why.
        let last = status.attempts.last
        if trouble.reason == "ImagePullBackOff", last?.reason == "ErrImagePull", let told = last?.message {
            progress(.pending, reason: "ErrImagePull", message: told)
            return
        }
        updateAttempt {
            $0.reason = trouble.reason
            $0.message = trouble.message
        }
        progress(isRunning ? .running : .pending, reason: trouble.reason, message: trouble.message)
    }

    private mutating func succeed(_ child: JobObservation, _ pods: [PodObservation], _ spec: TrainingJobSpec) {
        let end = child.completionTime ?? child.conditions["Complete"]?.lastTransitionTime ?? now.truncatedToSeconds
        status.completionTime = end
        status.run = child.metadata.name
        let counted =
            pods.filter { $0.phase == "Succeeded" }
            .max { ($0.finishedAt ?? end, $0.metadata.uid) < ($1.finishedAt ?? end, $1.metadata.uid) }
        updateAttempt {
            $0.outcome = .succeeded
            $0.reason = nil
            $0.message = nil
            $0.pod = counted?.metadata.name
            $0.podUID = counted?.metadata.uid
            $0.completionTime = end
        }
        if let counted {
            readMetrics(of: counted, spec)
            status.images = images(of: counted, spec.template)
        } else {
            status.metricsMessage = "the pod that succeeded was gone before its metrics could be read"
        }
        status.phase = .succeeded
        tellSuccess()
    }

    private mutating func readMetrics(of pod: PodObservation, _ spec: TrainingJobSpec) {
        let name = spec.template.mainContainer
        guard let termination = pod.containers.first(where: { $0.name == name })?.terminated, termination.exitCode == 0
        else {
            status.metricsMessage = "the container \(name ?? "") did not end with exit code 0"
            return
        }
        let reading = MetricsReading(terminationMessage: termination.message)
        status.metrics = reading.metrics
        status.metricsMessage = reading.message.map { Text.limited($0, to: 512) }
    }

    private func images(of pod: PodObservation, _ template: PodTemplate) -> [ContainerImage] {
        let reported = Dictionary(
            (pod.initContainers + pod.containers).map { ($0.name, $0.imageID) }, uniquingKeysWith: { first, _ in first }
        )
        return (template.containers + template.initContainers).compactMap { container in
            guard let name = container["name"]?.string, let image = container["image"]?.string else { return nil }
            return ContainerImage(container: name, image: image, imageID: reported[name] ?? "")
        }
    }

    private mutating func fail(_ child: JobObservation, _ pods: [PodObservation], _ spec: TrainingJobSpec) {
        let failed = child.conditions["Failed"]
        let end = failed?.lastTransitionTime ?? now.truncatedToSeconds
        let ofJob = failed?.reason.isEmpty == false ? failed?.reason ?? "Failed" : "Failed"
        // The Job may have deleted its pods: then what was last seen of them tells.
        let last = status.attempts.last
        let recorded = last?.reason.map {
            PodTrouble(reason: $0, message: last?.message ?? "", pod: last?.pod)
        }
        let trouble = lastFailure(pods, spec) ?? recorded
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
        status.completionTime = end
        updateAttempt {
            $0.outcome = .failed
            $0.reason = reason
            $0.message = Text.limited(message, to: 1024)
            $0.pod = trouble?.pod
            $0.completionTime = end
        }
        fail(reason: reason, message: message)
    }

    private func lastFailure(_ pods: [PodObservation], _ spec: TrainingJobSpec) -> PodTrouble? {
        let ended = pods.filter { $0.phase == "Failed" }
            .sorted { ($0.finishedAt ?? now, $0.metadata.name) > ($1.finishedAt ?? now, $1.metadata.name) }
        for pod in ended {
            if let trouble = PodTrouble.failure(pod, template: spec.template, path: "spec.template") { return trouble }
        }
        return nil
    }

    /// The result stands in status; only now may the Job be cleaned away.
    mutating func keepResult(_ spec: TrainingJobSpec) {
        if let ttl = spec.ttlSecondsAfterFinished, let uid = status.attempts.last?.jobUID,
            let child = observed.jobs.first(where: { $0.metadata.uid == uid }),
            child.metadata.controller?.uid == job.metadata.uid, child.ttlSecondsAfterFinished != ttl,
            !child.metadata.isBeingDeleted
        {
            patch(child, ["spec": ["ttlSecondsAfterFinished": JSONValue(ttl)]])
        }
        if status.phase == .succeeded {
            tellSuccess()
        } else {
            let attempt = status.attempts.last
            fail(reason: attempt?.reason ?? "Failed", message: attempt?.message ?? "")
        }
    }
}
