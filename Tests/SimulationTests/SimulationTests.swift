import APIServerModel
import FoundationEssentials
import JSON
import Simulation
import Testing
import YAML

@Suite(.serialized) struct SimulationTests {
    static let template: APIServer = {
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

    /// The end depends on the last spec alone, whatever was asked for before and how far it had come (I20).
    @Test(
        arguments: [
            [.apply(ToyModel("poor", seed: 2))], [.apply(ToyModel("fail", seed: 2))], [.apply(ToyModel("nan"))],
            [.apply(ToyModel("good", suspend: true))], [.apply(ToyModel("good", replicas: 3))],
            [.apply(ToyModel("good", serving: "hang"))], [.apply(ToyModel("better", seed: 3)), .delete],
            [.apply(ToyModel("better", seed: 2)), .apply(ToyModel("slow"))], [.foreignService, .removeForeignService],
            [.limitJobs(0), .apply(ToyModel("good")), .limitJobs(5)],
        ] as [[Story.Act]]) func theEndDoesNotDependOnTheWay(_ way: [Story.Act]) async
    {
        let last = Story.Act.apply(ToyModel("good"))
        let direct = await reference(Story("direct", [last], isPatient: false))
        #expect(direct.endState.description.contains("serves 0.97"))
        for seed in UInt64(1)...4 {
            let outcome = await Simulation(seed: seed, story: Story("way", way + [last], isPatient: false))
                .run(on: Self.template)
            #expect(outcome.violation == nil)
            #expect(outcome.endState == direct.endState, "seed \(seed)")
        }
    }

    /// A story, its faults and a seed that led to a violation once.
    struct Finding: Sendable, CustomTestStringConvertible {
        var what: String
        var story: String
        var seed: UInt64
        var faults: [Fault]
        var replicas = 1
        var testDescription: String { what }
    }

    /// What simulations have found, so that it stays mended.
    static let findings = [
        Finding(
            what: "the creation of a Job came late, when that had been deleted and another attempt was running",
            story: "Jobs deleted in haste", seed: 16_028, faults: [Fault(.write(4), .late(4126))], replicas: 2),
        Finding(
            what: "one of two operators waited between its looks at the model and at its runs, and did not know them",
            story: "there and back", seed: 1035,
            faults: [Fault(.call(21), .refuse(code: 429, retryAfter: "999999", count: 3))], replicas: 2),
        Finding(
            what: "a rollout was late by what had been seen before a look that took two minutes",
            story: "somebody scales", seed: 55_342,
            faults: [
                Fault(.write(17), .refuse(code: 409, retryAfter: nil, count: 1)),
                Fault(.call(74), .refuse(code: 429, retryAfter: "999999", count: 1000)),
            ]),
        Finding(
            what: "one of two operators stood still between its looks at the model and at the Service, and led it back",
            story: "haste", seed: 55_274,
            faults: [
                Fault(.write(21), .loseAnswer), Fault(.write(26), .crash(after: false, down: 1911, behind: 198)),
                Fault(.write(27), .crash(after: false, down: 11_664, behind: 0)),
                Fault(.act(2, after: 420), .pause(replica: 0, 56_085)),
                Fault(.time(18_502), .gone("deployments", asEvent: false)),
            ], replicas: 2),
        Finding(
            what: "the Service was made and deleted while its watch was away, so that no event ever told of it",
            story: "Service deleted", seed: 994,
            faults: [Fault(.act(0, after: 7083), .outage("services", lasting: 25_375, isGone: true))]),
        Finding(
            what: "the model was made anew while its watch was late, and children of the old one again and again",
            story: "recreation", seed: 63,
            faults: [
                Fault(.time(17_881), .collapse("mlmodels", lasting: 25_694)),
                Fault(.time(21_325), .lag("mlmodels", 11_268, lasting: 87_000)),
            ]),
        Finding(
            what: "the server said once that there is no such object, and the status was never written",
            story: "children deleted", seed: 65,
            faults: [Fault(.write(15), .refuse(code: 404, retryAfter: nil, count: 1000))]),
        Finding(
            what: "the spec changed between the Service's creation and the status that says that it serves",
            story: "haste", seed: 222,
            faults: [
                Fault(.write(2), .crash(after: true, down: 12_816, behind: 0)),
                Fault(.write(19), .refuse(code: 422, retryAfter: "999999", count: 1)),
                Fault(.call(69), .refuse(code: 401, retryAfter: "0", count: 1000)),
            ]),
        Finding(
            what: "a TrainingJob was refused its Job and tried again, and the model never looked at it any more",
            story: "metric that is no number", seed: 1009,
            faults: [Fault(.write(3), .refuse(code: 422, retryAfter: nil, count: 3))]),
        Finding(
            what: "a rollout that failed was tried again after a crash between the deletion and the status",
            story: "rollout that is never ready", seed: 3103,
            faults: [Fault(.write(24), .crash(after: true, down: 14_734, behind: 195))]),
        Finding(
            what: "the model was gone, its watch late, and its Deployment was made 47 times",
            story: "deletion", seed: 3483,
            faults: [Fault(.time(9446), .lag("mlmodels", 51_167, lasting: 13_234))]),
        Finding(
            what: "a TrainingJob was made for a model that was gone",
            story: "recreation", seed: 3808,
            faults: [Fault(.time(5687), .lag("mlmodels", 38_022, lasting: 22_300))]),
        Finding(
            what: "of two operators one deleted the Deployment that the other had just made",
            story: "somebody redirects", seed: 1646, faults: [Fault(.write(12), .drop)], replicas: 2),
        Finding(
            what: "of two operators one led the Service back to what the other had just replaced",
            story: "there and back", seed: 5225,
            faults: [
                Fault(.time(13_000), .pause(replica: 0, 32_460)), Fault(.time(17_393), .close("mlmodels")),
                Fault(.time(13_242), .lag("pods", 25_666, lasting: 76_505)),
                Fault(.time(39_180), .lag("deployments", 59_056, lasting: 55_350)),
                Fault(.write(20), .loseAnswer), Fault(.write(17), .crash(after: true, down: 16_908, behind: 0)),
                Fault(.time(43_338), .pause(replica: 1, 12_715)),
            ], replicas: 2),
        Finding(
            what: "the server had a Deployment's creation wait, and its deadline was over before it was made",
            story: "spec change", seed: 10_159,
            faults: [
                Fault(.write(12), .crash(after: false, down: 19_008, behind: 0)),
                Fault(.write(10), .crash(after: true, down: 9898, behind: 7)),
                Fault(.call(77), .refuse(code: 503, retryAfter: "999999", count: 3)),
            ]),
        Finding(
            what: "after a restart on old lists the Job of a training that had its result was made once more",
            story: "short-lived Job", seed: 13_114,
            faults: [
                Fault(.write(14), .refuse(code: 404, retryAfter: "Thu, 01 Jan 2026 00:00:30 GMT", count: 3)),
                Fault(.write(21), .crash(after: false, down: 3449, behind: 109)),
                Fault(.write(23), .crash(after: true, down: 8676, behind: 42)),
            ]),
        Finding(
            what: "the server refused a finished Job its lifetime, and the training that had succeeded began anew",
            story: "short-lived Job", seed: 24_110,
            faults: [Fault(.write(15), .refuse(code: 422, retryAfter: "0", count: 1))]),
    ]

    @Test(arguments: findings) func whatWasFoundStaysMended(_ finding: Finding) async throws {
        let story = try #require(Story.all.first { $0.name == finding.story })
        let simulation = Simulation(
            seed: finding.seed, story: story, faults: finding.faults, replicas: finding.replicas)
        let outcome = await simulation.run(on: Self.template, reference: await reference(story))
        #expect(outcome.violation == nil)
    }

    /// A crash at every fifth point of the shortest story; `simulate --explore-crashes` tries all of all stories.
    @Test func theOperatorMayDieAtAnyWrite() async {
        let reference = await reference(.poor)
        let points = Simulation.crashPoints(of: .poor, reference: reference)
        #expect(points.count >= 40, "ten writes at least, each with a crash before and after it, on new and old lists")
        for (index, point) in points.enumerated() where index % 5 == 2 {
            let outcome = await point.simulation.run(on: Self.template, reference: reference)
            #expect(outcome.violation == nil, "\(point)")
            #expect(outcome.perturbations["P1"] ?? outcome.perturbations["P4"] == 1, "\(point)")
        }
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
