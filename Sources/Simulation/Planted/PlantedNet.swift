import APIServerModel

/// Looks for the first simulation that catches a bug.
public struct PlantedNet: Sendable {
    /// A seed, and the invariant that its run violates.
    public struct Catch: Sendable, Hashable {
        public var seed: UInt64
        public var invariant: String

        public init(seed: UInt64, invariant: String) {
            self.seed = seed
            self.invariant = invariant
        }
    }

    private let template: APIServer
    private let references: [String: Simulation.Outcome]

    /// - Parameters:
    ///   - template: a server with the resources installed.
    ///   - references: how each story ends without faults and bugs.
    public init(template: APIServer, references: [String: Simulation.Outcome]) {
        self.template = template
        self.references = references
    }

    /// The first of the seeds whose run catches the bug; nil where none does. What is violated without the bug too is no
    /// catch.
    public func firstCatch(of bug: PlantedBug, _ seeds: Range<UInt64>) async -> Catch? {
        for seed in seeds {
            var simulation = Simulation(seed: seed)
            if bug.concernsSleep, !simulation.story.hasTraffic { continue }
            simulation.planted = bug
            guard let violation = await run(simulation).violation else { continue }
            simulation.planted = nil
            if await run(simulation).violation == nil { return Catch(seed: seed, invariant: violation.invariant) }
        }
        return nil
    }

    private func run(_ simulation: Simulation) async -> Simulation.Outcome {
        await simulation.run(on: template, reference: references[simulation.story.name])
    }
}
