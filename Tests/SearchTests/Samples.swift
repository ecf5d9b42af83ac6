@testable import Search

/// Searches that several tests use.
enum Samples {
    static let mixed = [
        SearchParameter("learningRate", .logUniform(min: 1e-5, max: 1)),
        SearchParameter("dropout", .uniform(min: 0, max: 0.6)),
        SearchParameter("momentum", .uniform(min: 0, max: 0.9, step: 0.1)),
        SearchParameter("units", .integer(min: 16, max: 512, step: 16)),
        SearchParameter("batch", .logInteger(min: 1, max: 1_000)),
        SearchParameter("optimizer", .categorical(["adam", "sgd", "a, b=c"])),
    ]

    static func settings(
        _ parameters: [SearchParameter] = mixed, _ algorithm: SearchAlgorithm = .tpe(),
        direction: Direction = .minimize,
        goal: Double? = nil, seed: Int = 42, numTrials: Int = 100, parallelTrials: Int = 1, maxFailedTrials: Int? = nil,
        earlyStopping: SuccessiveHalving? = nil
    ) throws -> SearchSettings {
        try SearchSettings(
            space: SearchSpace(parameters),
            objective: SearchObjective(metric: "loss", direction: direction, goal: goal), algorithm: algorithm,
            seed: seed, numTrials: numTrials, parallelTrials: parallelTrials, maxFailedTrials: maxFailedTrials,
            earlyStopping: earlyStopping)
    }

    /// Of the mixed space, least at a learning rate of 0.001, a dropout of 0.2 and adam.
    static func loss(_ values: [String: String]) -> Double {
        let rate = StableMath.ln(Double(values["learningRate"] ?? "") ?? 1) / StableMath.ln(10) + 3
        let dropout = (Double(values["dropout"] ?? "") ?? 1) - 0.2
        return rate * rate + 10 * dropout * dropout + (values["optimizer"] == "adam" ? 0 : 0.5)
    }

    /// One trial after another, each of which ends as `state` says.
    static func run(
        _ settings: SearchSettings, count: Int,
        state: (Int, [String: String]) -> Trial.State = { .succeeded(objective: loss($1)) }
    ) -> [Trial] {
        var trials: [Trial] = []
        for number in 0..<count {
            guard let suggestion = settings.suggestion(number: number, trials: trials) else { break }
            trials.append(Trial(number: number, values: suggestion.values, state: state(number, suggestion.values)))
        }
        return trials
    }

    /// States of every kind, by chance.
    static func anyState(_ number: Int, _ values: [String: String]) -> Trial.State {
        var random = SearchRandom(seed: 9, stream: number, use: .values)
        return switch random.below(8) {
        case 0: .failed
        case 1: .succeeded(objective: nil)
        case 2: .succeeded(objective: .nan)
        case 3: .pending
        case 4: .stopped
        default: .succeeded(objective: loss(values))
        }
    }
}
