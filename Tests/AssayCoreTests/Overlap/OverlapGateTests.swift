import JSON
import KubernetesModel
import Testing

@testable import AssayCore

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

    private func model(
        overlapping: Int64, registry: [String: String] = [:], _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = World()
        world.overlapping = overlapping
        world.registry = registry
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
        var world = try model(overlapping: 0, registry: ["registry.local/wine:1.4": World.digest])
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
        #expect(world.runningSteps == [] && world.status["runs"]?[0]?["record"] != nil)
        #expect(world.status["phase"] == "Refused")
        #expect(world.status["verdict"] == .string("overlap \(Number.short(1.0 / 24)) > 0"))
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
