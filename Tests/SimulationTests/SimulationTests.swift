import APIServerModel
import FoundationEssentials
import JSON
import Simulation
import Testing
import YAML

@Suite(.serialized) struct SimulationTests {
    private static let template: APIServer = {
        do {
            let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            return Simulation.installed(
                definitions: try ["mlmodels", "trainingjobs"].flatMap { name in
                    let path = repository.appending(path: "crds/assay.dev_\(name).yaml").path
                    return try JSONValue.documents(yaml: String(contentsOfFile: path, encoding: .utf8))
                })
        } catch {
            Issue.record("the definitions cannot be read: \(error)")
            return Simulation.installed(definitions: [])
        }
    }()

    private func reference(_ story: Story) async -> Simulation.Outcome {
        await Simulation(seed: 1, story: story).run(on: Self.template)
    }

    @Test(arguments: Story.main) func aMainStoryEndsAsItShouldWithoutFaults(_ story: Story) async {
        let outcome = await reference(story)
        #expect(outcome.violation == nil)
        #expect(outcome.writes > 5)
        let expected = ["good model": "Serving", "poor model": "Refused", "spec change": "Serving"][story.name]
        if let expected {
            #expect(outcome.endState.description.hasPrefix("model \(expected)"))
        } else {
            #expect(outcome.endState.description == "0 trainingjobs, 0 jobs")
        }
        // Six watches of five to ten minutes, opened again, and events that go by themselves.
        #expect(outcome.requestsAtRest < 150)
    }

    @Test func theSameSeedGivesTheSameTrace() async {
        var hashes: Set<UInt64> = []
        for seed in UInt64(0)..<12 {
            let first = await Simulation(seed: seed).run(on: Self.template)
            let second = await Simulation(seed: seed).run(on: Self.template)
            #expect(first.traceHash == second.traceHash, "seed \(seed)")
            hashes.insert(first.traceHash)
        }
        #expect(hashes.count == 12)
    }

    @Test func someSeedsHoldEveryInvariant() async {
        for seed in UInt64(100)..<130 {
            let simulation = Simulation(seed: seed)
            let outcome = await simulation.run(on: Self.template, reference: await reference(simulation.story))
            #expect(outcome.violation == nil, "seed \(seed), \(simulation.story.name): \(simulation.faults)")
        }
    }

    /// What simulations have found, so that it stays mended.
    @Test(arguments: [
        // The model was made anew while its watch was late, and children of the old one were made again and again.
        (
            "recreation",
            [
                Fault(.time(17_881), .collapse("mlmodels", lasting: 25_694)),
                Fault(.time(21_325), .lag("mlmodels", 11_268, lasting: 87_000)),
            ], UInt64(63)
        ),
        // The server said once that there is no such object, and the status was never written.
        ("children deleted", [Fault(.write(15), .refuse(code: 404, retryAfter: nil, count: 1000))], 65),
        // The spec changed between the Service's creation and the status that says that it serves.
        (
            "haste",
            [
                Fault(.write(2), .crash(after: true, down: 12_816, behind: 0)),
                Fault(.write(19), .refuse(code: 422, retryAfter: "999999", count: 1)),
                Fault(.call(69), .refuse(code: 401, retryAfter: "0", count: 1000)),
            ], 222
        ),
    ]) func whatWasFoundStaysMended(_ name: String, _ faults: [Fault], _ seed: UInt64) async throws {
        let story = try #require(Story.all.first { $0.name == name })
        let simulation = Simulation(seed: seed, story: story, faults: faults)
        let outcome = await simulation.run(on: Self.template, reference: await reference(story))
        #expect(outcome.violation == nil)
    }

    @Test func aViolationIsShrunkToTheFaultThatCausesIt() async throws {
        // A story that is compared with the end of another is always violated, whatever goes wrong besides.
        let wrong = await reference(.poor)
        let simulation = Simulation(
            seed: 5, story: .good,
            faults: [
                Fault(.write(3), .loseAnswer), Fault(.time(900), .close("jobs")),
                Fault(.write(5), .crash(after: true, down: 1000, behind: 0)),
            ])
        let outcome = await simulation.run(on: Self.template, reference: wrong)
        let violation = try #require(outcome.violation)
        #expect(violation.invariant == "I19")
        let small = await simulation.shrunk(on: Self.template, reference: wrong, violating: "I19")
        #expect(small.faults.isEmpty)
    }
}
