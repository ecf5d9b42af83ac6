import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What serves becomes bad, and what served before serves again.
@Suite struct RollbackTests {
    private static let analysis: JSONValue = ["maxErrorRate": 0.01, "maxLatencyP99": "250ms", "minRequests": 100]

    /// Two revisions; the second serves, and the first one rests.
    private static func world(
        gateway: Bool = true, _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = World()
        if gateway { world.gateway = try World.canaryGateway() }
        try world.create(.mlModels, try Sample.model { change(&$0) })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        try world.succeed()
        try world.pass(60)
        #expect(world.status["revision"] == world.revision(2)["name"])
        #expect(world.status["phase"] == "Serving" && world.replicas == [0, 1])
        #expect(try world.settle() == 0)
        return world
    }

    // MARK: Unready

    @Test func whoeverCrashesForAMinuteIsLeftForWhatServedBefore() throws {
        var world = try Self.world()
        let spec = world.get(.mlModels, "wine")?["spec"]
        try world.crash(2)
        #expect(world.status["rollback", "state"] == "Degraded" && world.status["phase"] == "Unavailable")
        try world.pass(59)
        #expect(world.replicas == [0, 1])
        try world.pass(1)
        #expect(world.status["rollback", "state"] == "RollingBack" && world.replicas == [1, 1])
        #expect(world.condition("RolledOut")?["reason"] == "RollingBack" && world.shares == ["2 100 Serving"])
        world.makeAvailable(1)
        try world.settle()
        #expect(world.status["revision"] == world.revision(1)["name"])
        #expect(world.shares == ["1 100 Serving", "2 0 Warm"] && world.status["rollback"] == nil)
        let failed = world.revision(2)
        #expect(failed["state"] == "Failed" && failed["reason"] == "RolledBack")
        #expect(failed["message"]?.string?.contains("exit code 3") == true)
        #expect(world.condition("Ready")?["status"] == "True" && world.condition("Stalled")?["reason"] == "RolledBack")
        #expect(world.condition("Reconciling") == nil && world.condition("RolledOut")?["status"] == "False")
        #expect(world.events.last { $0.reason == "RolledBack" }?.note.contains("exit code 3") == true)
        #expect(world.get(.mlModels, "wine")?["spec"] == spec)
        #expect(try world.settle() == 0)
        try world.pass(60)
        #expect(world.all(.deployments).count == 1, "what was left goes")
        #expect(try world.settle() == 0)
    }

    @Test func whoRecoversIsNotLeft() throws {
        var world = try Self.world()
        try world.crash(2)
        try world.pass(30)
        world.makeAvailable(2)
        try world.settle()
        #expect(world.status["rollback"] == nil && world.status["phase"] == "Serving")
        try world.crash(2)
        try world.pass(60)
        #expect(world.replicas == [1, 1])
        world.makeAvailable(2)
        try world.settle()
        #expect(world.status["rollback"] == nil && world.status["phase"] == "Serving" && world.replicas == [0, 1])
        #expect(world.status["revision"] == world.revision(2)["name"] && world.revision(2)["state"] == "Serving")
        #expect(try world.settle() == 0)
    }

    @Test func whereWhatServedBeforeDoesNotComeUpNothingChangesAndItIsNotTriedAgain() throws {
        var world = try Self.world { $0["spec", "serving", "progressDeadlineSeconds"] = 100 }
        try world.crash(2)
        try world.pass(60)
        try world.pass(129)
        #expect(world.status["rollback", "state"] == "RollingBack")
        try world.pass(1)
        #expect(world.status["rollback", "state"] == "Failed" && world.replicas == [0, 1])
        #expect(world.status["revision"] == world.revision(2)["name"] && world.revision(2)["state"] == "Serving")
        #expect(world.condition("Stalled")?["reason"] == "RollbackFailed" && world.shares == ["2 100 Serving"])
        #expect(try world.settle() == 0)
        try world.pass(3600)
        #expect(world.replicas == [0, 1] && world.status["rollback", "state"] == "Failed")
        world.makeAvailable(2)
        try world.settle()
        #expect(world.status["phase"] == "Serving" && world.condition("Stalled") == nil)
        try world.crash(2)
        try world.pass(3600)
        #expect(world.replicas == [0, 1], "once")
        world.update(.mlModels, "wine") { $0["metadata", "annotations", Label.requestedAt] = "again" }
        try world.settle()
        try world.pass(60)
        #expect(world.replicas == [1, 1], "a person may ask for it")
    }

    @Test(arguments: [
        #"{"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}"#,
        #"{"containerStatuses": [{"name": "server", "state": {"waiting": {"reason": "ErrImagePull"}}}]}"#,
        // A node that is gone says nothing more.
        #"{"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [{"name": "server", "ready": true, "state": {"running": {}}}]}"#,
    ])
    func whatIsNotItsOwnFaultIsNoReason(_ status: String) throws {
        var world = try Self.world()
        try world.crash(2, podStatus: try JSONValue(parsing: Array(status.utf8)))
        try world.pass(3600)
        #expect(world.status["rollback"] == nil && world.status["phase"] == "Unavailable" && world.replicas == [0, 1])
    }

    @Test func aServerThatRunsAndIsNotReadyIsGivenTheTimeOfAStart() throws {
        let running = try JSONValue(
            parsing: Array(
                #"{"containerStatuses": [{"name": "server", "ready": false, "state": {"running": {}}}]}"#.utf8))
        var world = try Self.world { $0["spec", "serving", "progressDeadlineSeconds"] = 100 }
        try world.crash(2, podStatus: running)
        try world.pass(99)
        #expect(world.status["rollback"] == nil)
        try world.pass(1)
        #expect(world.status["rollback", "state"] == "Degraded")
        try world.pass(60)
        #expect(world.replicas == [1, 1])
    }

    // MARK: Analysis

    @Test func whatServesBadlyIsLeftAtOnceWithTheFigures() throws {
        var world = try Self.world {
            $0["spec", "serving", "rollout"] = ["steps": [["weight": 50, "pause": "0s"]]]
        }
        world.change { $0["spec", "serving", "rollout", "analysis"] = Self.analysis }
        try world.settle()
        try world.tellOfService(requests: 99, errors: 99)
        try world.settle()
        #expect(world.status["rollback"] == nil, "too few to say so")
        try world.tellOfService(requests: 200, errors: 3)
        try world.settle()
        #expect(world.status["rollback", "reason"] == "AnalysisFailed" && world.replicas == [1, 1])
        world.gateway?.service = nil
        try world.settle()
        #expect(world.replicas == [1, 1], "the figures end with the requests")
        world.makeAvailable(1)
        try world.settle()
        #expect(world.status["revision"] == world.revision(1)["name"] && world.shares == ["1 100 Serving", "2 0 Warm"])
        #expect(world.revision(2)["message"]?.string?.contains("3 of 200 requests failed") == true)
        #expect(world.condition("Ready")?["status"] == "True" && world.condition("Stalled")?["reason"] == "RolledBack")
    }

    @Test func aMinuteIsCounted() throws {
        var count = ServiceCount(of: "r", before: ["a": GatewayLoad.Model(generation: 0)])
        let rules = RolloutSpec.Analysis(maxErrorRate: 0.1, minRequests: 10)
        var load = RevisionLoad()
        func tell(errors: Int, good: Int, at seconds: Int64) {
            for index in 0..<(errors + good) { load.count(isError: index < errors, seconds: 0.01) }
            var report = GatewayLoad.Model(generation: 0)
            report.revisions["r"] = load
            count.add(["a": report], of: ["a"], now: .seconds(seconds))
        }
        tell(errors: 3, good: 6, at: 0)
        #expect(count.violation(of: rules) == nil)
        tell(errors: 0, good: 1, at: 9)
        #expect(count.violation(of: rules)?.hasPrefix("3 of 10 requests failed") == true)
        tell(errors: 0, good: 30, at: 59)
        #expect(count.violation(of: rules) == nil)
        tell(errors: 4, good: 0, at: 61)
        #expect(
            count.violation(of: rules)?.hasPrefix("4 of 34 requests failed") == true, "the first ones are forgotten")
        count.add([:], of: ["a"], now: .seconds(200))
        #expect(count.violation(of: rules) == nil)
    }

    // MARK: Once

    @Test func whatWasGoneBackToIsNotLeftAgainAndAChangeOfTheServingPartClearsIt() throws {
        var world = try Self.world()
        try world.goBack()
        try world.crash(1)
        try world.pass(3600)
        #expect(world.status["rollback"] == nil && world.status["revision"] == world.revision(1)["name"])
        world.makeAvailable(1)
        try world.succeed(port: 9191)
        #expect(world.status["revision"] == world.revision(3)["name"] && world.condition("Stalled") == nil)
        try world.pass(60)
        #expect(world.status["phase"] == "Serving" && world.replicas == [0, 1])
        try world.goBack(from: 3)
        #expect(world.status["revision"] == world.revision(1)["name"])
    }

    @Test func onRequestItIsTriedOnceMore() throws {
        var world = try Self.world()
        try world.goBack()
        world.update(.mlModels, "wine") { $0["metadata", "annotations", Label.requestedAt] = "again" }
        try world.settle()
        #expect(world.revision(2)["state"] == "RollingOut")
        world.removePods()
        for _ in 0..<2 {
            world.makeDeploymentsAvailable()
            try world.settle()
        }
        #expect(world.status["revision"] == world.revision(2)["name"] && world.condition("Stalled") == nil)
    }

    // MARK: What is kept

    @Test func aHistoryOfOneKeepsNothingToGoBackTo() throws {
        var world = World()
        try world.create(.mlModels, try Sample.model { $0["spec", "revisionHistoryLimit"] = 1 })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        try world.succeed()
        try world.pass(60)
        #expect(world.all(.deployments).count == 1)
        try world.crash(2)
        try world.pass(3600)
        #expect(world.status["rollback"] == nil)
    }

    @Test func theHistoryKeepsTheRunOfWhatCanBeGoneBackTo() throws {
        var world = try Self.world { $0["spec", "revisionHistoryLimit"] = 2 }
        let kept = world.revision(1)["run"]
        for seed in 1...3 {
            world.change { $0["spec", "training", "template", "spec", "seed"] = JSONValue(seed) }
            try world.settle()
            world.failJob(ofJob: "BackoffLimitExceeded")
            try world.settle()
        }
        #expect(world.status["runs"]?.array?.contains { $0["number"] == kept } == true)
        #expect(world.replicas == [0, 1])
    }

    @Test func aDeploymentThatSomebodyTookAwayIsMadeAnewWhereThatCanBe() throws {
        var world = try Self.world()
        world.remove(.deployments, try #require(world.revision(1)["deployment"]?.string))
        try world.crash(2)
        try world.pass(60)
        // The spec says how the second one is served.
        #expect(world.status["rollback", "state"] == "Failed" && world.all(.deployments).count == 1)
    }

    // MARK: Other ways

    @Test func withoutAGatewayTheServiceIsLedBack() throws {
        var world = try Self.world(gateway: false)
        func led() -> JSONValue? { world.get(.services, "wine")?["spec", "selector", Label.revision] }
        try world.crash(2)
        try world.pass(60)
        #expect(led() == world.revision(2)["name"] && world.replicas == [1, 1])
        world.makeAvailable(1)
        try world.settle()
        #expect(led() == world.revision(1)["name"] && world.status["revision"] == world.revision(1)["name"])
    }

    @Test func whereThereIsNoPlaceForBothTheBadOneGoesFirst() throws {
        var world = World()
        try world.create(.mlModels, try Sample.model { $0["spec", "serving", "surge"] = 0 })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        world.now = world.now + .seconds(60)
        world.change { $0["spec", "serving", "port"] = 9090 }
        for _ in 0..<4 {
            try world.settle()
            world.makeDeploymentsAvailable()
        }
        try world.pass(60)
        #expect(world.status["revision"] == world.revision(2)["name"] && world.replicas == [0, 1])
        try world.crash(2)
        try world.pass(60)
        #expect(world.replicas == [0, 0])
        world.removePods()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.replicas == [1, 0])
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["revision"] == world.revision(1)["name"] && world.condition("Ready")?["status"] == "True")
    }

    @Test func whileItIsSuspendedNothingIsLeft() throws {
        var world = try Self.world()
        world.change { $0["spec", "suspend"] = true }
        try world.settle()
        try world.crash(2)
        try world.pass(3600)
        #expect(world.replicas == [0, 1] && world.status["rollback"] == nil)
    }

    @Test func aCrashBeforeAnyWriteChangesNothingOfTheEnd() throws {
        let creations = try Self.world().created.count
        for write in 0..<4 {
            var world = try Self.world()
            try world.crash(2)
            world.now = world.now + .seconds(60)
            for _ in 0..<8 {
                let plan = try world.plan(model: "wine")
                try world.execute(plan, for: .mlModels, "wine", limit: write)
                if write > 0 || plan.isEmpty { break }
            }
            try world.settle()
            world.makeAvailable(1)
            let plan = try world.plan(model: "wine")
            try world.execute(plan, for: .mlModels, "wine", limit: write)
            try world.settle()
            #expect(world.status["revision"] == world.revision(1)["name"], "\(write)")
            #expect(world.revision(2)["state"] == "Failed" && world.created.count == creations)
            #expect(try world.settle() == 0)
        }
    }

}

extension World {
    /// Of the Deployments of the first revision, the second, and so on, as far as they are there.
    fileprivate var replicas: [Int] {
        (status["revisions"]?.array ?? []).compactMap { revision in
            get(.deployments, revision["deployment"]?.string ?? "")?["spec", "replicas"]?.int
        }
    }

    private static let crashed: JSONValue = [
        "containerStatuses": [
            [
                "name": "server", "ready": false, "restartCount": 2,
                "state": ["waiting": ["reason": "CrashLoopBackOff"]],
                "lastState": ["terminated": ["exitCode": 3, "reason": "Error"]],
            ]
        ]
    ]

    /// The only pod of a revision has this status, and nobody answers.
    fileprivate mutating func crash(_ number: Int, podStatus: JSONValue = crashed) throws {
        let name = try #require(revision(number)["deployment"]?.string)
        update(.deployments, name) { $0["status", "availableReplicas"] = 0 }
        removePods()
        let child = try #require(get(.deployments, name))
        addPod(
            owner: child, kind: "ReplicaSet", template: child["spec", "template"] ?? [:], name: "\(name)-p",
            status: podStatus)
        try settle()
    }

    fileprivate mutating func removePods() {
        for name in (objects[.pods] ?? [:]).keys where name.hasSuffix("-p") { remove(.pods, name) }
    }

    /// A revision gets its replicas, and the others nothing new.
    fileprivate mutating func makeAvailable(_ number: Int) {
        let others = objects[.deployments] ?? [:]
        makeDeploymentsAvailable()
        let name = revision(number)["deployment"]?.string ?? ""
        for (other, object) in others where other != name { objects[.deployments]?[other] = object }
    }

    mutating func goBack(from number: Int = 2) throws {
        try crash(number)
        try pass(60)
        makeAvailable(1)
        try settle()
        #expect(revision(number)["reason"] == "RolledBack")
        removePods()
        try pass(60)
    }

    /// What the gateways tell of what serves, of the last minute.
    fileprivate mutating func tellOfService(requests: Int, errors: Int) throws {
        let name = try #require(status["revision"]?.string)
        var load = RevisionLoad()
        for index in 0..<requests { load.count(isError: index < errors, seconds: 0.02) }
        let zero = GatewayLoad.Model(generation: 0)
        var report = zero
        report.revisions[name] = load
        var count = ServiceCount(of: name, before: ["a": zero, "b": zero])
        count.add(["a": report, "b": zero], of: ["a", "b"], now: .seconds(1))
        gateway?.service = count
    }
}
