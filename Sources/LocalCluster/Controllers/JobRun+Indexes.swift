import JSON
import KubernetesModel

/// Indexed Jobs: each index has one pod at a time, known by its annotation.
extension JobRun {
    private static let indexKey = "batch.kubernetes.io/job-completion-index"
    /// How often a pod's index had failed before it.
    private static let failureCountKey = "batch.kubernetes.io/job-index-failure-count"
    private static let variable = "JOB_COMPLETION_INDEX"

    /// Indexes that are given up: `backoffLimitPerIndex` is used up, or a rule says so.
    var failedIndexes: Set<Int> {
        guard let limitPerIndex else { return [] }
        let before = IndexRanges(job["status", "failedIndexes"]?.string ?? "").indexes
        let now = failed.filter { pod in
            policy.action(for: pod) == .failIndex || Self.failuresBefore(pod) >= limitPerIndex
        }
        return before.union(now.compactMap(\.completionIndex)).filter { $0 < completions ?? 0 }
            .subtracting(completedIndexes)
    }

    /// Why indexes that are given up end the Job, if they do.
    func failureOfIndexes() -> (reason: String, message: String)? {
        let lost = failedIndexes
        if let most = job["spec", "maxFailedIndexes"]?.int, lost.count > most {
            return (
                "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
            )
        }
        guard !lost.isEmpty, lost.count + completedIndexes.count >= completions ?? 0 else { return nil }
        return ("FailedIndexes", "Job has failed indexes")
    }

    /// - Parameter holding: the pods that keep others of their index from being made.
    mutating func manageIndexes(_ holding: [PodFacts]) {
        let closed = completedIndexes.union(failedIndexes)
        var held: Set<Int> = []
        var excess: [PodFacts] = []
        for pod in holding {
            guard let index = pod.completionIndex, index < completions ?? 0, !closed.contains(index),
                held.count < parallelism, held.insert(index).inserted
            else {
                excess.append(pod)
                continue
            }
        }
        deletePods(excess.filter(\.isActive))
        let free = (0..<(completions ?? 0)).filter { !closed.contains($0) && !held.contains($0) }
        for index in free.prefix(max(0, parallelism - held.count)) {
            if let wait = backoffRemaining(ofIndex: index), wait > .zero {
                plan.requeue(after: wait)
            } else {
                plan.actions.append(.create(.pods, pod(index: index), owner: job))
            }
        }
    }

    /// Where failures are counted by index, so are the waits after them.
    private func backoffRemaining(ofIndex index: Int) -> Duration? {
        guard limitPerIndex != nil else { return backoffRemaining }
        guard let last = lastFailure(ofIndex: index), let end = last.finishedAt else { return nil }
        return end + planner.backoff(afterFailures: Self.failuresBefore(last) + 1) - now
    }

    private func lastFailure(ofIndex index: Int) -> PodFacts? {
        failed.filter { $0.completionIndex == index }.max { Self.failuresBefore($0) < Self.failuresBefore($1) }
    }

    private static func failuresBefore(_ pod: PodFacts) -> Int {
        pod.json.annotations[failureCountKey].flatMap { Int($0) } ?? 0
    }

    private func pod(index: Int) -> JSONValue {
        var pod = JSONValue.pod(
            from: job["spec", "template"], owner: job, ownerType: .jobs, generateName: "\(job.name)-\(index)-",
            labels: podLabels.merging([Self.indexKey: "\(index)"]) { $1 })
        pod["metadata", "annotations", Self.indexKey] = .string("\(index)")
        if limitPerIndex != nil {
            let failures = lastFailure(ofIndex: index).map { Self.failuresBefore($0) + 1 } ?? 0
            pod["metadata", "annotations", Self.failureCountKey] = .string("\(failures)")
        }
        pod["spec", "hostname"] = .string("\(job.name)-\(index)")
        for list in ["initContainers", "containers"] {
            guard let containers = pod["spec", list]?.array else { continue }
            pod["spec", list] = .array(containers.map(Self.knowingItsIndex))
        }
        return pod
    }

    /// The variable comes last, so that no variable of the container's own can be made of it, unless the container
    /// declares it itself.
    private static func knowingItsIndex(_ container: JSONValue) -> JSONValue {
        let env = container["env"]?.array ?? []
        if env.contains(where: { $0["name"]?.string == variable }) { return container }
        var container = container
        let path = "metadata.annotations['\(indexKey)']"
        container["env"] = .array(
            env + [["name": .string(variable), "valueFrom": ["fieldRef": ["fieldPath": .string(path)]]]])
        return container
    }
}
