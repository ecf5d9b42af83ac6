import JSON
import KubernetesModel

extension JobRun {
    mutating func manage() {
        let replaceOnlyFailed =
            (job["spec", "podReplacementPolicy"]?.string ?? (policy.isEmpty ? "TerminatingOrFailed" : "Failed"))
            == "Failed"
        let holding = replaceOnlyFailed ? active + terminating : active
        if isIndexed { return manageIndexes(holding) }
        let wanted = wantedPods
        if holding.count > wanted {
            deletePods(Self.byWorth(holding).prefix(holding.count - wanted).filter(\.isActive))
        }
        let missing = wanted - holding.count
        guard missing > 0 else { return }
        if let wait = backoffRemaining, wait > .zero { return plan.requeue(after: wait) }
        for _ in 0..<missing { plan.actions.append(.create(.pods, pod(), owner: job)) }
    }

    private var wantedPods: Int {
        guard let completions else {
            // A work queue: once one pod has succeeded, the others finish and no new ones start.
            return succeededCount > 0 ? min(active.count, parallelism) : parallelism
        }
        return min(parallelism, max(0, completions - succeededCount))
    }

    /// What remains of the wait after the last failure.
    var backoffRemaining: Duration? {
        let lastSuccess = succeeded.compactMap(\.finishedAt).max()
        let failures = failed.compactMap(\.finishedAt).filter { end in lastSuccess.map { end > $0 } ?? true }
        guard let last = failures.max() else { return nil }
        return last + planner.backoff(afterFailures: failures.count) - now
    }

    var podLabels: [String: String] {
        [
            "batch.kubernetes.io/job-name": job.name, "batch.kubernetes.io/controller-uid": job.uid,
            "job-name": job.name, "controller-uid": job.uid,
        ]
    }

    private func pod() -> JSONValue {
        .pod(
            from: job["spec", "template"], owner: job, ownerType: .jobs, generateName: "\(job.name)-",
            labels: podLabels)
    }

    mutating func deletePods(_ doomed: [PodFacts]) {
        for pod in doomed {
            plan.actions.append(.delete(.pods, pod.json.key, uid: pod.json.uid, .background))
            plan.event(job, "SuccessfulDelete", "Deleted pod: \(pod.json.name)")
        }
    }

    /// The pods of least worth first: those not yet ready, then the youngest.
    private static func byWorth(_ pods: [PodFacts]) -> [PodFacts] {
        pods.sorted { left, right in
            if left.isReady != right.isReady { return !left.isReady }
            let (created, other) = (left.json.creationTimestamp, right.json.creationTimestamp)
            if let created, let other, created != other { return created > other }
            return left.json.name < right.json.name
        }
    }
}
