import JSON
import KubernetesModel

/// The controller of batch/v1 Jobs, without successPolicy.
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
    let isIndexed: Bool
    let parallelism: Int
    let completions: Int?
    /// How often each index may fail, of an Indexed Job that counts by index (KEP-3850).
    let limitPerIndex: Int?
    let policy: PodFailurePolicy

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
        limitPerIndex = isIndexed ? job["spec", "backoffLimitPerIndex"]?.int : nil
        policy = PodFailurePolicy(job["spec", "podFailurePolicy"])
    }

    // MARK: What was observed

    var active: [PodFacts] { pods.filter(\.isActive) }
    var terminating: [PodFacts] { pods.filter { $0.json.isTerminating && !$0.isFinished } }
    /// A pod that is being deleted has not failed by itself, and one that the policy ignores does not count.
    var failed: [PodFacts] {
        pods.filter { $0.phase == "Failed" && !$0.json.isTerminating && policy.action(for: $0) != .ignore }
    }
    var succeeded: [PodFacts] { pods.filter { $0.phase == "Succeeded" } }

    /// Counts never fall when finished pods are deleted.
    private var failedCount: Int { max(job["status", "failed"]?.int ?? 0, failed.count) }

    var completedIndexes: Set<Int> {
        guard isIndexed else { return [] }
        let before = IndexRanges(job["status", "completedIndexes"]?.string ?? "").indexes
        let limit = completions ?? 0
        return before.union(succeeded.compactMap(\.completionIndex)).filter { $0 < limit }
    }

    var succeededCount: Int {
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
        let limit = job["spec", "backoffLimit"]?.int ?? (limitPerIndex == nil ? 6 : Int(Int32.max))
        if failedCount > limit || restartsPast(limit) {
            return ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        }
        if let problem = failureOfIndexes() { return problem }
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
        if limitPerIndex != nil { status["failedIndexes"] = .string(IndexRanges(failedIndexes).text) }
        if conditions.isTrue("Complete") { status["completionTime"] = .string(now.truncatedToSeconds.description) }
        guard .object(status) != job["status"] else { return }
        var changed = job
        changed["status"] = .object(status)
        plan.actions.append(.replaceStatus(.jobs, changed))
    }
}
