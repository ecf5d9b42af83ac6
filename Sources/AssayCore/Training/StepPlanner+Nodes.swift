import JSON
import KubernetesModel

/// Steps of several nodes: what they need beside their Job, and their attempts, which are counted here since a Job would
/// start one pod anew and leave the others waiting for what has gone.
extension StepPlanner {
    /// As in batch/v1.
    private static let defaultBackoffLimit = 6
    private static let firstDelay: Int64 = 10
    private static let longestDelay: Int64 = 360

    var lostAttempts: Int { status.attempts.count { $0.outcome == .lost } }

    /// `spec.steps[1].nodes`
    func field(_ name: String) -> String {
        "spec.steps[\(spec.steps.firstIndex { $0.name == step.name } ?? 0)].\(name)"
    }

    /// " on 3 of 4 nodes"
    func onNodes(_ running: Int) -> String { step.nodes.map { " on \(running) of \($0) nodes" } ?? "" }

    // MARK: Before an attempt

    /// Whether the pods can be had at once, and find each other. The Service comes before the pods that are named by it.
    mutating func canMeet() -> Bool {
        guard let group = NodeGroup(of: step, in: job) else { return true }
        if let version = observed.serverVersion, version.major == 1, version.minor < NodeGroup.oldestMinorVersion {
            situation = .stalled(
                reason: "ServerTooOld",
                message: "\(field("nodes")): the server is Kubernetes \(version), which has no Indexed Jobs; 1."
                    + "\(NodeGroup.oldestMinorVersion) or newer is needed")
            // Nothing tells of its upgrade.
            result.requeueAfter = .seconds(600)
            return false
        }
        guard canShareVolumes(group) else { return false }
        guard let service = observed.services.first(where: { $0.metadata.name == group.service }) else {
            let service = group.renderedService(for: job, step: step)
            result.actions.append(.create(.services, service, manager: FieldManager.spec))
            return true
        }
        guard service.metadata.controller?.uid != job.metadata.uid || service.metadata.isBeingDeleted else {
            return true
        }
        situation = .progressing(
            .pending, reason: "NameTaken",
            message: "a Service of the name \(group.service) is there that is not this TrainingJob's; delete it")
        result.requeueAfter = .seconds(5)
        return false
    }

    /// A volume of one node would leave all pods but those of one node waiting.
    private mutating func canShareVolumes(_ group: NodeGroup) -> Bool {
        guard group.size > 1 else { return true }
        var claim: (field: String, name: String)?
        if case .ofOneNode = observed.claim, let name = spec.artifactStore?.claimName {
            claim = ("spec.artifactStore.uri", name)
        }
        if let name = step.checkpointClaim, case .ofOneNode = observed.checkpointClaims[name] {
            claim = (field("checkpoint.claim"), name)
        }
        guard let claim else { return true }
        situation = .stalled(
            reason: "ClaimOfOneNode",
            message: "\(claim.field): the PersistentVolumeClaim \(claim.name) is mounted by one node at a time, and "
                + "\(field("nodes")) asks for \(group.size); use a claim that is ReadWriteMany")
        result.requeueAfter = .seconds(60)
        return false
    }

    /// Two attempts never write the same checkpoint.
    mutating func pastPodsHaveEnded() -> Bool {
        let past = Set(status.attempts.filter { $0.outcome != .running }.compactMap(\.jobUID))
        guard step.nodes != nil || step.checkpointClaim != nil,
            let pod = observed.pods.first(where: { pod in
                !pod.hasEnded && pod.metadata.controller.map { past.contains($0.uid) } ?? false
            })
        else { return true }
        situation = .progressing(
            .pending, reason: "WaitingForPods", message: "the pod \(pod.metadata.name) of the last attempt still runs")
        result.requeueAfter = .seconds(5)
        return false
    }

    /// The time that all attempts have together is what is left of it.
    var specOfAttempt: TrainingJobSpec {
        guard step.nodes != nil, let deadline = spec.activeDeadlineSeconds else { return spec }
        var result = spec
        let used = status.attempts.reduce(Duration.zero) { sum, attempt in
            guard let start = attempt.startTime, let end = attempt.completionTime else { return sum }
            return sum + max(.zero, end.sinceEpoch - start.sinceEpoch)
        }
        result.activeDeadlineSeconds = max(1, deadline - used.components.seconds)
        return result
    }

    // MARK: After one

    private var failedAttempts: Int { (status.attempts.last?.number ?? 0) - lostAttempts }

    func mayRetry(_ attempt: Attempt) -> Bool {
        step.nodes != nil && failedAttempts <= spec.backoffLimit ?? Self.defaultBackoffLimit
    }

    /// The attempt has failed, and there is another, after a while that doubles, as between pods of a Job.
    mutating func retry(_ attempt: Attempt) {
        guard mayBegin else { return }
        let doublings = min(failedAttempts - 1, 6)
        let delay = min(Self.longestDelay, Self.firstDelay << max(0, doublings))
        let due = (attempt.completionTime ?? now) + .seconds(delay)
        guard due > now else {
            beginNext(after: attempt)
            return
        }
        situation = .progressing(
            .pending, reason: "AttemptFailed",
            message: "attempt \(failedAttempts) of \((spec.backoffLimit ?? Self.defaultBackoffLimit) + 1) failed: "
                + "\(attempt.message ?? ""); the next begins at \(due)")
        result.requeueAfter = due - now
    }
}
