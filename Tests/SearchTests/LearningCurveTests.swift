import Testing

@testable import Search

/// What early stopping saves, on the family of learning curves that docs/search.md describes.
@Suite struct LearningCurveTests {
    /// The loss at a step of 1...81: it falls from 1 to a floor by a power of the step that the learning rate says; far too large a
    /// rate diverges. Curves cross, since what learns fast early has not always the lowest floor; each value carries noise.
    private struct Curve {
        let floor: Double
        let power: Double
        let stream: Int
        let diverges: Bool

        init(_ values: [String: String], stream: Int) {
            let rate = StableMath.ln(Double(values["rate"] ?? "") ?? 1) / StableMath.ln(10)
            let width = Double(values["width"] ?? "") ?? 0
            floor = 0.1 + 0.06 * (rate + 2.5) * (rate + 2.5) + 0.1 * (width - 0.7) * (width - 0.7)
            power = max(0.2, 1.1 + 0.25 * (rate + 3) - 0.3 * width)
            diverges = rate > -0.3
            self.stream = stream
        }

        func loss(_ step: Int) -> Double {
            if diverges, step > 4 { return .nan }
            var random = SearchRandom(seed: 3, stream: stream * 1_000 + step, use: .values)
            return floor + (1 - floor) * StableMath.exp(-power * StableMath.ln(Double(step))) + 0.005
                / Double(step).squareRoot() * random.normal()
        }
    }

    private static let whole = 81
    private static let space = [
        SearchParameter("rate", .logUniform(min: 1e-5, max: 1)), SearchParameter("width", .uniform(min: 0, max: 1)),
    ]

    /// All trials of a search with four at a time, each a step at a time.
    private func run(seed: Int, _ algorithm: SearchAlgorithm, stopping: Bool) throws -> (steps: Int, best: Double) {
        let asha = try SuccessiveHalving(minResource: 5, maxResource: Self.whole)
        let settings = try Samples.settings(
            Self.space, algorithm, seed: seed, numTrials: 60, parallelTrials: 4, earlyStopping: stopping ? asha : nil)
        var trials: [Trial] = []
        var steps = 0
        while true {
            let decision = settings.decision(trials)
            if decision.isComplete { return (steps, decision.progress.best?.objective ?? .infinity) }
            for number in decision.stop { trials[number].state = .stopped }
            trials += decision.start.map { Trial(number: $0.number, values: $0.values) }
            // One time unit: each that runs makes a step, those with odd numbers two.
            for index in trials.indices where trials[index].state == .pending {
                for _ in 0...(index % 2) where trials[index].state == .pending { advance(&trials[index], &steps, asha) }
            }
        }
    }

    private func advance(_ trial: inout Trial, _ steps: inout Int, _ asha: SuccessiveHalving) {
        let curve = Curve(trial.values, stream: trial.number)
        let step = (trial.reports.last?.step ?? 0) + 1
        steps += 1
        trial.reports.append(TrialReport(step: step, value: curve.loss(step)))
        if step == Self.whole { trial.state = .succeeded(objective: curve.loss(step)) }
    }

    @Test(arguments: [SearchAlgorithm.random, .tpe()])
    func atMostTwoFifthsOfTheStepsForABestWithinTwoPercent(_ algorithm: SearchAlgorithm) throws {
        let seeds = 0..<8
        var (spent, whole) = (0, 0)
        var excess = 0.0
        for seed in seeds {
            let early = try run(seed: seed, algorithm, stopping: true)
            let full = try run(seed: seed, algorithm, stopping: false)
            #expect(full.steps == 60 * Self.whole)
            spent += early.steps
            whole += full.steps
            excess += early.best / full.best - 1
        }
        #expect(spent * 10 <= whole * 4, "\(100 * spent / whole) %")
        #expect(excess / Double(seeds.count) <= 0.02, "\(excess / Double(seeds.count))")
    }
}
