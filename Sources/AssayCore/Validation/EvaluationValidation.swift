/// Rules for `spec.evaluation`: it is a workflow whose steps read what the training makes, or what the artifact brings.
extension MLModelSpec {
    private static let path = "spec.evaluation"

    var evaluationProblems: [FieldProblem] {
        guard let evaluation else { return [] }
        guard !evaluation.steps.isEmpty else {
            return [
                FieldProblem("\(Self.path).steps", "is empty; give the steps that measure, or remove spec.evaluation")
            ]
        }
        guard artifact != nil || training.spec.isWorkflow else {
            return [
                FieldProblem(
                    Self.path,
                    "a training of one template makes no artifacts that could be measured apart; give it steps, or remove this"
                )
            ]
        }
        let workflow = TrainingJobSpec(
            parameters: evaluation.parameters, steps: evaluation.steps, holdout: evaluation.holdout)
        var problems = workflow.problems(at: Self.path, beside: makers(beside: evaluation))
        let names = Set(training.spec.steps.map(\.name))
        for (index, step) in evaluation.steps.enumerated() where names.contains(step.name) {
            problems.append(
                FieldProblem("\(Self.path).steps[\(index)].name", "the training has a step \(step.name) already"))
        }
        if let holdout, !evaluation.steps.contains(where: { $0.inputs.contains(holdout) }) {
            problems.append(FieldProblem("\(Self.path).steps", "none of them reads the holdout \(holdout)"))
        }
        return problems
    }

    /// Who makes what the evaluation's own steps do not. Which artifacts one brings that was made elsewhere is known when it was
    /// read.
    private func makers(beside evaluation: Evaluation) -> [String: String] {
        var makers: [String: String] = [:]
        for step in training.spec.steps { for name in step.outputs { makers[name] = step.name } }
        for input in training.spec.given { makers[input.name] = "" }
        guard artifact != nil else { return makers }
        let own = Set(evaluation.steps.flatMap(\.outputs))
        let read = evaluation.steps.flatMap(\.inputs) + [evaluation.holdout].compactMap(\.self)
        for name in read where !own.contains(name) { makers[name] = "" }
        return makers
    }

    /// What the unseen data has a part in, by what the training or the evaluation names so.
    var tainted: Set<String> { training.spec.tainted.union(reporting.tainted) }
}
