import Testing

@testable import Search

@Suite struct SuccessiveHalvingTests {
    private func rules(_ least: Int = 1, _ most: Int = 27, _ factor: Int = 3) throws -> SuccessiveHalving {
        try SuccessiveHalving(minResource: least, maxResource: most, reductionFactor: factor)
    }

    /// Trials that run, each with what it reported at the steps 1, 2, ….
    private func running(_ values: [[Double]]) -> [Trial] {
        values.enumerated().map { number, values in
            Trial(
                number: number, values: [:],
                reports: values.enumerated().map { TrialReport(step: $0.offset + 1, value: $0.element) })
        }
    }

    @Test func rungsGrowByTheFactorAndEndBeforeTheWhole() throws {
        #expect(try rules(1, 27, 3).rungs == [1, 3, 9])
        #expect(try rules(2, 100, 4).rungs == [2, 8, 32])
        #expect(try rules(5, 6, 2).rungs == [5])
        #expect(try rules(.max / 2, .max, 3).rungs == [.max / 2])
    }

    @Test func whatCannotStandIsNamedByItsField() {
        func paths(_ least: Int, _ most: Int, _ factor: Int) -> [String] {
            do {
                _ = try SuccessiveHalving(minResource: least, maxResource: most, reductionFactor: factor)
                return []
            } catch {
                return error.problems.map(\.path)
            }
        }
        #expect(paths(0, 9, 3) == ["earlyStopping.asha.minResource"])
        #expect(paths(9, 9, 3) == ["earlyStopping.asha.maxResource"])
        #expect(paths(1, 9, 1) == ["earlyStopping.asha.reductionFactor"])
    }

    @Test func theBestOfARungAndOneMoreForEveryThreeGoOn() throws {
        let trials = running([[0.5], [0.4], [0.3], [0.2], [0.1], [0.6]])
        #expect(try rules().stopped(trials, direction: .minimize) == [0, 1, 5])
        #expect(try rules().stopped(trials, direction: .maximize) == [2, 3, 4])
    }

    @Test func theOnlyOneGoesOnAndOfEqualsTheFirst() throws {
        #expect(try rules().stopped(running([[9]]), direction: .minimize) == [])
        #expect(try rules().stopped(running([[1], [1], []]), direction: .minimize) == [1])
    }

    @Test func beforeTheFirstRungNothingIsStopped() throws {
        let trials = running([[1, 1, 1], [9, 9], [9, 9, 9, 9]])
        #expect(try rules(4).stopped(trials, direction: .minimize) == [])
        #expect(try rules(3).stopped(trials, direction: .minimize) == [2])
    }

    @Test func aTrialIsJudgedAtTheHighestRungThatItHasGotTo() throws {
        // The first began badly, but at step 3 it is the best of the two that have got there.
        let trials = running([[9, 5, 1], [1, 2, 3], [2], [3], [4], [5]])
        #expect(try rules().stopped(trials, direction: .minimize) == [1, 4, 5])
    }

    @Test func whatHasEndedStillCountsButIsNotStopped() throws {
        var trials = running([[1], [2], [3], [4]])
        trials[0].state = .stopped
        trials[1].state = .succeeded(objective: 2)
        trials[2].state = .failed
        #expect(try rules().stopped(trials, direction: .minimize) == [3])
        trials[3].reports[0].value = 0
        #expect(try rules().stopped(trials, direction: .minimize) == [])
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity]) func whatIsNoNumberIsStopped(_ value: Double) throws {
        for direction in Direction.allCases {
            #expect(try rules().stopped(running([[value]]), direction: direction) == [0])
            #expect(try rules().stopped(running([[value], [5]]), direction: direction) == [0])
        }
    }

    @Test func stepsMayBeLeftOutAndReportsComeInAnyOrder() throws {
        let sparse = [
            Trial(number: 1, values: [:], reports: [.init(step: 12, value: 7), .init(step: 4, value: 1)]),
            Trial(number: 0, values: [:], reports: [.init(step: 2, value: 5), .init(step: 10, value: 6)]),
        ]
        // At 9 both have a report, of 12 and of 10.
        #expect(try rules().stopped(sparse, direction: .minimize) == [1])
    }

    /// What is kept of the reports is enough, and the order of everything is without meaning.
    @Test func aDecisionNeedsTheDecisiveReportsOnly() throws {
        for seed in 0..<200 {
            var random = SearchRandom(seed: seed, stream: 0, use: .values)
            let rules = try rules(1 + random.below(3), 40, 2 + random.below(3))
            let trials = (0..<12).map { number in
                let reports = (0..<random.below(15)).map { _ in
                    TrialReport(
                        step: 1 + random.below(45), value: random.below(12) == 0 ? .nan : Double(random.below(20)))
                }
                let state: Trial.State = random.below(3) == 0 ? .stopped : .pending
                var steps: Set<Int> = []
                return Trial(
                    number: number, values: [:], state: state,
                    reports: reports.filter { steps.insert($0.step).inserted })
            }
            let expected = rules.stopped(trials, direction: .minimize)
            var kept = trials
            for index in kept.indices {
                kept[index].reports = rules.decisive(kept[index].reports)
                #expect(kept[index].reports.count <= rules.rungs.count)
                kept[index].reports.reverse()
            }
            #expect(rules.stopped(kept.reversed(), direction: .minimize) == expected)
        }
    }
}
