extension Autoscaling {
    /// What cannot stand.
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if !(1...Bounds.replicas).contains(maxReplicas) {
            problems.append(.init("\(path).maxReplicas", "must be between 1 and \(Bounds.replicas)"))
        }
        if let minReplicas, !(0...max(0, maxReplicas)).contains(minReplicas) {
            problems.append(.init("\(path).minReplicas", "must be between 0 and maxReplicas"))
        }
        if let target, !(target >= 0.01) { problems.append(.init("\(path).target", "must be at least 0.01")) }
        guard let idleAfter else { return problems }
        if !sleeps {
            problems.append(.init("\(path).idleAfter", "needs minReplicas: 0, for else nothing sleeps; give both"))
        }
        guard let seconds = DurationText.seconds(idleAfter), .seconds(seconds) >= Self.shortestIdle else {
            problems.append(
                .init("\(path).idleAfter", "\"\(idleAfter)\" is no duration of at least 5s; write it as 90s or 5m"))
            return problems
        }
        return problems
    }
}
