extension RolloutSpec {
    static let mostSteps = 16

    /// What cannot stand.
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if steps.isEmpty { problems.append(.init("\(path).steps", "is required, with at least one step")) }
        if steps.count > Self.mostSteps {
            problems.append(.init("\(path).steps", "has more than \(Self.mostSteps) entries"))
        }
        for (index, step) in steps.enumerated() {
            let field = "\(path).steps[\(index)]"
            if !(1...99).contains(step.weight) {
                problems.append(.init("\(field).weight", "must be between 1 and 99"))
            } else if index > 0, step.weight <= steps[index - 1].weight {
                problems.append(.init("\(field).weight", "must be more than that of the step before"))
            }
            problems += DurationText.problems(step.pause, at: "\(field).pause")
        }
        if let analysis { problems += analysis.problems(at: "\(path).analysis") }
        if let progressDeadline {
            problems += DurationText.problems(progressDeadline, at: "\(path).progressDeadline", least: 1)
        }
        return problems
    }
}

extension RolloutSpec.Analysis {
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if maxErrorRate == nil, maxLatencyP99 == nil {
            problems.append(.init(path, "has no bound; set maxErrorRate or maxLatencyP99"))
        }
        if let maxErrorRate, !(0...1).contains(maxErrorRate) {
            problems.append(.init("\(path).maxErrorRate", "must be from 0 to 1"))
        }
        if let maxLatencyP99 {
            let bounds = RevisionLoad.latencyBounds
            let seconds = DurationText.seconds(maxLatencyP99)
            if !(seconds.map { $0 >= bounds[0] && $0 <= bounds[bounds.count - 1] } ?? false) {
                problems.append(
                    .init("\(path).maxLatencyP99", "\"\(maxLatencyP99)\" is no duration from 1ms to 60s, as 250ms"))
            }
        }
        if let minRequests, !(1...1_000_000).contains(minRequests) {
            problems.append(.init("\(path).minRequests", "must be between 1 and 1000000"))
        }
        return problems
    }
}

extension DurationText {
    /// - Parameter least: in seconds.
    static func problems(_ text: String, at path: String, least: Double = 0) -> [FieldProblem] {
        guard let seconds = seconds(text), seconds >= least, seconds <= longest else {
            let bound = least > 0 ? "from \(Number.exact(least))s to 168h" : "of at most 168h"
            return [FieldProblem(path, "\"\(text)\" is no duration \(bound); write it as 90s or 5m")]
        }
        return []
    }
}
