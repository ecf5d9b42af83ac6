import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What comes between the steps of a canary, and what holds whatever comes.
@Suite struct CanaryInterruptionTests {
    private static let steps = World.canarySteps
    private static let analysis: JSONValue = ["maxErrorRate": 0.01, "maxLatencyP99": "250ms", "minRequests": 100]

    @Test func whoeverLeadsNextGoesOnWhereItWas() throws {
        var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis])
        try world.tellOfCanary(requests: 50)
        try world.pass(120)
        #expect(world.status["rollout", "step"] == 2)
        // Nothing was heard yet.
        world.gateway?.canary = nil
        try world.pass(300)
        #expect(world.shares == ["1 50 Serving", "2 50 Canary"])
        try world.tellOfCanary(requests: 60)
        try world.settle()
        #expect(world.shares == ["2 100 Serving", "1 0 Warm"])
    }

    @Test func aCanaryThatCannotBeLookedAtGetsNoRequests() throws {
        let good = try World.canary()
        var world = good
        world.change { $0["spec", "suspend"] = true }
        try world.settle()
        #expect(world.shares == ["1 100 Serving", "2 0 Warm"])
        world.change { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(world.shares == ["1 90 Serving", "2 10 Canary"])
        world = good
        world.change { $0["spec", "serving", "rollout", "steps"] = [] }
        try world.settle()
        #expect(world.status["phase"] == "Invalid" && world.shares == ["1 100 Serving"])
        #expect(try world.settle() == 0)
        world = good
        try world.succeed(port: 9191)
        #expect(world.shares == ["1 90 Serving", "3 10 Canary", "2 0 Warm"])
        try world.pass(60)
        #expect(world.shares == ["1 90 Serving", "3 10 Canary"] && world.all(.deployments).count == 2)
    }

    @Test func aReplicaThatGoesHoldsItUpAndOneThatStaysAwayEndsIt() throws {
        var world = try World.canary(["steps": Self.steps])
        let name = try #require(world.revision(2)["deployment"]?.string)
        world.update(.deployments, name) { $0["status", "availableReplicas"] = 0 }
        try world.pass(700)
        #expect(world.shares == ["1 90 Serving", "2 10 Canary"])
        try world.pass(20)
        #expect(world.revision(2)["state"] == "Failed" && world.shares == ["1 100 Serving", "2 0 Warm"])
    }

    @Test func whatSleepsIsWokenFirstAndDoesNotSleepMeanwhile() throws {
        var world = try World.canary(["steps": Self.steps]) {
            $0["spec", "serving", "autoscaling"] = ["minReplicas": 0, "maxReplicas": 5, "idleAfter": "60s"]
        }
        let old = try #require(world.revision(1)["deployment"]?.string)
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
        #expect(world.status["rollout", "state"] == "Waking" && world.shares == ["1 100 Serving"])
        #expect(world.get(.deployments, old)?["spec", "replicas"] == 1)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.shares == ["1 90 Serving", "2 10 Canary"])
        world.update(.deployments, old) { $0["spec", "replicas"] = 3 }
        world.makeDeploymentsAvailable()
        let idle = GatewayLoad.Model(generation: world.status["trafficGeneration"]?.integer ?? 0)
        world.gateway?.scaling = ScalingObservation(desired: 1, idle: .seconds(90), reports: ["a": idle, "b": idle])
        try world.pass(1)
        #expect(world.shares == ["1 90 Serving", "2 10 Canary"])
        #expect(world.all(.deployments).allSatisfy { $0["spec", "replicas"] == 3 }, "nor is it scaled down")
    }

    @Test func whatNobodyAsksSleepsAlsoWhileAPersonIsToDecide() throws {
        var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis]) {
            $0["spec", "serving", "autoscaling"] = ["minReplicas": 0, "maxReplicas": 5, "idleAfter": "60s"]
        }
        try world.pass(720)
        #expect(world.status["rollout", "state"] == "Inconclusive")
        try world.pass(60)
        let idle = GatewayLoad.Model(generation: world.status["trafficGeneration"]?.integer ?? 0)
        world.gateway?.scaling = ScalingObservation(desired: 1, idle: .seconds(720), reports: ["a": idle, "b": idle])
        try world.settle()
        #expect(world.shares == ["1 100 Draining"])
    }

    @Test func whatSomebodyChangesOfACanaryIsMended() throws {
        var world = try World.canary()
        let name = try #require(world.revision(2)["deployment"]?.string)
        world.update(.deployments, name) { $0["spec", "replicas"] = 0 }
        try world.settle()
        #expect(world.get(.deployments, name)?["spec", "replicas"] == 1)
    }

    // MARK: Laws

    /// The operator dies before any of the writes, and another begins with what is there.
    @Test func aCrashBeforeAnyWriteChangesNothingOfTheEnd() throws {
        func story(_ crash: Int?) throws -> (World, writes: Int) {
            var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis])
            var writes = 0
            for seconds in [120, 300, 30] as [Int64] {
                if world.status["rollout"] != nil { try world.tellOfCanary(requests: 60) }
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
        #expect(reference.shares == ["2 100 Serving"] && writes >= 4)
        for crash in 0..<writes {
            let (world, _) = try story(crash)
            #expect(world.created == reference.created && world.shares == reference.shares, "crash at \(crash)")
        }
    }

    @Test func thePlanOfAWorldThatAPlanMadeIsEmpty() throws {
        var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis])
        for requests in [0, 10, 60] {
            try world.tellOfCanary(requests: requests)
            try world.settle()
            let writes = world.statusWrites
            #expect(try world.settle() == 0)
            world.now = world.now + .seconds(30)
            #expect(try world.settle() == 0 && world.statusWrites == writes)
        }
    }
}
