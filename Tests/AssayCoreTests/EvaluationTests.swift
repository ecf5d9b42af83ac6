import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// `spec.evaluation`: models are measured apart from their training, those that were made elsewhere too, and what serves again on
/// the data of its successor.
@Suite struct EvaluationTests {
    private static let digest = "sha256:" + String(repeating: "ef56", count: 16)
    private static let measure = Sample.step("measure", inputs: ["model", "holdout"], outputs: ["golden"])

    /// Trains without an own evaluation.
    private func model(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        let training = try Sample.workflow { object in
            object["spec", "steps"] = .array(
                (object["spec", "steps"]?.array ?? []).filter { $0["name"] != "evaluate" })
        }["spec"]
        return try Sample.model { object in
            object["spec", "training", "template", "spec"] = training ?? .null
            object["spec", "serving", "artifacts"] = ["model", "scaler"]
            object["spec", "evaluation"] = ["holdout": "holdout", "steps": [Self.measure]]
            object["spec", "validation", "requireAttested"] = true
            change(&object)
        }
    }

    /// One that was made elsewhere; the evaluation brings its own data.
    private func given(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        try model { object in
            object["spec", "training"] = nil
            object["spec", "artifact"] = ["uri": .string("oci://registry.local/team/wine@\(Self.digest)")]
            object["spec", "serving", "artifacts"] = ["model"]
            object["spec", "serving", "template", "spec", "containers"] = [
                ["name": "server", "image": .string("registry.local/server@\(World.digest)")]
            ]
            object["spec", "validation"] = [
                "thresholds": [["metric": "accuracy", "direction": "Maximize", "threshold": 0.93]]
            ]
            object["spec", "evaluation", "steps"] = [Sample.step("collect", outputs: ["holdout"]), Self.measure]
            change(&object)
        }
    }

    private func world(_ object: JSONValue) throws -> World {
        var world = World()
        world.registry = ["registry.local/wine:1.4": World.digest]
        world.elsewhere = [
            Self.digest: ImportReport(model: SealedArtifact(name: "model", digest: Self.digest, size: 7))
        ]
        try world.create(.mlModels, object)
        try world.settle()
        return world
    }

    private func train(_ world: inout World, salt: String = "") throws {
        for step in ["extract", "prepare", "train"] { try world.finishStep(step, salt: salt) }
    }

    private func finish(_ world: inout World, accuracy: Double, salt: String = "") throws {
        try world.finishStep("measure", metrics: #"{"accuracy": \#(accuracy)}"#, salt: salt)
        world.makeDeploymentsAvailable()
        try world.settle()
    }

    private func serving(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = try world(try model(change))
        try train(&world)
        try finish(&world, accuracy: 0.97)
        #expect(world.status["phase"] == "Serving")
        return world
    }

    private static func compares(_ object: inout JSONValue) {
        object["spec", "validation", "thresholds"] = [
            ["metric": "accuracy", "direction": "Maximize", "minAbsoluteChange": 0, "whenNoBaseline": "Pass"]
        ]
    }

    private func evaluationJobs(_ world: World) -> [JSONValue] {
        world.all(.trainingJobs).filter { $0["spec", "given"] != nil }
    }

    // MARK: What was trained here

    @Test func whatWasTrainedIsMeasuredApart() throws {
        var world = try world(try model())
        try train(&world)
        #expect(world.status["phase"] == "Evaluating")
        #expect(world.condition("Trained")?["status"] == "True")
        #expect(world.condition("Reconciling")?["reason"] == "Evaluating")
        let job = try #require(evaluationJobs(world).first)
        let names = job["spec", "given"]?.array?.compactMap { $0["name"]?.string }
        #expect(
            names.map(Set.init) == ["model", "features", "rows", "holdout"], "what it reads, and what that was made of")
        #expect(job["spec", "given"]?.array?.first { $0["name"] == "model" }?["madeBy", "step"] == "train")
        #expect(try world.settle() == 0)

        try finish(&world, accuracy: 0.97)
        #expect(world.status["phase"] == "Serving")
        let run = world.status["runs"]?[0]
        #expect(run?["evaluation", "phase"] == "Succeeded")
        #expect(run?["evaluation", "holdout"] == run?["artifacts"]?.array?.first { $0["name"] == "holdout" }?["digest"])
        #expect(run?["verdicts"]?[0]?["evidence"] == "Attested")
        #expect(run?["evaluation", "independence", "method"] == "Rows", "the rows that training has read are known")
        #expect(try world.settle() == 0)
    }

    @Test func whatTheTrainingSaysOfTheHoldoutDoesNotCount() throws {
        var world = try world(try model())
        for step in ["extract", "prepare"] { try world.finishStep(step) }
        try world.finishStep("train", metrics: #"{"accuracy": 0.99}"#)
        try finish(&world, accuracy: 0.9)
        #expect(world.status["phase"] == "Refused")
        #expect(world.status["verdict"] == "accuracy 0.9 < 0.93")
    }

    @Test func whoHasTrainedOnTheHoldoutIsRefused() throws {
        var world = try world(try model())
        world.overlapping = 3
        try train(&world)
        try finish(&world, accuracy: 0.97)
        #expect(world.status["phase"] == "Refused")
        #expect(world.status["verdict"]?.string?.hasPrefix("overlap") == true)
    }

    @Test func goldenRecordsMayBeTheEvaluations() throws {
        var world = try world(try model { $0["spec", "validation", "golden"] = ["artifact": "golden"] })
        try train(&world)
        try finish(&world, accuracy: 0.97)
        #expect(world.proofJob != nil)
    }

    @Test func anotherEvaluationMeasuresAgainAndTrainsNothing() throws {
        var world = try serving()
        let before = world.created.filter { $0.contains("wine-1-") }.count
        world.change { $0["spec", "evaluation", "parameters"] = ["share": "0.5"] }
        world.change {
            $0["spec", "evaluation", "steps"] = [
                Sample.step("measure", inputs: ["model", "holdout"], outputs: ["golden"], parameters: ["share"])
            ]
        }
        try world.settle()
        #expect(world.status["phase"] == "Evaluating")
        #expect(world.condition("Ready")?["status"] == "True", "what serves serves on")
        #expect(world.condition("RolledOut")?["status"] == "True")
        try finish(&world, accuracy: 0.9)
        #expect(world.status["reason"] == "NoLongerValid")
        #expect(world.status["revision"] != nil)
        #expect(world.status["runs"]?.array?.count == 1)
        #expect(evaluationJobs(world).count == 1, "the one before is gone")
        #expect(before == world.created.filter { $0.contains("wine-1-") }.count)

        // And without one it is judged by what its training says.
        world.change { $0["spec", "evaluation"] = nil }
        try world.settle()
        #expect(world.status["runs"]?[0]?["evaluation"] == nil)
        #expect(world.status["verdict"] == "accuracy not reported")
    }

    // MARK: What was made elsewhere

    @Test(arguments: [(0.97, "Serving"), (0.9, "Refused")])
    func whatWasMadeElsewherePassesOrNotAsIfItHadBeenMadeHere(_ accuracy: Double, _ phase: String) throws {
        var world = try world(try given())
        #expect(world.status["phase"] == "Evaluating")
        let job = try #require(evaluationJobs(world).first)
        #expect(job["spec", "given"] == [["name": "model", "digest": .string(Self.digest)]])
        #expect(job["spec", "artifactStore", "uri"] == "oci://registry.local/team/wine")
        try world.finishStep("collect")
        try finish(&world, accuracy: accuracy)
        #expect(world.status["phase"]?.string == phase)
        let verdict = world.status["runs"]?[0]?["verdicts"]?[0]
        #expect(verdict?["evidence"] == "Attested" && verdict?["value"]?.string == String(accuracy))
        #expect(try world.settle() == 0)
    }

    /// Of what it was made nobody here knows.
    @Test func itsIndependenceIsUnproven() throws {
        var world = try world(try given { $0["spec", "validation", "requireAttested"] = true })
        try world.finishStep("collect")
        try finish(&world, accuracy: 0.97)
        #expect(world.status["phase"] == "Refused")
        #expect(world.status["verdict"] == "independence unproven")
    }

    @Test func whatItDoesNotBringIsNamed() throws {
        let world = try world(
            try given {
                $0["spec", "evaluation", "steps"] = [
                    Sample.step("collect", outputs: ["holdout"]),
                    Sample.step("measure", inputs: ["model", "scaler", "holdout"]),
                ]
            })
        #expect(world.status["phase"] == "Failed")
        let message = world.condition("Stalled")?["message"]?.string
        #expect(message?.hasPrefix("spec.evaluation.steps[1].inputs[1]: there is no scaler") == true)
    }

    // MARK: What serves, on other data

    @Test(arguments: [(0.9, "Serving"), (0.99, "Refused")])
    func whatServesIsMeasuredAgainOnAnotherHoldout(_ old: Double, _ phase: String) throws {
        var world = try serving(Self.compares)
        let first = world.status["revision"]
        world.store = [:]
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        try train(&world, salt: "other")
        try finish(&world, accuracy: 0.95, salt: "other")
        #expect(world.status["phase"] == "Evaluating", "on another holdout it says nothing beside 0.97")
        #expect(world.status["revision"] == first)
        let runs = world.status["runs"]?.array ?? []
        let job = try #require(world.get(.trainingJobs, runs.last?["baseline", "trainingJob"]?.string ?? ""))
        let read = Dictionary(
            uniqueKeysWithValues: (job["spec", "given"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["digest"]) })
        func made(_ name: String, _ run: JSONValue?) -> JSONValue? {
            run?["artifacts"]?.array?.first { $0["name"]?.string == name }?["digest"]
        }
        #expect(read["model"] == made("model", runs.first), "the model is what serves")
        #expect(read["holdout"] == made("holdout", runs.last), "and the data its successor's")
        #expect(try world.settle() == 0)

        try finish(&world, accuracy: old, salt: "again")
        #expect(world.status["phase"]?.string == phase)
        let verdict = world.status["runs"]?[1]?["verdicts"]?[0]
        #expect(verdict?["baseline"]?.string == String(old) && verdict?["evidence"] == "Attested")
        #expect((world.status["revision"] == first) == (phase == "Refused"))
        #expect(try world.settle() == 0)
    }

    /// The data is collected anew by each evaluation; for a comparison there is one.
    @Test func theDataIsCollectedOnceForBoth() throws {
        var world = try world(try given(Self.compares))
        try world.finishStep("collect")
        try finish(&world, accuracy: 0.97)
        #expect(world.status["phase"] == "Serving")
        let other = "sha256:" + String(repeating: "cd34", count: 16)
        world.elsewhere[other] = ImportReport(model: SealedArtifact(name: "model", digest: other, size: 7))
        world.store = [:]
        world.change {
            $0["spec", "artifact"] = ["uri": .string("oci://registry.local/team/wine@\(other)")]
            $0["spec", "evaluation", "steps"] = [
                Sample.step("collect", outputs: ["holdout"]).merging(patch: ["reuse": "Never"]), Self.measure,
            ]
        }
        try world.settle()
        try world.finishStep("collect", salt: "later")
        try finish(&world, accuracy: 0.98, salt: "later")
        #expect(world.status["phase"] == "Evaluating")
        let name = world.status["runs"]?[1]?["baseline", "trainingJob"]?.string ?? ""
        let job = try #require(world.get(.trainingJobs, name))
        #expect(job["spec", "steps"]?.array?.compactMap { $0["name"]?.string } == ["measure"])
        #expect(
            job["spec", "given"]?.array?.first { $0["name"] == "holdout" }?["digest"]
                == world.status["runs"]?[1]?["evaluation", "holdout"])
        try finish(&world, accuracy: 0.9, salt: "again")
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[1]?["verdicts"]?[0]?["baseline"] == "0.9")
    }

    @Test func onTheSameDataWhatWasMeasuredIsGoodEnough() throws {
        var world = try serving(Self.compares)
        world.change { $0["spec", "training", "template", "spec", "parameters", "learningRate"] = "0.2" }
        try world.settle()
        try world.finishStep("train", salt: "other")
        try finish(&world, accuracy: 0.98, salt: "other")
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[1]?["baseline"] == nil)
        #expect(world.status["runs"]?[1]?["verdicts"]?[0]?["baseline"] == "0.97")
    }

    @Test func whatCannotBeMeasuredAgainPassesNoComparisonAndIsTriedOnceMoreWhenAsked() throws {
        var world = try serving(Self.compares)
        world.store = [:]
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        try train(&world, salt: "other")
        try finish(&world, accuracy: 0.99, salt: "other")
        try world.failStep("measure", message: "no such file")
        #expect(world.status["phase"] == "Refused")
        let why = world.status["runs"]?[1]?["verdicts"]?[0]?["why"]?.string
        #expect(why?.contains("was measured on another holdout") == true && why?.contains("failed") == true)
        #expect(try world.settle() == 0)

        world.change { $0["metadata", "annotations"] = [Label.requestedAt: "now"] }
        try world.settle()
        #expect(world.status["phase"] == "Evaluating")
        try finish(&world, accuracy: 0.9, salt: "again")
        #expect(world.status["phase"] == "Serving")
    }

    @Test func aFailedEvaluationIsToldAndTriedAgainWhenAsked() throws {
        var world = try world(try model())
        try train(&world)
        try world.failStep("measure", message: "no such file")
        #expect(world.status["phase"] == "Failed" && world.status["reason"] == "EvaluationFailed")
        #expect(world.condition("Stalled")?["message"]?.string?.contains("run 1 could not be measured") == true)
        #expect(world.all(.deployments).isEmpty)
        #expect(try world.settle() == 0)

        world.change { $0["metadata", "annotations"] = [Label.requestedAt: "now"] }
        try world.settle()
        try finish(&world, accuracy: 0.97)
        #expect(world.status["phase"] == "Serving")
    }

    @Test func suspensionHoldsWhatMeasures() throws {
        var world = try world(try model())
        try train(&world)
        world.change { $0["spec", "suspend"] = true }
        try world.settle()
        #expect(evaluationJobs(world).first?["spec", "suspend"] == true)
        #expect(world.status["phase"] == "Suspended")
        world.change { $0["spec", "suspend"] = false }
        try world.settle()
        try finish(&world, accuracy: 0.97)
        #expect(world.status["phase"] == "Serving")
    }

    @Test func anotherTrainingEndsWhatMeasuresTheOneBefore() throws {
        var world = try world(try model())
        try train(&world)
        #expect(evaluationJobs(world).count == 1)
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        #expect(evaluationJobs(world).isEmpty)
    }

    /// From the change of what is trained to the serving of its successor, with what serves measured in between.
    @Test func aCrashBeforeAnyWriteChangesNothingOfTheEnd() throws {
        let before = try serving(Self.compares)
        func end(crashAt crash: Int?) throws -> (revision: JSONValue?, writes: Int, trainings: Int) {
            var world = before
            var writes = 0
            func settle() throws {
                while true {
                    let plan = try world.plan()
                    guard !plan.isEmpty else { break }
                    let limit = crash.flatMap { $0 >= writes ? $0 - writes : nil } ?? .max
                    writes += plan.actions.count + (plan.status == nil ? 0 : 1)
                    try world.execute(plan, for: .mlModels, "wine", limit: limit)
                    if crash.map({ $0 < writes }) ?? false { break }
                }
                try world.settle()
            }
            world.store = [:]
            world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
            try settle()
            for step in ["extract", "prepare", "train"] { try world.finishStep(step, salt: "other") }
            for accuracy in [0.98, 0.9] {
                try settle()
                world.endStep("measure", metrics: #"{"accuracy": \#(accuracy)}"#, salt: "other")
                try settle()
                world.makeDeploymentsAvailable()
                try settle()
            }
            return (world.status["revision"], writes, world.created.count { $0.hasPrefix("TrainingJob") })
        }
        let whole = try end(crashAt: nil)
        #expect(whole.trainings == 5, "two trainings, both measured, and the first once more")
        #expect(whole.revision != before.status["revision"])
        for crash in 0..<whole.writes {
            let other = try end(crashAt: crash)
            #expect(other.revision == whole.revision && other.trainings == whole.trainings, "after \(crash) writes")
        }
    }

    // MARK: What is refused

    private static let mistakes: [(words: String, change: @Sendable (inout JSONValue) -> Void)] = [
        ("spec.evaluation.steps: is empty", { $0["spec", "evaluation", "steps"] = [] }),
        (
            "spec.evaluation.steps[0].inputs[0]: no step has the output weights",
            { $0["spec", "evaluation", "steps"] = [Sample.step("measure", inputs: ["weights", "holdout"])] }
        ),
        (
            "spec.evaluation.steps[0].outputs[0]: model is already an output of the step train",
            { $0["spec", "evaluation", "steps"] = [Sample.step("measure", inputs: ["holdout"], outputs: ["model"])] }
        ),
        (
            "spec.evaluation.steps[0].name: the training has a step train already",
            { $0["spec", "evaluation", "steps"] = [Sample.step("train", inputs: ["model", "holdout"])] }
        ),
        ("spec.evaluation.holdout: no step has the output unseen", { $0["spec", "evaluation", "holdout"] = "unseen" }),
        (
            "spec.evaluation.steps: none of them reads the holdout holdout",
            { $0["spec", "evaluation", "steps"] = [Sample.step("measure", inputs: ["model"])] }
        ),
        (
            "spec.evaluation.steps[0].parameters[0]: spec.evaluation.parameters has no learningRate",
            {
                $0["spec", "evaluation", "steps"] = [
                    Sample.step("measure", inputs: ["model", "holdout"], parameters: ["learningRate"])
                ]
            }
        ),
        (
            "spec.serving.artifacts[0]: the holdout rows has a part in model",
            {
                $0["spec", "evaluation", "holdout"] = "rows"
                $0["spec", "evaluation", "steps"] = [Sample.step("measure", inputs: ["model", "rows"])]
            }
        ),
        (
            "spec.evaluation: a training of one template",
            {
                $0["spec", "training", "template", "spec"] =
                    (try? Sample.model())?["spec", "training", "template", "spec"]
                $0["spec", "serving", "artifacts"] = []
            }
        ),
    ]

    @Test(arguments: mistakes.indices) func aMistakeIsNamed(_ index: Int) throws {
        let (words, change) = Self.mistakes[index]
        let problems = try MLModel(json: try model(change)).problems.map { "\($0.path): \($0.message)" }
        #expect(problems.contains { $0.hasPrefix(words) }, "\(problems)")
    }

    /// What a template may name, a service account, is looked up by this list.
    @Test func itsTemplatesAreAmongThoseThatAreLookedAt() throws {
        for model in [try model(), try given()] {
            let spec = try #require(try MLModel(json: model).spec.value)
            let steps = try #require(spec.evaluation).steps.map(\.template)
            #expect(steps.allSatisfy(spec.templates.contains) && spec.templates.contains(spec.serving.template))
        }
    }

    @Test func theseStand() throws {
        #expect(try MLModel(json: try model()).problems.isEmpty)
        #expect(try MLModel(json: try given()).problems.isEmpty)
    }

    // MARK: What is given to a training

    @Test func stepsReadWhatIsGiven() throws {
        var world = World()
        try world.create(
            .trainingJobs,
            try Sample.workflow {
                $0["spec", "given"] = [["name": "rows", "digest": .string(Self.digest)]]
                $0["spec", "steps"] = [Sample.step("prepare", inputs: ["rows"], outputs: ["features"])]
            })
        try world.settle()
        let job = try #require(world.stepJobs.first)
        #expect(job.serialized().contains("rows=\(Self.digest)"))
        #expect(world.trainingJob["status", "artifacts"] == [["name": "rows", "digest": .string(Self.digest)]])
        try world.finishStep("prepare")
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
    }

    @Test(
        arguments: [
            ([["name": "Rows", "digest": .string(digest)]], "spec.given[0].name: \"Rows\" is no name"),
            ([["name": "rows", "digest": "latest"]], "spec.given[0].digest: \"latest\" is no sha256:"),
            (
                [["name": "rows", "digest": .string(digest)], ["name": "rows", "digest": .string(digest)]],
                "spec.given[1].name: rows is there twice"
            ),
            (
                [["name": "features", "digest": .string(digest)]], "spec.steps[2].outputs[0]: features is given"
            ),
            (
                [["name": "old", "digest": .string(digest), "madeBy": ["step": "train"]]],
                "spec.given[0].madeBy.step: train is a step of this training"
            ),
            (
                [["name": "old", "digest": .string(digest), "madeBy": ["step": "fit", "inputs": ["raw"]]]],
                "spec.given[0].madeBy.inputs[0]: raw is not given"
            ),
        ] as [(JSONValue, String)])
    func aMistakeInWhatIsGivenIsNamed(_ given: JSONValue, _ words: String) throws {
        let problems = try TrainingJob(json: try Sample.workflow { $0["spec", "given"] = given }).problems
            .map { "\($0.path): \($0.message)" }
        #expect(problems.contains { $0.hasPrefix(words) }, "\(problems)")
    }
}
