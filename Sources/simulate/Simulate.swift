import APIServerModel
import ArgumentParser
import FoundationEssentials
import JSON
import Simulation
import YAML

@main
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs the operator in a simulated cluster, in an order and with faults that seeds give.",
        discussion: "Set SWIFT_DETERMINISTIC_HASHING=1: only then is a seed's run the same in every process.")

    @Option(help: "The seeds: 0..<2000, or one.") var seeds = "0..<100"
    @Option(help: "A planted bug's name, or all: tells the first seed that catches it.") var plant: String?
    @Flag(help: "Prints what happened, line by line; for one seed.") var trace = false
    @Flag(help: "Crashes every story at every write instead.") var exploreCrashes = false

    mutating func run() async throws {
        let runner = try await Runner()
        let isClean: Bool
        if let plant, let range = Self.range(seeds) {
            let bugs = PlantedBug.all.filter { plant == "all" || $0.name == plant }
            if bugs.isEmpty { throw ValidationError("--plant \(plant) is no planted bug") }
            isClean = await runner.fish(bugs, range)
        } else if exploreCrashes {
            isClean = await runner.exploreCrashes()
        } else if let range = Self.range(seeds) {
            isClean = await runner.run(range, printsTrace: trace)
        } else {
            throw ValidationError("--seeds \(seeds) is neither a number nor FIRST..<END")
        }
        if !isClean { throw ExitCode.failure }
    }

    private static func range(_ text: String) -> Range<UInt64>? {
        if let one = UInt64(text) { return one..<(one + 1) }
        guard let dots = text.firstRange(of: "..<"), let first = UInt64(text[..<dots.lowerBound]),
            let end = UInt64(text[dots.upperBound...]), first < end
        else { return nil }
        return first..<end
    }
}

/// Runs simulations and prints what came of them.
struct Runner {
    private let template: APIServer
    /// How each story ends without faults.
    private let references: [String: Simulation.Outcome]

    init() async throws {
        let definitions = try ["mlmodels", "trainingjobs"].flatMap { name in
            try JSONValue.documents(yaml: String(contentsOfFile: "crds/assay.dev_\(name).yaml", encoding: .utf8))
        }
        template = Simulation.installed(definitions: definitions)
        var references: [String: Simulation.Outcome] = [:]
        for story in Story.all { references[story.name] = await Simulation(seed: 1, story: story).run(on: template) }
        self.references = references
    }

    /// True where no invariant was violated.
    func run(_ seeds: Range<UInt64>, printsTrace: Bool) async -> Bool {
        var tally = Tally()
        for seed in seeds {
            let simulation = Simulation(seed: seed)
            let reference = references[simulation.story.name]
            let outcome = await simulation.run(on: template, reference: reference, keepsTrace: printsTrace)
            if printsTrace { print(outcome.trace.joined(separator: "\n")) }
            tally.add(outcome)
            if let violation = outcome.violation { await explain(violation, of: simulation) }
        }
        print(tally.text)
        return tally.violations == 0
    }

    /// The violation with the fewest faults that lead to it.
    private func explain(_ violation: Violation, of simulation: Simulation) async {
        let reference = references[simulation.story.name]
        let small = await simulation.shrunk(on: template, reference: reference, violating: violation.invariant)
        let outcome = await small.run(on: template, reference: reference, keepsTrace: true)
        print("seed \(simulation.seed): \(simulation.story.name), replicas \(simulation.replicas): \(violation)")
        for fault in small.faults { print("  \(fault)") }
        print(outcome.trace.suffix(60).map { "    " + $0 }.joined(separator: "\n"))
    }

    /// True where every bug was caught.
    func fish(_ bugs: [PlantedBug], _ seeds: Range<UInt64>) async -> Bool {
        var caught = 0
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

    func exploreCrashes() async -> Bool {
        var tally = Tally()
        for story in Story.all {
            guard let reference = references[story.name] else { continue }
            let points = Simulation.crashPoints(of: story, reference: reference)
            for point in points {
                let outcome = await point.simulation.run(on: template, reference: reference)
                tally.add(outcome)
                if let violation = outcome.violation { print("\(point): \(violation)") }
            }
            let writes = reference.writes + reference.events
            print("\(story.name): \(writes) writes, \(points.count) crash points explored")
        }
        print(tally.text)
        return tally.violations == 0
    }
}

/// Counts over many simulations.
struct Tally {
    private(set) var violations = 0
    private var runs = 0
    private var states = 0
    private var writes = 0
    private var perturbations: [String: Int] = [:]
    private let start = ContinuousClock.now

    mutating func add(_ outcome: Simulation.Outcome) {
        runs += 1
        states += outcome.statesChecked
        writes += outcome.writes
        if outcome.violation != nil { violations += 1 }
        perturbations.merge(outcome.perturbations) { $0 + $1 }
    }

    var text: String {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let faults = perturbations.sorted { ($0.key.count, $0.key) < ($1.key.count, $1.key) }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return """
            \(runs) runs, \(violations) violations
            faults: \(faults)
            \(states) states checked, \(writes) writes of operators, \(Int(seconds)) s, \
            \(Int((Double(runs) / max(seconds, 0.001)).rounded())) runs a second
            """
    }
}
