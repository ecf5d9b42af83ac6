import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// A candidate that gets the requests of what serves step by step, and is watched.
@Suite struct CanaryTests {
    private static let steps: JSONValue = [["weight": 10, "pause": "2m"], ["weight": 50, "pause": "5m"]]
    private static let analysis: JSONValue = ["maxErrorRate": 0.01, "maxLatencyP99": "250ms", "minRequests": 100]

    static func gateway(_ pods: [String] = ["a", "b"]) throws -> GatewayObservation {
        GatewayObservation(
            namespace: "assay-system",
            pods: try pods.map { name in
                try GatewayPod(json: [
                    "metadata": ["name": .string(name), "namespace": "assay-system", "uid": .string(name)],
                    "status": [
                        "phase": "Running", "podIP": "10.0.0.1", "conditions": [["type": "Ready", "status": "True"]],
                    ],
                ])
            })
    }

    /// A model that serves, with a second revision that is available.
    static func canary(
        _ rollout: JSONValue = ["steps": steps], gateway: GatewayObservation? = nil,
        _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = World()
        world.gateway = try gateway ?? Self.gateway()
        try world.create(
            .mlModels,
            try Sample.model {
                $0["spec", "serving", "rollout"] = rollout
                change(&$0)
            })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving" && world.status["rollout"] == nil)
        try Self.succeed(&world)
        return world
    }

    /// Another revision is made, and comes up.
    private static func succeed(_ world: inout World, port: Int = 9090) throws {
        world.now = world.now + .seconds(60)
        world.change { $0["spec", "serving", "port"] = JSONValue(port) }
        try world.settle()
        for _ in 0..<2 {
            world.makeDeploymentsAvailable()
            try world.settle()
        }
    }

    private func traffic(_ world: World) -> [String] {
        let names = (world.status["revisions"]?.array ?? []).compactMap { $0["name"]?.string }
        return (world.status["traffic"]?.array ?? []).map { share in
            let number = (names.firstIndex { $0 == share["revision"]?.string } ?? -1) + 1
            return "\(number) \(share["weight"]?.int ?? -1) \(share["state"]?.string ?? "")"
        }
    }

    /// What the gateways tell of the canary since the step began, in each of them.
    private func tell(
        _ world: inout World, requests: Int, errors: Int = 0, seconds: Double = 0.02,
        of answering: [String] = ["a", "b"]
    ) throws {
        let model = try #require(try world.model()?.status.value)
        let rollout = try #require(model.rollout)
        var load = RevisionLoad()
        for index in 0..<requests { load.count(isError: index < errors, seconds: seconds) }
        let zero = GatewayLoad.Model(generation: model.trafficGeneration ?? 0)
        var count = CanaryCount(of: rollout, before: ["a": zero, "b": zero])
        var report = zero
        report.revisions[rollout.revision] = load
        count.add(
            Dictionary(uniqueKeysWithValues: answering.map { ($0, report) }), of: ["a", "b"], step: rollout.step,
            generation: zero.generation)
        world.gateway?.canary = count
    }

    private func pass(_ seconds: Int64, _ world: inout World) throws {
        world.now = world.now + .seconds(seconds)
        try world.settle()
    }

    private func revision(_ number: Int, _ world: World) -> JSONValue { world.status["revisions"]?[number - 1] ?? [:] }

    // MARK: Steps

    @Test func theWeightRisesStepByStepUntilTheCandidateServes() throws {
        var world = try Self.canary()
        let first = world.status["revision"]
        #expect(traffic(world) == ["1 90 Serving", "2 10 Canary"])
        #expect(world.status["phase"] == "RollingOut" && world.condition("RolledOut")?["reason"] == "Canary")
        #expect(world.condition("Ready")?["status"] == "True")
        #expect(try world.settle() == 0)
        try pass(119, &world)
        #expect(traffic(world) == ["1 90 Serving", "2 10 Canary"])
        try pass(1, &world)
        #expect(traffic(world) == ["1 50 Serving", "2 50 Canary"])
        #expect(world.status["rollout", "step"] == 2)
        #expect(try world.settle() == 0)
        try pass(299, &world)
        #expect(world.status["revision"] == first)
        try pass(1, &world)
        #expect(traffic(world) == ["2 100 Serving", "1 0 Warm"])
        #expect(world.status["revision"] != first && world.status["rollout"] == nil)
        #expect(world.status["phase"] == "Serving" && world.condition("RolledOut")?["status"] == "True")
        #expect(world.events.filter { $0.reason == "CanaryStep" }.count == 2)
        #expect(try world.settle() == 0)
    }

    @Test func whatServedStaysWarmForAWhileAndGoesThen() throws {
        for (given, seconds) in [(nil, 30), ("90s", 90)] as [(String?, Int64)] {
            var world = try Self.canary(["steps": [["weight": 50, "pause": "0s"]]]) {
                $0["spec", "serving", "scaleDownDelay"] = JSONValue(given)
            }
            #expect(traffic(world) == ["2 100 Serving", "1 0 Warm"], "a pause of nothing")
            try pass(seconds - 1, &world)
            #expect(world.all(.deployments).count == 2)
            try pass(1, &world)
            #expect(world.all(.deployments).count == 1 && traffic(world) == ["2 100 Serving"])
            #expect(try world.settle() == 0)
        }
    }

    @Test func withoutARolloutACandidateServesAtOnceAndWhatServedStaysWarm() throws {
        var world = try Self.canary { $0["spec", "serving", "rollout"] = nil }
        #expect(traffic(world) == ["2 100 Serving", "1 0 Warm"])
        try pass(30, &world)
        #expect(world.all(.deployments).count == 1)
    }

    @Test func withoutAGatewayACandidateServesAtOnce() throws {
        var world = World()
        try world.create(.mlModels, try Sample.model { $0["spec", "serving", "rollout"] = ["steps": Self.steps] })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        let first = world.status["revision"]
        try Self.succeed(&world)
        #expect(world.status["revision"] != first && world.status["rollout"] == nil)
    }

    @Test func aChangeOfTheRulesMakesNoRevision() throws {
        var world = try Self.canary()
        let created = world.created.count
        world.change {
            $0["spec", "serving", "rollout", "steps"] = [["weight": 20, "pause": "1m"]]
            $0["spec", "serving", "scaleDownDelay"] = "1m"
        }
        try world.settle()
        #expect(traffic(world) == ["1 80 Serving", "2 20 Canary"])
        #expect(world.created.count == created)
    }

    // MARK: Measurements

    @Test func aStepWaitsForRequestsAndForEveryGateway() throws {
        var world = try Self.canary(["steps": Self.steps, "analysis": Self.analysis])
        try pass(120, &world)
        #expect(world.status["rollout", "step"] == 1, "nobody has looked")
        try tell(&world, requests: 49)
        try world.settle()
        #expect(world.status["rollout", "step"] == 1)
        #expect(world.status["rollout", "message"]?.string?.contains("98 of 100 requests") == true)
        try tell(&world, requests: 150, of: ["a"])
        try world.settle()
        #expect(world.status["rollout", "step"] == 1, "a silent one may have errors")
        try tell(&world, requests: 50)
        try world.settle()
        #expect(world.status["rollout", "step"] == 2)
        try world.settle()
        try pass(300, &world)
        #expect(world.status["rollout", "step"] == 2, "what was measured in the first step is no measure of the second")
        try tell(&world, requests: 100, errors: 1)
        try world.settle()
        #expect(traffic(world) == ["2 100 Serving", "1 0 Warm"], "just as many errors as are allowed")
    }

    @Test(arguments: ["errors", "latency"])
    func aCandidateThatIsTooBadIsTakenBackAtOnce(_ what: String) throws {
        var world = try Self.canary(["steps": Self.steps, "analysis": Self.analysis])
        let (first, created) = (world.status["revision"], world.created.count)
        try tell(
            &world, requests: 60, errors: what == "errors" ? 1 : 0, seconds: what == "errors" ? 0.02 : 0.3)
        try pass(1, &world)
        #expect(traffic(world) == ["1 100 Serving", "2 0 Warm"], "its last requests may end")
        #expect(world.status["revision"] == first && world.status["rollout"] == nil)
        #expect(revision(2, world)["state"] == "Failed" && revision(2, world)["reason"] == "AnalysisFailed")
        let figures = revision(2, world)["message"]?.string ?? ""
        #expect(
            figures.contains(
                what == "errors" ? "2 of 120 requests failed (maxErrorRate 0.01)" : "between 0.25 s and 0.5 s"),
            "\(figures)")
        #expect(world.condition("RolledOut")?["reason"] == "AnalysisFailed")
        #expect(world.condition("Ready")?["status"] == "True" && world.condition("Stalled")?["status"] == "True")
        #expect(world.events.filter { $0.reason == "RolledBack" }.count == 1)
        try pass(5, &world)
        #expect(traffic(world) == ["1 100 Serving"] && world.all(.deployments).count == 1)
        #expect(world.created.count == created)
        #expect(try world.settle() == 0)
        try pass(3600, &world)
        #expect(traffic(world) == ["1 100 Serving"], "it is not tried again by itself")
    }

    @Test func errorsThatNoRequestCanMakeGoodEndItBeforeThereAreEnough() throws {
        var world = try Self.canary(["steps": Self.steps, "analysis": Self.analysis])
        try tell(&world, requests: 1, errors: 1, of: ["a"])
        try world.settle()
        #expect(world.status["rollout"] != nil, "one of a hundred is allowed, and nobody knows the other 99")
        try tell(&world, requests: 2, errors: 2, of: ["a"])
        try world.settle()
        #expect(revision(2, world)["reason"] == "AnalysisFailed", "also where a gateway is silent")
    }

    @Test func withTooLittleTrafficAPersonDecides() throws {
        var world = try Self.canary([
            "steps": Self.steps, "analysis": Self.analysis, "progressDeadline": "5m",
        ])
        let second = revision(2, world)["name"]
        try tell(&world, requests: 10)
        try pass(120 + 299, &world)
        #expect(world.status["rollout", "state"] == "Progressing")
        try pass(1, &world)
        #expect(world.status["rollout", "state"] == "Inconclusive" && traffic(world) == ["1 100 Serving", "2 0 Warm"])
        #expect(world.condition("RolledOut")?["reason"] == "Inconclusive")
        #expect(world.condition("Stalled")?["status"] == "True" && world.condition("Ready")?["status"] == "True")
        try pass(86_400, &world)
        #expect(traffic(world) == ["1 100 Serving"] && world.all(.deployments).count == 2)
        #expect(try world.settle() == 0)
        world.change { $0["metadata", "annotations", Label.approve] = "another" }
        try world.settle()
        #expect(world.status["rollout", "state"] == "Inconclusive")
        world.change { $0["metadata", "annotations", Label.approve] = second }
        try world.settle()
        #expect(world.status["revision"] == second && traffic(world) == ["2 100 Serving", "1 0 Warm"])
    }

    @Test func whatCameToNoEndIsTriedAgainWhenAsked() throws {
        var world = try Self.canary(["steps": Self.steps, "analysis": Self.analysis])
        try pass(720, &world)
        #expect(world.status["rollout", "state"] == "Inconclusive")
        world.change { $0["metadata", "annotations", Label.requestedAt] = "now" }
        try world.settle()
        #expect(world.status["rollout", "state"] == "Progressing" && traffic(world) == ["1 90 Serving", "2 10 Canary"])
        #expect(try world.settle() == 0)
    }

    // MARK: Approval

    @Test(arguments: ["annotation", "spec"])
    func aManualOneWaitsForAPerson(_ way: String) throws {
        var world = try Self.canary(["steps": Self.steps, "approval": "Manual"])
        let second = revision(2, world)["name"]
        #expect(world.status["rollout", "state"] == "AwaitingApproval" && traffic(world) == ["1 100 Serving"])
        #expect(world.condition("RolledOut")?["reason"] == "AwaitingApproval")
        try pass(86_400, &world)
        #expect(try world.settle() == 0)
        #expect(traffic(world) == ["1 100 Serving"])
        world.change {
            if way == "spec" {
                $0["spec", "serving", "rollout", "approvedRevision"] = second
            } else {
                $0["metadata", "annotations", Label.approve] = second
            }
        }
        try world.settle()
        #expect(traffic(world) == ["1 90 Serving", "2 10 Canary"])
        #expect(try world.settle() == 0)
    }

    @Test func anApprovalToBeginIsNoneToEndUndecided() throws {
        var world = try Self.canary(["steps": Self.steps, "approval": "Manual", "analysis": Self.analysis])
        let second = revision(2, world)["name"]
        world.change { $0["metadata", "annotations", Label.approve] = second }
        try world.settle()
        try pass(720, &world)
        #expect(world.status["rollout", "state"] == "Inconclusive")
        world.change { $0["metadata", "annotations"] = [:] }
        try world.settle()
        world.change { $0["metadata", "annotations", Label.approve] = second }
        try world.settle()
        #expect(world.status["revision"] == second)
    }

    // MARK: What comes between

    @Test func whoeverLeadsNextGoesOnWhereItWas() throws {
        var world = try Self.canary(["steps": Self.steps, "analysis": Self.analysis])
        try tell(&world, requests: 50)
        try pass(120, &world)
        #expect(world.status["rollout", "step"] == 2)
        // Nothing was heard yet.
        world.gateway?.canary = nil
        try pass(300, &world)
        #expect(traffic(world) == ["1 50 Serving", "2 50 Canary"])
        try tell(&world, requests: 60)
        try world.settle()
        #expect(traffic(world) == ["2 100 Serving", "1 0 Warm"])
    }

    @Test func aCanaryThatCannotBeLookedAtGetsNoRequests() throws {
        let good = try Self.canary()
        var world = good
        world.change { $0["spec", "suspend"] = true }
        try world.settle()
        #expect(traffic(world) == ["1 100 Serving", "2 0 Warm"])
        world.change { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(traffic(world) == ["1 90 Serving", "2 10 Canary"])
        world = good
        world.change { $0["spec", "serving", "rollout", "steps"] = [] }
        try world.settle()
        #expect(world.status["phase"] == "Invalid" && traffic(world) == ["1 100 Serving"])
        #expect(try world.settle() == 0)
        world = good
        try Self.succeed(&world, port: 9191)
        #expect(traffic(world) == ["1 90 Serving", "3 10 Canary", "2 0 Warm"] || traffic(world).count == 2)
        try pass(60, &world)
        #expect(traffic(world) == ["1 90 Serving", "3 10 Canary"] && world.all(.deployments).count == 2)
    }

    @Test func aReplicaThatGoesHoldsItUpAndOneThatStaysAwayEndsIt() throws {
        var world = try Self.canary(["steps": Self.steps])
        let name = try #require(revision(2, world)["deployment"]?.string)
        world.update(.deployments, name) { $0["status", "availableReplicas"] = 0 }
        try pass(700, &world)
        #expect(traffic(world) == ["1 90 Serving", "2 10 Canary"])
        try pass(20, &world)
        #expect(revision(2, world)["state"] == "Failed" && traffic(world) == ["1 100 Serving", "2 0 Warm"])
    }

    @Test func whatSleepsIsWokenFirstAndDoesNotSleepMeanwhile() throws {
        var world = try Self.canary(["steps": Self.steps]) {
            $0["spec", "serving", "autoscaling"] = ["minReplicas": 0, "maxReplicas": 5, "idleAfter": "60s"]
        }
        let old = try #require(revision(1, world)["deployment"]?.string)
        // As if it had been asleep when the candidate came.
        world.change {
            $0["status", "traffic"] = [["revision": .string(old), "weight": 100, "state": "Hibernating"]]
            $0["status", "rollout"] = nil
        }
        world.update(.deployments, old) {
            $0["spec", "replicas"] = 0
            $0["status", "availableReplicas"] = 0
        }
        try world.settle()
        #expect(world.status["rollout", "state"] == "Waking" && traffic(world) == ["1 100 Serving"])
        #expect(world.get(.deployments, old)?["spec", "replicas"] == 1)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(traffic(world) == ["1 90 Serving", "2 10 Canary"])
        world.update(.deployments, old) { $0["spec", "replicas"] = 3 }
        world.makeDeploymentsAvailable()
        let idle = GatewayLoad.Model(generation: world.status["trafficGeneration"]?.integer ?? 0)
        world.gateway?.scaling = ScalingObservation(desired: 1, idle: .seconds(90), reports: ["a": idle, "b": idle])
        try pass(1, &world)
        #expect(traffic(world) == ["1 90 Serving", "2 10 Canary"])
        #expect(world.all(.deployments).allSatisfy { $0["spec", "replicas"] == 3 }, "nor is it scaled down")
    }

    // MARK: Laws

    /// The operator dies before any of the writes, and another begins with what is there.
    @Test func aCrashBeforeAnyWriteChangesNothingOfTheEnd() throws {
        func story(_ crash: Int?) throws -> (World, writes: Int) {
            var world = try Self.canary(["steps": Self.steps, "analysis": Self.analysis])
            var writes = 0
            for seconds in [120, 300, 30] as [Int64] {
                if world.status["rollout"] != nil { try tell(&world, requests: 60) }
                world.now = world.now + .seconds(seconds)
                for _ in 0..<16 {
                    let plan = try world.plan()
                    if plan.isEmpty { break }
                    let count = plan.actions.count + (plan.status == nil ? 0 : 1)
                    let limit = crash.flatMap { writes <= $0 && $0 < writes + count ? $0 - writes : nil }
                    try world.execute(plan, for: .mlModels, "wine", limit: limit ?? .max)
                    writes += count
                }
            }
            return (world, writes)
        }
        let (reference, writes) = try story(nil)
        #expect(traffic(reference) == ["2 100 Serving"] && writes >= 4)
        for crash in 0..<writes {
            let (world, _) = try story(crash)
            #expect(world.created == reference.created && traffic(world) == traffic(reference), "crash at \(crash)")
        }
    }

    @Test func thePlanOfAWorldThatAPlanMadeIsEmpty() throws {
        var world = try Self.canary(["steps": Self.steps, "analysis": Self.analysis])
        for requests in [0, 10, 60] {
            try tell(&world, requests: requests)
            try world.settle()
            let writes = world.statusWrites
            #expect(try world.settle() == 0)
            world.now = world.now + .seconds(30)
            #expect(try world.settle() == 0 && world.statusWrites == writes)
        }
    }
}
