import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel
import Logging
import Testing

@testable import AssayOperator

/// Asking the gateway's pods, and what follows from their answers.
@Suite struct GatewayLoadsTests {
    /// Pods that say what they are told to.
    private final class Pods: GatewayReader {
        struct Silent: Error {}

        let answers = Locked<[String: GatewayLoad]>([:])
        /// Answers of the first pod wait for this, and say that they do.
        let hold = Locked<(gate: AsyncStream<Void>, reached: AsyncStream<Void>.Continuation)?>(nil)

        func load(of address: String, by access: GatewayAccess) async throws -> GatewayLoad {
            guard let answer = answers.withLock({ $0[address] }) else { throw Silent() }
            if let hold = hold.withLock({ $0 }), address == "10.0.0.1" {
                hold.reached.yield()
                for await _ in hold.gate {}
            }
            return answer
        }
    }

    private final class World: Sendable {
        let time = ManualTime()
        let pods = Pods()
        let gateway: GatewayCaches
        let caches: Caches
        let loads: GatewayLoads
        let queue: WorkQueue
        let isLeader = Locked(true)
        let key = ObjectKey(namespace: "ml", name: "wine")

        init(_ autoscaling: JSONValue) throws {
            gateway = GatewayCaches(namespace: "assay-system")
            var caches = Caches()
            caches.gateway = gateway
            self.caches = caches
            queue = WorkQueue(name: "models", time: time)
            let isLeader = isLeader
            loads = GatewayLoads(
                reader: pods, access: { GatewayAccess(authorities: "", token: "t") }, gateway: gateway, caches: caches,
                time: time, isLeader: { isLeader.withLock { $0 } },
                complaints: PushComplaints(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
            for (name, address) in [("a", "10.0.0.1"), ("b", "10.0.0.2")] {
                gateway.pods.apply([
                    "metadata": ["name": .string(name), "namespace": "assay-system", "uid": .string(name)],
                    "status": ["phase": "Running", "podIP": .string(address)],
                ])
            }
            caches.models.apply([
                "metadata": ["name": "wine", "namespace": "ml", "uid": "m"],
                "spec": [
                    "training": ["template": ["spec": ["template": ["spec": ["containers": [["name": "x"]]]]]]],
                    "validation": ["gate": "None"],
                    "serving": [
                        "template": ["spec": ["containers": [["name": "x"]]]], "port": 8080,
                        "autoscaling": autoscaling,
                    ],
                ],
                "status": [
                    "observedGeneration": 1, "revision": "wine-1", "gatewayPort": 12345, "trafficGeneration": 1,
                    "traffic": [["revision": "wine-1", "weight": 100, "state": "Serving"]],
                    "revisions": [
                        [
                            "name": "wine-1", "run": 1, "servingHash": "1:x", "rendering": 1, "deployment": "wine-1",
                            "port": 8080, "state": "Serving",
                        ]
                    ],
                ],
            ])
            caches.deployments.apply([
                "metadata": ["name": "wine-1", "namespace": "ml", "uid": "d"], "spec": ["replicas": 1],
                "status": ["availableReplicas": 1],
            ])
        }

        /// Each pod's requests and busy seconds so far; nil for one that is silent.
        func say(_ second: Int, _ a: (requests: Int64, busy: Double)?, _ b: (requests: Int64, busy: Double)?) {
            pods.answers.withLock { answers in
                for (address, load) in [("10.0.0.1", a), ("10.0.0.2", b)] {
                    answers[address] = load.map {
                        GatewayLoad(
                            time: Double(second),
                            models: [key: .init(generation: 1, requests: $0.requests, busySeconds: $0.busy)])
                    }
                }
            }
        }

        /// Asks now, a second after the last time.
        func round() async {
            time.advance(by: .seconds(1))
            await loads.round(queue: queue)
        }
    }

    @Test func idleTimeIsWhatNobodyHadARequestIn() async throws {
        let world = try World(["minReplicas": 0, "maxReplicas": 5, "idleAfter": "10s"])
        for second in 1...5 {
            world.say(second, (Int64(second), 0), (0, 0))
            await world.round()
        }
        #expect(world.loads.observe(world.key)?.idle == .zero)
        for second in 6...14 {
            world.say(second, (5, 0), (0, 0))
            await world.round()
        }
        #expect(world.loads.observe(world.key)?.idle == .seconds(9))
        #expect(world.queue.count == 0)
        world.say(15, (5, 0), (0, 0))
        await world.round()
        #expect(world.queue.count == 1, "it may sleep")
        #expect(world.loads.observe(world.key)?.reports.count == 2)
    }

    @Test func whoIsSilentMayHaveARequest() async throws {
        let world = try World(["minReplicas": 0, "maxReplicas": 5, "idleAfter": "10s"])
        for second in 1...20 {
            world.say(second, (0, 0), second == 12 ? nil : (0, 0))
            await world.round()
        }
        // It is not known what it had between its answers on either side.
        #expect(world.loads.observe(world.key)?.idle == .seconds(7))
        world.say(21, (0, 0), nil)
        await world.round()
        #expect(world.loads.observe(world.key)?.reports.count == 1)
    }

    @Test func whatAllPodsHaveIsScaledBy() async throws {
        let world = try World(["maxReplicas": 5, "target": 10])
        for second in 1...4 {
            world.say(second, (0, 7 * Double(second)), (0, 7 * Double(second)))
            await world.round()
        }
        #expect(world.loads.observe(world.key)?.desired == 2, "14 at a time, of 7 each")
        #expect(world.queue.count == 1)
    }

    /// A round that began before may end after one that was asked when the Deployment had been read.
    @Test func anAnswerThatWasAskedForEarlierIsNotTakenForNewer() async throws {
        let world = try World(["minReplicas": 0, "maxReplicas": 5])
        world.say(1, (0, 0), (0, 0))
        await world.round()
        world.say(2, (7, 0), (7, 0))
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (reached, reach) = AsyncStream.makeStream(of: Void.self)
        world.pods.hold.withLock { $0 = (gate, reach) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await world.loads.ask() }
            for await _ in reached { break }
            world.pods.hold.withLock { $0 = nil }
            world.say(3, (9, 0), (9, 0))
            await world.loads.ask()
            open.finish()
            try await group.waitForAll()
        }
        #expect(world.loads.observe(world.key)?.reports["a"]?.requests == 9)
    }

    @Test func whoDoesNotLeadForgets() async throws {
        let world = try World(["minReplicas": 0, "maxReplicas": 5])
        world.say(1, (0, 0), (0, 0))
        await world.round()
        #expect(world.loads.observe(world.key) != nil)
        world.isLeader.withLock { $0 = false }
        await world.round()
        #expect(world.loads.observe(world.key) == nil)
    }

    // MARK: Canaries

    /// What the status says of a canary, and of nothing else that is asked of the gateways.
    private func tellCanary(_ world: World, step: Int, generation: Int64) throws {
        var model = try #require(world.caches.models.get(world.key)).json
        model["spec", "serving", "autoscaling"] = nil
        model["status", "trafficGeneration"] = .integer(generation)
        model["status", "traffic"] = [
            ["revision": "wine-1", "weight": 90, "state": "Serving"],
            ["revision": "wine-2", "weight": 10, "state": "Canary"],
        ]
        model["status", "rollout"] = [
            "revision": "wine-2", "state": "Progressing", "step": JSONValue(step), "startTime": "2027-01-15T08:00:00Z",
            "since": "2027-01-15T08:00:00Z",
        ]
        world.caches.models.apply(model)
    }

    /// What each pod has counted of the canary so far; nil for one that is silent.
    private func say(_ world: World, _ a: (requests: Int, errors: Int)?, _ b: (requests: Int, errors: Int)?) {
        world.pods.answers.withLock { answers in
            for (address, said) in [("10.0.0.1", a), ("10.0.0.2", b)] {
                answers[address] = said.map { said in
                    var load = RevisionLoad()
                    for index in 0..<said.requests { load.count(isError: index < said.errors, seconds: 0.01) }
                    return GatewayLoad(
                        time: 1, models: [world.key: .init(generation: 2, revisions: ["wine-2": load])])
                }
            }
        }
    }

    @Test func whatAllPodsCountOfACanaryIsAddedUpFromItsBeginning() async throws {
        let world = try World(["maxReplicas": 5])
        say(world, (0, 0), (0, 0))
        await world.round()
        #expect(world.loads.canary(world.key) == nil)
        try tellCanary(world, step: 1, generation: 2)
        say(world, (3, 1), (4, 0))
        await world.round()
        var count = try #require(world.loads.canary(world.key))
        #expect(count.total.requests == 7 && count.total.errors == 1 && count.isComplete)
        #expect(world.queue.count == 1, "it is looked at each second")
        try tellCanary(world, step: 2, generation: 2)
        say(world, (13, 1), nil)
        await world.round()
        count = try #require(world.loads.canary(world.key))
        #expect(count.inStep.requests == 10 && count.total.requests == 17 && !count.isComplete)
        try tellCanary(world, step: 2, generation: 3)
        say(world, (13, 1), (5, 1))
        await world.round()
        count = try #require(world.loads.canary(world.key))
        #expect(count.total.errors == 2 && !count.isComplete, "they route by what was before")
    }

    @Test func whoBeginsToLeadCountsACanaryAnew() async throws {
        let world = try World(["maxReplicas": 5])
        try tellCanary(world, step: 1, generation: 2)
        say(world, (300, 200), (4, 0))
        await world.round()
        #expect(world.loads.canary(world.key)?.total.requests == 0)
        say(world, (301, 200), (5, 0))
        await world.round()
        #expect(world.loads.canary(world.key)?.total.requests == 2)
        world.isLeader.withLock { $0 = false }
        await world.round()
        #expect(world.loads.canary(world.key) == nil)
    }
}
