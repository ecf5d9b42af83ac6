import JSON
import KubernetesModel

/// What a push is about: `/v1/namespaces/NAMESPACE/trainingjobs/NAME/metrics`.
public struct PushTarget: Sendable, Hashable {
    public var key: ObjectKey

    /// Nil where the path is no such one. Names have nothing in them that a URL would encode.
    public init?(path: String) {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        guard parts.count == 7, parts[0] == "", parts[1] == "v1", parts[2] == "namespaces", parts[4] == "trainingjobs",
            parts[6] == "metrics", Bounds.isDNSLabel(parts[3]), Bounds.isSubdomain(parts[5])
        else { return nil }
        key = ObjectKey(namespace: parts[3], name: parts[5])
    }

    public static func path(namespace: String, name: String) -> String {
        "/v1/namespaces/\(namespace)/trainingjobs/\(name)/metrics"
    }
}

/// The pod that a token is bound to, as the API server has told.
public struct PushIdentity: Sendable, Hashable {
    public var namespace: String
    public var pod: String
    public var podUID: String

    public init(namespace: String, pod: String, podUID: String) {
        self.namespace = namespace
        self.pod = pod
        self.podUID = podUID
    }

    /// Nil where the token is bound to no pod.
    public init?(_ account: ReviewedAccount) {
        guard let pod = account.pod else { return nil }
        self.init(namespace: account.namespace, pod: pod.name, podUID: pod.uid)
    }
}

/// The attempt that a push is taken for.
public struct PushSubject: Sendable, Hashable {
    public var trainingJob: ObjectKey
    public var trainingJobUID: String
    public var jobUID: String
    /// Nil in the short form.
    public var step: String?
    public var attempt: Int

    public init(trainingJob: ObjectKey, trainingJobUID: String, jobUID: String, step: String?, attempt: Int) {
        self.trainingJob = trainingJob
        self.trainingJobUID = trainingJobUID
        self.jobUID = jobUID
        self.step = step
        self.attempt = attempt
    }
}

/// Whether a pod may speak of a training.
public enum PushGate {
    /// Who sends must be a pod of the training's current attempt. What is here is what the caches have.
    /// - Parameters:
    ///   - pod: of the name that the token is bound to.
    ///   - job: the Job that controls the pod.
    public static func subject(
        of target: PushTarget, from identity: PushIdentity, trainingJob: TrainingJob?, pod: PodObservation?,
        job: JobObservation?
    ) throws(PushRefusal) -> PushSubject {
        // Before anything else, so that nobody learns what there is in the namespaces of others.
        guard identity.namespace == target.key.namespace else {
            throw .forbidden("the token is of a pod of another namespace")
        }
        guard let trainingJob else {
            throw .notFound("there is no TrainingJob \(target.key.name) in this namespace")
        }
        guard let pod, pod.metadata.uid == identity.podUID, let owner = pod.metadata.controller,
            owner.kind == ResourceType.jobs.kind, pod.metadata.labels[Label.trainingJob] == target.key.name
        else {
            throw .forbidden("the pod \(identity.pod) is no pod of this training, or not known yet")
        }
        guard let job, job.metadata.uid == owner.uid, job.metadata.controller?.uid == trainingJob.metadata.uid else {
            throw .forbidden("the pod \(identity.pod) is of no Job of this training")
        }
        guard let (step, attempt) = trainingJob.status.value?.runningAttempt(ofJob: job.metadata) else {
            throw .forbidden("the pod \(identity.pod) is not of the current attempt, or that has ended")
        }
        return PushSubject(
            trainingJob: trainingJob.metadata.key, trainingJobUID: trainingJob.metadata.uid,
            jobUID: job.metadata.uid, step: step, attempt: attempt.number)
    }
}

extension TrainingJobStatus {
    /// The attempts that are under way, in the order of the steps.
    var runningAttempts: [(step: String?, attempt: Attempt)] {
        let all = [(nil, attempts.last)] + steps.map { (Optional($0.name), $0.attempts.last) }
        return all.compactMap { step, attempt in
            guard !isFinished, let attempt, attempt.outcome == .running else { return nil }
            return (step, attempt)
        }
    }

    fileprivate func runningAttempt(ofJob job: ObjectMeta) -> (step: String?, attempt: Attempt)? {
        runningAttempts.first { $0.attempt.job == job.name && ($0.attempt.jobUID ?? job.uid) == job.uid }
    }

    /// What of pushes is to be told: of the first step that runs and has pushed. Of an attempt that is over the last word
    /// stays, but how far it was says nothing of what runs now.
    func latestProgress(_ pushes: [PushedProgress]) -> PushedProgress? {
        let running = runningAttempts
        for (step, attempt) in running {
            if let push = pushes.first(where: { $0.step == step && $0.attempt == attempt.number }) { return push }
        }
        // Of the one that has just ended there may be later words than those that were told.
        guard var last = pushes.first(where: { $0.isOfSameAttempt(as: progress) }) ?? progress else {
            return pushes.first
        }
        if running.contains(where: { $0.step == last.step && $0.attempt.number == last.attempt }) { return last }
        last.remainingSeconds = nil
        if phase != .succeeded { last.percentage = nil }
        return last
    }
}

extension PushedProgress {
    fileprivate func isOfSameAttempt(as other: PushedProgress?) -> Bool {
        other?.step == step && other?.attempt == attempt
    }
}
