import APIServerModel
import AssayCore
import AssayGateway
import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// The gateway's pods, each a process that is started again whenever it ends. Confined to the simulation's thread.
final class GatewayFleet: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    static let namespace = "assay-system"
    /// By which faults tell gateways from operators.
    static func replica(_ slot: Int) -> Int { 100 + slot }

    private enum End: Sendable {
        /// The pod is gone, and another takes its place.
        case replaced
        /// The same pod runs the program anew.
        case restarted
    }

    private struct Member {
        var gateway: SimulatedGateway
        var life: Life
        var finish: @Sendable (End) -> Void
        /// Until then it says nothing of its load.
        var deafUntil: Duration = .zero
    }

    let count: Int
    /// Called when an operator has had an answer.
    var onReport: (() -> Void)?
    private let server: SimulatedServer
    private let time: SimulatedTime
    private let faults: FaultLayer
    private let latency: Latency
    private let network: PodNetwork
    private let seed: UInt64
    private let planted: PlantedBug?
    private var members: [Int: Member] = [:]
    private var lives: UInt64 = 0
    private var pods = 0

    init(
        count: Int, seed: UInt64, server: SimulatedServer, time: SimulatedTime, faults: FaultLayer,
        network: PodNetwork, planted: PlantedBug?
    ) {
        self.count = count
        self.seed = seed
        self.server = server
        self.time = time
        self.faults = faults
        self.network = network
        self.planted = planted
        latency = Latency(seed: seed ^ 0x6761_7465)
        faults.onGatewayFault { [weak self] in self?.suffer($0, $1) }
    }

    // MARK: Those who ask

    func gateway(at address: String) -> SimulatedGateway? {
        members.values.first { $0.gateway.address == address }?.gateway
    }

    /// Nil where it does not answer.
    func answer(at address: String) -> GatewayLoad? {
        guard let member = members.values.first(where: { $0.gateway.address == address }), !member.gateway.isOver,
            member.deafUntil <= time.monotonicNow()
        else { return nil }
        return member.gateway.load
    }

    /// As it stands in the model's status.
    var currentGeneration: Int64 {
        server.object(.mlModels, Person.key)?["status", "trafficGeneration"]?.integer ?? 0
    }

    /// What a planted mistake hears from who says nothing.
    var nothingToDo: GatewayLoad {
        GatewayLoad(
            time: time.monotonicNow() / .seconds(1),
            models: [Person.key: GatewayLoad.Model(generation: currentGeneration)])
    }

    // MARK: Lives

    /// The pods of one place, one after the other.
    func operate(_ slot: Int) async {
        var name = ""
        var address = ""
        while !Task.isCancelled {
            if name.isEmpty {
                pods += 1
                (name, address) = ("assay-gateway-\(slot)-\(pods)", "10.2.0.\(pods)")
                create(name)
            }
            do { try await time.sleep(for: latency.next(200...3000)) } catch { return }
            tell(name, address, isReady: false)
            guard let end = await live(slot, name, address) else { return }
            if end == .restarted {
                tell(name, address, isReady: false)
                continue
            }
            do { try await time.sleep(for: latency.next(0...2000)) } catch { return }
            send("DELETE", path(name), ["gracePeriodSeconds": 0])
            name = ""
        }
    }

    /// Nil where the simulation is over.
    private func live(_ slot: Int, _ name: String, _ address: String) async -> End? {
        lives += 1
        let gateway = SimulatedGateway(
            name: name, address: address, time: time, network: network, planted: planted)
        let life = Life(behind: 0, catchesUp: .zero)
        let end = Locked<End?>(nil)
        let (stream, ended) = AsyncStream.makeStream(of: Void.self)
        members[slot] = Member(gateway: gateway, life: life) { how in
            end.withLock { $0 = $0 ?? how }
            ended.finish()
        }
        let (models, pods) = (Store<ModelRecord>(), Store<PodRecord>())
        models.subscribe { [weak gateway] in gateway?.take($0) }
        pods.subscribe { [weak gateway] in gateway?.take($0) }
        let client = client(slot, life)
        let reflectors = reflectors(client, models, pods)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await reflectors.0.run() }
            group.addTask { await reflectors.1.run() }
            group.addTask { await gateway.wakeWhatSleeps(by: ClientWaker(client: client)) }
            group.addTask { await self.becomeReady(name, address, gateway, models, pods) }
            for await _ in stream {}
            life.end()
            group.cancelAll()
        }
        gateway.end(isFault: false)
        members[slot] = nil
        return end.withLock { $0 }
    }

    private func client(_ slot: Int, _ life: Life) -> KubernetesClient {
        let transport = ReplicaTransport(
            replica: Self.replica(slot), isGateway: true, life: life, server: server, time: time, faults: faults,
            latency: latency, crash: { _, _ in })
        let wire = PlantedWakeTransport(inner: transport, forgetsVersion: planted?.quirk == .wakesWithoutVersion)
        let random = Locked(SeededGenerator(seed: seed &+ lives))
        return KubernetesClient(
            transport: wire, credentials: .token(Simulation.token), time: time,
            random: { random.withLock { Double.random(in: 0..<1, using: &$0) } })
    }

    private func reflectors(
        _ client: KubernetesClient, _ models: Store<ModelRecord>, _ pods: Store<PodRecord>
    ) -> (Reflector<ModelRecord>, Reflector<PodRecord>) {
        var logger = Logger(label: "simulation")
        logger.logLevel = .critical
        let seed = seed &+ lives &* 7919
        return (
            Reflector(client: client, type: .mlModels, store: models, time: time, seed: seed, logger: logger),
            Reflector(
                client: client, type: .pods, labelSelector: "\(Label.managedBy)=\(Label.manager),\(Label.model)",
                store: pods, time: time, seed: seed &+ 1, logger: logger)
        )
    }

    private func becomeReady(
        _ name: String, _ address: String, _ gateway: SimulatedGateway, _ models: Store<ModelRecord>,
        _ pods: Store<PodRecord>
    ) async {
        do {
            try await models.waitForSync()
            try await pods.waitForSync()
            try await time.sleep(for: latency.next(0...2000))
        } catch {
            return
        }
        if !gateway.isEnding { tell(name, address, isReady: true) }
    }

    // MARK: What goes wrong

    private func suffer(_ slot: Int, _ fault: Fault.GatewayFault) {
        guard let member = members[slot % count] else { return }
        switch fault {
        case .kill, .restart:
            member.life.end()
            member.gateway.end(isFault: true)
            member.finish(fault == .kill ? .replaced : .restarted)
        case .stop: stop(slot % count, member)
        case .late: break
        case .deaf(let milliseconds):
            members[slot % count]?.deafUntil = time.monotonicNow() + .milliseconds(milliseconds)
        }
    }

    /// As the program does on SIGTERM.
    private func stop(_ slot: Int, _ member: Member) {
        guard !member.gateway.isEnding, let name = name(of: member.gateway) else { return }
        let gateway = member.gateway
        gateway.beginEnding()
        send("DELETE", path(name), ["gracePeriodSeconds": 75])
        time.alarm(after: .seconds(5)) { gateway.stopListening() }
        waitForRest(gateway, until: time.monotonicNow() + .seconds(65), member.finish)
    }

    private func waitForRest(
        _ gateway: SimulatedGateway, until end: Duration, _ finish: @escaping @Sendable (End) -> Void
    ) {
        time.alarm(after: .milliseconds(500)) { [weak self] in
            guard let self, !gateway.isOver else { return }
            if time.monotonicNow() < end, gateway.isListening || gateway.hasRequests {
                return waitForRest(gateway, until: end, finish)
            }
            finish(.replaced)
        }
    }

    // MARK: The pods' objects

    private func name(of gateway: SimulatedGateway) -> String? {
        server.objects(.pods).first { $0["status", "podIP"]?.string == gateway.address }?.place.name
    }

    private func path(_ name: String, _ subresource: String? = nil) -> String {
        ResourceType.pods.path(namespace: Self.namespace, name: name, subresource: subresource)
    }

    private func create(_ name: String) {
        send(
            "POST", ResourceType.pods.path(namespace: Self.namespace),
            [
                "metadata": [
                    "name": .string(name), "namespace": .string(Self.namespace),
                    "labels": ["app.kubernetes.io/name": "assay-gateway"],
                ],
                "spec": ["nodeName": "node", "containers": [["name": "gateway", "image": "registry.local/assay:1"]]],
            ])
    }

    private func tell(_ name: String, _ address: String, isReady: Bool) {
        let condition: JSONValue = [
            "type": "Ready", "status": isReady ? "True" : "False",
            "lastTransitionTime": .string(server.now.truncatedToSeconds.description),
        ]
        send(
            "PATCH", path(name, "status"),
            [
                "status": [
                    "phase": "Running", "podIP": .string(address), "podIPs": [["ip": .string(address)]],
                    "conditions": [condition],
                ]
            ], "application/merge-patch+json")
    }

    private func send(_ method: String, _ path: String, _ body: JSONValue, _ type: String = "application/json") {
        let request = APIRequest(
            method: method, target: path, headers: ["content-type": type], body: body.serializedBytes(), user: .admin)
        server.handle(request, by: "gateway-node")
    }
}
