import APIServerModel
import AssayCore
import AssayOperator
import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// Everything that lives in one simulation, and the loop that drives it.
final class World: Sendable {
    /// At rest for so long, a simulation ends. Those who elect renew their Lease all the time, so that an hour of it
    /// would cost as much as ten stories, as those do who ask gateways every second; but what was refused twenty times is tried again only after 1,000 s.
    private var silence: Duration {
        .seconds(simulation.story.hasTraffic ? 600 : simulation.elects ? 1200 : 3600)
    }
    /// Whatever moves for longer than this never comes to rest.
    private static let longest: Duration = .seconds(20 * 3600)
    /// Nor does whatever needs so many writes; a story has some hundred.
    private static let mostWrites = 5000

    private static let neighbour = ObjectKey(namespace: ToyModel.neighbour, name: ToyModel.name)

    private struct State {
        /// When people had done everything and nothing went wrong any more.
        var calmSince: Duration?
        var hasEnded = false
        var requestsBefore = 0
        var restSince: Duration = .zero
    }

    private let simulation: Simulation
    private let executor: SeededExecutor
    private let time = SimulatedTime()
    private let trace: Trace
    private let server: SimulatedServer
    private let faults: FaultLayer
    private let latency: Latency
    private let node: ScriptedNode
    private let controllers: ModelControllers
    private let checker: Checker
    /// Nil where no user comes.
    private let gateways: GatewayWorld?
    private let state = Locked(State())

    init(_ simulation: Simulation, template: APIServer, keepsTrace: Bool) {
        self.simulation = simulation
        executor = SeededExecutor(seed: simulation.seed)
        trace = Trace(time: time, keepsLines: keepsTrace)
        let needsPast = simulation.faults.contains { $0.perturbation == "P4" }
        server = SimulatedServer(template, time: time, trace: trace, keepsPast: needsPast)
        faults = FaultLayer(simulation.faults, time: time, trace: trace)
        latency = Latency(seed: simulation.seed ^ 0x6c61_7465)
        let network = simulation.story.hasTraffic ? PodNetwork(seed: simulation.seed, time: time) : nil
        node = ScriptedNode(server: server, time: time, latency: latency, network: network)
        controllers = ModelControllers(server: server, time: time, latency: latency)
        checker = Checker(node: node, trace: trace)
        gateways = network.map { [server, time, faults, trace, checker] in
            GatewayWorld(
                simulation, network: $0, server: server, time: time, faults: faults, trace: trace,
                fail: { checker.fail($0) })
        }
        faults.onPodFault { [weak node] in node?.killPod() }
    }

    // MARK: Driving

    /// Runs to the end, on the calling thread.
    ///
    /// The tasks prefer the executor and are driven here, one job after another, and the alarms of the time between them; that
    /// nothing leaves it `scripts/check-rules` sees to, which finds unstructured tasks. So what is touched by jobs and alarms
    /// alone is touched by one at a time. `SleepSimulationTests` run under the thread sanitizer.
    func run() async {
        let (checker, gateways) = (checker, gateways)
        server.observe { write, state in
            checker.check(write, state)
            gateways?.check(write)
        }
        faults.start(server)
        tick()
        await withTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: executor) { await self.live() }
            drive { self.isOver }
            group.cancelAll()
            drive { self.state.withLock { $0.hasEnded } }
        }
        // Both are held by what they hold themselves.
        server.dismiss()
        time.clear()
    }

    private func drive(until isOver: () -> Bool) {
        executor.runReady()
        while !isOver() {
            guard time.advance() else { return checker.fail(Violation(invariant: "I17", detail: "nobody waits")) }
            executor.runReady()
        }
    }

    private var isOver: Bool {
        if checker.violation != nil { return true }
        let now = time.monotonicNow()
        if now > Self.longest || server.writes > Self.mostWrites {
            checker.fail(Violation(invariant: "I14", detail: "no rest within \(now), \(server.writes) writes"))
            return true
        }
        let (last, requests) = (server.lastWrite, server.requests)
        return state.withLock { state in
            guard let calmSince = state.calmSince else { return false }
            let since = max(last, calmSince)
            if since != state.restSince {
                state.restSince = since
                state.requestsBefore = requests
            }
            return now - since >= silence
        }
    }

    /// Time passes for the server, slower when nothing happens.
    private func tick() {
        let isQuiet = time.monotonicNow() - server.lastWrite > .seconds(30)
        time.alarm(after: isQuiet ? .seconds(15) : .seconds(1)) { [weak self] in
            guard let self else { return }
            server.tick()
            tick()
        }
    }

    // MARK: Those who live in it

    private func live() async {
        await withTaskGroup(of: Void.self) { group in
            for replica in 0..<simulation.replicas { group.addTask { await self.operate(replica) } }
            if let fleet = gateways?.fleet {
                for slot in 0..<fleet.count { group.addTask { await fleet.operate(slot) } }
            }
            group.addTask { await self.tellStory() }
        }
        state.withLock { $0.hasEnded = true }
    }

    /// The lives of one replica.
    private func operate(_ replica: Int) async {
        var start: (down: Duration, behind: Int) = (.zero, 0)
        var lives: UInt64 = 0
        while !Task.isCancelled {
            do {
                try await time.sleep(for: start.down)
            } catch {
                return
            }
            lives += 1
            let restart = Locked<(Duration, Int)>((.zero, 0))
            let (stream, crashed) = AsyncStream.makeStream(of: Void.self)
            let catchesUp = start.behind > 0 ? time.monotonicNow() + latency.next(1000...20_000) : .zero
            let life = Life(behind: start.behind, catchesUp: catchesUp)
            let daemon = daemon(replica, lives, life) { down, behind in
                restart.withLock { $0 = (down, behind) }
                life.end()
                crashed.finish()
            }
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        try await daemon.run()
                    } catch {
                        // It no longer leads, and begins anew. There is no health server, which throws too.
                    }
                }
                group.addTask { for await _ in stream {} }
                await group.next()
                life.end()
                group.cancelAll()
            }
            start = restart.withLock { (down: $0.0, behind: $0.1) }
        }
    }

    private func daemon(
        _ replica: Int, _ lives: UInt64, _ life: Life, crash: @escaping @Sendable (Duration, Int) -> Void
    ) -> AssayOperator {
        let transport = ReplicaTransport(
            replica: replica, life: life, server: server, time: time, faults: faults, latency: latency, crash: crash)
        var wire: any HTTPTransport =
            simulation.planted.map { PlantedTransport($0, around: transport, isRestarted: lives > 1) } ?? transport
        wire = PaceCheck(wire, time: time) { [checker] in checker.fail($0) }
        let election = simulation.elects ? LeaderElectionConfiguration(lease: LeadershipCheck.lease) : nil
        if simulation.elects { wire = LeadershipCheck(wire, time: time) { [checker] in checker.fail($0) } }
        var logger = Logger(label: "simulation")
        logger.logLevel = .critical
        return AssayOperator(
            configuration: OperatorConfiguration(
                workers: 2, instance: "operator-\(replica)",
                gateway: gateways.map { _ in .init(namespace: GatewayFleet.namespace) }, election: election),
            cluster: ClientConfiguration(
                transport: TransportConfiguration(server: "simulation"), credentials: .token(Simulation.token)),
            transport: wire, gatewayReader: reader(life),
            time: ReplicaTime(replica: replica, inner: time, faults: faults),
            seed: simulation.seed &+ UInt64(replica) &* 1_000_003 &+ lives, logger: logger)
    }

    private func reader(_ life: Life) -> SimulatedGatewayReader? {
        gateways.map {
            SimulatedGatewayReader(
                fleet: $0.fleet, life: life, time: time, latency: latency, planted: simulation.planted)
        }
    }

    // MARK: The story

    private func tellStory() async {
        let person = Person(server: server)
        do {
            try await time.sleep(for: latency.next(0...3000))
            gateways?.traffic.start()
            if simulation.hasNeighbour { person.apply(ToyModel("good"), in: ToyModel.neighbour) }
            for (index, act) in simulation.story.acts.enumerated() {
                if index > 0 { try await pause() }
                trace.add("act \(act)")
                faults.follow(act: index, server)
                person.perform(act, number: index)
            }
            try await time.sleep(for: .seconds(simulation.faults.isEmpty ? 1 : 90))
            if simulation.story.hasTraffic { try await time.sleep(for: Story.trafficTime - time.monotonicNow()) }
            gateways?.traffic.stop()
            faults.stop()
            trace.add("calm")
            if simulation.faults.contains(where: { $0.isLie }) { person.perform(.requestReconcile, number: 99) }
            if let gateways {
                // Whoever waits still gets an answer.
                try await time.sleep(for: .seconds(150))
                try await gateways.traffic.proveService()
            }
        } catch {
            return
        }
        let now = time.monotonicNow()
        state.withLock { $0.calmSince = now }
    }

    private func pause() async throws {
        if simulation.story.hasTraffic { return try await time.sleep(for: latency.next(60_000...350_000)) }
        if simulation.story.isPatient { try await rest() } else { try await time.sleep(for: latency.next(0...25_000)) }
    }

    /// Returns when nothing has moved for a while and the model says that it is as far as it gets.
    private func rest() async throws {
        repeat {
            try await time.sleep(for: .seconds(5))
        } while time.monotonicNow() - server.lastWrite < .seconds(20) || !isSettled
    }

    private var isSettled: Bool {
        guard let model = server.object(.mlModels, Person.key) else { return true }
        return model["status", "observedGeneration"]?.integer == model["metadata", "generation"]?.integer
            && !model.isConditionTrue("Reconciling")
    }

    // MARK: What came of it

    func outcome(reference: Simulation.Outcome?) -> Simulation.Outcome {
        let end = EndState(
            server.snapshot, isPatient: simulation.story.isPatient, accuracy: { self.node.accuracy(ofRun: $0) })
        var made: [String: Int] = [:]
        for (key, count) in server.creations
        where key.hasPrefix("operator") && !key.hasSuffix("events") && !key.hasSuffix("leases") {
            made[String(key.dropFirst(9))] = count
        }
        if checker.violation == nil, isComparable, let reference { compare(end, made, to: reference) }
        if simulation.hasNeighbour, !server.snapshot.isServed(Self.neighbour) {
            checker.fail(Violation(invariant: "I13", detail: "the neighbour's model does not serve"))
        }
        if checker.violation == nil, let left = gateways?.traffic.outstanding, left > 0 {
            checker.fail(Violation(invariant: "I12", detail: "\(left) requests have no answer"))
        }
        let requests = server.requests - state.withLock { $0.requestsBefore }
        // Some planted bugs make requests of their own.
        if checker.violation == nil, simulation.planted == nil, requests > budgetAtRest {
            checker.fail(Violation(invariant: "I23", detail: "\(requests) requests at rest"))
        }
        return Simulation.Outcome(
            violation: checker.violation, traceHash: trace.hash, trace: trace.lines, perturbations: perturbations,
            statesChecked: checker.statesChecked, writes: faults.writes, events: faults.events, endState: end,
            creations: made,
            requestsAtRest: requests, jobsRun: executor.steps, wakeUps: gateways?.sleep.wakeUps ?? 0,
            requests: gateways?.traffic.counts ?? Simulation.RequestCounts())
    }

    /// Requests while nothing happens: for each replica those that renew seven watches, and what the Lease takes.
    private var budgetAtRest: Int {
        simulation.replicas * 150 + (simulation.elects ? Int(silence.components.seconds) * 3 / 2 : 0)
    }

    /// The faults that came to pass, overlapping replicas (P14) and what people did (P15).
    private var perturbations: [String: Int] {
        var result = faults.fired
        if simulation.replicas > 1 { result["P14", default: 0] += 1 }
        if simulation.hasNeighbour { result["neighbour", default: 0] += 1 }
        if simulation.elects { result["election", default: 0] += 1 }
        result["P15", default: 0] += simulation.story.acts.count
        return result
    }

    /// A person who is told that the spec is refused goes on with the story from there: it is another one then.
    private var isComparable: Bool {
        simulation.story.acts.count == 1 || !simulation.faults.contains(where: { $0.isLie })
    }

    /// A late creation may find the name free again, after the object was made, used and cleared away.
    private var countsCreations: Bool {
        simulation.story.countsCreations && !simulation.faults.contains { $0.perturbation == "P13" }
    }

    private func compare(_ end: EndState, _ made: [String: Int], to reference: Simulation.Outcome) {
        if end != reference.endState {
            let detail = "it ends as\n\(end)\nand without faults as\n\(reference.endState)"
            checker.fail(Violation(invariant: "I19", detail: detail))
        } else if countsCreations, made != reference.creations {
            let detail =
                "creations \(made.sorted { $0.key < $1.key }), not \(reference.creations.sorted { $0.key < $1.key })"
            checker.fail(Violation(invariant: "I21", detail: detail))
        }
    }
}
