import AssayCore
import JSON
import KubernetesModel
import Testing

/// What holds for every plan.
@Suite struct LawTests {
    /// A story step by step: each step is something that others do.
    private static func story(_ world: inout World, _ step: Int) {
        switch step {
        case 0: world.succeedJob()
        case 1: world.makeDeploymentsAvailable()
        case 2: world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        case 3: world.succeedJob(#"{"accuracy": 0.99}"#)
        case 4: world.makeDeploymentsAvailable()
        case 5: world.change { $0["spec", "serving", "port"] = 9090 }
        case 6: world.makeDeploymentsAvailable()
        default: world.now = world.now + .seconds(60)
        }
    }

    private static let steps = 8

    private func end(crash: (step: Int, write: Int)? = nil) throws -> (world: World, writes: [Int]) {
        var world = World()
        try world.create(.mlModels, try Sample.model())
        var writes: [Int] = []
        for step in -1..<Self.steps {
            if step >= 0 { Self.story(&world, step) }
            writes.append(try settle(&world, crashAt: crash?.step == step ? crash?.write : nil))
        }
        return (world, writes)
    }

    /// Like `World.settle`, but the operator dies after a number of writes, and another begins with what is there.
    private func settle(_ world: inout World, crashAt crash: Int?) throws -> Int {
        var writes = 0
        for _ in 0..<64 {
            var isQuiet = true
            for type in [ResourceType.mlModels, .trainingJobs] {
                for name in (world.objects[type] ?? [:]).keys.sorted() {
                    let plan = type == .mlModels ? try world.plan(model: name) : try world.plan(trainingJob: name)
                    guard !plan.isEmpty else { continue }
                    isQuiet = false
                    let count = plan.actions.count + (plan.status == nil ? 0 : 1)
                    if let crash, writes <= crash, crash < writes + count {
                        try world.execute(plan, for: type, name, limit: crash - writes)
                    } else {
                        try world.execute(plan, for: type, name)
                    }
                    writes += count
                }
            }
            if isQuiet { return writes }
        }
        throw World.Unsettled()
    }

    @Test func aCrashBeforeAnyWriteChangesNothingOfTheEnd() throws {
        let (reference, writes) = try end()
        #expect(reference.created.count == 9)
        for step in -1..<Self.steps {
            for write in 0..<(writes[step + 1]) {
                let (world, _) = try end(crash: (step, write))
                #expect(world.created == reference.created, "crash at \(step).\(write)")
                #expect(world.status["revision"] == reference.status["revision"])
                #expect(world.status["runs"] == reference.status["runs"])
                #expect(world.awake.count == 1)
            }
        }
    }

    @Test func thePlanOfAWorldThatAPlanMadeIsEmpty() throws {
        for point in World.Point.allCases where point != .applied {
            let world = try World.model(at: point)
            let before = world.statusWrites
            var later = world
            for seconds in [1, 59, 540] {
                later.now = world.now + .seconds(Int64(seconds))
                #expect(try later.settle() == 0, "\(point) after \(seconds) s")
            }
            #expect(later.statusWrites == before)
        }
    }

    @Test func anOldObservationIsHeldUpByTheServer() throws {
        var world = try World.model(at: .serving)
        let old = world
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        world.now = world.now + .seconds(60)
        try world.settle()
        let good = world.objects
        // A plan of the old world in the new one.
        let model = try #require(try old.model())
        var stale = old
        stale.change { $0["spec", "serving", "port"] = 1 }
        for plan in [
            MLModelPlan.plan(try old.observe(model: model, live: false), now: world.now), try stale.plan(),
        ] {
            var copy = world
            do {
                try copy.execute(plan, for: .mlModels, "wine")
            } catch is World.Conflict {
                // As it should be: the server has said so.
            }
            #expect(copy.objects[.mlModels] == good[.mlModels])
            for (name, deployment) in good[.deployments] ?? [:] { #expect(copy.get(.deployments, name) == deployment) }
        }
    }

    @Test func whatIsFinalIsDecidedOnLiveReadsOnly() throws {
        var world = try World.model(at: .rollingOut)
        world.makeDeploymentsAvailable()
        let model = try #require(try world.model())
        let cached = MLModelPlan.plan(try world.observe(model: model, live: false), now: world.now)
        #expect(cached.needsLiveObservation)
        #expect(cached.actions.isEmpty && cached.status == nil)
        let live = MLModelPlan.plan(try world.observe(model: model, live: true), now: world.now)
        #expect(!live.needsLiveObservation)
        #expect(live.actions.count == 1, "the Service")
        #expect(live.status?.status["revision"] != nil)
    }

    @Test func nothingIsPlannedForAnObjectThatIsBeingDeleted() throws {
        var world = try World.model(at: .applied)
        world.update(.mlModels, "wine") { $0["metadata", "deletionTimestamp"] = "2026-01-01T00:00:00Z" }
        #expect(try world.plan().isEmpty)
    }

    @Test func aStatusStaysSmall() throws {
        var world = World()
        let parameters = Dictionary(
            uniqueKeysWithValues: (0..<60).map { ("p\($0)", JSONValue.string(String(repeating: "v", count: 400))) })
        try world.create(
            .mlModels,
            try Sample.model {
                $0["spec", "training", "template", "spec", "parameters"] = .object(
                    JSONObject(parameters.map { ($0.key, $0.value) }))
                $0["spec", "revisionHistoryLimit"] = 6
            })
        for seed in 0..<8 {
            world.change { $0["spec", "training", "template", "spec", "seed"] = JSONValue(seed) }
            try world.settle()
            world.succeedJob("{" + (0..<60).map { "\"m\($0)\":0.12345678" }.joined(separator: ",") + "}")
            try world.settle()
        }
        #expect(world.status.serializedBytes().count <= 100_000)
        #expect((world.status["runs"]?.array?.count ?? 0) <= 6)
        #expect(world.all(.trainingJobs).count <= 6)
    }
}
