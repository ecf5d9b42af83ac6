import ArgumentParser
import FoundationEssentials
import JSON
import Simulation

@main
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs the operator in a simulated cluster, in an order and with faults that seeds give.")

    @Option(help: "The seeds: 0..<2000, or one.") var seeds = "0..<100"
    @Option(help: "A planted bug's name, or all: tells the first seed that catches it.") var plant: String?
    @Option(help: "How many processes run seeds at once; as many as there are processors where it is left out.")
    var jobs: Int?
    @Flag(help: "Of the seeds only those whose story is one of sleep and waking.") var sleep = false
    @Flag(help: .hidden) var part = false
    @Flag(help: "Prints what happened, line by line; for one seed.") var trace = false
    @Flag(help: "Crashes every story at every write instead.") var exploreCrashes = false

    mutating func run() async throws {
        let isClean: Bool
        let jobs = trace || part ? 1 : jobs ?? ProcessInfo.processInfo.activeProcessorCount
        if plant == nil, !exploreCrashes, jobs > 1, let range = Self.range(seeds), range.count > 1 {
            isClean = await Parts(program: CommandLine.arguments.first ?? "simulate", jobs: jobs, onlySleep: sleep).run(
                range)
        } else {
            var runner = try Runner()
            isClean = try await run(&runner)
        }
        if !isClean { throw ExitCode.failure }
    }

    private func run(_ runner: inout Runner) async throws -> Bool {
        if let plant, let range = Self.range(seeds) {
            let bugs = PlantedBug.all.filter { plant == "all" || $0.name == plant }
            if bugs.isEmpty { throw ValidationError("--plant \(plant) is no planted bug") }
            return await runner.fish(bugs, range)
        }
        if exploreCrashes { return await runner.exploreCrashes() }
        if let range = Self.range(seeds) {
            let tally = await runner.run(range, onlySleep: sleep, printsTrace: trace)
            print(part ? tally.json.serialized() : tally.text)
            return tally.violations == 0
        }
        throw ValidationError("--seeds \(seeds) is neither a number nor FIRST..<END")
    }

    private static func range(_ text: String) -> Range<UInt64>? {
        if let one = UInt64(text) { return one..<(one + 1) }
        guard let dots = text.firstRange(of: "..<"), let first = UInt64(text[..<dots.lowerBound]),
            let end = UInt64(text[dots.upperBound...]), first < end
        else { return nil }
        return first..<end
    }
}
