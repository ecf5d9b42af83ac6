/// What the holdout has to be compared with, as the graph of a workflow tells it.
///
/// Training reads what those steps read that have neither the holdout in their ancestry (they evaluate) nor a part in it (what
/// makes it may well read the raw data that all comes of). An artifact among that is a *source* where the graph does not say
/// what it was made of; what is made of others by such a step is compared too, as far as it has rows, but nothing hangs on it,
/// since what it was made of is compared.
struct HoldoutComparison: Sendable, Hashable {
    struct Artifact: Sendable, Hashable {
        var name: String
        var isSource: Bool
    }

    /// A step, and the artifacts of which at least one must have rows for it to be known what the step has read. So a step
    /// may read a scaler beside its rows, and features without rows that were made of an artifact that has some.
    struct Need: Sendable, Hashable {
        var step: String
        var artifacts: [String]
    }

    private(set) var artifacts: [Artifact] = []
    private(set) var needs: [Need] = []
    /// Why the graph alone says that nothing can be proven.
    private(set) var problem: String?

    /// Nil for a training without a holdout.
    init?(_ spec: TrainingJobSpec) {
        guard spec.holdout != nil else { return nil }
        let graph = Graph(spec)
        var seen: Set<String> = []
        for name in graph.training.flatMap(\.inputs) where seen.insert(name).inserted {
            artifacts.append(Artifact(name: name, isSource: graph.trainingMaker(of: name) == nil))
        }
        for step in graph.training where !step.inputs.isEmpty {
            needs.append(Need(step: step.name, artifacts: order(graph.upstream(of: step.inputs))))
        }
        for step in graph.evaluating { note(step, graph) }
        if artifacts.isEmpty, problem == nil {
            problem =
                "no step but those that make or read the holdout reads an artifact: what training has read is not known"
        }
    }

    /// A step that reads the holdout, or what comes of it, beside what training has made.
    private mutating func note(_ step: TrainingStep, _ graph: Graph) {
        let others = step.inputs.filter { !graph.tainted.contains($0) }
        guard !others.isEmpty else { return }
        for name in others where !artifacts.contains(where: { $0.name == name }) {
            guard let maker = graph.maker(of: name) else {
                problem = problem ?? "of what \(name) was made, which the step \(step.name) reads, is not known"
                continue
            }
            guard maker.inputs.isEmpty, graph.training.contains(maker) else { continue }
            problem =
                problem
                ?? "\(name), which the step \(step.name) reads, is made by \(maker.name), which reads no artifact: what it was "
                + "made of is not known"
        }
        let known = order(graph.upstream(of: others))
        if known.isEmpty {
            let names = others.joined(separator: ", ")
            problem = problem ?? "of what \(names) was made, which the step \(step.name) reads, is not known"
        } else {
            needs.append(Need(step: step.name, artifacts: known))
        }
    }

    private func order(_ names: Set<String>) -> [String] { artifacts.map(\.name).filter(names.contains) }
}

extension HoldoutComparison {
    /// The steps, parted by what they have to do with the holdout.
    private struct Graph {
        let tainted: Set<String>
        let training: [TrainingStep]
        let evaluating: [TrainingStep]
        private let makers: [String: TrainingStep]

        init(_ spec: TrainingJobSpec) {
            var makers: [String: TrainingStep] = [:]
            let steps = spec.lineage
            for step in steps { for name in step.outputs { makers[name] = step } }
            let tainted = spec.tainted
            var preparing: Set<String> = []
            var next = spec.holdout.map { [$0] } ?? []
            while let name = next.popLast() {
                guard let maker = makers[name], preparing.insert(maker.name).inserted else { continue }
                next += maker.inputs
            }
            evaluating = steps.filter { !tainted.isDisjoint(with: $0.inputs) }
            training = steps.filter { !preparing.contains($0.name) && tainted.isDisjoint(with: $0.inputs) }
            self.tainted = tainted
            self.makers = makers
        }

        func maker(of name: String) -> TrainingStep? { makers[name] }

        /// The step of training that has made it of other artifacts; nil for a source.
        func trainingMaker(of name: String) -> TrainingStep? {
            guard let maker = makers[name], !maker.inputs.isEmpty, training.contains(maker) else { return nil }
            return maker
        }

        /// These artifacts and all that they were made of by steps of training.
        func upstream(of names: [String]) -> Set<String> {
            var result: Set<String> = []
            var next = names
            while let name = next.popLast() {
                guard result.insert(name).inserted else { continue }
                next += trainingMaker(of: name)?.inputs ?? []
            }
            return result
        }
    }
}
