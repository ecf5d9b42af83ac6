import JSON

extension MLModelSpec {
    /// How models are measured apart from their training: whoever has made them, and what serves again whenever there is
    /// another holdout. A change of it measures again and judges again; nothing is trained for it.
    public struct Evaluation: Sendable, Hashable {
        /// They read what the training has made, or what the artifact brings.
        public var steps: [TrainingStep]
        /// The artifact that is the unseen data; the training's unless given.
        public var holdout: String?
        public var parameters: [String: String]

        public init(steps: [TrainingStep], holdout: String? = nil, parameters: [String: String] = [:]) {
            self.steps = steps
            self.holdout = holdout
            self.parameters = parameters
        }

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            steps = try cursor["steps"].map { element throws(JSONShapeError) in try TrainingStep(json: element) }
            holdout = try cursor["holdout"].optionalString()
            parameters = try cursor["parameters"].stringMap()
        }

        public var json: JSONValue {
            var result: JSONValue = ["steps": JSONValue(steps.map(\.json))]
            result["holdout"] = JSONValue(holdout)
            if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
            return result
        }

        public var hash: String { SpecHash.text(json) }
    }

    /// The artifact that is the unseen data where models are judged; nil where none is named.
    var holdout: String? { evaluation?.holdout ?? training.spec.holdout }

    /// All steps that report what it is judged by, those of the evaluation first.
    public var reporting: TrainingJobSpec {
        var result = training.spec
        result.steps = (evaluation?.steps ?? []) + result.steps
        result.holdout = holdout
        return result
    }

    /// Of all that a judgement is by. Without an evaluation that is `spec.validation` alone, so that an upgrade judges nothing
    /// again.
    public var judgementHash: String {
        guard let evaluation = independentEvaluation else { return validation.hash }
        return SpecHash.text(["validation": validation.json, "evaluation": evaluation.json])
    }

    /// The evaluation as it stands without the training.
    var independentEvaluation: Evaluation? {
        guard var result = evaluation else { return nil }
        result.holdout = holdout
        return result
    }

    /// The evaluation as a training of its own: of what was made there are given those artifacts that its steps read, and what
    /// those were made of.
    /// - Parameters:
    ///   - made: What there is, by its digests.
    ///   - steps: Those of the evaluation that are run.
    ///   - makers: The steps that have made it, where that is known.
    func measuring(
        _ made: [SealedArtifact], by steps: [TrainingStep], makers: [TrainingStep], store: ArtifactStoreSpec?
    ) -> TrainingJobSpec {
        let own = Set(steps.flatMap(\.outputs))
        let given = made.filter { !own.contains($0.name) }
        var needed: Set<String> = []
        var next = steps.flatMap(\.inputs) + [holdout].compactMap(\.self)
        while let name = next.popLast() {
            guard given.contains(where: { $0.name == name }), needed.insert(name).inserted else { continue }
            next += makers.first { $0.outputs.contains(name) }?.inputs ?? []
        }
        var result = TrainingJobSpec(steps: steps, artifactStore: store, holdout: holdout)
        result.given = given.filter { needed.contains($0.name) }.map { artifact in
            let maker = makers.first { $0.outputs.contains(artifact.name) && $0.inputs.allSatisfy(needed.contains) }
            return GivenInput(
                name: artifact.name, digest: artifact.digest,
                madeBy: maker.map { GivenInput.Maker(step: $0.name, inputs: $0.inputs) })
        }
        result.parameters = evaluation?.parameters ?? [:]
        result.backoffLimit = training.spec.backoffLimit
        result.ttlSecondsAfterFinished = training.spec.ttlSecondsAfterFinished
        result.queueName = training.spec.queueName
        result.workloadPriorityClass = training.spec.workloadPriorityClass
        return result
    }
}

extension MLModelSpec.Evaluation {
    /// The steps that make the holdout, and all that they read: the data, which is the same for every model that is compared.
    func dataSteps(of holdout: String?) -> Set<String> {
        var result: Set<String> = []
        var next = [holdout].compactMap(\.self)
        while let name = next.popLast() {
            guard let maker = steps.first(where: { $0.outputs.contains(name) }), result.insert(maker.name).inserted
            else { continue }
            next += maker.inputs
        }
        return result
    }
}
