import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// The unseen data: who has read it, what it has a part in, and what was measured on which.
@Suite struct HoldoutTests {
    private static let report =
        #"{"metrics": [{"name": "accuracy", "value": 0.97}, {"name": "auc", "value": 0.9, "split": "train"}]}"#

    private func model(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        try Sample.model { object in
            let training = try? Sample.workflow()["spec"]
            object["spec", "training", "template", "spec"] = training ?? .null
            object["spec", "training", "template", "spec", "holdout"] = "holdout"
            object["spec", "validation", "requireAttested"] = true
            object["spec", "serving", "artifacts"] = ["model", "scaler"]
            change(&object)
        }
    }

    /// Trains, with what the steps report.
    private func trained(_ reports: [String: String], _ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.registry = ["registry.local/wine:1.4": World.digest]
        try world.create(.mlModels, try model(change))
        try world.settle()
        try finish(&world, reports)
        return world
    }

    private func finish(_ world: inout World, _ reports: [String: String], salt: String = "") throws {
        for step in ["extract", "prepare", "train", "evaluate"] {
            try world.finishStep(step, metrics: reports[step] ?? "", salt: salt)
        }
        world.makeDeploymentsAvailable()
        try world.settle()
    }

    // MARK: Who has read it

    @Test func whatWasMeasuredByWhoReadsItIsAttested() throws {
        let world = try trained(["evaluate": Self.report])
        #expect(world.status["phase"] == "Serving")
        let metrics = world.status["runs"]?[0]?["metrics"]?.array ?? []
        #expect(metrics.map { $0["evidence"] } == ["Attested", nil], "another split is the container's word")
        #expect(world.status["runs"]?[0]?["verdicts"]?[0]?["evidence"] == "Attested")
        #expect(world.status["runs"]?[0]?["holdout"]?.string?.hasPrefix("sha256:") == true)
    }

    /// The default split is the holdout: a training's own accuracy must not pass for it.
    @Test func whatWhoDoesNotReadItSaysOfItIsNoValue() throws {
        let world = try trained(["train": Self.report])
        #expect(world.status["phase"] == "Refused")
        let verdict = world.status["runs"]?[0]?["verdicts"]?[0]
        #expect(verdict?["passed"] == false && verdict?["value"] == nil)
        let message = world.status["runs"]?[0]?["metricsMessage"]?.string
        #expect(message == "train: accuracy is no value of the holdout, which the step does not read")
    }

    @Test func theWordOfWhoReadsItStandsAgainstAnyOther() throws {
        let world = try trained(["train": #"{"accuracy": 0.5}"#, "evaluate": Self.report])
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[0]?["verdicts"]?[0]?["value"] == "0.97")
    }

    @Test func withoutAHoldoutItIsTheContainersWord() throws {
        let world = try trained(["evaluate": Self.report]) {
            $0["spec", "training", "template", "spec", "holdout"] = nil
        }
        #expect(world.status["phase"] == "Refused")
        let verdict = world.status["runs"]?[0]?["verdicts"]?[0]
        #expect(verdict?["evidence"] == "SelfReported")
        #expect(verdict?["why"]?.string?.contains("refused by requireAttested") == true)
    }

    // MARK: What it has a part in

    @Test(arguments: [
        (["holdout"], ["spec.serving.artifacts[0]"]), (["model", "scaler", "rows", "features"], []),
        (["model", "report", "summary"], ["spec.serving.artifacts[1]", "spec.serving.artifacts[2]"]),
    ])
    func whatItHasAPartInIsNotServed(_ served: [String], _ refused: [String]) throws {
        let object = try model {
            var steps = $0["spec", "training", "template", "spec", "steps"]?.array ?? []
            steps.append(Sample.step("measure", inputs: ["model", "holdout"], outputs: ["report"]))
            steps.append(Sample.step("summarize", inputs: ["report"], outputs: ["summary"]))
            $0["spec", "training", "template", "spec", "steps"] = .array(steps)
            $0["spec", "serving", "artifacts"] = JSONValue(served)
        }
        #expect(try MLModel(json: object).problems.map(\.path) == refused)
    }

    @Test func itIsOneOfTheArtifacts() throws {
        let unknown = try Sample.workflow { $0["spec", "holdout"] = "unseen" }
        #expect(try TrainingJob(json: unknown).problems.map(\.path) == ["spec.holdout"])
        let alone = try Sample.trainingJob { $0["spec", "holdout"] = "unseen" }
        #expect(try TrainingJob(json: alone).problems.map(\.path) == ["spec.holdout"])
    }

    // MARK: What was measured on which

    /// Two revisions compare only on the same data.
    @Test(arguments: [false, true]) func aComparisonNeedsTheSameHoldout(_ isSame: Bool) throws {
        var world = try trained(["evaluate": Self.report]) {
            $0["spec", "validation", "thresholds"] = [
                ["metric": "accuracy", "direction": "Maximize", "minAbsoluteChange": 0, "whenNoBaseline": "Pass"]
            ]
        }
        #expect(world.status["phase"] == "Serving")
        world.store = [:]
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        try finish(&world, ["evaluate": #"{"accuracy": 0.98}"#], salt: isSame ? "" : "other data")
        let verdict = world.status["runs"]?[1]?["verdicts"]?[0]
        #expect(verdict?["passed"] == .bool(isSame))
        if !isSame {
            #expect(world.status["phase"] == "Refused")
            #expect(verdict?["why"]?.string?.contains("was measured on another holdout (sha256:") == true)
        }
    }

    /// What a record says of evidence nobody here has seen.
    @Test func evidenceDoesNotTravel() throws {
        let world = try trained(["evaluate": Self.report])
        let record = try #require(world.records.values.first)
        #expect(record.metrics.contains { $0.evidence == .attested })
        let report = ImportReport(record, digest: World.digest, artifacts: record.artifacts)
        #expect(report.metrics.allSatisfy { $0.evidence == nil } && !report.metrics.isEmpty)
    }
}
