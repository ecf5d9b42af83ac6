import AssayCore
import JSON
import KubernetesModel
import Testing

/// Users, controllers and crashes in a random order that the seed gives.
private struct Walk {
    var world = World()
    private var state: UInt64

    init(seed: Int) throws {
        state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        try world.create(.mlModels, try Sample.model())
    }

    mutating func random(_ below: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(below))
    }

    /// One act of somebody else, or of an operator that dies in the midst of a plan.
    mutating func step() throws -> String {
        let pick = random(3)
        switch random(13) {
        case 0:
            world.change { $0["spec", "training", "template", "spec", "seed"] = JSONValue(pick) }
            return "seed \(pick)"
        case 1:
            world.change { $0["spec", "validation", "thresholds"] = [Self.threshold(0.9 + Double(pick) / 100)] }
            return "threshold \(pick)"
        case 2:
            world.change { $0["spec", "serving", "port"] = JSONValue(8080 + pick) }
            return "port \(pick)"
        case 3:
            world.change { $0["spec", "serving", "replicas"] = JSONValue(pick) }
            return "replicas \(pick)"
        case 4:
            world.change { $0["spec", "suspend"] = .bool(pick == 0) }
            return "suspend \(pick == 0)"
        case 5, 6:
            endJob(accuracy: 0.89 + Double(pick) / 50)
            return "job \(pick)"
        case 7:
            if let name = unfinishedJob { world.endJob(name, "Failed", reason: "BackoffLimitExceeded") }
            return "job fails"
        case 8, 9:
            world.makeDeploymentsAvailable()
            return "available"
        case 10:
            if let name = world.status["candidate"]?.string { world.failDeployment(name) }
            return "candidate fails"
        case 11:
            let type = [ResourceType.jobs, .deployments, .services][pick]
            if let name = (world.objects[type] ?? [:]).keys.sorted().first { world.remove(type, name) }
            return "deletes a \(type.kind)"
        default:
            world.now = world.now + .seconds(30)
            try world.execute(try world.plan(), for: .mlModels, "wine", limit: pick)
            return "crash after \(pick)"
        }
    }

    static func threshold(_ bound: Double) -> JSONValue {
        ["metric": "accuracy", "direction": "Maximize", "threshold": .number(bound)]
    }

    var unfinishedJob: String? {
        (world.objects[.jobs] ?? [:]).filter { $0.value["status", "conditions"] == nil }.keys.sorted().last
    }

    mutating func endJob(accuracy: Double) {
        guard let name = unfinishedJob, let job = world.get(.jobs, name) else { return }
        world.objects[.pods, default: [:]]["\(name)-x"] = [
            "metadata": [
                "name": .string("\(name)-x"), "uid": .string("pod-\(name)"),
                "ownerReferences": [
                    [
                        "apiVersion": "batch/v1", "kind": "Job", "name": .string(name), "controller": true,
                        "uid": job["metadata", "uid"] ?? "",
                    ]
                ],
            ],
            "status": [
                "phase": "Succeeded",
                "containerStatuses": [
                    [
                        "name": "train", "imageID": .string("registry.local/wine@\(World.digest)"),
                        "state": [
                            "terminated": ["exitCode": 0, "message": .string("{\"accuracy\": \(accuracy)}")]
                        ],
                    ]
                ],
            ],
        ]
        world.endJob(name, "Complete", reason: "")
    }
}

@Suite struct WalkTests {
    private func check(_ world: World, after trail: [String]) throws {
        let object = try #require(world.get(.mlModels, "wine"))
        #expect(world.status["observedGeneration"] == object["metadata", "generation"], "\(trail)")
        let (reconciling, stalled) = (world.condition("Reconciling"), world.condition("Stalled"))
        #expect(reconciling == nil || stalled == nil, "\(trail)")
        // At most one live Job for each training.
        let owners = world.all(.jobs).compactMap { $0["metadata", "ownerReferences"]?[0]?["uid"]?.string }
        #expect(Set(owners).count == owners.count, "\(trail)")
        // One training for each run that is under way.
        let training = (world.status["runs"]?.array ?? []).filter { $0["phase"] == "Training" }
        #expect(training.count <= 1, "\(trail)")
        // What serves is where the Service leads, has a Deployment, and has passed.
        if let revision = world.status["revision"]?.string {
            #expect(world.get(.services, "wine")?["spec", "selector", "assay.dev/revision"]?.string == revision)
            let entry = world.status["revisions"]?.array?.first { $0["name"]?.string == revision }
            #expect(entry?["state"] == "Serving", "\(trail)")
        }
        #expect(world.all(.deployments).count <= 3, "\(trail)")
    }

    @Test(arguments: 0..<24)
    func whateverHappensTheEndIsWhatTheSpecAsksFor(seed: Int) throws {
        var walk = try Walk(seed: seed)
        var trail: [String] = []
        var revision: JSONValue?
        for _ in 0..<20 {
            trail.append(try walk.step())
            try walk.world.settle()
            try check(walk.world, after: trail)
            if let now = walk.world.status["revision"], now != revision {
                let entry = walk.world.status["revisions"]?.array?.first { $0["name"] == now }
                let run = walk.world.status["runs"]?.array?.first { $0["number"] == entry?["run"] }
                #expect(run?["judgement"] == "Passed", "\(trail)")
                revision = now
            }
        }
        // The faults stop, and a training is asked for that was not before.
        walk.world.change {
            $0["spec", "suspend"] = false
            $0["spec", "serving", "replicas"] = 2
            $0["spec", "training", "template", "spec", "seed"] = 1000
            $0["spec", "validation", "thresholds"] = [Walk.threshold(0.9)]
        }
        try walk.world.settle()
        walk.endJob(accuracy: 0.95)
        for _ in 0..<3 {
            try walk.world.settle()
            walk.world.makeDeploymentsAvailable()
            walk.world.now = walk.world.now + .seconds(60)
        }
        try walk.world.settle()
        #expect(walk.world.status["phase"] == "Serving", "\(trail)")
        #expect(walk.world.status["replicas"] == 2)
        #expect(walk.world.awake.count == 1)
        #expect(try walk.world.settle() == 0)
        let object = try #require(walk.world.get(.mlModels, "wine"))
        #expect(KStatus.compute(object).phase == .current)
    }
}
