import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// Falling asleep in two steps, and waking.
@Suite struct HibernationTests {
    private static let pods = ["a", "b"]

    private static func gateway() throws -> GatewayObservation {
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

    private func serving(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.gateway = try Self.gateway()
        try world.create(
            .mlModels,
            try Sample.model {
                $0["spec", "serving", "autoscaling"] = ["minReplicas": 0, "maxReplicas": 5, "idleAfter": "60s"]
                change(&$0)
            })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        world.now = world.now + .seconds(60)
        return world
    }

    private func state(_ world: World) -> String? { world.status["traffic"]?[0]?["state"]?.string }

    private func replicas(_ world: World) -> Int? { world.all(.deployments).first?["spec", "replicas"]?.int }

    /// What the gateway's pods say: for how long nothing was asked, and whether each has something or is behind.
    private func tell(
        _ world: inout World, idle: Duration = .seconds(60), desired: Int = 1, held: Int = 0, inFlight: Int = 0,
        behind: Int64 = 0, of answering: [String] = pods
    ) {
        let generation = world.status["trafficGeneration"]?.integer ?? 0
        var reports: [String: GatewayLoad.Model] = [:]
        for pod in answering { reports[pod] = GatewayLoad.Model(generation: generation) }
        if let last = answering.last {
            reports[last] = GatewayLoad.Model(generation: generation - behind, inFlight: inFlight, held: held)
        }
        world.gateway?.scaling = ScalingObservation(desired: desired, idle: idle, reports: reports)
    }

    private func asleep() throws -> World {
        var world = try serving()
        tell(&world)
        try world.settle()
        tell(&world)
        try world.settle()
        #expect(replicas(world) == 0)
        world.makeDeploymentsAvailable()
        try world.settle()
        return world
    }

    @Test func anIdleModelDrainsAndThenSleeps() throws {
        var world = try serving()
        tell(&world, idle: .seconds(59))
        try world.settle()
        #expect(state(world) == "Serving")
        let generation = world.status["trafficGeneration"]?.integer ?? 0
        tell(&world)
        try world.settle()
        #expect(state(world) == "Draining" && replicas(world) == 1, "the gateways are told first")
        #expect(world.status["trafficGeneration"]?.integer == generation + 1)
        #expect(try world.settle() == 0, "what they said was said of the generation before")
        tell(&world)
        try world.settle()
        #expect(state(world) == "Hibernating" && replicas(world) == 0)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Hibernating")
        #expect(world.condition("Ready")?["status"] == "True" && world.condition("Hibernated")?["status"] == "True")
        #expect(world.condition("Reconciling") == nil)
        #expect(world.events.filter { $0.reason == "Hibernated" }.count == 1)
        #expect(try world.settle() == 0)
    }

    @Test(arguments: ["held", "in flight", "behind", "silent"])
    func itDoesNotSleepWhileAGateway(_ trouble: String) throws {
        var world = try serving()
        tell(&world)
        try world.settle()
        switch trouble {
        case "held": tell(&world, held: 1)
        case "in flight": tell(&world, inFlight: 1)
        case "behind": tell(&world, behind: 1)
        default: tell(&world, of: ["a"])
        }
        try world.settle()
        #expect(replicas(world) == 1)
        #expect(state(world) == (trouble == "held" ? "Serving" : "Draining"), "who waits is let in")
        world.now = world.now + MLModelPlanner.drainingTime
        tell(&world, idle: .zero, inFlight: 1)
        try world.settle()
        #expect(state(world) == "Serving", "and it is not kept for ever")
    }

    @Test func itDoesNotBeginToWhileAGatewayIsSilentOrThereIsNone() throws {
        var world = try serving()
        tell(&world, of: ["a"])
        try world.settle()
        #expect(state(world) == "Serving")
        world.gateway?.pods = []
        tell(&world, of: [])
        try world.settle()
        #expect(state(world) == "Serving")
        world.gateway?.scaling = nil
        try world.settle()
        #expect(state(world) == "Serving")
    }

    /// The version is that of before the gateways were asked.
    @Test func whoeverScalesItMeanwhileIsNotUndone() throws {
        var world = try serving()
        tell(&world)
        try world.settle()
        tell(&world)
        let plan = try world.plan()
        let sleep = try #require(plan.actions.first)
        guard case .mergePatch(let type, _, let patch, let subresource, _) = sleep else {
            Issue.record("\(sleep)")
            return
        }
        #expect(type == .deployments && subresource == "scale")
        let version = world.all(.deployments).first?["metadata", "resourceVersion"]
        #expect(patch["metadata", "resourceVersion"] == version && patch["spec", "replicas"] == 0)
    }

    /// It was given up, and arrives when requests are at the pods again.
    @Test func aWriteThatComesLateSendsNobodyToSleepWhoWasCalledBack() throws {
        var world = try serving()
        tell(&world)
        try world.settle()
        tell(&world)
        guard case .mergePatch(_, _, let sleep, "scale", _) = try #require(try world.plan().actions.first) else {
            Issue.record("it is not sent to sleep")
            return
        }
        let version = sleep["metadata", "resourceVersion"]
        #expect(version != nil && world.all(.deployments).first?["metadata", "resourceVersion"] == version)
        tell(&world, held: 1)
        try world.settle()
        #expect(state(world) == "Serving" && replicas(world) == 1)
        #expect(world.all(.deployments).first?["metadata", "resourceVersion"] != version)
        #expect(try world.settle() == 0)
    }

    /// Between the change of the Deployment and that of the status the request may have gone.
    @Test func whoWasCalledBackIsNotSentToSleepInTheSameBreath() throws {
        var world = try serving()
        tell(&world)
        try world.settle()
        let generation = world.status["trafficGeneration"]?.integer ?? 0
        let name = world.all(.deployments).first?["metadata", "name"]?.string ?? ""
        world.update(.deployments, name) { $0["metadata", "annotations", Label.calledBack] = .string("\(generation)") }
        tell(&world)
        #expect(try world.plan().actions.allSatisfy { if case .mergePatch = $0 { false } else { true } })
        tell(&world, idle: .zero)
        try world.settle()
        #expect(state(world) == "Serving" && world.status["trafficGeneration"]?.integer == generation + 1)
    }

    /// The Service would lead to pods that are not there.
    @Test func whatSleepsIsWokenBeforeItLeavesTheGateway() throws {
        var world = try asleep()
        world.change {
            $0["spec", "serving", "autoscaling"] = nil
            $0["spec", "serving", "gateway"] = false
        }
        try world.settle()
        #expect(replicas(world) == 1 && state(world) == "Hibernating")
        #expect(world.get(.services, "wine")?["spec", "selector"]?.object?.isEmpty ?? true)
        world.now = world.now + MLModelPlanner.closingTime * 2
        try world.settle()
        #expect(world.status["gatewayPort"] != nil, "however long that takes")
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(state(world) == "Serving")
        // A Deployment may tell of the pods that were there before it slept.
        #expect(world.get(.services, "wine")?["spec", "selector"]?.object?.isEmpty ?? true)
        world.now = world.now + MLModelPlan.settling
        try world.settle()
        #expect(
            world.get(.services, "wine")?["spec", "selector"]?[Label.revision] == world.status["revision"])
    }

    /// No gateway counts what users ask who are still led straight to its pods.
    @Test func whoComesToTheGatewayStaysAwakeWhileOthersMayBeOnTheOldWay() throws {
        var world = World()
        try world.create(.mlModels, try Sample.model())
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        world.gateway = try Self.gateway()
        world.change {
            $0["spec", "serving", "autoscaling"] = ["minReplicas": 0, "maxReplicas": 5, "idleAfter": "5s"]
        }
        try world.settle()
        world.now = world.now + MLModelPlanner.openingTime
        try world.settle()
        #expect(world.get(.services, "wine")?["spec", "selector"]?.object?.isEmpty ?? true)
        world.now = world.now + .seconds(10)
        tell(&world, idle: .seconds(10))
        try world.settle()
        #expect(state(world) == "Serving")
        world.now = world.now + MLModelPlanner.closingTime
        tell(&world)
        try world.settle()
        #expect(state(world) == "Draining")
    }

    @Test func theFirstRequestWakesIt() throws {
        var world = try asleep()
        // The gateway's doing.
        let name = world.all(.deployments).first?["metadata", "name"]?.string ?? ""
        world.update(.deployments, name) { $0["spec", "replicas"] = 1 }
        tell(&world, idle: .zero, held: 1)
        try world.settle()
        #expect(replicas(world) == 1 && state(world) == "Hibernating", "no pod is there yet")
        #expect(world.condition("Ready")?["status"] == "True")
        #expect(world.condition("Ready")?["message"]?.string?.contains("wakes up") == true)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(state(world) == "Serving" && world.status["phase"] == "Serving")
        #expect(world.condition("Hibernated")?["status"] == "False")
        #expect(world.events.filter { $0.reason == "Woken" }.count == 1)
        #expect(try world.settle() == 0)
    }

    @Test func whatSleepsIsLeftAloneWhateverTheAutoscalerSays() throws {
        var world = try asleep()
        tell(&world, desired: 3)
        try world.settle()
        #expect(replicas(world) == 0)
    }

    @Test func aSpecThatForbidsSleepWakesIt() throws {
        var world = try asleep()
        world.change { $0["spec", "serving", "autoscaling"] = ["minReplicas": 2, "maxReplicas": 5] }
        try world.settle()
        #expect(replicas(world) == 2 && state(world) == "Serving")
        #expect(world.condition("Hibernated") == nil)
    }

    @Test func withoutAutoscalingTheSpecSaysHowMany() throws {
        var world = try asleep()
        world.change {
            $0["spec", "serving", "autoscaling"] = nil
            $0["spec", "serving", "replicas"] = 3
        }
        try world.settle()
        #expect(replicas(world) == 3 && state(world) == "Serving")
    }

    @Test func aSuccessorOfWhatSleepsIsAwake() throws {
        var world = try asleep()
        world.change { $0["spec", "serving", "template", "metadata", "labels", "generation"] = "2" }
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(state(world) == "Serving")
        #expect(world.status["traffic"]?[0]?["revision"] == world.status["revision"])
    }

    @Test func theAutoscalerIsFollowedWithinBounds() throws {
        var world = try serving()
        for (desired, wanted) in [(3, 3), (9, 5), (1, 1)] {
            tell(&world, idle: .zero, desired: desired)
            try world.settle()
            #expect(replicas(world) == wanted)
            world.makeDeploymentsAvailable()
            try world.settle()
        }
    }

    @Test func withoutAGatewayThereIsNothingToGoBy() throws {
        var world = World()
        try world.create(
            .mlModels, try Sample.model { $0["spec", "serving", "autoscaling"] = ["maxReplicas": 5] })
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "GatewayMissing")
        #expect(world.all(.trainingJobs).isEmpty)
    }

    @Test(
        arguments: [
            (["maxReplicas": 0], "spec.serving.autoscaling.maxReplicas: must be between 1 and 1000"),
            (
                ["maxReplicas": 2, "minReplicas": 3],
                "spec.serving.autoscaling.minReplicas: must be between 0 and maxReplicas"
            ),
            (["maxReplicas": 2, "target": 0], "spec.serving.autoscaling.target: must be at least 0.01"),
            (["maxReplicas": 2, "idleAfter": "5m"], "spec.serving.autoscaling.idleAfter: needs minReplicas: 0"),
            (
                ["maxReplicas": 2, "minReplicas": 0, "idleAfter": "soon"],
                "spec.serving.autoscaling.idleAfter: \"soon\" is no duration"
            ),
            (
                ["maxReplicas": 2, "minReplicas": 0, "idleAfter": "1s"],
                "spec.serving.autoscaling.idleAfter: \"1s\" is no duration of at least 5s"
            ),
        ] as [(JSONValue, String)])
    func aMistakeIsNamed(_ rules: JSONValue, _ words: String) throws {
        let model = try Sample.model { $0["spec", "serving", "autoscaling"] = rules }
        let problems = try MLModel(json: model).problems.map { "\($0.path): \($0.message)" }
        #expect(problems.contains { $0.hasPrefix(words) }, "\(problems)")
    }
}
