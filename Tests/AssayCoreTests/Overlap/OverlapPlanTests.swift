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

/// What the gate makes of it.
@Suite struct OverlapGateTests {
    private static let holdout = "sha256:" + String(repeating: "ab", count: 32)

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var independence: Independence?
        var maxOverlap: Double?
        var requiresAttested = false
        var passes: Bool
        var evidence: Verdict.Evidence = .attested
        var value: String?
        var summary: String
        var why: String
    }

    private static func found(_ count: Int64, of rows: Int64, _ method: Independence.Method = .rows) -> Independence {
        Independence(holdout: holdout, method: method, rows: rows, overlapping: count, message: nil)
    }

    static let cases = [
        Case(
            testDescription: "none", independence: found(0, of: 60), passes: true, value: "0", summary: "overlap 0 ≤ 0",
            why: "none of 60 rows of the holdout is among what training has read, compared row by row"),
        Case(
            testDescription: "one, where none may be", independence: found(1, of: 4), passes: false, value: "0.25",
            summary: "overlap 0.25 > 0", why: "1 of 4 rows of the holdout are among what training has read"),
        Case(
            testDescription: "at the bound, in decimals", independence: found(3, of: 10), maxOverlap: 0.3, passes: true,
            value: "0.3", summary: "overlap 0.3 ≤ 0.3",
            why: "3 of 10 rows of the holdout are among what training has read, compared row by row"),
        Case(
            testDescription: "one more", independence: found(30_001, of: 100_000), maxOverlap: 0.3, passes: false,
            value: "0.30001", summary: "overlap 0.30001 > 0.3",
            why: "30001 of 100000 rows of the holdout are among what training has read"),
        Case(
            testDescription: "all, where all may be", independence: found(2, of: 2), maxOverlap: 1, passes: true,
            value: "1",
            summary: "overlap 1 ≤ 1",
            why: "2 of 2 rows of the holdout are among what training has read, compared row by row"),
        Case(
            testDescription: "hashes", independence: found(0, of: 1, .rowHashes), requiresAttested: true, passes: true,
            value: "0", summary: "overlap 0 ≤ 0",
            why:
                "none of 1 row of the holdout is among what training has read, compared by the row-hashes that its steps "
                + "have left"),
        Case(
            testDescription: "unproven", independence: .unproven(holdout, "no rows"), passes: true,
            evidence: .selfReported,
            summary: "independence unproven", why: "IndependenceUnproven: no rows"),
        Case(
            testDescription: "unproven, and proof is asked for", independence: .unproven(holdout, "no rows"),
            requiresAttested: true, passes: false, evidence: .selfReported, summary: "independence unproven",
            why: "IndependenceUnproven, which requireAttested refuses: no rows"),
        Case(
            testDescription: "unproven, with what was found all the same", independence: found(1, of: 2, .unproven),
            passes: false, value: "0.5", summary: "overlap 0.5 > 0",
            why: "1 of 2 rows of the holdout are among what training has read"),
        Case(
            testDescription: "unproven, with nothing found", independence: found(0, of: 2, .unproven), passes: true,
            evidence: .selfReported, summary: "independence unproven",
            why: "IndependenceUnproven: none of 2 rows of the holdout is among what training has read"),
        Case(
            testDescription: "never compared", independence: nil, passes: true, evidence: .selfReported,
            summary: "independence unproven",
            why: "IndependenceUnproven: nobody has compared the holdout with what training has read"),
        Case(
            testDescription: "never compared, and proof is asked for", independence: nil, requiresAttested: true,
            passes: false,
            evidence: .selfReported, summary: "independence unproven",
            why:
                "IndependenceUnproven, which requireAttested refuses: nobody has compared the holdout with what training has "
                + "read"),
        Case(
            testDescription: "of another holdout",
            independence: Independence(holdout: World.digest, method: .rows, rows: 1, overlapping: 0), maxOverlap: 1,
            passes: false, evidence: .selfReported, summary: "independence unproven",
            why: "the comparison is of another holdout (sha256:ab12ab12ab12) than the metrics (sha256:abababababab)"),
    ]

    @Test(arguments: cases) func theGateJudgesTheComparison(_ example: Case) throws {
        let validation = MLModelSpec.Validation(
            thresholds: [Threshold(metric: "accuracy", direction: .maximize, threshold: 0.9)],
            requireAttested: example.requiresAttested ? true : nil, maxOverlap: example.maxOverlap)
        var metric = Metric(name: "accuracy", split: .holdout, value: .finite(0.95))
        metric.evidence = .attested
        let outcome = Gate.judge(
            [metric], by: validation, holdout: Self.holdout, independence: example.independence, baseline: nil)
        #expect(outcome.passed == example.passes)
        let verdict = try #require(outcome.verdicts.last)
        #expect(outcome.verdicts.count == 2 && outcome.verdicts[0].passed)
        #expect((verdict.metric, verdict.rule, verdict.split) == ("holdout", "maxOverlap", .holdout))
        #expect(verdict.passed == example.passes)
        #expect(verdict.evidence == example.evidence)
        #expect(verdict.value == example.value)
        #expect(verdict.summary == example.summary)
        #expect(verdict.why == example.why)
        #expect(outcome.summary == (example.passes ? "accuracy 0.95 ≥ 0.9" : example.summary))
    }

    @Test func whereThereIsNoHoldoutThereIsNoSuchRule() {
        let thresholds = [Threshold(metric: "accuracy", direction: .maximize, threshold: 0.9)]
        let metrics = [Metric(name: "accuracy", split: .holdout, value: .finite(0.95))]
        #expect(Gate.judge(metrics, by: .init(thresholds: thresholds), baseline: nil).verdicts.count == 1)
        #expect(
            Gate.judge(metrics, by: .init(thresholds: thresholds, maxOverlap: 0), baseline: nil).verdicts.count == 2)
        let nothing = Gate.judge(
            [], by: .init(), holdout: Self.holdout, independence: Self.found(0, of: 1), baseline: nil)
        #expect(!nothing.passed && nothing.verdicts.isEmpty, "one that is independent is not good for that alone")
        #expect(
            Gate.judge([], by: .init(gate: MLModelSpec.Validation.Gate.none), holdout: Self.holdout, baseline: nil)
                .passed)
    }

    // MARK: In a model

    private func model(overlapping: Int64, _ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.overlapping = overlapping
        try world.create(
            .mlModels,
            try Sample.model { object in
                let training = try? Sample.workflow()["spec"]
                object["spec", "training", "template", "spec"] = training ?? .null
                object["spec", "training", "template", "spec", "holdout"] = "holdout"
                object["spec", "serving", "artifacts"] = ["model", "scaler"]
                change(&object)
            })
        try world.settle()
        for step in ["extract", "prepare", "train", "evaluate"] {
            try world.finishStep(step, metrics: step == "evaluate" ? #"{"accuracy": 0.97}"# : "")
        }
        world.makeDeploymentsAvailable()
        try world.settle()
        return world
    }

    @Test func aModelThatWasMeasuredOnWhatItHasReadIsRefused() throws {
        let world = try model(overlapping: 3)
        #expect(world.status["phase"] == "Refused" && world.status["verdict"] == "overlap 0.125 > 0")
        #expect(world.status["runs"]?[0]?["independence", "overlapping"] == 3)
        let message = world.condition("Validated")?["message"]?.string ?? ""
        #expect(
            message.contains("holdout maxOverlap on holdout (Attested): 3 of 24 rows of the holdout are among"),
            "\(message)")
        #expect(message.contains("holdout/r.csv line 2 is rows/r.csv line 7"), "\(message)")
    }

    /// Another bound judges what was compared, and trains nothing.
    @Test func anotherBoundJudgesAgain() throws {
        var world = try model(overlapping: 3)
        let trainings = world.created.count { $0.hasPrefix("TrainingJob") }
        world.change { $0["spec", "validation", "maxOverlap"] = 0.125 }
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[0]?["verdicts"]?[1]?["why"]?.string?.hasPrefix("3 of 24 rows") == true)
        world.change { $0["spec", "validation", "maxOverlap"] = 0.1 }
        try world.settle()
        #expect(world.condition("Validated")?["status"] == "False")
        #expect(world.status["phase"] == "Serving", "what passed once serves on")
        #expect(world.created.count { $0.hasPrefix("TrainingJob") } == trainings)
    }

    /// A run of a time before there was a comparison: an operator that knows of it lets its verdicts stand.
    @Test func anUpgradeJudgesNothingThatWasJudged() throws {
        var world = try model(overlapping: 0) { $0["spec", "validation", "requireAttested"] = true }
        #expect(world.status["phase"] == "Serving")
        world.update(.mlModels, "wine") {
            var runs = $0["status", "runs"]?.array ?? []
            runs[0]["independence"] = nil
            runs[0]["verdicts"] = .array(Array((runs[0]["verdicts"]?.array ?? []).prefix(1)))
            $0["status", "runs"] = .array(runs)
        }
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[0]?["verdicts"]?.array?.count == 1)
        // Other rules judge it anew, and nobody has compared it.
        world.change {
            $0["spec", "validation", "thresholds"] = [
                ["metric": "accuracy", "direction": "Maximize", "threshold": 0.9]
            ]
        }
        try world.settle()
        #expect(world.condition("Validated")?["status"] == "False")
        world.change { $0["spec", "validation", "requireAttested"] = false }
        try world.settle()
        #expect(world.condition("Validated")?["status"] == "True")
    }

    /// A model that is applied again is found in the store, and compared here.
    @Test func whatIsFoundAgainIsComparedAgain() throws {
        var world = try model(overlapping: 0)
        world.registry = ["registry.local/wine:1.4": World.digest]
        let old = world.records
        #expect(!old.isEmpty)
        for name in world.all(.mlModels).compactMap({ $0["metadata", "name"]?.string }) {
            world.remove(.mlModels, name)
        }
        // As a version before has judged it.
        for (tag, record) in old {
            var record = record
            record.verdicts.removeAll { $0.rule == "maxOverlap" }
            world.records[tag] = record
        }
        world.overlapping = 1
        let object = try Sample.model { object in
            let training = try? Sample.workflow()["spec"]
            object["spec", "training", "template", "spec"] = training ?? .null
            object["spec", "training", "template", "spec", "holdout"] = "holdout"
            object["spec", "serving", "artifacts"] = ["model", "scaler"]
        }
        try world.create(.mlModels, object)
        try world.settle()
        if world.runningSteps.isEmpty {
            #expect(world.status["phase"] == "Refused")
            #expect(world.status["verdict"] == .string("overlap \(Number.short(1.0 / 24)) > 0"))
        }
    }

    @Test func theFieldIsBoundedAndNeedsAHoldout() throws {
        func problems(_ change: (inout JSONValue) -> Void) throws -> [String] {
            try MLModel(json: try Sample.model(change)).problems.map(\.path)
        }
        func holdout(_ object: inout JSONValue) {
            let training = try? Sample.workflow()["spec"]
            object["spec", "training", "template", "spec"] = training ?? .null
            object["spec", "training", "template", "spec", "holdout"] = "holdout"
        }
        #expect(try problems { $0["spec", "validation", "maxOverlap"] = 0.1 } == ["spec.validation.maxOverlap"])
        for value: JSONValue in [-0.1, 1.1, 2] {
            let found = try problems {
                holdout(&$0)
                $0["spec", "validation", "maxOverlap"] = value
            }
            #expect(found == ["spec.validation.maxOverlap"])
        }
        for value: JSONValue in [0, 0.5, 1] {
            let found = try problems {
                holdout(&$0)
                $0["spec", "validation", "maxOverlap"] = value
            }
            #expect(found == [])
        }
    }
}

extension World {
    /// The Jobs that compare holdouts and have no end yet.
    var comparisons: [JSONValue] { unfinished.filter { !arguments($0, ArtifactContainer.overlap).isEmpty } }

    func request(of job: JSONValue) -> OverlapRequest? {
        let words = arguments(job, ArtifactContainer.overlap)
        guard let index = words.firstIndex(of: "--request"), let json = try? JSONValue(parsing: words[index + 1]) else {
            return nil
        }
        return try? OverlapRequest(json: JSONCursor(json))
    }

    /// Ends what compares holdouts. False where there is none of it.
    mutating func answerComparisons() -> Bool {
        var isAny = false
        for job in comparisons {
            guard let request = request(of: job) else { continue }
            let places = (0..<min(5, overlapping)).map {
                Independence.Place(holdout: "holdout/r.csv line \($0 + 2)", training: "rows/r.csv line \($0 + 7)")
            }
            let result = Independence(
                holdout: request.holdout.digest, method: .rows, rows: 24, overlapping: overlapping, places: places)
            endPod(
                of: job, phase: "Succeeded", messages: [ArtifactContainer.overlap: comparison ?? result.report])
            endJob(job["metadata", "name"]?.string ?? "", "Complete", reason: "")
            isAny = true
        }
        return isAny
    }

    /// The Job that compares fails, with what its pod has said last; without a word there is no pod any more.
    mutating func failComparison(_ message: String) throws {
        guard let job = comparisons.first, let name = job["metadata", "name"]?.string else { return }
        if !message.isEmpty {
            endPod(of: job, phase: "Failed", messages: [:])
            let state: JSONValue = ["terminated": ["exitCode": 3, "reason": "Error", "message": .string(message)]]
            objects[.pods]?["\(name)-x"]?["status", "containerStatuses"] = [
                ["name": .string(ArtifactContainer.overlap), "imageID": "", "state": state]
            ]
        }
        endJob(name, "Failed", reason: "BackoffLimitExceeded")
        try settle()
    }
}
