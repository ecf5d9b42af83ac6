import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// Steps whose results are there already are not run again, and no others are left out.
@Suite struct ReuseTests {
    private static let tag = "registry.local/wine:1.4"

    /// A world in which a first training has run to its end.
    private func world(
        pinned: Bool = true, _ prepare: (inout World) -> Void = { _ in },
        _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = World()
        if pinned { world.registry = [Self.tag: World.digest] }
        prepare(&world)
        try world.create(.trainingJobs, try Sample.workflow(change))
        try world.settle()
        try world.finishAll()
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
        return world
    }

    private func begin(
        _ name: String, in world: inout World, _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> [String: String] {
        try world.create(
            .trainingJobs,
            try Sample.workflow {
                $0["metadata", "name"] = .string(name)
                change(&$0)
            })
        try world.settle()
        return world.phases(of: name)
    }

    private static func step(_ name: String, of object: inout JSONValue, _ change: (inout JSONValue) -> Void) {
        object["spec", "steps"] = .array(
            (object["spec", "steps"]?.array ?? []).map { step in
                var step = step
                if step["name"]?.string == name { change(&step) }
                return step
            })
    }

    // MARK: What is taken

    @Test func whatIsTheSameIsNotRunAgain() throws {
        var world = try world()
        let jobs = world.stepJobs.count
        let phases = try begin("again", in: &world)
        #expect(phases == ["extract": "Reused", "prepare": "Reused", "train": "Reused", "evaluate": "Reused"])
        #expect(world.stepJobs.count == jobs)
        let (first, second) = (world.trainingJob["status"], world.get(.trainingJobs, "again")?["status"])
        #expect(second?["phase"] == "Succeeded")
        #expect(second?["metrics"] == first?["metrics"])
        #expect(second?["metrics"]?[0]?["value"] == "0.97")
        for index in 0..<4 {
            #expect(second?["steps"]?[index]?["outputs"] == first?["steps"]?[index]?["outputs"])
            #expect(second?["steps"]?[index]?["key"] == first?["steps"]?[index]?["key"])
            #expect(second?["steps"]?[index]?["madeBy"] == first?["run"])
        }
        #expect(second?["images"] == first?["images"])
        #expect(world.events.filter { $0.reason == "Reused" }.count == 4)
    }

    @Test func anotherParameterRunsWhatIsToldItAndWhatReadsOfIt() throws {
        var world = try world()
        let phases = try begin("again", in: &world) { $0["spec", "parameters", "learningRate"] = "0.2" }
        #expect(phases == ["extract": "Reused", "prepare": "Reused", "train": "Pending", "evaluate": "Waiting"])
        world.endStep("train", salt: "0.2")
        try world.settle()
        #expect(world.phases(of: "again")["evaluate"] == "Pending")
        try world.finishStep("evaluate", metrics: #"{"accuracy": 0.98}"#)
        let status = world.get(.trainingJobs, "again")?["status"]
        #expect(status?["phase"] == "Succeeded")
        #expect(status?["metrics"]?[0]?["value"] == "0.98")
    }

    /// A step that makes the same bits of another parameter makes all that reads them known again.
    @Test func whatComesToTheSameArtifactsIsTheSame() throws {
        var world = try world()
        _ = try begin("again", in: &world) { $0["spec", "parameters", "learningRate"] = "0.2" }
        try world.finishStep("train")
        #expect(world.phases(of: "again")["evaluate"] == "Reused")
        #expect(world.get(.trainingJobs, "again")?["status", "phase"] == "Succeeded")
    }

    private static let changes: [(String, [String], @Sendable (inout JSONValue) -> Void)] = [
        ("a parameter that no step is told", [], { $0["spec", "parameters", "depth"] = "4" }),
        (
            "another place of the image", [],
            { object in
                step("extract", of: &object) {
                    $0["template", "spec", "containers"] = [
                        ["name": "main", "image": .string("mirror.local/w@\(World.digest)"), "command": ["run"]]
                    ]
                }
            }
        ),
        ("how often it may fail", [], { $0["spec", "backoffLimit"] = 3 }),
        ("the seed", ["extract"], { $0["spec", "seed"] = 43 }),
        ("no seed", ["extract"], { $0["spec", "seed"] = nil }),
        (
            "the command", ["extract"],
            { object in
                step("extract", of: &object) {
                    $0["template", "spec", "containers"] = [
                        ["name": "main", "image": .string(tag), "command": ["run", "-v"]]
                    ]
                }
            }
        ),
        (
            "a variable", ["train"],
            { object in
                step("train", of: &object) {
                    $0["template", "spec", "containers"] = [
                        [
                            "name": "main", "image": .string(tag), "command": ["run"],
                            "env": [["name": "X", "value": "1"]],
                        ]
                    ]
                }
            }
        ),
        ("what is told of a parameter", ["train"], { object in step("train", of: &object) { $0["parameters"] = nil } }),
        ("never", ["prepare"], { object in step("prepare", of: &object) { $0["reuse"] = "Never" } }),
    ]

    @Test(arguments: changes.indices) func aChangeRunsWhatItConcerns(_ index: Int) throws {
        let (what, begun, change) = Self.changes[index]
        var world = try world()
        let phases = try begin("again", in: &world, change)
        let expected = Dictionary(uniqueKeysWithValues: phases.keys.map { ($0, begun.contains($0)) })
        #expect(phases.mapValues { $0 == "Pending" } == expected, "\(what): \(phases)")
    }

    // MARK: What is not

    @Test func anotherDigestOfTheTagIsAnotherImage() throws {
        var world = try world()
        let other = "sha256:" + String(repeating: "cd34", count: 16)
        world.registry = [Self.tag: other]
        let phases = try begin("again", in: &world)
        #expect(phases["extract"] == "Pending")
        // What was asked for is what runs, wherever the tag leads by then.
        let job = try #require(world.jobName(of: "extract").flatMap { world.get(.jobs, $0) })
        let main = job["spec", "template", "spec", "initContainers"]?.array?.first { $0["name"] == "main" }
        #expect(main?["image"]?.string == "registry.local/wine@\(other)")
    }

    @Test func anInputOfTheSameNameWithOtherContentIsAnother() throws {
        var world = try world()
        _ = try begin("again", in: &world) { object in
            Self.step("extract", of: &object) { $0["reuse"] = "Never" }
        }
        world.endStep("extract", salt: "newer")
        try world.settle()
        #expect(world.phases(of: "again")["prepare"] == "Pending")
    }

    @Test func aTagThatNobodyCanResolveMeansNoReuseAndIsSaid() throws {
        var world = try world()
        world.registry = [:]
        let phases = try begin("again", in: &world)
        #expect(phases["extract"] == "Pending")
        let step = world.get(.trainingJobs, "again")?["status", "steps"]?.array?.first { $0["name"] == "extract" }
        #expect(step?["message"]?.string == "ReuseUnavailable: image not pinned: \(Self.tag)")
    }

    /// The first run learned its digests only when its pods ran: the store has no tag, the namespace's statuses do.
    @Test func whatTheNamespaceKnowsIsTaken() throws {
        var world = try world(pinned: false)
        #expect(world.store.isEmpty)
        world.registry = [Self.tag: World.digest]
        let phases = try begin("again", in: &world)
        #expect(Set(phases.values) == ["Reused"], "\(phases)")
        #expect(world.get(.trainingJobs, "again")?["status", "phase"] == "Succeeded")
    }

    @Test func aLookThatFailsIsNoReasonNotToTrain() throws {
        var world = World()
        world.answersLookups = false
        try world.create(.trainingJobs, try Sample.workflow())
        try world.settle()
        #expect(world.runningSteps == [])
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "LookingUp")
        let name = try #require(world.all(.jobs).first?["metadata", "name"]?.string)
        world.endJob(name, "Failed", reason: "DeadlineExceeded")
        try world.settle()
        #expect(world.runningSteps == ["extract"])
        let step = world.trainingJob["status", "steps"]?.array?.first { $0["name"] == "extract" }
        #expect(step?["message"]?.string?.hasPrefix("ReuseUnavailable: ") == true)
    }

    @Test func aLookThatIsTakenAwayIsRepeatedAndThenLeft() throws {
        var world = World()
        world.answersLookups = false
        try world.create(.trainingJobs, try Sample.workflow())
        try world.settle()
        for _ in 0..<3 {
            for job in world.all(.jobs) where job["metadata", "labels", Label.step] == nil {
                world.remove(.jobs, job["metadata", "name"]?.string ?? "")
            }
            try world.settle()
        }
        #expect(world.runningSteps == ["extract"])
        #expect(world.created.filter { $0.contains("resolve") }.count == 3)
    }

    // MARK: What a template refers to

    private static func referring(_ object: inout JSONValue) {
        step("extract", of: &object) {
            $0["template", "spec", "containers"] = [
                [
                    "name": "main", "image": .string(tag), "command": ["run"],
                    "envFrom": [["secretRef": ["name": "database"]]],
                ]
            ]
        }
    }

    private static let secret = TemplateReference(kind: .secret, name: "database")

    @Test func anotherVersionOfASecretIsAnotherStep() throws {
        var world = try world({ $0.references = [Self.secret: .version("7")] }, Self.referring)
        #expect(try begin("again", in: &world, Self.referring)["extract"] == "Reused")
        world.references = [Self.secret: .version("8")]
        #expect(try begin("later", in: &world, Self.referring)["extract"] == "Pending")
        let text = world.all(.trainingJobs).map { $0.serialized() }.joined()
        #expect(!text.contains("\"7\""), "the version stands nowhere by itself")
    }

    @Test func aSecretThatMayNotBeLookedAtMeansNoReuseAndIsSaid() throws {
        var world = try world({ $0.references = [Self.secret: .forbidden] }, Self.referring)
        let phases = try begin("again", in: &world, Self.referring)
        #expect(phases["extract"] == "Pending")
        let step = world.get(.trainingJobs, "again")?["status", "steps"]?.array?.first { $0["name"] == "extract" }
        #expect(step?["message"]?.string?.contains("may not look at the Secret database") == true)
    }

    // MARK: The namespace's store

    @Test func theNamespacesStoreIsTakenWhereTheSpecNamesNone() throws {
        func anywhere(_ object: inout JSONValue) { object["spec", "artifactStore"] = nil }
        var world = World()
        try world.create(.trainingJobs, try Sample.workflow(anywhere))
        try world.settle()
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "StoreMissing")
        let message = world.condition("Reconciling", of: .trainingJobs)?["message"]?.string
        #expect(message?.contains("no ConfigMap assay-store") == true, "\(message ?? "")")
        world.defaultStore = .store(ArtifactStoreSpec(uri: "oci://registry.local/models", secretRef: "login"))
        try world.settle()
        #expect(world.runningSteps == ["extract"])
        #expect(world.trainingJob["status", "artifactStore", "uri"] == "oci://registry.local/models")
        // It goes on where it has begun.
        world.defaultStore = .store(ArtifactStoreSpec(uri: "oci://elsewhere.local/models"))
        try world.finishAll()
        let stores = world.stepJobs.map { job in
            job.serialized().contains("oci://registry.local/models")
                && !job.serialized().contains("elsewhere")
        }
        #expect(stores == [true, true, true, true])
    }

    @Test func aConfigMapThatIsNoStoreIsSaid() throws {
        let table: [(JSONValue, String?)] = [
            (["data": ["uri": "pvc://models"]], nil), (["data": ["uri": "s3://bucket/p", "secretRef": "x"]], nil),
            ([:], "has no uri"), (["data": ["uri": "file:///x"]], "data.uri: "),
            (["data": ["uri": "pvc://models", "sealTimeout": "soon"]], "data.sealTimeout: "),
        ]
        for (object, words) in table {
            let store = try DefaultStore(json: object)
            let problem = store.problem(at: "spec.artifactStore")
            #expect((problem == nil) == (words == nil))
            if let words { #expect(problem?.contains(words) == true, "\(store)") }
        }
    }
}

extension World {
    func phases(of name: String) -> [String: String] {
        let steps = self.get(.trainingJobs, name)?["status", "steps"]?.array ?? []
        return Dictionary(
            steps.map { ($0["name"]?.string ?? "", $0["phase"]?.string ?? "") }, uniquingKeysWith: { first, _ in first }
        )
    }

    /// Ends the steps as they come, until none is left.
    mutating func finishAll() throws {
        while let step = runningSteps.first {
            try finishStep(step, metrics: step == "evaluate" ? #"{"accuracy": 0.97}"# : "")
        }
    }
}
