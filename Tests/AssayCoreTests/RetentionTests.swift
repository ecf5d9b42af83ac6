import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What leaves the store with the history, and with the model.
@Suite struct RetentionTests {
    private func serving(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = try training {
            $0["spec", "revisionHistoryLimit"] = 1
            change(&$0)
        }
        try finish(&world)
        return world
    }

    /// A model of four steps, the first of which has begun.
    private func training(
        answersSealing: Bool = true, _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = World()
        world.registry = ["registry.local/wine:1.4": World.digest]
        world.answersSealing = answersSealing
        try world.create(
            .mlModels,
            try Sample.model { object in
                let training = try? Sample.workflow()["spec"]
                object["spec", "training", "template", "spec"] = training ?? .null
                object["spec", "serving", "artifacts"] = ["model", "scaler"]
                change(&object)
            })
        try world.settle()
        return world
    }

    private func finish(_ world: inout World, salt: String = "") throws {
        try world.finishWorkflow(salt: salt)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
    }

    /// Trains another model, which takes the first one's place.
    private func retrain(_ world: inout World, rate: String = "0.2", salt: String = "other") throws {
        world.change { $0["spec", "training", "template", "spec", "parameters", "learningRate"] = .string(rate) }
        try world.settle()
        try finish(&world, salt: salt)
        // The revision before has its moment.
        world.now = world.now + .seconds(60)
        try world.settle()
    }

    private func digests(_ world: World, run: Int = 0) -> Set<String> {
        ArtifactReferences.names(in: world.status["runs"]?[run]?["artifacts"] ?? .null)
    }

    // MARK: With the history

    @Test func whatARunMadeGoesWithItUnlessTheNextOneHasItToo() throws {
        var world = try serving()
        let first = digests(world)
        let record = try #require(world.status["runs"]?[0]?["record", "digest"]?.string)
        let end = world.now
        world.now = world.now + .seconds(100)
        try retrain(&world)
        let second = digests(world)
        // The second learning rate needs what was extracted and prepared before.
        let shared = first.intersection(second)
        #expect(!shared.isEmpty && shared != first)
        #expect(Set(world.forgotten.keys) == first.subtracting(second).union([record]))
        #expect(Set(world.forgotten.values) == [(end + .seconds(1)).description])
        #expect(world.status["removals"] == nil)
        #expect(world.status["runs"]?.array?.count == 1)
        #expect(world.events.contains { $0.reason == "ArtifactsRemoved" })
        #expect(try world.settle() == 0)
    }

    /// Another parameter is set while it trains: what was made up to then is not removed before it is known who needs it.
    @Test func whatWasMadeOfARunThatWasGivenUpServesTheNext() throws {
        var world = try training()
        for step in ["extract", "prepare", "train"] { try world.finishStep(step, salt: step == "train" ? "first" : "") }
        world.change { $0["spec", "training", "template", "spec", "parameters", "learningRate"] = "0.2" }
        try world.settle()
        #expect(world.status["removals"] != nil)
        #expect(world.runningSteps == ["train"], "the rest is reused")
        #expect(world.created.allSatisfy { !$0.contains("-forget-") })
        try world.finishStep("train", salt: "second")
        try world.finishStep("evaluate", metrics: #"{"accuracy": 0.97}"#)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving" && world.status["removals"] == nil)
        #expect(world.forgotten.count == 1, "the first model alone")
        #expect(digests(world, run: 1).isDisjoint(with: world.forgotten.keys))
    }

    @Test func whatAnotherObjectRefersToStays() throws {
        var world = try serving()
        let first = digests(world).sorted()
        let other = try Sample.trainingJob {
            $0["metadata", "name"] = "other"
            $0["spec", "parameters"] = ["base": .string(first[0])]
        }
        try world.create(.trainingJobs, other)
        try retrain(&world, salt: "all of it")
        #expect(!world.forgotten.isEmpty)
        #expect(world.forgotten[first[0]] == nil)
    }

    /// Who else refers to what is in a bucket only somebody knows who knows all clusters.
    @Test(arguments: ["s3://models/wine", "oci://registry.local/team/wine"])
    func onlyAClaimIsClearedByItself(_ uri: String) throws {
        var world = try serving {
            $0["spec", "training", "template", "spec", "artifactStore"] = ["uri": .string(uri)]
        }
        try retrain(&world)
        #expect(world.forgotten.isEmpty && world.status["removals"] == nil)
    }

    @Test func whatWasMadeElsewhereIsNotOursToRemove() throws {
        var world = World()
        let digest = "sha256:" + String(repeating: "ef56", count: 16)
        let report = ImportReport(model: SealedArtifact(name: "model", digest: digest, size: 1))
        world.elsewhere[digest] = report
        try world.create(
            .mlModels,
            try Sample.model {
                $0["spec", "training"] = nil
                $0["spec", "artifact"] = ["uri": .string("pvc://models/wine@\(digest)")]
                $0["spec", "validation"] = ["gate": "None"]
                $0["spec", "deletionPolicy"] = "Delete"
                $0["spec", "serving", "artifacts"] = ["model"]
                $0["spec", "serving", "template", "spec", "containers"] = [
                    ["name": "server", "image": .string("registry.local/server@\(World.digest)")]
                ]
            })
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        try delete(&world)
        #expect(world.modelObject == nil)
        #expect(world.forgotten[digest] == nil)
    }

    /// A store that is away, or a quota: it is told, costs nothing else, and is tried again with the next training.
    @Test func whatCouldNotBeRemovedIsTriedAgainWithTheNextTraining() throws {
        var world = try serving()
        let first = digests(world)
        world.refusesToForget = "the store is away"
        try retrain(&world)
        #expect(world.status["phase"] == "Serving" && world.condition("Stalled") == nil)
        #expect(world.status["removals"]?[0]?["message"] == "the store is away")
        #expect(world.events.contains { $0.reason == "ArtifactsNotRemoved" })
        let jobs = world.created.count { $0.contains("-forget-") }
        world.now = world.now + .seconds(3600)
        #expect(try world.settle() == 0)
        #expect(world.created.count { $0.contains("-forget-") } == jobs)
        world.refusesToForget = nil
        try retrain(&world, rate: "0.3", salt: "third")
        #expect(!Set(world.forgotten.keys).isDisjoint(with: first))
        #expect(world.status["removals"] == nil)
    }

    @Test func whereTheClaimIsGoneNothingIsLeftToRemove() throws {
        var world = try serving()
        world.missingClaims = ["models"]
        try retrain(&world)
        #expect(world.status["removals"] == nil && world.created.allSatisfy { !$0.contains("-forget-") })
    }

    /// The Job has the store, and nobody else's rights.
    @Test func theJobIsOneOfOurs() throws {
        var world = try serving()
        world.answersForgetting = false
        try retrain(&world)
        let job = try #require(world.all(.jobs).first { $0["metadata", "name"]?.string?.contains("-forget-") == true })
        let pod = job["spec", "template", "spec"]
        #expect(job["metadata", "ownerReferences"]?[0]?["kind"] == "MLModel")
        #expect(pod?["automountServiceAccountToken"] == false)
        #expect(pod?["containers"]?[0]?["command"]?.array?.prefix(3) == ["assay", "artifact", "forget"])
        #expect(pod?["volumes"]?[0]?["persistentVolumeClaim", "claimName"] == "models")
        #expect(PodCheck.problems(in: ["spec": pod ?? .null], at: "", policy: PodPolicy()) == [])
    }

    // MARK: With the model

    private func delete(_ world: inout World) throws {
        let now = world.now.description
        world.change { $0["metadata", "deletionTimestamp"] = .string(now) }
        for _ in 0..<8 {
            try world.settle()
            // Whoever deletes an object waits for its finalizers.
            if world.modelObject?["metadata", "finalizers"]?.array?.isEmpty == true {
                world.remove(.mlModels, "wine")
            }
        }
    }

    @Test func aModelThatSaysSoIsHeldUntilItsArtifactsAreGone() throws {
        var world = try serving { $0["spec", "deletionPolicy"] = "Delete" }
        #expect(world.modelObject?["metadata", "finalizers"] == [.string(Finalizer.artifacts)])
        let made = digests(world)
        world.answersForgetting = false
        try delete(&world)
        #expect(world.modelObject != nil)
        #expect(world.all(.deployments).isEmpty && world.all(.trainingJobs).isEmpty, "nothing reads them any more")
        #expect(world.status["reason"] == "Deleting")
        let job = try #require(world.all(.jobs).first { $0["metadata", "name"]?.string?.contains("-forget-") == true })
        // A child of what is being deleted would go at once.
        #expect(job["metadata", "ownerReferences"] == nil)
        world.answersForgetting = true
        try delete(&world)
        #expect(world.modelObject == nil)
        #expect(made.isSubset(of: world.forgotten.keys))
        #expect(world.created.count { $0.contains("-forget-") } == 1)
    }

    /// What a record is written of is as young as the record.
    @Test func aRecordThatIsBeingWrittenIsWaitedFor() throws {
        var world = try training(answersSealing: false) { $0["spec", "deletionPolicy"] = "Delete" }
        try finish(&world)
        #expect(world.status["runs"]?[0]?["record", "job"] != nil)
        world.now = world.now + .seconds(100)
        try delete(&world)
        #expect(world.modelObject != nil && world.status["runs"]?.array?.count == 1)
        world.answersSealing = true
        let end = world.now
        try delete(&world)
        #expect(world.modelObject == nil)
        #expect(Set(world.forgotten.values) == [(end + .seconds(1)).description])
    }

    @Test func aModelThatDoesNotIsNotHeld() throws {
        var world = try serving()
        #expect(world.modelObject?["metadata", "finalizers"] == nil)
        world.change { $0["spec", "deletionPolicy"] = "Delete" }
        try world.settle()
        #expect(world.modelObject?["metadata", "finalizers"] == [.string(Finalizer.artifacts)])
        world.change { $0["metadata", "finalizers"] = [.string(Finalizer.artifacts), "example.com/other"] }
        world.change { $0["spec", "deletionPolicy"] = "Retain" }
        try world.settle()
        #expect(world.modelObject?["metadata", "finalizers"] == ["example.com/other"])
    }

    /// In a bucket and a registry too: it was asked for.
    @Test(arguments: ["s3://models/wine", "oci://registry.local/team/wine"])
    func deletionReachesEveryStore(_ uri: String) throws {
        var world = try serving {
            $0["spec", "deletionPolicy"] = "Delete"
            $0["spec", "training", "template", "spec", "artifactStore"] = ["uri": .string(uri)]
        }
        let made = digests(world)
        try delete(&world)
        #expect(world.modelObject == nil)
        #expect(made.isSubset(of: world.forgotten.keys))
        // A registry does not tell how old anything is.
        #expect(Set(world.forgotten.values.map(\.isEmpty)) == [uri.hasPrefix("oci:")])
    }

    @Test func inANamespaceThatIsGoingItIsLetGoAtOnce() throws {
        var world = try serving { $0["spec", "deletionPolicy"] = "Delete" }
        world.policy.namespace = try NamespaceObservation(json: [
            "metadata": [
                "name": "ml", "uid": "n", "resourceVersion": "1", "deletionTimestamp": .string(world.now.description),
            ]
        ])
        try delete(&world)
        #expect(world.modelObject == nil)
        #expect(world.forgotten.isEmpty && world.created.allSatisfy { !$0.contains("-forget-") })
        #expect(world.events.contains { $0.reason == "ArtifactsRetained" && $0.isAboutNamespace })
    }

    /// The server may know it before the namespace itself shows it.
    @Test func whereNoJobMayBeMadeBecauseTheNamespaceGoesItIsLetGoToo() throws {
        var world = try serving { $0["spec", "deletionPolicy"] = "Delete" }
        world.answersForgetting = false
        try delete(&world)
        let model = try #require(try world.model())
        let failure = ActionFailure(
            operation: "create jobs.batch ml/x", code: 403,
            message: "unable to create new content in namespace ml because it is being terminated")
        let plan = MLModelPlan.statusAfter(failure, try world.observe(model: model, live: true), now: world.now)
        try world.execute(plan, for: .mlModels, "wine")
        try delete(&world)
        #expect(world.modelObject == nil)
    }

    /// A store that has gone for good holds nobody up.
    @Test func aModelIsLetGoInTheEnd() throws {
        var world = try serving { $0["spec", "deletionPolicy"] = "Delete" }
        world.refusesToForget = "the store is away"
        try delete(&world)
        var waited: Duration = .zero
        while world.modelObject != nil, waited < .seconds(3600) {
            world.now = world.now + .seconds(30)
            waited += .seconds(30)
            try delete(&world)
        }
        #expect(world.modelObject == nil)
        #expect(world.created.count { $0.contains("-forget-") } == 3)
        #expect(world.events.contains { $0.reason == "ArtifactsRetained" && !$0.isAboutNamespace })
    }

    /// Nobody knows what there is to remove, and nobody is held up.
    @Test(arguments: ["spec", "status"]) func whatCannotBeReadIsLetGo(_ part: String) throws {
        var world = try serving { $0["spec", "deletionPolicy"] = "Delete" }
        world.change { $0[.init(part)] = part == "spec" ? ["training": 1] : ["runs": 1] }
        try delete(&world)
        #expect(world.modelObject == nil && world.forgotten.isEmpty)
        #expect(world.events.contains { $0.reason == "ArtifactsRetained" })
    }

    /// Whichever write of it is the last one of an operator, the next one comes to the same end.
    @Test func aDeletionThatIsCutAnywhereEndsTheSame() throws {
        func end(crashAt: Int?) throws -> (world: World, writes: Int) {
            var world = try serving { $0["spec", "deletionPolicy"] = "Delete" }
            let now = world.now.description
            world.change { $0["metadata", "deletionTimestamp"] = .string(now) }
            var writes = 0
            for _ in 0..<32 {
                let plan = try world.plan(model: "wine")
                let count = plan.actions.count + (plan.status == nil ? 0 : 1)
                let limit = crashAt.map { (writes..<writes + count).contains($0) ? $0 - writes : Int.max } ?? .max
                try world.execute(plan, for: .mlModels, "wine", limit: limit)
                writes += count
                if world.modelObject?["metadata", "finalizers"]?.array?.isEmpty == true {
                    world.remove(.mlModels, "wine")
                }
                _ = world.answerForgetting()
            }
            return (world, writes)
        }
        let (reference, writes) = try end(crashAt: nil)
        #expect(reference.modelObject == nil && writes >= 5)
        for write in 0..<writes {
            let (world, _) = try end(crashAt: write)
            #expect(world.modelObject == nil, "crash at \(write)")
            #expect(world.created == reference.created, "crash at \(write)")
            #expect(world.forgotten == reference.forgotten, "crash at \(write)")
        }
    }

    @Test func aStoreThatIsAwayIsWaitedForAndRetainLetsItGo() throws {
        var world = try serving { $0["spec", "deletionPolicy"] = "Delete" }
        world.refusesToForget = "the store is away"
        try delete(&world)
        #expect(world.status["reason"] == "ArtifactsNotRemoved")
        #expect(world.condition("Reconciling")?["message"]?.string?.contains("the store is away") == true)
        let before = world.created.count { $0.contains("-forget-") }
        world.now = world.now + .seconds(61)
        try world.settle()
        #expect(world.created.count { $0.contains("-forget-") } == before + 1)
        world.change { $0["spec", "deletionPolicy"] = "Retain" }
        try delete(&world)
        #expect(world.modelObject == nil)
    }
}

extension World {
    var modelObject: JSONValue? { self.get(.mlModels, "wine") }

    /// Ends what removes artifacts. False where there is none of it.
    mutating func answerForgetting() -> Bool {
        guard answersForgetting else { return false }
        var isAny = false
        for job in unfinished {
            let words = arguments(job, ArtifactContainer.forget)
            guard !words.isEmpty, let name = job["metadata", "name"]?.string else { continue }
            isAny = true
            if let refusal = refusesToForget {
                endPod(of: job, phase: "Failed", messages: [ArtifactContainer.forget: refusal])
                endJob(name, "Failed", reason: "BackoffLimitExceeded")
                continue
            }
            for index in words.indices where words[index] == "--artifact" {
                let parts = words[index + 1].split(separator: "=", maxSplits: 1).map(String.init)
                forgotten[parts[0]] = parts.count > 1 ? parts[1] : ""
            }
            endPod(of: job, phase: "Succeeded", messages: [:])
            endJob(name, "Complete", reason: "")
        }
        return isAny
    }
}
