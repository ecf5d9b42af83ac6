extension SearchSpace {
    /// More parameters than this no search of this kind finds its way in.
    public static let mostParameters = 100
    /// Of one categorical parameter.
    public static let mostChoices = 100
    /// Whole numbers beyond it are not all doubles.
    public static let greatestInteger = 1 << 53

    static func problems(of parameters: [SearchParameter]) -> [SearchProblem] {
        var problems: [SearchProblem] = []
        if parameters.isEmpty { problems.append(.init("parameters", "is empty; give at least one to search for")) }
        if parameters.count > mostParameters {
            problems.append(
                .init("parameters", "are \(parameters.count); at most \(mostParameters) can be searched for"))
        }
        var names: Set<String> = []
        for (index, parameter) in parameters.enumerated() {
            let path = "parameters[\(index)]"
            if parameter.name.isEmpty { problems.append(.init("\(path).name", "is empty; give the parameter's name")) }
            if !names.insert(parameter.name).inserted {
                problems.append(.init("\(path).name", "there is a parameter \(parameter.name) already"))
            }
            problems += parameter.distribution.problems(at: "\(path).searchSpace")
        }
        return problems
    }
}

extension Distribution {
    fileprivate func problems(at path: String) -> [SearchProblem] {
        switch self {
        case .uniform(let min, let max, let step):
            let path = "\(path).uniform"
            let problems = Self.rangeProblems(min, max, path)
            guard problems.isEmpty, let step else { return problems }
            return Self.stepProblems(min, max, step, "\(path).step")
        case .logUniform(let min, let max):
            let path = "\(path).logUniform"
            let problems = Self.rangeProblems(min, max, path)
            guard problems.isEmpty, min <= 0 else { return problems }
            return [.init("\(path).min", "must be more than 0 on a logarithmic scale")]
        case .integer(let min, let max, let step):
            let path = "\(path).uniform"
            let problems = Self.integerProblems(min, max, path)
            guard problems.isEmpty, !(1...(max - min)).contains(step) else { return problems }
            return [.init("\(path).step", "must be a whole number from 1 to max - min, which is \(max - min)")]
        case .logInteger(let min, let max):
            let path = "\(path).logUniform"
            let problems = Self.integerProblems(min, max, path)
            guard problems.isEmpty, min < 1 else { return problems }
            return [.init("\(path).min", "must be at least 1 on a logarithmic scale of whole numbers")]
        case .categorical(let choices): return Self.choiceProblems(choices, "\(path).categorical.choices")
        }
    }

    private static func rangeProblems(_ min: Double, _ max: Double, _ path: String) -> [SearchProblem] {
        let bounds = [("min", min), ("max", max)].filter { !$0.1.isFinite }
        guard bounds.isEmpty else { return bounds.map { .init("\(path).\($0.0)", "must be a finite number") } }
        guard min < max else { return [.init("\(path).max", "must be more than min")] }
        guard (max - min).isFinite else { return [.init("\(path).max", "is too far from min for a double to tell")] }
        guard max - min >= 1e-9 * Swift.max(min.magnitude, max.magnitude) else {
            return [
                .init("\(path).max", "is so near to min that 12 digits do not tell the values apart; widen the range")
            ]
        }
        return []
    }

    private static func stepProblems(_ min: Double, _ max: Double, _ step: Double, _ path: String) -> [SearchProblem] {
        guard step.isFinite, step > 0, step <= max - min else {
            return [.init(path, "must be more than 0 and at most max - min")]
        }
        guard step >= 1e-9 * Swift.max(min.magnitude, max.magnitude) else {
            return [.init(path, "is so small that 12 digits do not tell the values apart; leave it out, or raise it")]
        }
        return []
    }

    private static func integerProblems(_ min: Int, _ max: Int, _ path: String) -> [SearchProblem] {
        let most = SearchSpace.greatestInteger
        let bounds = [("min", min), ("max", max)].filter { !(-most...most).contains($0.1) }
        guard bounds.isEmpty else { return bounds.map { .init("\(path).\($0.0)", "must be between -2^53 and 2^53") } }
        return min < max ? [] : [.init("\(path).max", "must be more than min")]
    }

    private static func choiceProblems(_ choices: [String], _ path: String) -> [SearchProblem] {
        if choices.isEmpty { return [.init(path, "is empty; give the values to choose from")] }
        if choices.count > SearchSpace.mostChoices {
            return [.init(path, "are \(choices.count); give at most \(SearchSpace.mostChoices)")]
        }
        var seen: Set<String> = []
        return choices.enumerated().filter { !seen.insert($0.element).inserted }.map {
            .init("\(path)[\($0.offset)]", "\"\($0.element)\" stands there twice")
        }
    }
}
