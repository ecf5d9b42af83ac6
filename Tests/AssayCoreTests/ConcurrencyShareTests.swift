import FuzzProperties
import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What the gateway's pods may give to a replica, all together.
@Suite struct ConcurrencyDivisionTests {
    private static func division(_ limit: Int) -> ConcurrencyDivision { ConcurrencyDivision(limit: limit) { $0 } }

    private static func gateway(_ name: String, takes: Bool = true, reported: Int? = nil) -> ConcurrencyDivision.Gateway
    {
        .init(name: name, takesRequests: takes, reported: reported)
    }

    private static func text(_ shares: [ConcurrencyShare]) -> String {
        shares.map { "\($0.gateway)\($0.limit)" + ($0.releasing > 0 ? "+\($0.releasing)" : "") }.joined(separator: " ")
    }

    private func next(_ old: [ConcurrencyShare], _ limit: Int, _ gateways: [ConcurrencyDivision.Gateway]) -> String {
        Self.text(Self.division(limit).next(old, among: gateways).shares)
    }

    @Test(
        arguments: [(10, 1, "a10"), (10, 2, "a5 b5"), (10, 3, "a4 b3 c3"), (2, 3, "a1 b1"), (1, 2, "a1")]
            as [(Int, Int, String)])
    func aBoundIsDividedAmongThoseThatTakePart(_ limit: Int, _ count: Int, _ wanted: String) {
        let gateways = ["a", "b", "c"].prefix(count).map { Self.gateway($0) }
        #expect(next([], limit, gateways) == wanted)
    }

    @Test func whatOneLosesAnotherGetsOnlyOnceTheFirstDoesWithout() {
        let (a, b) = (ConcurrencyShare(gateway: "a", limit: 4), ConcurrencyShare(gateway: "b", limit: 0))
        #expect(next([a], 4, [Self.gateway("a"), Self.gateway("b")]) == "a2+2 b0")
        let between = [ConcurrencyShare(gateway: "a", limit: 2, releasing: 2), b]
        #expect(next(between, 4, [Self.gateway("a"), Self.gateway("b")]) == "a2+2 b0", "nothing was heard")
        #expect(next(between, 4, [Self.gateway("a", reported: 4), Self.gateway("b")]) == "a2+2 b0")
        #expect(next(between, 4, [Self.gateway("a", reported: 3), Self.gateway("b")]) == "a2+1 b1", "piece by piece")
        #expect(next(between, 4, [Self.gateway("a", reported: 2), Self.gateway("b")]) == "a2 b2")
        #expect(next(between, 4, [Self.gateway("b")]) == "b4", "or once it is gone")
    }

    @Test func oneThatGoesKeepsALittleToEndWhatItHolds() {
        let old = [ConcurrencyShare(gateway: "a", limit: 2), ConcurrencyShare(gateway: "b", limit: 2)]
        let going = [Self.gateway("a", takes: false), Self.gateway("b"), Self.gateway("c")]
        #expect(next(old, 4, going) == "a1+1 b2 c0")
        let alone = [ConcurrencyShare(gateway: "a", limit: 1)]
        #expect(next(alone, 1, [Self.gateway("a", takes: false), Self.gateway("b")]) == "a1 b0")
        #expect(next(alone + [.init(gateway: "b", limit: 0)], 1, [Self.gateway("b")]) == "b1")
    }

    @Test func whoHasAPartKeepsItWhereNotAllHaveOne() {
        let old = [ConcurrencyShare(gateway: "z", limit: 1)]
        #expect(next(old, 1, [Self.gateway("a"), Self.gateway("z")]) == "z1")
    }

    @Test func withoutAnyGatewayTheListStaysForThoseThatCome() {
        #expect(next([ConcurrencyShare(gateway: "gone", limit: 3)], 3, []) == "gone3")
        #expect(next([ConcurrencyShare(gateway: "gone", limit: 3)], 3, [Self.gateway("a")]) == "a3")
    }

    /// Gateways that come, go, hear late, answer late and hold on to requests.
    @Test(arguments: 1...100) func togetherTheyNeverExceedTheBound(_ seed: UInt64) {
        struct Gateway {
            var heard: (generation: Int, limit: Int)
            var used = 0
            var takes = true
            /// What it said last, which is heard now or later.
            var report: (generation: Int, most: Int)?
        }
        var random = SplitMix(seed: seed)
        let limit = 1 + Int(random.next() % 6)
        var (gateways, names): ([String: Gateway], Int) = ([:], 0)
        /// Every status that was written, the newest last.
        var written: [[ConcurrencyShare]] = [[]]
        var isDivided = false
        func part(of name: String, in generation: Int) -> Int {
            let shares = written[generation]
            return shares.isEmpty ? 0 : shares.first { $0.gateway == name }?.limit ?? 0
        }
        for _ in 0..<600 {
            let all = gateways.keys.sorted()
            let name = all.isEmpty ? "" : all[Int(random.next() % UInt64(all.count))]
            switch random.next() % 10 {
            case 0 where gateways.count < 4:
                names += 1
                gateways["g\(names)"] = Gateway(heard: (0, 0))
            case 1 where random.next() % 3 == 0: gateways[name]?.takes.toggle()
            case 2 where random.next() % 4 == 0: gateways[name] = nil
            case 3, 4:
                guard let known = gateways[name] else { continue }
                let span = UInt64(written.count - known.heard.generation)
                let generation = known.heard.generation + Int(random.next() % span)
                gateways[name]?.heard = (generation, part(of: name, in: generation))
            case 5, 6: if let known = gateways[name], known.used < known.heard.limit { gateways[name]?.used += 1 }
            case 7: if let known = gateways[name], known.used > 0 { gateways[name]?.used -= 1 }
            case 8:
                guard let known = gateways[name] else { continue }
                gateways[name]?.report = (known.heard.generation, max(known.heard.limit, known.used))
            default:
                var old = written.last ?? []
                let asked = gateways.sorted { $0.key < $1.key }.map { name, known in
                    let report = known.report.flatMap { $0.generation == written.count - 1 ? $0.most : nil }
                    return Self.gateway(name, takes: known.takes, reported: report)
                }
                let shares = Self.division(limit).next(old, among: asked).shares
                isDivided = isDivided || !shares.isEmpty
                if shares.map(\.gateway) == old.map(\.gateway), shares.map(\.limit) == old.map(\.limit) {
                    old = shares
                    written[written.count - 1] = old
                } else {
                    written.append(shares)
                }
            }
            #expect(gateways.values.reduce(0) { $0 + $1.used } <= limit)
            let last = written.last ?? []
            let allowed = last.filter { gateways[$0.gateway] != nil }.reduce(0) { $0 + $1.limit + $1.releasing }
            #expect(allowed <= limit)
        }
        #expect(isDivided)
    }
}

@Suite struct ConcurrencyShareTests {
    private static func pod(_ name: String, isReady: Bool = true, isGoing: Bool = false) throws -> GatewayPod {
        var metadata: JSONValue = ["name": .string(name), "namespace": "assay-system", "uid": .string(name)]
        if isGoing { metadata["deletionTimestamp"] = "2027-01-15T08:00:00Z" }
        return try GatewayPod(json: [
            "metadata": metadata,
            "status": [
                "phase": "Running", "podIP": .string("10.0.0.\(name.utf8.first ?? 0)"),
                "conditions": [["type": "Ready", "status": isReady ? "True" : "False"]],
            ],
        ])
    }

    private func serving(_ limit: Int, _ pods: [GatewayPod]) throws -> World {
        var world = World()
        world.gateway = GatewayObservation(namespace: "assay-system", pods: pods)
        try world.create(
            .mlModels, try Sample.model { $0["spec", "serving", "containerConcurrency"] = JSONValue(limit) })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        return world
    }

    private func shares(_ world: World) -> String {
        (world.status["concurrency"]?.array ?? []).map { share in
            let releasing = share["releasing"]?.int.map { "+\($0)" } ?? ""
            return "\(share["gateway"]?.string ?? "")\(share["limit"]?.int ?? -1)\(releasing)"
        }.joined(separator: " ")
    }

    /// The pods of the gateway that users are led to.
    private func led(_ world: World) -> Int {
        world.all(.endpointSlices).flatMap { $0["endpoints"]?.array ?? [] }
            .count { $0["conditions", "ready"]?.bool == true }
    }

    private func report(_ world: inout World, _ most: [String: Int]) {
        let generation = world.status["trafficGeneration"]?.integer ?? 0
        world.gateway?.scaling = ScalingObservation(
            reports: most.mapValues { GatewayLoad.Model(generation: generation, concurrency: $0) })
    }

    @Test func aNewPodOfTheGatewayGetsItsPartAndThenItsUsers() throws {
        var world = try serving(4, [Self.pod("a")])
        #expect(shares(world) == "a4" && led(world) == 1)
        let generation = world.status["trafficGeneration"]?.int ?? 0
        world.gateway?.pods = [try Self.pod("a"), try Self.pod("b")]
        try world.settle()
        #expect(shares(world) == "a2+2 b0")
        #expect(world.status["trafficGeneration"]?.int == generation + 1)
        report(&world, ["a": 3, "b": 0])
        try world.settle()
        #expect(shares(world) == "a2+1 b1")
        report(&world, ["a": 2, "b": 1])
        try world.settle()
        #expect(shares(world) == "a2 b2" && led(world) == 2)
        #expect(try world.settle() == 0)
    }

    @Test func whoSpeaksOfOlderSharesIsNotBelieved() throws {
        var world = try serving(4, [Self.pod("a")])
        report(&world, ["a": 2])
        world.gateway?.pods = [try Self.pod("a"), try Self.pod("b")]
        try world.settle()
        #expect(shares(world) == "a2+2 b0", "it said so before")
    }

    @Test func ofMorePodsThanAReplicaMayHaveRequestsOnlySoManyAreLedTo() throws {
        var world = try serving(1, [Self.pod("a"), Self.pod("b")])
        #expect(shares(world).hasSuffix("1") && shares(world).count == 2 && led(world) == 1)
        let first = shares(world).prefix(1)
        let second = first == "a" ? "b" : "a"
        world.gateway?.pods = [try Self.pod(String(first), isReady: false, isGoing: true), try Self.pod(second)]
        try world.settle()
        #expect(shares(world).contains("\(first)1") && shares(world).contains("\(second)0") && led(world) == 1)
        world.gateway?.pods = [try Self.pod(second)]
        try world.settle()
        #expect(shares(world) == "\(second)1" && led(world) == 1)
    }

    @Test func withoutABoundNobodyHasAShare() throws {
        var world = try serving(4, [Self.pod("a"), Self.pod("b")])
        #expect(shares(world) == "a2 b2")
        world.change { $0["spec", "serving", "containerConcurrency"] = 0 }
        try world.settle()
        #expect(world.status["concurrency"] == nil && led(world) == 2)
    }
}
