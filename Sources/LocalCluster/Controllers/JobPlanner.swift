import JSON
import KubernetesModel

/// The controller of batch/v1 Jobs, without backoffLimitPerIndex and successPolicy.
///
/// https://kubernetes.io/docs/concepts/workloads/controllers/job/
public struct JobPlanner: Sendable {
    /// The wait after the first failure; it doubles with each further one. Kubernetes waits 10 seconds.
    public var backoffBase: Duration
    public var backoffCap: Duration

    public init(backoffBase: Duration = .seconds(10), backoffCap: Duration = .seconds(360)) {
        self.backoffBase = backoffBase
        self.backoffCap = backoffCap
    }

    /// - Parameter pods: those that the Job controls.
    public func plan(job: JSONValue, pods: [JSONValue], now: Timestamp) -> ControllerPlan {
        let manager = job["spec", "managedBy"]?.string ?? "kubernetes.io/job-controller"
        if manager != "kubernetes.io/job-controller" || job.isTerminating { return ControllerPlan() }
        if let finished = Self.finishedCondition(job) { return planAfterwards(job, finished, pods, now) }
        var run = JobRun(planner: self, job: job, pods: pods.map(PodFacts.init), now: now)
        run.decide()
        return run.plan
    }

    /// The condition by which a Job is finished. Its status must be True.
    static func finishedCondition(_ job: JSONValue) -> JSONValue? {
        ["Complete", "Failed"].first { job.hasCondition($0) }.flatMap { job.condition($0) }
    }

    private func planAfterwards(
        _ job: JSONValue, _ finished: JSONValue, _ pods: [JSONValue], _ now: Timestamp
    ) -> ControllerPlan {
        var plan = ControllerPlan()
        for pod in pods where PodFacts(pod).isActive {
            plan.actions.append(.delete(.pods, pod.key, uid: pod.uid, .background))
        }
        guard let ttl = job["spec", "ttlSecondsAfterFinished"]?.int else { return plan }
        let end = finished["lastTransitionTime"]?.timestamp ?? now
        let remaining = end + .seconds(ttl) - now
        if remaining > .zero {
            plan.requeue(after: remaining)
        } else {
            plan.actions.append(.delete(.jobs, job.key, uid: job.uid, .background))
        }
        return plan
    }

    /// - Parameter failures: how many pods failed one after another, at least one.
    func backoff(afterFailures failures: Int) -> Duration {
        var delay = backoffBase
        for _ in 1..<max(failures, 1) where delay < backoffCap { delay *= 2 }
        return min(delay, backoffCap)
    }
}

/// One look at an unfinished Job.
struct JobRun {
    let planner: JobPlanner
    let job: JSONValue
    let pods: [PodFacts]
    let now: Timestamp
    var plan = ControllerPlan()
    private var conditions: ConditionList
    private var startTime: Timestamp?
    private let isIndexed: Bool
    private let parallelism: Int
    private let completions: Int?
    private let policy: PodFailurePolicy

    init(planner: JobPlanner, job: JSONValue, pods: [PodFacts], now: Timestamp) {
        self.planner = planner
        self.job = job
        self.pods = pods.sorted { $0.json.name < $1.json.name }
        self.now = now
        conditions = ConditionList(job)
        startTime = job["status", "startTime"]?.timestamp
        isIndexed = job["spec", "completionMode"]?.string == "Indexed"
        parallelism = job["spec", "parallelism"]?.int ?? 1
        completions = job["spec", "completions"]?.int
        policy = PodFailurePolicy(job["spec", "podFailurePolicy"])
    }

    // MARK: What was observed

    private var active: [PodFacts] { pods.filter(\.isActive) }
    private var terminating: [PodFacts] { pods.filter { $0.json.isTerminating && !$0.isFinished } }
    /// A pod that is being deleted has not failed by itself, and one that the policy ignores does not count.
    private var failed: [PodFacts] {
        pods.filter { $0.phase == "Failed" && !$0.json.isTerminating && policy.action(for: $0) != .ignore }
    }
    private var succeeded: [PodFacts] { pods.filter { $0.phase == "Succeeded" } }

    /// Counts never fall when finished pods are deleted.
    private var failedCount: Int { max(job["status", "failed"]?.int ?? 0, failed.count) }

    private var completedIndexes: Set<Int> {
        guard isIndexed else { return [] }
        let before = IndexRanges(job["status", "completedIndexes"]?.string ?? "").indexes
        let limit = completions ?? 0
        return before.union(succeeded.compactMap(\.completionIndex)).filter { $0 < limit }
    }

    private var succeededCount: Int {
        isIndexed ? completedIndexes.count : max(job["status", "succeeded"]?.int ?? 0, succeeded.count)
    }

    // MARK: Decisions

    mutating func decide() {
        if let target = conditions["FailureTarget"], target["status"]?.string == "True" {
            finish(failed: true, reason: target["reason"]?.string ?? "", message: target["message"]?.string ?? "")
        } else if let target = conditions["SuccessCriteriaMet"], target["status"]?.string == "True" {
            finish(failed: false, reason: target["reason"]?.string ?? "", message: target["message"]?.string ?? "")
        } else if job["spec", "suspend"]?.bool == true {
            suspend()
        } else {
            resume()
            if let (reason, message) = failure() {
                finish(failed: true, reason: reason, message: message)
            } else if isComplete {
                finish(
                    failed: false, reason: "CompletionsReached", message: "Reached expected number of succeeded pods")
            } else {
                manage()
                writeStatus(activeCount: active.count)
            }
        }
    }

    private mutating func suspend() {
        deletePods(active)
        startTime = nil
        if !conditions.isTrue("Suspended") {
            conditions.set("Suspended", "True", reason: "JobSuspended", message: "Job suspended", now: now)
            plan.event(job, "Suspended", "Job suspended")
        }
        writeStatus(activeCount: 0)
    }

    private mutating func resume() {
        if conditions.isTrue("Suspended") {
            conditions.set("Suspended", "False", reason: "JobResumed", message: "Job resumed", now: now)
            startTime = nil
            plan.event(job, "Resumed", "Job resumed")
        }
        if startTime == nil { startTime = now.truncatedToSeconds }
    }

    /// Why the Job has failed, if it has.
    private mutating func failure() -> (reason: String, message: String)? {
        for pod in pods where pod.phase == "Failed" {
            if case .failJob(let message) = policy.action(for: pod) { return ("PodFailurePolicy", message) }
        }
        let limit = job["spec", "backoffLimit"]?.int ?? 6
        if failedCount > limit || restartsPast(limit) {
            return ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        }
        if let deadline = job["spec", "activeDeadlineSeconds"]?.int, let startTime {
            let remaining = startTime + .seconds(deadline) - now
            if remaining <= .zero {
                return ("DeadlineExceeded", "Job was active longer than specified deadline")
            }
            plan.requeue(after: remaining)
        }
        return nil
    }

    /// With restartPolicy OnFailure the node restarts containers, and their restarts are the failures.
    private func restartsPast(_ limit: Int) -> Bool {
        guard job["spec", "template", "spec", "restartPolicy"]?.string == "OnFailure" else { return false }
        let restarts = active.reduce(0) { $0 + $1.restarts }
        return limit == 0 ? restarts > 0 : restarts >= limit
    }

    private var isComplete: Bool {
        if let completions { return succeededCount >= completions }
        return succeededCount > 0 && active.isEmpty && terminating.isEmpty
    }

    /// First the target condition while pods still stop, then the final one.
    private mutating func finish(failed: Bool, reason: String, message: String) {
        deletePods(active)
        conditions.set(
            failed ? "FailureTarget" : "SuccessCriteriaMet", "True", reason: reason, message: message, now: now)
        if active.isEmpty && terminating.isEmpty {
            conditions.set(failed ? "Failed" : "Complete", "True", reason: reason, message: message, now: now)
            if failed {
                plan.event(job, warning: true, reason, message)
            } else {
                plan.event(job, "Completed", "Job completed")
            }
        }
        writeStatus(activeCount: 0)
    }

    // MARK: Pods

    private mutating func manage() {
        let replaceOnlyFailed =
            (job["spec", "podReplacementPolicy"]?.string ?? (policy.isEmpty ? "TerminatingOrFailed" : "Failed"))
            == "Failed"
        let holding = replaceOnlyFailed ? active + terminating : active
        var missing: [Int?] = []
        var excess: [PodFacts] = []
        if isIndexed {
            let done = completedIndexes
            var held: Set<Int> = []
            for pod in holding {
                guard let index = pod.completionIndex, index < completions ?? 0, !done.contains(index),
                    held.insert(index).inserted, held.count <= parallelism
                else {
                    excess.append(pod)
                    continue
                }
            }
            let free = (0..<(completions ?? 0)).filter { !done.contains($0) && !held.contains($0) }
            missing = free.prefix(max(0, parallelism - held.count)).map { $0 }
        } else {
            let wanted = wantedPods
            excess = holding.count > wanted ? Array(Self.byWorth(holding).prefix(holding.count - wanted)) : []
            missing = Array(repeating: nil, count: max(0, wanted - holding.count))
        }
        deletePods(excess.filter(\.isActive))
        if missing.isEmpty { return }
        if let wait = backoffRemaining, wait > .zero {
            plan.requeue(after: wait)
            return
        }
        for index in missing { plan.actions.append(.create(.pods, pod(index: index), owner: job)) }
    }

    private var wantedPods: Int {
        guard let completions else {
            // A work queue: once one pod has succeeded, the others finish and no new ones start.
            return succeededCount > 0 ? min(active.count, parallelism) : parallelism
        }
        return min(parallelism, max(0, completions - succeededCount))
    }

    /// What remains of the wait after the last failure.
    private var backoffRemaining: Duration? {
        let lastSuccess = succeeded.compactMap(\.finishedAt).max()
        let failures = failed.compactMap(\.finishedAt).filter { end in lastSuccess.map { end > $0 } ?? true }
        guard let last = failures.max() else { return nil }
        return last + planner.backoff(afterFailures: failures.count) - now
    }

    private func pod(index: Int?) -> JSONValue {
        var labels = [
            "batch.kubernetes.io/job-name": job.name, "batch.kubernetes.io/controller-uid": job.uid,
            "job-name": job.name, "controller-uid": job.uid,
        ]
        guard let index else {
            return .pod(
                from: job["spec", "template"], owner: job, ownerType: .jobs, generateName: "\(job.name)-",
                labels: labels)
        }
        let indexKey = "batch.kubernetes.io/job-completion-index"
        labels[indexKey] = "\(index)"
        var pod = JSONValue.pod(
            from: job["spec", "template"], owner: job, ownerType: .jobs, generateName: "\(job.name)-\(index)-",
            labels: labels)
        pod["metadata", "annotations", indexKey] = .string("\(index)")
        if pod["spec", "hostname"]?.string == nil { pod["spec", "hostname"] = .string("\(job.name)-\(index)") }
        let variable: JSONValue = [
            "name": "JOB_COMPLETION_INDEX",
            "valueFrom": ["fieldRef": ["fieldPath": .string("metadata.labels['\(indexKey)']")]],
        ]
        for list in ["initContainers", "containers"] {
            guard let containers = pod["spec", list]?.array else { continue }
            pod["spec", list] = .array(
                containers.map { container in
                    let env = container["env"]?.array ?? []
                    if env.contains(where: { $0["name"] == "JOB_COMPLETION_INDEX" }) { return container }
                    var container = container
                    container["env"] = .array(env + [variable])
                    return container
                })
        }
        return pod
    }

    private mutating func deletePods(_ doomed: [PodFacts]) {
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

    // MARK: Status

    private mutating func writeStatus(activeCount: Int) {
        var status = job["status"]?.object ?? [:]
        func count(_ value: Int) -> JSONValue? { value == 0 ? nil : JSONValue(value) }
        status["active"] = count(activeCount)
        status["ready"] = JSONValue(activeCount == 0 ? 0 : active.filter(\.isReady).count)
        status["terminating"] = JSONValue(pods.filter { $0.json.isTerminating && !$0.isFinished }.count)
        status["succeeded"] = count(succeededCount)
        status["failed"] = count(failedCount)
        status["startTime"] = JSONValue(startTime?.description)
        status["conditions"] = conditions.conditions.isEmpty ? nil : .array(conditions.conditions)
        let done = completedIndexes
        status["completedIndexes"] = done.isEmpty ? nil : .string(IndexRanges(done).text)
        if conditions.isTrue("Complete") { status["completionTime"] = .string(now.truncatedToSeconds.description) }
        guard .object(status) != job["status"] else { return }
        var changed = job
        changed["status"] = .object(status)
        plan.actions.append(.replaceStatus(.jobs, changed))
    }
}

/// Indexes as a Job's status lists them: `0,2-5,9`.
struct IndexRanges {
    let indexes: Set<Int>

    init(_ indexes: Set<Int>) { self.indexes = indexes }

    init(_ text: String) {
        var result: Set<Int> = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-").compactMap { Int($0) }
            if let first = ends.first, let last = ends.last, first <= last { result.formUnion(first...last) }
        }
        indexes = result
    }

    var text: String {
        var parts: [String] = []
        var start: Int?
        for index in indexes.sorted() {
            if start == nil { start = index }
            if indexes.contains(index + 1) { continue }
            if let first = start { parts.append(first == index ? "\(index)" : "\(first)-\(index)") }
            start = nil
        }
        return parts.joined(separator: ",")
    }
}
