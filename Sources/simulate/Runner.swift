import APIServerModel
import FoundationEssentials
import JSON
import Simulation
import YAML

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Runs simulations and prints what came of them.
struct Runner {
    private let template: APIServer
    /// How stories end without faults, of those that were asked for.
    private var references: [String: Simulation.Outcome] = [:]

    init() throws {
        let definitions = try ["mlmodels", "trainingjobs"].flatMap { name in
            try JSONValue.documents(yaml: String(contentsOfFile: "crds/assay.dev_\(name).yaml", encoding: .utf8))
        }
        template = Simulation.installed(definitions: definitions)
    }

    private mutating func reference(_ story: Story) async -> Simulation.Outcome {
        if let known = references[story.name] { return known }
        let outcome = await Simulation(seed: 1, story: story).run(on: template)
        references[story.name] = outcome
        return outcome
    }

    /// Counts, having told of each violation.
    mutating func run(_ seeds: Range<UInt64>, onlySleep: Bool, printsTrace: Bool) async -> Tally {
        var tally = Tally()
        for seed in seeds where !onlySleep || Simulation.isSleeping(seed: seed) {
            let simulation = Simulation(seed: seed)
            let reference = await reference(simulation.story)
            let outcome = await simulation.run(on: template, reference: reference, keepsTrace: printsTrace)
            if printsTrace { print(outcome.trace.joined(separator: "\n")) }
            tally.add(outcome)
            if let violation = outcome.violation { await explain(violation, of: simulation) }
        }
        return tally
    }

    /// The violation with the fewest faults that lead to it.
    private mutating func explain(_ violation: Violation, of simulation: Simulation) async {
        let reference = await reference(simulation.story)
        let small = await simulation.shrunk(on: template, reference: reference, violating: violation.invariant)
        let outcome = await small.run(on: template, reference: reference, keepsTrace: true)
        let leads = simulation.elects ? " of which one leads" : ""
        print(
            "seed \(simulation.seed): \(simulation.story.name), replicas \(simulation.replicas)\(leads): \(violation)")
        for fault in small.faults { print("  \(fault)") }
        print(outcome.trace.suffix(60).map { "    " + $0 }.joined(separator: "\n"))
    }

    /// True where every bug was caught.
    mutating func fish(_ bugs: [PlantedBug], _ seeds: Range<UInt64>) async -> Bool {
        var caught = 0
        for story in Story.all + Story.sleeping { _ = await reference(story) }
        for bug in bugs {
            let net = PlantedNet(template: template, references: references)
            let catches = await net.firstCatch(of: bug, seeds)
            if catches != nil { caught += 1 }
            let text = catches.map { "caught at seed \($0.seed) by \($0.invariant)" } ?? "not caught"
            print("\(bug.name): \(text)")
        }
        print("\(caught) of \(bugs.count) caught")
        return caught == bugs.count
    }

    mutating func exploreCrashes() async -> Bool {
        var tally = Tally()
        for story in Story.all {
            let reference = await reference(story)
            let points = Simulation.crashPoints(of: story, reference: reference)
            for point in points {
                let outcome = await point.simulation.run(on: template, reference: reference)
                tally.add(outcome)
                if let violation = outcome.violation { print("\(point): \(violation)") }
            }
            let writes = reference.writes + reference.events
            print("\(story.name): \(writes) writes, \(points.count) crash points explored")
            fflush(nil)
        }
        print(tally.text)
        return tally.violations == 0
    }
}
