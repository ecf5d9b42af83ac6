import Testing

@testable import Search

@Suite struct SearchDecisionTests {
    private func paths(_ make: () throws -> SearchSettings) throws -> [String] {
        do {
            _ = try make()
            return []
        } catch let problems as SearchProblems {
            return problems.problems.map(\.path)
        }
    }

    @Test func whatCannotStandIsNamedByItsField() throws {
        #expect(try paths { try Samples.settings(numTrials: 0) } == ["numTrials", "parallelTrials"].dropLast())
        #expect(try paths { try Samples.settings(numTrials: 1_001) } == ["numTrials"])
        #expect(try paths { try Samples.settings(numTrials: 3, parallelTrials: 4) } == ["parallelTrials"])
        #expect(try paths { try Samples.settings(maxFailedTrials: -1) } == ["maxFailedTrials"])
        #expect(try paths { try Samples.settings(goal: .nan) } == ["objectives[0].goal"])
        #expect(
            try paths { try Samples.settings(Samples.mixed, .tpe(startupTrials: 0)) }
                == ["searchAlgorithm.tpe.startupTrials"])
        #expect(
            try paths { try Samples.settings(Samples.mixed, .grid) }
                == ["parameters[0].searchSpace", "parameters[1].searchSpace"])
        let bytes = (0..<2).map { SearchParameter("x\($0)", .integer(min: 0, max: 255)) }
        #expect(try paths { try Samples.settings(bytes, .grid) } == ["parameters"])
        #expect(try paths { try Samples.settings([bytes[0]], .grid) } == ["numTrials"])
        #expect(try paths { try Samples.settings([bytes[0]], .grid, numTrials: 256) } == [])
    }

    @Test func asManyRunAsMayAndEachSeesTheOnesBefore() throws {
        let settings = try Samples.settings(numTrials: 10, parallelTrials: 3)
        let first = settings.decision([])
        #expect(first.start.map(\.number) == [0, 1, 2] && first.end == nil)
        #expect(first.start.map(\.seen.pending.description) == ["", "0", "0-1"])
        var trials = first.start.map { Trial(number: $0.number, values: $0.values) }
        #expect(settings.decision(trials).start.isEmpty)
        trials[1].state = .succeeded(objective: 4)
        let second = settings.decision(trials)
        #expect(second.start.map(\.number) == [3])
        #expect(second.start.map(\.seen.ended.description) == ["1"])
        #expect(settings.decision(trials.reversed()) == second, "in whatever order they are listed")
    }

    @Test func theSearchIsOverWhenAsManyAsWereAskedForHaveEnded() throws {
        let settings = try Samples.settings(numTrials: 4, parallelTrials: 3)
        var trials = Samples.run(settings, count: 3) { number, _ in number == 0 ? .pending : .failed }
        let last = settings.decision(trials)
        #expect(last.start.map(\.number) == [3] && last.end == .allTrialsStarted && !last.isComplete)
        trials += last.start.map { Trial(number: $0.number, values: $0.values) }
        #expect(settings.decision(trials).start.isEmpty && !settings.decision(trials).isComplete)
        for index in trials.indices { trials[index].state = .succeeded(objective: Double(index)) }
        #expect(settings.decision(trials).isComplete)
    }

    @Test func aTrialThatWasDeletedIsNotMadeAgain() throws {
        let settings = try Samples.settings(numTrials: 5, parallelTrials: 5)
        var trials = Samples.run(settings, count: 4)
        trials.remove(at: 1)
        #expect(settings.decision(trials).start.map(\.number) == [4])
    }

    @Test func aGridEndsWithItsPoints() throws {
        let settings = try Samples.settings([SearchParameter("x", .integer(min: 1, max: 3))], .grid, parallelTrials: 10)
        let decision = settings.decision([])
        #expect(decision.start.map { $0.values["x"] } == ["1", "2", "3"] && decision.end == .allTrialsStarted)
    }

    @Test(arguments: [(Direction.minimize, 0.5, 0.6), (.maximize, 0.6, 0.5)])
    func theGoalEndsTheSearchAndWhatRuns(_ direction: Direction, _ good: Double, _ poor: Double) throws {
        let settings = try Samples.settings(direction: direction, goal: good, parallelTrials: 3)
        var trials = Samples.run(settings, count: 3) { number, _ in number == 0 ? .succeeded(objective: poor) : .pending
        }
        #expect(settings.decision(trials).end == nil)
        trials[1].state = .succeeded(objective: good)
        let decision = settings.decision(trials)
        #expect(decision.end == .goalReached && decision.stop == [2] && decision.start.isEmpty && !decision.isComplete)
        trials[2].state = .stopped
        #expect(settings.decision(trials).isComplete)
    }

    @Test func moreFailuresThanMayBeEndTheSearch() throws {
        let settings = try Samples.settings(parallelTrials: 2, maxFailedTrials: 2)
        let ends: [Trial.State] = [.failed, .succeeded(objective: .nan), .succeeded(objective: nil), .stopped]
        let trials = Samples.run(settings, count: 4) { number, _ in ends[number] }
        #expect(settings.decision(Array(trials.prefix(2))).end == nil)
        #expect(settings.decision(trials).end == .maxFailedTrialsExceeded)
    }

    @Test func whatIsStoppedMakesRoom() throws {
        let asha = try SuccessiveHalving(minResource: 1, maxResource: 9)
        let settings = try Samples.settings(parallelTrials: 2, earlyStopping: asha)
        var trials = Samples.run(settings, count: 2) { _, _ in .pending }
        trials[0].reports = [TrialReport(step: 1, value: 3)]
        trials[1].reports = [TrialReport(step: 1, value: 2)]
        let decision = settings.decision(trials)
        #expect(decision.stop == [0] && decision.start.map(\.number) == [2])
    }

    @Test func theBestIsNeverOneThatFailedOrHasNoNumber() throws {
        let states: [Trial.State] = [
            .failed, .succeeded(objective: nil), .succeeded(objective: .nan), .succeeded(objective: -.infinity),
            .succeeded(objective: .infinity), .stopped, .succeeded(objective: 3), .pending, .succeeded(objective: 2),
            .succeeded(objective: 2), .succeeded(objective: 4),
        ]
        let trials = states.enumerated().map {
            Trial(number: $0.offset, values: [:], state: $0.element, reports: [TrialReport(step: 1, value: -100)])
        }
        let progress = SearchProgress(trials.reversed(), direction: .minimize)
        #expect(progress.best == .init(number: 8, objective: 2), "of equals the first")
        #expect(progress.improvements.map(\.number) == [6, 8])
        #expect((progress.pending, progress.succeeded, progress.failed, progress.stopped) == (1, 4, 5, 1))
        #expect(progress.total == trials.count)
        #expect(SearchProgress(trials, direction: .maximize).best == .init(number: 10, objective: 4))
        #expect(SearchProgress(Array(trials.prefix(6)), direction: .minimize).best == nil)
    }
}
