import JSON

/// Rules for the steps of a workflow: names, and the graph that their inputs and outputs make.
struct WorkflowValidation {
    private let spec: TrainingJobSpec
    private let path: String
    private(set) var problems: [FieldProblem] = []

    /// - Parameter others: Makers of artifacts that the steps may read beside their own.
    init(_ spec: TrainingJobSpec, at path: String, beside others: [String: String] = [:]) {
        self.spec = spec
        self.path = path
        if spec.steps.count > Bounds.steps { refuse("steps", "has more than \(Bounds.steps) entries") }
        var names: Set<String> = []
        var makers = others
        checkGiven(&makers)
        for (index, step) in spec.steps.enumerated() {
            let field = "steps[\(index)]"
            checkName(step.name, at: "\(field).name", &names)
            checkOutputs(step, at: "\(field).outputs", &makers)
            checkParameters(step, at: "\(field).parameters")
            checkNodes(step, at: field)
            checkExpectations(step, at: field)
        }
        for (index, step) in spec.steps.enumerated() {
            checkInputs(step, at: "steps[\(index)].inputs", makers)
        }
        checkCycles(makers)
        if let holdout = spec.holdout, makers[holdout] == nil {
            refuse("holdout", "no step has the output \(holdout), and it is not given")
        }
        checkStore()
    }

    private mutating func refuse(_ field: String, _ message: String) {
        problems.append(FieldProblem("\(path).\(field)", message))
    }

    private mutating func checkName(_ name: String, at field: String, _ names: inout Set<String>) {
        if !Bounds.isDNSLabel(name) {
            refuse(field, "must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit")
        } else if !names.insert(name).inserted {
            refuse(field, "\(name) is there twice; every step has a name of its own")
        }
    }

    private mutating func checkOutputs(_ step: TrainingStep, at field: String, _ makers: inout [String: String]) {
        if step.outputs.count > Bounds.artifacts { refuse(field, "has more than \(Bounds.artifacts) entries") }
        for (index, name) in step.outputs.enumerated() {
            if !Bounds.isArtifactName(name) {
                refuse(
                    "\(field)[\(index)]",
                    "\"\(name)\" is no name of an artifact: 1 to 63 of a-z, 0-9 and -, beginning with a letter and ending "
                        + "with a letter or digit")
            } else if let other = makers[name] {
                let isOwn = other == step.name
                refuse(
                    "\(field)[\(index)]",
                    isOwn
                        ? "\(name) is there twice"
                        : other.isEmpty ? "\(name) is given" : "\(name) is already an output of the step \(other)")
            } else {
                makers[name] = step.name
            }
        }
    }

    /// What is given has nobody here for its maker: an empty name, which no step has.
    private mutating func checkGiven(_ makers: inout [String: String]) {
        for (index, input) in spec.given.enumerated() {
            if !Bounds.isArtifactName(input.name) {
                refuse(
                    "given[\(index)].name",
                    "\"\(input.name)\" is no name of an artifact: 1 to 63 of a-z, 0-9 and -, beginning with a letter and "
                        + "ending with a letter or digit")
            } else if makers.updateValue("", forKey: input.name) != nil {
                refuse("given[\(index)].name", "\(input.name) is there twice")
            }
        }
        problems += spec.problems(withGivenAt: "\(path).given")
    }

    private mutating func checkInputs(_ step: TrainingStep, at field: String, _ makers: [String: String]) {
        if step.inputs.count > Bounds.artifacts { refuse(field, "has more than \(Bounds.artifacts) entries") }
        var seen: Set<String> = []
        for (index, name) in step.inputs.enumerated() {
            if !seen.insert(name).inserted {
                refuse("\(field)[\(index)]", "\(name) is there twice")
            } else if makers[name] == nil {
                refuse("\(field)[\(index)]", "no step has the output \(name), and it is not given")
            } else if makers[name] == step.name {
                refuse("\(field)[\(index)]", "\(name) is what this step makes; it cannot read it")
            }
        }
    }

    private mutating func checkParameters(_ step: TrainingStep, at field: String) {
        var seen: Set<String> = []
        for (index, name) in step.parameters.enumerated() {
            if spec.parameters[name] == nil {
                refuse("\(field)[\(index)]", "\(path).parameters has no \(name)")
            } else if !seen.insert(name).inserted {
                refuse("\(field)[\(index)]", "\(name) is there twice")
            }
        }
    }

    private mutating func checkExpectations(_ step: TrainingStep, at field: String) {
        if step.expectations.count > Bounds.artifacts {
            refuse("\(field).expectations", "has more than \(Bounds.artifacts) entries")
        }
        for (index, expectation) in step.expectations.enumerated() {
            problems += expectation.problems(of: step.outputs, at: "\(path).\(field).expectations[\(index)]")
        }
    }

    private mutating func checkNodes(_ step: TrainingStep, at field: String) {
        if let claim = step.checkpointClaim, !Bounds.isSubdomain(claim) {
            refuse("\(field).checkpoint.claim", "\"\(claim)\" is no name of a PersistentVolumeClaim")
        }
        guard let nodes = step.nodes else { return }
        if !(1...Bounds.nodes).contains(nodes) { refuse("\(field).nodes", "must be from 1 to \(Bounds.nodes)") }
        for name in ["hostname", "subdomain"] where ![nil, .null].contains(step.template.spec?[name]) {
            refuse(
                "\(field).template.spec.\(name)",
                "the pods of a step of several nodes get names by which they find each other; remove it")
        }
    }

    /// Takes away, again and again, the steps that read nothing of those that are left. What stays goes in a circle, or
    /// reads what does.
    private mutating func checkCycles(_ makers: [String: String]) {
        guard problems.isEmpty else { return }
        var left = spec.steps
        while true {
            let names = Set(left.map(\.name))
            let next = left.filter { step in step.inputs.contains { makers[$0].map(names.contains) ?? false } }
            guard next.count < left.count else { break }
            left = next
        }
        guard let first = left.first else { return }
        let circle = Self.circle(from: first, left, makers)
        guard let index = spec.steps.firstIndex(where: { $0.name == circle.first }) else { return }
        refuse("steps[\(index)].inputs", "the steps wait for each other: \(circle.joined(separator: " reads of "))")
    }

    /// Every one of the steps reads of another of them, so whoever follows the inputs comes back to where he was.
    private static func circle(from start: TrainingStep, _ steps: [TrainingStep], _ makers: [String: String])
        -> [String]
    {
        var walked: [String] = []
        var at = start
        while !walked.contains(at.name) {
            walked.append(at.name)
            let read = at.inputs.compactMap { makers[$0] }
            guard let next = steps.first(where: { read.contains($0.name) }) else { return walked }
            at = next
        }
        return Array(walked.drop { $0 != at.name }) + [at.name]
    }

    private mutating func checkStore() {
        if let store = spec.artifactStore { problems += store.problems(at: "\(path).artifactStore") }
    }
}
