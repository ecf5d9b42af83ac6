import JSON
import KubernetesModel

/// One batch Job of a TrainingJob. There is a second only where the first was lost before it had a result, or, of a step
/// of several nodes, where one of its pods has failed.
public struct Attempt: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case lost = "Lost"
    }

    public var number: Int
    public var job: String
    public var jobUID: String?
    public var outcome: Outcome
    /// The pod that the Job counted as succeeded, or the one whose failure is told.
    public var pod: String?
    public var podUID: String?
    public var reason: String?
    public var message: String?
    public var startTime: Timestamp?
    public var completionTime: Timestamp?

    public init(number: Int, job: String, outcome: Outcome = .running) {
        self.number = number
        self.job = job
        self.outcome = outcome
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        number = try cursor["number"].int()
        job = try cursor["job"].string()
        jobUID = try cursor["jobUID"].optionalString()
        outcome = try cursor["outcome"].requiredEnum()
        pod = try cursor["pod"].optionalString()
        podUID = try cursor["podUID"].optionalString()
        reason = try cursor["reason"].optionalString()
        message = try cursor["message"].optionalString()
        startTime = try cursor["startTime"].optionalTimestamp()
        completionTime = try cursor["completionTime"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "number": JSONValue(number), "job": .string(job), "outcome": .string(outcome.rawValue),
        ]
        result["jobUID"] = JSONValue(jobUID)
        result["pod"] = JSONValue(pod)
        result["podUID"] = JSONValue(podUID)
        result["reason"] = JSONValue(reason)
        result["message"] = JSONValue(message)
        result["startTime"] = JSONValue(startTime?.description)
        result["completionTime"] = JSONValue(completionTime?.description)
        return result
    }
}
