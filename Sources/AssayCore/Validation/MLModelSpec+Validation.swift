import JSON
import KubernetesModel

extension MLModel {
    /// What cannot stand; empty when all is well.
    public var problems: [FieldProblem] {
        var problems: [FieldProblem] = []
        if let problem = Bounds.problem(withName: metadata.name) { problems.append(problem) }
        switch spec {
        case .invalid(let error, _): problems.append(FieldProblem(error.path, error.message))
        case .valid(let spec):
            problems += spec.sourceProblems
            problems += spec.evaluationProblems
            problems += spec.validation.problems
            problems += spec.overlapProblems
            problems += spec.serving.problems
            problems += spec.imageSourceProblems
            problems += spec.artifactProblems
            problems += spec.goldenProblems
            problems += spec.pinningProblems
            if let limit = spec.revisionHistoryLimit, !(1...Bounds.history).contains(limit) {
                problems.append(.init("spec.revisionHistoryLimit", "must be between 1 and \(Bounds.history)"))
            }
        }
        return problems
    }
}

extension MLModelSpec {
    /// It is trained, or was made elsewhere.
    fileprivate var sourceProblems: [FieldProblem] {
        guard (givenTraining == nil) != (artifact == nil) else {
            return [FieldProblem("spec", "give either training or artifact")]
        }
        if let artifact { return artifact.problems(at: "spec.artifact") }
        let path = "spec.training.template.spec"
        guard training.spec.artifact == nil else {
            return [
                FieldProblem("\(path).artifact", "trains nothing; put it into spec.artifact, and remove spec.training")
            ]
        }
        return training.spec.problems(at: path) + training.retraining.problems(at: "spec.training")
    }
}

extension MLModelSpec {
    /// Images are taken from steps that are there.
    fileprivate var imageSourceProblems: [FieldProblem] {
        guard artifact == nil else {
            return serving.imageFrom.isEmpty
                ? []
                : [
                    FieldProblem(
                        "spec.serving.imageFrom",
                        "nothing is trained here; name the image by its digest, as image@sha256:…")
                ]
        }
        let steps = training.spec.steps.map(\.name)
        return serving.imageFrom.enumerated().compactMap { index, source in
            guard training.spec.template(of: source) == nil else { return nil }
            let field = "spec.serving.imageFrom[\(index)].step"
            guard let name = source.step else {
                return FieldProblem(field, "is required: the training has the steps \(steps.joined(separator: ", "))")
            }
            return FieldProblem(field, "the training has no step \(name)")
        }
    }
}

extension MLModelSpec {
    /// What is served, the training makes.
    fileprivate var artifactProblems: [FieldProblem] {
        var problems: [FieldProblem] = []
        let made = Set(training.spec.steps.flatMap(\.outputs) + training.spec.given.map(\.name))
        let tainted = tainted
        var seen: Set<String> = []
        for (index, name) in serving.artifacts.enumerated() {
            let field = "spec.serving.artifacts[\(index)]"
            if artifact != nil {
                // Which there are is known when it was read.
                if !seen.insert(name).inserted { problems.append(.init(field, "\(name) is there twice")) }
            } else if !made.contains(name) {
                problems.append(.init(field, "no step of spec.training has the output \(name)"))
            } else if tainted.contains(name) {
                let holdouts = [training.spec.holdout, holdout].compactMap(\.self)
                problems.append(
                    .init(
                        field,
                        holdouts.contains(name)
                            ? "\(name) is the holdout, which is not served"
                            : "the holdout \(holdouts.last ?? "") has a part in \(name): what is served has not seen it"
                    ))
            } else if !seen.insert(name).inserted {
                problems.append(.init(field, "\(name) is there twice"))
            }
        }
        if serving.artifacts.count > Bounds.artifacts {
            problems.append(.init("spec.serving.artifacts", "has more than \(Bounds.artifacts) entries"))
        }
        guard !serving.artifacts.isEmpty else { return problems }
        let places = [ArtifactContainer.root, ServingRendering.modelsDirectory]
        return problems
            + ReservedNames(serving.template, at: "spec.serving.template", places: places).problems
    }
}

extension MLModelSpec {
    /// What was made elsewhere keeps the rules that it had there.
    fileprivate var overlapProblems: [FieldProblem] {
        let field = "spec.validation.maxOverlap"
        guard let most = validation.maxOverlap else { return [] }
        guard (0...1).contains(most) else { return [.init(field, "must be from 0 to 1: a part of the holdout's rows")] }
        if validation.thresholds.isEmpty { return [.init(field, "needs thresholds to have a meaning; remove it")] }
        guard artifact == nil || evaluation != nil, holdout == nil else { return [] }
        let place = artifact == nil ? "spec.training.template.spec.holdout" : "spec.evaluation.holdout"
        return [.init(field, "needs \(place), which names the unseen data; name it, or remove this")]
    }
}

extension MLModelSpec.Validation {
    private static let path = "spec.validation"

    var problems: [FieldProblem] {
        var problems: [FieldProblem] = []
        switch (thresholds.isEmpty && !needsProof, gate) {
        case (true, nil):
            problems.append(
                .init(
                    Self.path,
                    "is empty; give thresholds, golden or tests, or write gate: None to serve whatever was trained"))
        case (false, .some):
            let others = thresholds.isEmpty ? "golden and tests" : "the thresholds"
            problems.append(.init("\(Self.path).gate", "None contradicts \(others); remove one of the two"))
        default:
            guard thresholds.isEmpty, requireAttested == true else { break }
            problems.append(.init("\(Self.path).requireAttested", "needs thresholds to have a meaning; remove it"))
        }
        problems += proofProblems
        if thresholds.count > Bounds.thresholds {
            problems.append(.init("\(Self.path).thresholds", "has more than \(Bounds.thresholds) entries"))
        }
        var rules: Set<String> = []
        for (index, threshold) in thresholds.enumerated() {
            let field = "\(Self.path).thresholds[\(index)]"
            problems += threshold.problems(at: field)
            for rule in threshold.rules {
                let source = threshold.source ?? .training
                let identity = "\(threshold.metric) \(threshold.split ?? .holdout) \(source) \(rule.name)"
                guard !rules.insert(identity).inserted else { continue }
                problems.append(
                    .init("\(field).\(rule.name)", "\(threshold.metric) has this rule already; remove one of the two"))
            }
        }
        return problems
    }
}

extension Threshold {
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if !MetricsReading.isName(metric) {
            problems.append(
                .init(
                    "\(path).metric",
                    "must have 1 to \(MetricsReading.longestName) of the characters A-Z a-z 0-9 _ . / -"
                ))
        }
        if !hasBound {
            problems.append(
                .init(
                    path,
                    "has no bound; set threshold, minAbsoluteChange, minRelativeChange or maxGeneralizationGap"))
        }
        if source == .candidate { problems += candidateProblems(at: path) }
        if whenNoBaseline != nil, minAbsoluteChange == nil, minRelativeChange == nil {
            problems.append(
                .init("\(path).whenNoBaseline", "needs minAbsoluteChange or minRelativeChange to have a meaning"))
        }
        if let maxGeneralizationGap {
            if maxGeneralizationGap < 0 {
                problems.append(.init("\(path).maxGeneralizationGap", "must not be negative"))
            }
            if let split, split != .holdout {
                problems.append(
                    .init("\(path).split", "maxGeneralizationGap compares train with holdout; leave split out"))
            }
        }
        return problems
    }
}

extension MLModelSpec.Serving {
    fileprivate static let path = "spec.serving"

    var problems: [FieldProblem] {
        let containers = imageFrom.map(\.container)
        var problems = TemplateValidation(
            template: template, path: "\(Self.path).template", restartPolicy: "Always", imageFrom: Set(containers)
        ).problems
        if Set(containers).count != containers.count {
            problems.append(.init("\(Self.path).imageFrom", "names a container twice"))
        }
        if !(1...65_535).contains(port) { problems.append(.init("\(Self.path).port", "must be between 1 and 65535")) }
        if let replicas, !(0...Bounds.replicas).contains(replicas) {
            problems.append(.init("\(Self.path).replicas", "must be between 0 and \(Bounds.replicas)"))
        }
        if let autoscaling { problems += autoscaling.problems(at: "\(Self.path).autoscaling") }
        if autoscaling != nil, gateway == false {
            problems.append(
                .init("\(Self.path).autoscaling", "goes by what the gateway measures; remove it, or gateway: false"))
        }
        problems += changeProblems + concurrencyProblems
        if hosts.count > Bounds.hosts {
            problems.append(.init("\(Self.path).hosts", "has more than \(Bounds.hosts) entries"))
        }
        for (index, host) in hosts.enumerated() where !Bounds.isSubdomain(host) {
            problems.append(
                .init(
                    "\(Self.path).hosts[\(index)]",
                    "\"\(Text.limited(host, to: 80))\" is no name of a host in lower case"))
        }
        if gateway == false {
            let fields = [
                ("retry", retry != nil), ("hosts", !hosts.isEmpty), ("auth", auth != nil),
                ("containerConcurrency", concurrencyLimit != nil),
            ]
            for (field, isThere) in fields where isThere {
                problems.append(.init("\(Self.path).\(field)", "is for the gateway; remove it, or gateway: false"))
            }
        }
        if let surge, !(0...1).contains(surge) { problems.append(.init("\(Self.path).surge", "must be 0 or 1")) }
        if let progressDeadlineSeconds, progressDeadlineSeconds < 1 {
            problems.append(.init("\(Self.path).progressDeadlineSeconds", "must be at least 1"))
        }
        return problems
    }
}

extension MLModelSpec.Serving {
    /// How much one replica gets.
    private var concurrencyProblems: [FieldProblem] {
        guard let containerConcurrency else { return [] }
        guard (0...Bounds.concurrency).contains(containerConcurrency) else {
            return [
                .init(
                    "\(Self.path).containerConcurrency",
                    "must be between 0, for as many as come, and \(Bounds.concurrency)")
            ]
        }
        guard let limit = concurrencyLimit, let autoscaling, autoscaling.metric ?? .concurrency == .concurrency,
            let target = autoscaling.target, target > Double(limit)
        else { return [] }
        return [
            .init(
                "\(Self.path).autoscaling.target",
                "is more than containerConcurrency (\(limit)) lets one replica have; make it no larger, or remove it")
        ]
    }

    /// How one revision follows another.
    private var changeProblems: [FieldProblem] {
        var problems: [FieldProblem] = []
        if let scaleDownDelay {
            let field = "\(Self.path).scaleDownDelay"
            problems += DurationText.problems(scaleDownDelay, at: field)
            if gateway == false { problems.append(.init(field, "needs the gateway; remove it, or gateway: false")) }
        }
        guard let rollout else { return problems }
        let field = "\(Self.path).rollout"
        problems += rollout.problems(at: field)
        if gateway == false {
            problems.append(.init(field, "goes by what the gateway measures; remove it, or gateway: false"))
        }
        if surge == 0 {
            problems.append(.init(field, "has two revisions serve at once; remove it, or surge: 0"))
        }
        return problems
    }
}
