import JSON
import OpenSSL

/// An artifact that is in the store already. Steps read it as though one of them had made it.
public struct GivenInput: Sendable, Hashable {
    /// Whence it came. By it the holdout is compared with what it was made of, and taints what was made of the holdout.
    public struct Maker: Sendable, Hashable {
        public var step: String
        /// What that step read, which must be given too.
        public var inputs: [String]

        public init(step: String, inputs: [String]) {
            self.step = step
            self.inputs = inputs
        }
    }

    public var name: String
    /// `sha256:…`
    public var digest: String
    /// Nil where nobody knows.
    public var madeBy: Maker?

    public init(name: String, digest: String, madeBy: Maker? = nil) {
        self.name = name
        self.digest = digest
        self.madeBy = madeBy
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        digest = try cursor["digest"].string()
        guard cursor["madeBy"].exists else { return }
        madeBy = Maker(
            step: try cursor["madeBy"]["step"].string(),
            inputs: try cursor["madeBy"]["inputs"].map { element throws(JSONShapeError) in try element.string() })
    }

    public var json: JSONValue {
        var result: JSONValue = ["name": .string(name), "digest": .string(digest)]
        if let madeBy {
            var maker: JSONValue = ["step": .string(madeBy.step)]
            if !madeBy.inputs.isEmpty { maker["inputs"] = JSONValue(madeBy.inputs) }
            result["madeBy"] = maker
        }
        return result
    }
}

extension TrainingJobSpec {
    /// The steps that have made what is given, as far as that is told, and its own: what the graph of artifacts consists of.
    var lineage: [TrainingStep] {
        var makers: [TrainingStep] = []
        for input in given {
            guard let maker = input.madeBy else { continue }
            if let index = makers.firstIndex(where: { $0.name == maker.step }) {
                makers[index].outputs.append(input.name)
            } else {
                makers.append(
                    TrainingStep(
                        name: maker.step, inputs: maker.inputs, outputs: [input.name],
                        template: PodTemplate(json: [:])))
            }
        }
        return makers + steps
    }

    func problems(withGivenAt path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if given.count > Bounds.given { problems.append(.init(path, "has more than \(Bounds.given) entries")) }
        let names = Set(given.map(\.name))
        var makers: [String: Set<String>] = [:]
        for (index, input) in given.enumerated() {
            let field = "\(path)[\(index)]"
            if Digest(input.digest) == nil {
                problems.append(
                    .init(
                        "\(field).digest",
                        "\"\(Text.limited(input.digest, to: 80))\" is no sha256: and 64 hexadecimal digits"))
            }
            guard let maker = input.madeBy else { continue }
            if steps.contains(where: { $0.name == maker.step }) {
                problems.append(.init("\(field).madeBy.step", "\(maker.step) is a step of this training"))
            }
            if makers[maker.step].map({ $0 != Set(maker.inputs) }) ?? false {
                problems.append(.init("\(field).madeBy.inputs", "\(maker.step) has read something else above"))
            }
            makers[maker.step] = Set(maker.inputs)
            for (place, name) in maker.inputs.enumerated() where !names.contains(name) {
                problems.append(.init("\(field).madeBy.inputs[\(place)]", "\(name) is not given"))
            }
        }
        return problems
    }
}
