import JSON
import Testing

@testable import AssayCore

/// Which artifacts the holdout is compared with, by the graph alone.
@Suite struct HoldoutComparisonTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// `name: inputs > outputs`
        var steps: [String]
        /// Sources are marked by a star.
        var artifacts: [String]
        /// `step: artifacts`
        var needs: [String] = []
        var problem: String?
    }

    static let cases = [
        Case(
            testDescription: "extraction, preparation, training, evaluation",
            steps: [
                "extract: > rows holdout", "prepare: rows > features scaler", "train: features > model",
                "evaluate: features model scaler holdout >",
            ],
            artifacts: ["rows*", "features"],
            needs: ["prepare: rows", "train: rows features", "evaluate: rows features"]),
        Case(
            testDescription: "what the holdout is cut from is compared only where training reads it",
            steps: ["extract: > raw", "split: raw > rows holdout", "train: rows > model", "evaluate: model holdout >"],
            artifacts: ["rows*"], needs: ["train: rows", "evaluate: rows"]),
        Case(
            testDescription: "a training that reads the raw data",
            steps: ["extract: > raw", "split: raw > rows holdout", "train: raw > model", "evaluate: model holdout >"],
            artifacts: ["raw*"], needs: ["train: raw", "evaluate: raw"]),
        Case(
            testDescription: "what several steps read counts once, and the order of steps makes no difference",
            steps: [
                "evaluate: model other holdout >", "train: rows > model", "also: rows > other",
                "extract: > rows holdout",
            ],
            artifacts: ["rows*"], needs: ["train: rows", "also: rows", "evaluate: rows"]),
        Case(
            testDescription: "two steps that evaluate, one after the other",
            steps: [
                "extract: > rows holdout", "train: rows > model", "predict: model holdout > answers",
                "score: answers holdout >",
            ],
            artifacts: ["rows*"], needs: ["train: rows", "predict: rows"]),
        Case(
            testDescription: "a pretrained model beside rows",
            steps: [
                "extract: > rows holdout", "download: > base", "tune: rows base > model", "evaluate: model holdout >",
            ],
            artifacts: ["rows*", "base*"], needs: ["tune: rows base", "evaluate: rows base"]),
        Case(
            testDescription: "a training that reads no artifact",
            steps: ["extract: > holdout", "train: > model", "evaluate: model holdout >"], artifacts: [],
            problem:
                "model, which the step evaluate reads, is made by train, which reads no artifact: what it was made of is "
                + "not known"),
        Case(
            testDescription: "one that does, and a sample beside it that is read",
            steps: [
                "extract: > rows holdout", "count: rows >", "train: > model", "evaluate: model rows holdout >",
            ],
            artifacts: ["rows*"], needs: ["count: rows", "evaluate: rows"],
            problem:
                "model, which the step evaluate reads, is made by train, which reads no artifact: what it was made of is "
                + "not known"),
        Case(
            testDescription: "all in one step",
            steps: ["all: > model holdout", "evaluate: model holdout >"], artifacts: [],
            problem: "of what model was made, which the step evaluate reads, is not known"),
        Case(
            testDescription: "nobody reads anything",
            steps: ["all: > model holdout"], artifacts: [],
            problem:
                "no step but those that make or read the holdout reads an artifact: what training has read is not known"
        ),
        Case(
            testDescription: "what only looks at the holdout proves nothing and hinders nothing",
            steps: [
                "extract: > rows holdout", "train: rows > model", "describe: holdout > picture",
                "evaluate: model holdout >",
            ],
            artifacts: ["rows*"], needs: ["train: rows", "evaluate: rows"]),
    ]

    private static func spec(_ steps: [String], holdout: String? = "holdout") -> TrainingJobSpec {
        let template = PodTemplate(json: ["spec": ["containers": []]])
        return TrainingJobSpec(
            steps: steps.map { line in
                let parts = line.split(separator: ":")
                let sides = parts[1].split(separator: ">", omittingEmptySubsequences: false)
                return TrainingStep(
                    name: String(parts[0]), inputs: sides[0].split(separator: " ").map(String.init),
                    outputs: sides[1].split(separator: " ").map(String.init), template: template)
            }, holdout: holdout)
    }

    @Test(arguments: cases) func whatIsComparedFollowsFromTheGraph(_ example: Case) throws {
        let comparison = try #require(HoldoutComparison(Self.spec(example.steps)))
        #expect(comparison.artifacts.map { $0.name + ($0.isSource ? "*" : "") } == example.artifacts)
        #expect(comparison.needs.map { "\($0.step): \($0.artifacts.joined(separator: " "))" } == example.needs)
        #expect(comparison.problem == example.problem)
    }

    @Test func withoutAHoldoutThereIsNothingToCompare() {
        #expect(HoldoutComparison(Self.spec(["train: > model"], holdout: nil)) == nil)
    }

    @Test func aRequestIsWholeWhenAllIsMade() throws {
        let comparison = try #require(HoldoutComparison(Self.spec(Self.cases[0].steps)))
        func made(_ names: String...) -> [SealedArtifact] {
            names.map { SealedArtifact(name: $0, digest: "sha256:\($0)", size: 1) }
        }
        #expect(OverlapRequest(comparison, holdout: "holdout", made: made("rows", "holdout")) == nil)
        #expect(OverlapRequest(comparison, holdout: "holdout", made: made("rows", "features")) == nil)
        let request = try #require(
            OverlapRequest(comparison, holdout: "holdout", made: made("features", "holdout", "rows")))
        #expect(request.training.map(\.digest) == ["sha256:rows", "sha256:features"])
        #expect(request.needs.map(\.artifacts) == [[0], [0, 1], [0, 1]])
        #expect(try OverlapRequest(json: JSONCursor(request.json)) == request)
        var broken = request.json
        broken["needs"] = [["step": "train", "of": [2]]]
        #expect(throws: JSONShapeError.self) { try OverlapRequest(json: JSONCursor(broken)) }
    }
}
