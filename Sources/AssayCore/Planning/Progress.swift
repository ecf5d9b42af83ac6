import JSON
import KubernetesModel

/// A status of which a part only says how far things are, for a person who watches: words and counts. Nobody decides by
/// it, so it may come a little late.
protocol ProgressingStatus: Sendable, Hashable {
    var json: JSONValue { get }
    /// The status with that part taken out.
    var withoutProgress: Self { get }
}

extension ProgressingStatus {
    /// Whether there is another status only in how far things are.
    func differsInProgressAlone(from other: Self) -> Bool {
        self != other && withoutProgress == other.withoutProgress
    }
}

extension TrainingJobStatus: ProgressingStatus {
    var withoutProgress: Self {
        var result = self
        result.progress = nil
        for index in result.conditions.indices { result.conditions[index].message = "" }
        for index in result.attempts.indices { result.attempts[index].message = nil }
        for step in result.steps.indices {
            for index in result.steps[step].attempts.indices { result.steps[step].attempts[index].message = nil }
        }
        return result
    }
}

extension MLModelStatus: ProgressingStatus {
    var withoutProgress: Self {
        var result = self
        for index in result.conditions.indices { result.conditions[index].message = "" }
        for index in result.runs.indices { result.runs[index].message = nil }
        result.rollout = rollout?.withoutFigures
        // Zero is no count: nothing is there, or nothing answers.
        result.replicas = replicas.map { min($0, 1) }
        result.readyReplicas = readyReplicas.map { min($0, 1) }
        return result
    }
}

extension TrainingJob {
    /// Whether all that has changed since is how far the training is. What trains a model tells the model nothing by it.
    public func differsInProgressAlone(from old: TrainingJob) -> Bool {
        guard case .valid(let before) = old.status, case .valid(let now) = status,
            now.differsInProgressAlone(from: before)
        else { return false }
        var same = self
        same.status = old.status
        same.metadata.resourceVersion = old.metadata.resourceVersion
        return same == old
    }
}
