import Testing

@testable import Search

@Suite struct TreeParzenTests {
    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private func best(_ algorithm: SearchAlgorithm, seed: Int, direction: Direction = .minimize) throws -> Double {
        let sign = direction == .minimize ? 1.0 : -1
        let settings = try Samples.settings(Samples.mixed, algorithm, direction: direction, seed: seed)
        let trials = Samples.run(settings, count: 60) { .succeeded(objective: sign * Samples.loss($1)) }
        return sign * (SearchProgress(trials, direction: direction).best?.objective ?? .infinity)
    }

    @Test func itFindsBetterThanChanceDoes() throws {
        let random = try (0..<5).map { try best(.random, seed: $0) }
        let tpe = try (0..<5).map { try best(.tpe(), seed: $0) }
        #expect(median(tpe) * 4 < median(random), "\(median(tpe)) against \(median(random))")
        // The same the other way round.
        #expect(try (0..<5).map { try best(.tpe(), seed: $0, direction: .maximize) } == tpe)
    }

    private static let line = [SearchParameter("x", .uniform(min: 0, max: 1))]

    /// How many of the next suggestions lie within 0.1 of a place.
    private func near(_ place: Double, _ trials: [Trial], _ stopping: SuccessiveHalving? = nil) throws -> Int {
        try (0..<40).filter { seed in
            let settings = try Samples.settings(Self.line, seed: seed, earlyStopping: stopping)
            let suggestion = settings.suggestion(number: trials.count, trials: trials)
            return abs((suggestion?.values["x"].flatMap(Double.init) ?? 9) - place) < 0.1
        }.count
    }

    private func trials(_ places: [(Double, Trial.State)]) -> [Trial] {
        places.enumerated().map { Trial(number: $0.offset, values: ["x": "\($0.element.0)"], state: $0.element.1) }
    }

    /// Two places are equally good; one of them is full of trials that run, or failed.
    private func places(_ state: Trial.State) -> [Trial] {
        let spread = (0..<20).map { (Double($0) / 20 + 0.025, Trial.State.succeeded(objective: 5)) }
        let good = [0.24, 0.25, 0.26, 0.74, 0.75, 0.76].map { ($0, Trial.State.succeeded(objective: 1)) }
        return trials(spread + good + (0..<8).map { (0.71 + Double($0) / 100, state) })
    }

    @Test(arguments: [Trial.State.pending, .failed, .succeeded(objective: nil)])
    func itKeepsAwayFromWhatRunsAndFromWhatFailed(_ state: Trial.State) throws {
        let trials = places(state)
        let (free, full) = try (near(0.25, trials), near(0.75, trials))
        #expect(free > 2 * full, "\(free) against \(full)")
    }

    @Test func anEndWithoutANumberIsNeverAmongTheGood() throws {
        let bad = trials(
            (0..<30).map { (Double($0) / 30, .succeeded(objective: $0 < 3 ? -.infinity : 10 - Double($0) / 10)) })
        let (broken, good) = try (near(0.05, bad), near(0.93, bad))
        #expect(good > 20 && broken < 4, "\(good) and \(broken)")
    }

    /// Of those that were ended early at the first rung none has got as far as the others.
    @Test func whatWasStoppedEarlierCountsLess() throws {
        let asha = try SuccessiveHalving(minResource: 1, maxResource: 9)
        var trials = trials((0..<30).map { (Double($0) / 30, .stopped) })
        for index in trials.indices {
            let value = index < 3 ? 0.0 : 10 - Double(index) / 10
            trials[index].reports = (index < 3 ? [1] : [1, 3]).map { TrialReport(step: $0, value: value) }
        }
        let (early, good) = try (near(0.05, trials, asha), near(0.93, trials, asha))
        #expect(good > 20 && early < 4, "\(good) and \(early)")
    }

    /// The first two ran to their end for want of others, and what ran later is better, as far as it came.
    @Test func whatRanToItsEndIsComparedWhereOthersGotTo() throws {
        let asha = try SuccessiveHalving(minResource: 1, maxResource: 9)
        var trials = trials((0..<30).map { (Double($0) / 30, $0 < 2 ? .succeeded(objective: 5) : .stopped) })
        for index in trials.indices {
            trials[index].reports = [1, 3].map { TrialReport(step: $0, value: 10 - Double(index) / 10) }
        }
        let (ended, good) = try (near(0.03, trials, asha), near(0.93, trials, asha))
        #expect(good > 20 && ended < 4, "\(good) and \(ended)")
    }

    /// With nothing but failures there is nothing to learn, and it goes on.
    @Test func itGoesOnWhereEverythingFails() throws {
        let settings = try Samples.settings()
        #expect(Set(Samples.run(settings, count: 50) { _, _ in .failed }.map(\.values)).count == 50)
    }
}
