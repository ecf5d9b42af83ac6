import JSON
import KubernetesModel

extension TrainingJob {
    /// What cannot stand; empty when all is well. Repeats the schema and its CEL rules, since an old server ignores the
    /// latter.
    public var problems: [FieldProblem] {
        var problems: [FieldProblem] = []
        if let problem = Bounds.problem(withName: metadata.name) { problems.append(problem) }
        switch spec {
        case .valid(let spec): problems += spec.problems(at: "spec")
        case .invalid(let error, _): problems.append(FieldProblem(error.path, error.message))
        }
        return problems
    }
}

extension TrainingJobSpec {
    /// - Parameter makers: Of artifacts that are made elsewhere, and by which step; an empty name for one that nobody knows.
    func problems(at path: String, beside makers: [String: String] = [:]) -> [FieldProblem] {
        var problems = parameterProblems(at: path)
        problems += shapeProblems(at: path, beside: makers)
        if let backoffLimit, backoffLimit < 0 { problems.append(.init("\(path).backoffLimit", "must not be negative")) }
        if let activeDeadlineSeconds, activeDeadlineSeconds < 1 {
            problems.append(.init("\(path).activeDeadlineSeconds", "must be at least 1"))
        }
        if let ttlSecondsAfterFinished, ttlSecondsAfterFinished < 0 {
            problems.append(.init("\(path).ttlSecondsAfterFinished", "must not be negative"))
        }
        return problems + queueProblems(at: path)
    }

    private func queueProblems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        for (field, name) in [("queueName", queueName), ("workloadPriorityClass", workloadPriorityClass)] {
            guard let name, !Bounds.isDNSLabel(name) else { continue }
            problems.append(
                .init("\(path).\(field)", "must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit")
            )
        }
        if workloadPriorityClass != nil, queueName == nil {
            problems.append(.init("\(path).workloadPriorityClass", "has no meaning without queueName; give both"))
        }
        return problems
    }

    /// One pod, or steps.
    private func shapeProblems(at path: String, beside makers: [String: String]) -> [FieldProblem] {
        if let artifact { return importProblems(artifact, at: path) }
        var problems: [FieldProblem] = []
        switch (template, steps.isEmpty) {
        case (nil, true), (.some, false): problems.append(.init(path, "give one of template, steps and artifact"))
        case (nil, false): problems += WorkflowValidation(self, at: path, beside: makers).problems
        case (.some, true):
            let fields = [
                ("holdout", holdout != nil), ("given", !given.isEmpty), ("artifactStore", artifactStore != nil),
            ]
            for (field, isThere) in fields where isThere {
                problems.append(.init("\(path).\(field)", "a template has no artifacts; remove it, or give steps"))
            }
        }
        for (index, step) in allSteps.enumerated() {
            let field = templatePath(of: index, at: path)
            problems += TemplateValidation(template: step.template, path: field, restartPolicy: "Never").problems
            if isWorkflow { problems += StepTemplateValidation(step, at: field).problems }
        }
        return problems
    }

    /// Nothing is trained, and what a training is told would be told to nobody.
    private func importProblems(_ artifact: GivenArtifact, at path: String) -> [FieldProblem] {
        var problems = artifact.problems(at: "\(path).artifact")
        let others = [
            ("template", template != nil), ("steps", !steps.isEmpty), ("artifactStore", artifactStore != nil),
            ("parameters", !parameters.isEmpty), ("seed", seed != nil), ("podFailurePolicy", podFailurePolicy != nil),
            ("holdout", holdout != nil), ("given", !given.isEmpty), ("dataVersion", dataVersion != nil),
        ]
        for (field, isThere) in others where isThere {
            problems.append(.init("\(path).\(field)", "has no meaning beside artifact; remove one of the two"))
        }
        return problems
    }

    private func parameterProblems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if parameters.count > Bounds.parameters {
            problems.append(.init("\(path).parameters", "has more than \(Bounds.parameters) entries"))
        }
        var variables: [String: String] = [:]
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            let field = "\(path).parameters[\(name)]"
            guard Bounds.isParameterName(name) else {
                problems.append(
                    .init(
                        field,
                        "a parameter's name is 1 to \(Bounds.parameterName) of A-Z a-z 0-9 _ . - and begins with a "
                            + "letter or _"))
                continue
            }
            if value.utf8.count > Bounds.parameterValue {
                problems.append(.init(field, "is longer than \(Bounds.parameterValue) bytes"))
            }
            let variable = ContainerContract.variable(forParameter: name)
            if let other = variables[variable] {
                problems.append(.init(field, "becomes \(variable), as \(other) does; rename one of them"))
            }
            variables[variable] = name
        }
        return problems
    }
}
