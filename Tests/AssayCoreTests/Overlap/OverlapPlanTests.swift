import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// The Job that compares the holdout: when it is made, and what becomes of the training by what becomes of it.
@Suite struct OverlapPlanTests {
    private static let steps = ["extract", "prepare", "train", "evaluate"]

    private func workflow(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.answersComparisons = false
        try world.create(
            .trainingJobs,
            try Sample.workflow {
                $0["spec", "holdout"] = "holdout"
                change(&$0)
            })
        try world.settle()
        return world
    }

    private func trained(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = try workflow(change)
        for step in Self.steps { try world.finishStep(step) }
        return world
    }

    // MARK: When

    @Test func itRunsBesideTheStepsOnceAllThatItComparesIsThere() throws {
        var world = try workflow()
        try world.finishStep("extract")
        #expect(world.comparisons.isEmpty, "features are not made yet")
        try world.finishStep("prepare")
        let job = try #require(world.comparisons.first)
        #expect(world.runningSteps == ["train"])
        #expect(job["spec", "backoffLimit"] == 2)
        #expect(job["spec", "activeDeadlineSeconds"] == 25_200)
        #expect(job["spec", "podFailurePolicy", "rules"]?[0]?["onExitCodes", "values"] == [3])
        #expect(job["metadata", "labels", Label.trainingJob] == "wine")
        let request = try #require(world.request(of: job))
        #expect(request.holdout.digest == "sha256:" + ContentHash(of: ["holdout"]).hex)
        #expect(request.training.map { $0.name + ($0.isSource ? "*" : "") } == ["features", "rows*"])
        try world.finishStep("train")
        try world.finishStep("evaluate")
        #expect(world.comparisons.count == 1)
    }

    @Test func theTrainingHasNotSucceededBeforeItIsKnown() throws {
        var world = try trained()
        #expect(world.trainingJob["status", "phase"] == "Running")
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "ComparingHoldout")
        world.overlapping = 3
        let isAnswered = world.answerComparisons()
        #expect(isAnswered)
        try world.settle()
        let status = world.trainingJob["status"]
        #expect(status?["phase"] == "Succeeded")
        #expect(status?["independence", "overlapping"] == 3 && status?["independence", "rows"] == 24)
        #expect(status?["comparisons"]?[0]?["outcome"] == "Succeeded")
        let message = world.condition("Complete", of: .trainingJobs)?["message"]?.string ?? ""
        #expect(
            message.contains("3 of 24 rows of the holdout are among what training has read, first holdout/r.csv line 2")
        )
        #expect(world.events.contains { $0.reason == "HoldoutCompared" && $0.severity == .warning })
        #expect(try world.settle() == 0)
    }

    @Test func withoutAHoldoutThereIsNone() throws {
        let world = try trained { $0["spec", "holdout"] = nil }
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
        #expect(world.comparisons.isEmpty && world.trainingJob["status", "independence"] == nil)
    }

    @Test func whatTheGraphTellsNeedsNone() throws {
        let world = try {
            var world = try workflow {
                $0["spec", "steps"] = [
                    Sample.step("all", outputs: ["model", "holdout"]),
                    Sample.step("evaluate", inputs: ["model", "holdout"]),
                ]
            }
            for step in ["all", "evaluate"] { try world.finishStep(step) }
            return world
        }()
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
        #expect(world.comparisons.isEmpty)
        #expect(world.trainingJob["status", "independence", "method"] == "Unproven")
        #expect(
            world.trainingJob["status", "independence", "message"]
                == "of what model was made, which the step evaluate reads, is not known")
    }

    @Test func aVolumeOfOneNodeIsReadByOneAtATime() throws {
        var world = World()
        (world.claim, world.answersComparisons) = (.ofOneNode, false)
        try world.create(.trainingJobs, try Sample.workflow { $0["spec", "holdout"] = "holdout" })
        try world.settle()
        for step in Self.steps {
            #expect(world.comparisons.isEmpty && world.runningSteps == [step])
            try world.finishStep(step)
        }
        #expect(world.comparisons.count == 1)
        _ = world.answerComparisons()
        try world.settle()
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
    }

    @Test func nothingIsMadeWhileSuspended() throws {
        var world = try workflow()
        for step in ["extract", "prepare"] {
            if step == "prepare" { world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = true } }
            try world.finishStep(step)
        }
        #expect(world.comparisons.isEmpty)
        world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = nil }
        try world.settle()
        #expect(world.comparisons.count == 1)
    }

    @Test func inAQueueItWaitsForItsTurn() throws {
        let world = try trained { $0["spec", "queueName"] = "gpu" }
        let job = try #require(world.comparisons.first)
        #expect(job["spec", "suspend"] == true)
        #expect(job["metadata", "labels", Label.queueName] == "gpu")
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "Queued")
    }

    @Test func aFailedTrainingComparesNothing() throws {
        var world = try workflow()
        try world.finishStep("extract")
        try world.failStep("prepare", message: "no such column")
        #expect(world.comparisons.isEmpty)
        #expect(world.trainingJob["status", "phase"] == "Failed")
    }

    // MARK: What goes wrong

    /// A store that stays away, a pod that was killed: nothing is proven, and the training goes on.
    @Test(arguments: [("the registry is away", "the registry is away"), ("", "the Job wine-overlap-1")])
    func whatCannotBeComparedIsUnprovenAndSaysWhy(_ said: String, _ told: String) throws {
        var world = try trained()
        try world.failComparison(said)
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
        let independence = world.trainingJob["status", "independence"]
        #expect(independence?["method"] == "Unproven")
        #expect(independence?["message"]?.string?.hasPrefix("the holdout could not be compared: \(told)") == true)
        #expect(world.events.contains { $0.reason == "IndependenceUnproven" && $0.severity == .warning })
        #expect(try world.settle() == 0)
    }

    @Test(arguments: ["", "{}", #"{"holdout": "sha256:ab", "method": "Rows", "rows": 1, "overlapping": 0}"#])
    func aWordThatIsNoReportIsUnproven(_ said: String) throws {
        var world = try trained()
        world.comparison = said
        let isAnswered = world.answerComparisons()
        #expect(isAnswered)
        try world.settle()
        #expect(world.trainingJob["status", "independence", "method"] == "Unproven")
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
    }

    @Test func aReportOfAnotherHoldoutIsUnproven() throws {
        var world = try trained()
        world.comparison =
            Independence(holdout: World.digest, method: .rows, rows: 1, overlapping: 0).report
        let isAnswered = world.answerComparisons()
        #expect(isAnswered)
        try world.settle()
        #expect(world.trainingJob["status", "independence", "method"] == "Unproven")
        #expect(world.trainingJob["status", "independence", "holdout"] != .string(World.digest))
    }

    @Test func oneThatIsDeletedIsMadeAgainButNotForEver() throws {
        var world = try trained()
        for number in 1...TrainingJobPlan.mostAttempts {
            let name = try #require(world.comparisons.first?["metadata", "name"]?.string)
            #expect(name.contains("overlap-\(number)"))
            world.remove(.jobs, name)
            try world.settle()
        }
        #expect(world.comparisons.isEmpty)
        let status = world.trainingJob["status"]
        #expect(status?["phase"] == "Succeeded" && status?["independence", "method"] == "Unproven")
        #expect(status?["independence", "message"]?.string?.hasSuffix("before it had a result, 5 times") == true)
        #expect(status?["comparisons"]?.array?.count == 5)
    }

    /// A server that does not take the Job would not take it again.
    @Test(arguments: [422, 403]) func whatTheServerRefusesForGoodIsUnproven(_ code: Int) throws {
        var world = try workflow()
        try world.finishStep("extract")
        world.endStep("prepare")
        for _ in 0..<4 where world.comparisons.isEmpty {
            let plan = try world.plan(trainingJob: "wine")
            let name = plan.actions.compactMap(\.createdName).first { $0.contains("overlap") }
            guard let name else {
                try world.execute(plan, for: .trainingJobs, "wine")
                continue
            }
            let failure = ActionFailure(
                operation: "create \(ResourceType.jobs) ml/\(name)", code: code, message: "not this one")
            let job = try #require(try world.trainingJob("wine"))
            let observed = try world.observe(trainingJob: job, live: true)
            try world.execute(
                TrainingJobPlan.statusAfter(failure, observed, now: world.now), for: .trainingJobs, "wine")
            break
        }
        let status = world.trainingJob["status"]
        guard code == 422 else {
            #expect(status?["independence"] == nil && status?["reason"] == "Forbidden", "a person can mend it")
            return
        }
        #expect(
            status?["independence", "message"]
                == "the server does not take the Job that compares the holdout: not this one")
        try world.settle()
        for step in ["train", "evaluate"] { try world.finishStep(step) }
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
        #expect(!world.created.contains { $0.contains("overlap") })
    }

    /// The Job is there whose status was not written.
    @Test func aCrashBeforeAnyWriteChangesNothingOfTheEnd() throws {
        func end(crashAt: Int?) throws -> (world: World, writes: Int) {
            var world = try workflow()
            var writes = 0
            for name in Self.steps + [""] {
                for _ in 0..<16 {
                    let plan = try world.plan(trainingJob: "wine")
                    if plan.isEmpty {
                        if world.answerLookups() || (name.isEmpty && world.answerComparisons()) { continue }
                        break
                    }
                    let count = plan.actions.count + (plan.status == nil ? 0 : 1)
                    let limit = crashAt.map { (writes..<writes + count).contains($0) ? $0 - writes : Int.max } ?? .max
                    try world.execute(plan, for: .trainingJobs, "wine", limit: limit)
                    writes += count
                }
                if !name.isEmpty { world.endStep(name) }
            }
            return (world, writes)
        }
        let (reference, writes) = try end(crashAt: nil)
        #expect(reference.trainingJob["status", "phase"] == "Succeeded")
        #expect(reference.created.contains { $0.contains("overlap-1") })
        for write in 0..<writes {
            let (world, _) = try end(crashAt: write)
            #expect(world.created.sorted() == reference.created.sorted(), "crash at \(write)")
            #expect(world.trainingJob["status", "phase"] == "Succeeded", "crash at \(write)")
        }
    }
}

extension Action {
    fileprivate var createdName: String? {
        guard case .create(_, let object, _) = self else { return nil }
        return object["metadata", "name"]?.string
    }
}
