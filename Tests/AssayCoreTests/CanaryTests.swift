import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// A candidate that gets the requests of what serves step by step, and is watched.
@Suite struct CanaryTests {
    private static let steps = World.canarySteps
    private static let analysis: JSONValue = ["maxErrorRate": 0.01, "maxLatencyP99": "250ms", "minRequests": 100]

    // MARK: Steps

    @Test func theWeightRisesStepByStepUntilTheCandidateServes() throws {
        var world = try World.canary()
        let first = world.status["revision"]
        #expect(world.shares == ["1 90 Serving", "2 10 Canary"])
        #expect(world.status["phase"] == "RollingOut" && world.condition("RolledOut")?["reason"] == "Canary")
        #expect(world.condition("Ready")?["status"] == "True")
        #expect(try world.settle() == 0)
        try world.pass(119)
        #expect(world.shares == ["1 90 Serving", "2 10 Canary"])
        try world.pass(1)
        #expect(world.shares == ["1 50 Serving", "2 50 Canary"])
        #expect(world.status["rollout", "step"] == 2)
        #expect(try world.settle() == 0)
        try world.pass(299)
        #expect(world.status["revision"] == first)
        try world.pass(1)
        #expect(world.shares == ["2 100 Serving", "1 0 Warm"])
        #expect(world.status["revision"] != first && world.status["rollout"] == nil)
        #expect(world.status["phase"] == "Serving" && world.condition("RolledOut")?["status"] == "True")
        #expect(world.events.filter { $0.reason == "CanaryStep" }.count == 2)
        #expect(try world.settle() == 0)
    }

    @Test func whatServedStaysWarmForAWhileAndRestsThen() throws {
        for (given, seconds) in [(nil, 30), ("90s", 90)] as [(String?, Int64)] {
            var world = try World.canary(["steps": [["weight": 50, "pause": "0s"]]]) {
                $0["spec", "serving", "scaleDownDelay"] = JSONValue(given)
            }
            #expect(world.shares == ["2 100 Serving", "1 0 Warm"], "a pause of nothing")
            try world.pass(seconds - 1)
            #expect(world.all(.deployments).count == 2)
            try world.pass(1)
            #expect(world.awake.count == 1 && world.shares == ["2 100 Serving"])
            #expect(try world.settle() == 0)
        }
    }

    @Test func withoutARolloutACandidateServesAtOnceAndWhatServedStaysWarm() throws {
        var world = try World.canary { $0["spec", "serving", "rollout"] = nil }
        #expect(world.shares == ["2 100 Serving", "1 0 Warm"])
        try world.pass(30)
        #expect(world.awake.count == 1)
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
        try world.succeed()
        #expect(world.status["revision"] != first && world.status["rollout"] == nil)
    }

    @Test func aChangeOfTheRulesMakesNoRevision() throws {
        var world = try World.canary()
        let created = world.created.count
        world.change {
            $0["spec", "serving", "rollout", "steps"] = [["weight": 20, "pause": "1m"]]
            $0["spec", "serving", "scaleDownDelay"] = "1m"
        }
        try world.settle()
        #expect(world.shares == ["1 80 Serving", "2 20 Canary"])
        #expect(world.created.count == created)
    }

    // MARK: Measurements

    @Test func aStepWaitsForRequestsAndForEveryGateway() throws {
        var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis])
        try world.pass(120)
        #expect(world.status["rollout", "step"] == 1, "nobody has looked")
        try world.tellOfCanary(requests: 49)
        try world.settle()
        #expect(world.status["rollout", "step"] == 1)
        #expect(world.status["rollout", "message"]?.string?.contains("98 of 100 requests") == true)
        try world.tellOfCanary(requests: 150, of: ["a"])
        try world.settle()
        #expect(world.status["rollout", "step"] == 1, "a silent one may have errors")
        try world.tellOfCanary(requests: 50)
        try world.settle()
        #expect(world.status["rollout", "step"] == 2)
        try world.settle()
        try world.pass(300)
        #expect(world.status["rollout", "step"] == 2, "what was measured in the first step is no measure of the second")
        try world.tellOfCanary(requests: 100, errors: 1)
        try world.settle()
        #expect(world.shares == ["2 100 Serving", "1 0 Warm"], "just as many errors as are allowed")
    }

    @Test(arguments: ["errors", "latency"])
    func aCandidateThatIsTooBadIsTakenBackAtOnce(_ what: String) throws {
        var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis])
        let (first, created) = (world.status["revision"], world.created.count)
        try world.tellOfCanary(requests: 60, errors: what == "errors" ? 1 : 0, seconds: what == "errors" ? 0.02 : 0.3)
        try world.pass(1)
        #expect(world.shares == ["1 100 Serving", "2 0 Warm"], "its last requests may end")
        #expect(world.status["revision"] == first && world.status["rollout"] == nil)
        #expect(world.revision(2)["state"] == "Failed" && world.revision(2)["reason"] == "AnalysisFailed")
        let figures = world.revision(2)["message"]?.string ?? ""
        #expect(
            figures.contains(
                what == "errors" ? "2 of 120 requests failed (maxErrorRate 0.01)" : "between 0.25 s and 0.5 s"),
            "\(figures)")
        #expect(world.condition("RolledOut")?["reason"] == "AnalysisFailed")
        #expect(world.condition("Ready")?["status"] == "True" && world.condition("Stalled")?["status"] == "True")
        #expect(world.events.filter { $0.reason == "RolledBack" }.count == 1)
        try world.pass(5)
        #expect(world.shares == ["1 100 Serving"] && world.all(.deployments).count == 1)
        #expect(world.created.count == created)
        #expect(try world.settle() == 0)
        try world.pass(3600)
        #expect(world.shares == ["1 100 Serving"], "it is not tried again by itself")
    }

    @Test func errorsThatNoRequestCanMakeGoodEndItBeforeThereAreEnough() throws {
        var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis])
        try world.tellOfCanary(requests: 1, errors: 1, of: ["a"])
        try world.settle()
        #expect(world.status["rollout"] != nil, "one of a hundred is allowed, and nobody knows the other 99")
        try world.tellOfCanary(requests: 2, errors: 2, of: ["a"])
        try world.settle()
        #expect(world.revision(2)["reason"] == "AnalysisFailed", "also where a gateway is silent")
    }

    @Test func withTooLittleTrafficAPersonDecides() throws {
        var world = try World.canary([
            "steps": Self.steps, "analysis": Self.analysis, "progressDeadline": "5m",
        ])
        let second = world.revision(2)["name"]
        try world.tellOfCanary(requests: 10)
        try world.pass(120 + 299)
        #expect(world.status["rollout", "state"] == "Progressing")
        try world.pass(1)
        #expect(world.status["rollout", "state"] == "Inconclusive" && world.shares == ["1 100 Serving", "2 0 Warm"])
        #expect(world.condition("RolledOut")?["reason"] == "Inconclusive")
        #expect(world.condition("Stalled")?["status"] == "True" && world.condition("Ready")?["status"] == "True")
        try world.pass(86_400)
        #expect(world.shares == ["1 100 Serving"] && world.all(.deployments).count == 2)
        #expect(try world.settle() == 0)
        world.change { $0["metadata", "annotations", Label.approve] = "another" }
        try world.settle()
        #expect(world.status["rollout", "state"] == "Inconclusive")
        world.change { $0["metadata", "annotations", Label.approve] = second }
        try world.settle()
        #expect(world.status["revision"] == second && world.shares == ["2 100 Serving", "1 0 Warm"])
    }

    @Test func whatCameToNoEndIsTriedAgainWhenAsked() throws {
        var world = try World.canary(["steps": Self.steps, "analysis": Self.analysis])
        try world.pass(720)
        #expect(world.status["rollout", "state"] == "Inconclusive")
        world.change { $0["metadata", "annotations", Label.requestedAt] = "now" }
        try world.settle()
        #expect(world.status["rollout", "state"] == "Progressing" && world.shares == ["1 90 Serving", "2 10 Canary"])
        #expect(try world.settle() == 0)
    }

    // MARK: Approval

    @Test(arguments: ["annotation", "spec"])
    func aManualOneWaitsForAPerson(_ way: String) throws {
        var world = try World.canary(["steps": Self.steps, "approval": "Manual"])
        let second = world.revision(2)["name"]
        #expect(world.status["rollout", "state"] == "AwaitingApproval" && world.shares == ["1 100 Serving"])
        #expect(world.condition("RolledOut")?["reason"] == "AwaitingApproval")
        try world.pass(86_400)
        #expect(try world.settle() == 0)
        #expect(world.shares == ["1 100 Serving"])
        world.change {
            if way == "spec" {
                $0["spec", "serving", "rollout", "approvedRevision"] = second
            } else {
                $0["metadata", "annotations", Label.approve] = second
            }
        }
        try world.settle()
        #expect(world.shares == ["1 90 Serving", "2 10 Canary"])
        #expect(try world.settle() == 0)
    }

    @Test func anApprovalToBeginIsNoneToEndUndecided() throws {
        var world = try World.canary(["steps": Self.steps, "approval": "Manual", "analysis": Self.analysis])
        let second = world.revision(2)["name"]
        world.change { $0["metadata", "annotations", Label.approve] = second }
        try world.settle()
        try world.pass(720)
        #expect(world.status["rollout", "state"] == "Inconclusive")
        world.change { $0["metadata", "annotations"] = [:] }
        try world.settle()
        world.change { $0["metadata", "annotations", Label.approve] = second }
        try world.settle()
        #expect(world.status["revision"] == second)
    }
}
