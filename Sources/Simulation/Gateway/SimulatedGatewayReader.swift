import AssayCore
import AssayOperator

/// How one life of an operator asks the simulated gateways.
struct SimulatedGatewayReader: GatewayReader {
    struct NoAnswer: Error {}

    let fleet: GatewayFleet
    let life: Life
    let time: SimulatedTime
    let latency: Latency
    let planted: PlantedBug?

    func load(of address: String, by access: GatewayAccess) async throws -> GatewayLoad {
        try await time.sleep(for: latency.next())
        guard !life.isOver else { throw NoAnswer() }
        var answer = fleet.answer(at: address)
        if planted?.quirk == .takesSilenceForRest, answer == nil { answer = fleet.nothingToDo }
        guard var answer else {
            try await time.sleep(for: .seconds(2))
            throw NoAnswer()
        }
        if planted?.quirk == .ignoresGenerations {
            answer.models[Person.key]?.generation = fleet.currentGeneration
        }
        try await time.sleep(for: latency.next())
        guard !life.isOver else { throw NoAnswer() }
        fleet.onReport?()
        return answer
    }
}
