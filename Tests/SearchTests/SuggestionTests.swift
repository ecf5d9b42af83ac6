import Testing

@testable import Search

@Suite struct SuggestionTests {
    private static let algorithms: [SearchAlgorithm] = [
        .random, .tpe(), .tpe(startupTrials: 1), .tpe(startupTrials: 500),
    ]

    @Test(arguments: algorithms) func everySuggestionIsOfTheSpaceAndComputedAlike(_ algorithm: SearchAlgorithm) throws {
        for seed in [0, .min, 7] {
            let settings = try Samples.settings(Samples.mixed, algorithm, seed: seed)
            let trials = Samples.run(settings, count: 40, state: Samples.anyState)
            #expect(trials.count == 40)
            #expect(trials.allSatisfy { settings.space.contains($0.values) })
            #expect(trials.map(\.values) == Samples.run(settings, count: 40, state: Samples.anyState).map(\.values))
        }
    }

    @Test(arguments: algorithms) func theOrderOfTheTrialsDoesNotMatter(_ algorithm: SearchAlgorithm) throws {
        let settings = try Samples.settings(Samples.mixed, algorithm)
        let trials = Samples.run(settings, count: 50, state: Samples.anyState)
        let expected = try #require(settings.suggestion(number: 50, trials: trials))
        for stream in 0..<10 {
            var random = SearchRandom(seed: 5, stream: stream, use: .values)
            let shuffled = random.permutation(50).map { trials[$0] }
            #expect(settings.suggestion(number: 50, trials: shuffled) == expected)
        }
    }

    @Test func anotherSeedOrNumberGivesOtherValues() throws {
        for algorithm in Self.algorithms {
            let settings = try Samples.settings(Samples.mixed, algorithm, seed: 1)
            let other = try Samples.settings(Samples.mixed, algorithm, seed: 2)
            let first = Samples.run(settings, count: 30).map(\.values)
            #expect(Set(first).count == 30)
            #expect(Set(first).isDisjoint(with: Samples.run(other, count: 30).map(\.values)))
        }
    }

    /// What any machine and any later version has to find.
    @Test func theValuesAreThese() throws {
        let settings = try Samples.settings()
        let trials = Samples.run(settings, count: 31)
        #expect(
            [0, 9, 10, 30].map { trials[$0].values.sorted { $0.key < $1.key }.map(\.value).joined(separator: " ") } == [
                "318 0.146772611605 0.000238613178415 0.8 adam 48", "42 0.432242589678 0.00290194369203 0.5 sgd 336",
                "3 0.178900928731 9.80184035775e-05 0.5 adam 16", "5 0.0795269433035 0.000992116883069 0.8 adam 320",
            ])
    }

    /// While it is computed offline, trials that ran then have ended, and others have come.
    @Test func aSuggestionIsComputedAgainOfWhatItSaw() throws {
        let settings = try Samples.settings()
        let trials = Samples.run(settings, count: 60, state: Samples.anyState)
        let suggestion = try #require(settings.suggestion(number: 60, trials: trials))
        #expect(suggestion.seen.ended.numbers.count + suggestion.seen.pending.numbers.count == 60)
        #expect(!suggestion.seen.pending.numbers.isEmpty)
        var later = trials
        for index in later.indices where later[index].state == .pending {
            later[index].state = .succeeded(objective: 0)
        }
        later.append(Trial(number: 60, values: suggestion.values, state: .succeeded(objective: -1)))
        later.append(Trial(number: 61, values: suggestion.values))
        #expect(settings.recomputed(suggestion, trials: later.reversed()) == suggestion.values)

        var lost = later
        lost.remove(at: 3)
        #expect(settings.recomputed(suggestion, trials: lost) == nil)
        var changed = later
        let ended = try #require(suggestion.seen.ended.numbers.first)
        changed[ended].state = .succeeded(objective: 17.25)
        #expect(settings.recomputed(suggestion, trials: changed) == nil)
    }

    /// Of the reports only the decisive ones are seen, so that the others may be forgotten.
    @Test func aSuggestionOutlivesReportsThatDecideNothing() throws {
        let asha = try SuccessiveHalving(minResource: 2, maxResource: 50)
        let settings = try Samples.settings(earlyStopping: asha)
        var trials = Samples.run(settings, count: 30) { number, _ in
            number % 3 == 0 ? .succeeded(objective: 1) : .stopped
        }
        for index in trials.indices {
            trials[index].reports = (1...20).map { TrialReport(step: $0, value: Double(index * $0 % 7)) }
        }
        let suggestion = try #require(settings.suggestion(number: 30, trials: trials))
        for index in trials.indices { trials[index].reports = asha.decisive(trials[index].reports).reversed() }
        #expect(settings.suggestion(number: 30, trials: trials) == suggestion)
        #expect(settings.recomputed(suggestion, trials: trials) == suggestion.values)
        trials[4].reports[0].value = .nan
        #expect(settings.recomputed(suggestion, trials: trials) == nil)
    }

    @Test func trialsOfHigherNumbersAreNotSeen() throws {
        let settings = try Samples.settings()
        let trials = Samples.run(settings, count: 40)
        for number in [0, 5, 25] {
            #expect(settings.suggestion(number: number, trials: trials)?.values == trials[number].values)
        }
    }

    @Test func valuesThatSomebodyElseWroteAreLeftOut() throws {
        let settings = try Samples.settings()
        var trials = Samples.run(settings, count: 30)
        trials[4].values["dropout"] = "much"
        trials[5].values = [:]
        #expect(settings.suggestion(number: 30, trials: trials) != nil)
    }

    @Test func nothingFiniteIsTriedTwiceBeforeEverythingWasTried() throws {
        let parameters = [
            SearchParameter("a", .integer(min: 1, max: 5)), SearchParameter("b", .categorical(["x", "y", "z"])),
            SearchParameter("c", .uniform(min: 0, max: 0.5, step: 0.5)),
        ]
        for algorithm in Self.algorithms {
            let settings = try Samples.settings(parameters, algorithm)
            let trials = Samples.run(settings, count: 33) { number, _ in
                number % 5 == 0 ? .failed : .succeeded(objective: Double(number % 7))
            }
            #expect(Set(trials.prefix(30).map(\.values)).count == 30)
            #expect(trials.count == 33, "then it is tried again")
        }
    }

    @Test func aGridIsAllCombinationsOnceInTheOrderOfACounter() throws {
        let parameters = [
            SearchParameter("a", .uniform(min: 0, max: 0.2, step: 0.1)),
            SearchParameter("b", .integer(min: 2, max: 6, step: 4)),
            SearchParameter("c", .categorical(["u", "v"])),
        ]
        let settings = try Samples.settings(parameters, .grid)
        let trials = Samples.run(settings, count: 100)
        #expect(
            trials.map { "\($0.values["a"] ?? "") \($0.values["b"] ?? "") \($0.values["c"] ?? "")" } == [
                "0.0 2 u", "0.0 2 v", "0.0 6 u", "0.0 6 v", "0.1 2 u", "0.1 2 v", "0.1 6 u", "0.1 6 v", "0.2 2 u",
                "0.2 2 v", "0.2 6 u", "0.2 6 v",
            ])
        #expect(settings.suggestion(number: 3, trials: [])?.values == trials[3].values, "whatever was seen")
    }

    @Test(arguments: ["", "0", "0-11,13", "3,5,7-9"]) func numbersAreWrittenShortAndRead(_ text: String) {
        #expect(TrialNumbers(text)?.description == text)
    }

    @Test(arguments: ["-", "1,1", "2-1", "a", "1-2-3", "1,", "0-1000000000", "0,1", "3,2", " 1", "+1"])
    func otherTextIsNoNumbers(_ text: String) { #expect(TrialNumbers(text) == nil) }
}
