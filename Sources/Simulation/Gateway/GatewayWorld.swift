/// The gateways of a simulation, their users, and what watches over both.
struct GatewayWorld: Sendable {
    let fleet: GatewayFleet
    let traffic: Traffic
    let sleep: SleepCheck
    let concurrency: ConcurrencyCheck

    init(
        _ simulation: Simulation, network: PodNetwork, server: SimulatedServer, time: SimulatedTime, faults: FaultLayer,
        trace: Trace, fail: @escaping (Violation) -> Void
    ) {
        fleet = GatewayFleet(
            count: simulation.seed / 10 % 2 == 0 ? 2 : 3, seed: simulation.seed, server: server, time: time,
            faults: faults,
            network: network, planted: simulation.planted)
        traffic = Traffic(
            seed: simulation.seed, time: time, server: server, network: network, fleet: fleet, trace: trace,
            hasFaults: !simulation.faults.isEmpty, fail: fail)
        concurrency = ConcurrencyCheck(server: server, network: network, fail: fail)
        sleep = SleepCheck(network: network, traffic: traffic, fail: fail)
    }

    func check(_ write: SimulatedServer.Write?) {
        if let write { sleep.check(write) }
        traffic.note(write)
    }
}
