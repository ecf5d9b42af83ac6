import Simulation
import Testing

/// The net catches fish: operators with a mistake are caught by the invariants.
@Suite struct PlantedBugTests {
    @Test func eachClassHasTenBugsAndMore() {
        for kind in PlantedBug.Class.allCases {
            #expect(PlantedBug.all.filter { $0.kind == kind }.count >= 10, "\(kind.rawValue)")
        }
        #expect(Set(PlantedBug.all.map(\.name)).count == PlantedBug.all.count)
    }

    /// A bug, and a seed that catches it, or one of the few after it.
    @Test(arguments: [
        ("stale-pods", 39), ("patch-service-without-uid", 15), ("forgotten-scale", 35), ("forgotten-promotion", 28),
        ("first-deployment-event", 6), ("unseen-service-deletion", 2), ("forward-while-draining", 7),
        ("sleep-without-generation", 47), ("wake-without-version", 77),
        ("sleep-without-version", 17), ("sleep-in-silence", 157),
    ]) func aBugIsCaught(_ name: String, _ seed: UInt64) async throws {
        let bug = try #require(PlantedBug.all.first { $0.name == name })
        let seeds = seed..<seed + 4
        var references: [String: Simulation.Outcome] = [:]
        for story in seeds.map({ Simulation(seed: $0).story }) where references[story.name] == nil {
            references[story.name] = await Simulation(seed: 1, story: story).run(on: SimulationTests.template)
        }
        let net = PlantedNet(template: SimulationTests.template, references: references)
        #expect(await net.firstCatch(of: bug, seeds) != nil)
    }
}
