import JSON

extension MLModelSpec.Validation {
    private static let path = "spec.validation"

    /// Of what is asked of a candidate's server.
    var proofProblems: [FieldProblem] {
        var problems: [FieldProblem] = []
        if let golden {
            if !(golden.allowed >= 0) {
                problems.append(.init("\(Self.path).golden.tolerance", "must not be negative"))
            }
            if let path = golden.path, !GoldenRecord.isPath(path) {
                problems.append(
                    .init("\(Self.path).golden.path", "must begin with /, and have no spaces, line ends or #"))
            }
        } else {
            let needy = [
                ("malformedInput", malformedInput != nil), ("load", load != nil),
                ("thresholds", !candidateThresholds.isEmpty),
            ]
            for (field, isThere) in needy where isThere {
                problems.append(
                    .init(
                        "\(Self.path).\(field)",
                        "needs \(Self.path).golden: the candidate is asked what golden records ask"))
            }
        }
        if let seconds = load?.seconds, !(1...MLModelSpec.Load.longest).contains(seconds) {
            problems.append(
                .init("\(Self.path).load.seconds", "must be between 1 and \(MLModelSpec.Load.longest)"))
        }
        if let width = load?.concurrency, !(1...MLModelSpec.Load.widest).contains(width) {
            problems.append(
                .init("\(Self.path).load.concurrency", "must be between 1 and \(MLModelSpec.Load.widest)"))
        }
        return problems + testProblems
    }

    private var testProblems: [FieldProblem] {
        var problems: [FieldProblem] = []
        if tests.count > Bounds.tests {
            problems.append(.init("\(Self.path).tests", "has more than \(Bounds.tests) entries"))
        }
        var names: Set<String> = []
        for (index, test) in tests.enumerated() {
            let field = "\(Self.path).tests[\(index)]"
            if !Bounds.isDNSLabel(test.name) {
                problems.append(
                    .init(
                        "\(field).name",
                        "must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit"))
            } else if !names.insert(test.name).inserted {
                problems.append(.init("\(field).name", "\(test.name) is there twice"))
            }
            problems +=
                TemplateValidation(
                    template: test.template, path: "\(field).template", restartPolicy: "Never"
                ).problems
            if let seconds = test.activeDeadlineSeconds, seconds < 1 {
                problems.append(.init("\(field).activeDeadlineSeconds", "must be at least 1"))
            }
        }
        return problems
    }
}

extension MLModelSpec {
    /// Golden records are an artifact of the training. The holdout may have a part in them, for they are not served.
    var goldenProblems: [FieldProblem] {
        guard let name = validation.golden?.artifact else { return [] }
        let field = "spec.validation.golden.artifact"
        // Which there are in an artifact that was made elsewhere is known when it was read.
        guard artifact == nil else {
            return Bounds.isArtifactName(name) ? [] : [FieldProblem(field, "is no name of an artifact")]
        }
        let steps = training.spec.steps + (evaluation?.steps ?? [])
        guard !steps.contains(where: { $0.outputs.contains(name) }) else { return [] }
        return [FieldProblem(field, "no step of spec.training or spec.evaluation has the output \(name)")]
    }
}

extension Threshold {
    /// Of a value that is measured on the candidate.
    func candidateProblems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if !LoadSummary.names.contains(metric) {
            problems.append(
                .init(
                    "\(path).metric",
                    "is not measured on a candidate; there are \(LoadSummary.names.joined(separator: ", "))"))
        }
        if split != nil || maxGeneralizationGap != nil {
            problems.append(
                .init("\(path).source", "a candidate has no splits; remove split and maxGeneralizationGap"))
        }
        return problems
    }
}
