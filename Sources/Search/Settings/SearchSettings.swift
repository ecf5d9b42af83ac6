/// What is to be better, and when it is good enough.
public struct SearchObjective: Sendable, Hashable {
    public var metric: String
    public var direction: Direction
    /// The search is over once a trial is as good; nil for never.
    public var goal: Double?

    public init(metric: String, direction: Direction, goal: Double? = nil) {
        self.metric = metric
        self.direction = direction
        self.goal = goal
    }

    /// Whether a value is as good as the goal.
    public func reaches(_ value: Double) -> Bool {
        goal.map { direction.loss(value) <= direction.loss($0) } ?? false
    }
}

/// How the values of the next trial are found.
public enum SearchAlgorithm: Sendable, Hashable {
    /// Every combination once, the last parameter changing fastest.
    case grid
    /// Each trial for itself.
    case random
    /// Like those that went well and unlike the others; at random until so many were observed.
    case tpe(startupTrials: Int = 10)
}

/// A search: what `TrainingJob.spec.search` says. Valid by its making.
public struct SearchSettings: Sendable, Hashable {
    /// Of one search.
    public static let mostTrials = 1_000

    public let space: SearchSpace
    public let objective: SearchObjective
    public let algorithm: SearchAlgorithm
    /// Equal seeds and equal observations give equal suggestions.
    public let seed: Int
    /// So many trials are started, however they end.
    public let numTrials: Int
    /// At most so many at a time.
    public let parallelTrials: Int
    /// With more than so many failures the search ends; nil for any number.
    public let maxFailedTrials: Int?
    /// Which trials are ended early; nil for none.
    public let earlyStopping: SuccessiveHalving?

    /// - Throws: `SearchProblems` with all that cannot stand, by the names of the fields below `spec.search`.
    public init(
        space: SearchSpace, objective: SearchObjective, algorithm: SearchAlgorithm, seed: Int, numTrials: Int,
        parallelTrials: Int = 1, maxFailedTrials: Int? = nil, earlyStopping: SuccessiveHalving? = nil
    ) throws(SearchProblems) {
        self.space = space
        self.objective = objective
        self.algorithm = algorithm
        self.seed = seed
        self.numTrials = numTrials
        self.parallelTrials = parallelTrials
        self.maxFailedTrials = maxFailedTrials
        self.earlyStopping = earlyStopping
        let problems = self.problems
        guard problems.isEmpty else { throw SearchProblems(problems) }
    }

    private var problems: [SearchProblem] {
        var problems: [SearchProblem] = []
        if objective.metric.isEmpty {
            problems.append(.init("objectives[0].metric", "is empty; name the metric that trials report"))
        }
        if let goal = objective.goal, !goal.isFinite {
            problems.append(.init("objectives[0].goal", "must be a finite number"))
        }
        if !(1...Self.mostTrials).contains(numTrials) {
            problems.append(.init("numTrials", "must be between 1 and \(Self.mostTrials)"))
        }
        if !(1...max(1, numTrials)).contains(parallelTrials) {
            problems.append(.init("parallelTrials", "must be between 1 and numTrials"))
        }
        if let maxFailedTrials, maxFailedTrials < 0 {
            problems.append(.init("maxFailedTrials", "must not be negative"))
        }
        if case .tpe(let startupTrials) = algorithm, !(1...Self.mostTrials).contains(startupTrials) {
            problems.append(.init("searchAlgorithm.tpe.startupTrials", "must be between 1 and \(Self.mostTrials)"))
        }
        return problems + gridProblems
    }

    private var gridProblems: [SearchProblem] {
        guard algorithm == .grid else { return [] }
        let infinite = space.parameters.enumerated().filter { $0.element.distribution.count == nil }
        guard infinite.isEmpty else {
            return infinite.map { index, parameter in
                let advice =
                    if case .logUniform = parameter.distribution { "list them as categorical" } else {
                        "give uniform.step"
                    }
                return .init("parameters[\(index)].searchSpace", "a grid needs finitely many values; \(advice)")
            }
        }
        guard let count = space.count, count <= Self.mostTrials else {
            return [
                .init("parameters", "make a grid of more than \(Self.mostTrials) points; give fewer values, or use tpe")
            ]
        }
        guard count > numTrials else { return [] }
        return [.init("numTrials", "is less than the \(count) points of the grid, of which some would never be tried")]
    }
}
