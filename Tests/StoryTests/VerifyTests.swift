import FoundationEssentials
import JSON
import Subprocess
import TestCluster
import Testing

/// `assay verify` as a person or a pipeline uses it.
@Suite struct VerifyTests {
    private static let model = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: ml}
        ---
        apiVersion: assay.dev/v1alpha1
        kind: MLModel
        metadata: {name: wine}
        spec:
          training:
            template:
              spec:
                template: {spec: {containers: [{name: train, image: "registry.local/wine:1"}]}}
          validation:
            thresholds:
            - {metric: accuracy, direction: Maximize, threshold: 0.93}
            - {metric: accuracy, direction: Maximize, minAbsoluteChange: -0.005, whenNoBaseline: Pass}
          serving:
            port: 8080
            template: {spec: {containers: [{name: server, image: "registry.local/wine:1"}]}}
        """

    private static func verify(
        _ metrics: String, model: String = model, baseline: String? = nil, _ more: [String] = []
    ) async throws -> (status: TerminationStatus, output: String, error: String) {
        let program = try #require(ProgramUnderTest.assay)
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        var arguments = [program, "verify", "-", "--model", "wine.yaml"] + more
        try model.write(toFile: "\(directory.path)/wine.yaml", atomically: false, encoding: .utf8)
        if let baseline {
            try baseline.write(toFile: "\(directory.path)/before.json", atomically: false, encoding: .utf8)
            arguments += ["--baseline", "before.json"]
        }
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments(["-C", directory.path] + arguments), input: .string(metrics),
            output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        return (result.terminationStatus, result.standardOutput, result.standardError)
    }

    @Test func whatPassesEndsWithZero() async throws {
        let answer = try await Self.verify(#"{"accuracy": 0.965}"#, baseline: #"{"accuracy": 0.97}"#)
        #expect(answer.status == .exited(0), "\(answer.error)")
        #expect(
            answer.output
                == """
                passed   accuracy 0.965 ≥ 0.93           0.965 is ≥ 0.93
                passed   accuracy 0.965 vs 0.97, ≥ -0.005  0.965 against 0.97 of before.json is a change by -0.005, which is ≥ -0.005

                """.replacing("≥ 0.93           0", with: "≥ 0.93             0"))
    }

    @Test(arguments: [
        (#"{"accuracy": 0.9}"#, "refused  accuracy 0.9 < 0.93"),
        (#"{"accuracy": NaN}"#, "the value is not a number (NaN)"),
        (#"{"f1": 0.99}"#, "accuracy was not reported for the split holdout; reported were f1 (holdout)"),
        ("", "no metric was"),
    ])
    func whatDoesNotEndsWithOne(_ metrics: String, _ words: String) async throws {
        let answer = try await Self.verify(metrics)
        #expect(answer.status == .exited(1))
        #expect(answer.output.contains(words), "\(answer.output)")
    }

    @Test func verdictsAreThoseOfTheStatus() async throws {
        let answer = try await Self.verify(#"{"accuracy": 0.9}"#, baseline: nil, ["--json"])
        let document = try JSONValue(parsing: answer.output)
        #expect(answer.status == .exited(1) && document["passed"] == false)
        #expect(document["verdicts"]?[0]?["rule"] == "threshold")
        #expect(document["verdicts"]?[1]?["passed"] == true)
    }

    /// What only a server can show is not passed in silence.
    @Test func whatACandidateHasStillToShowIsTold() async throws {
        let test = "tests: [{name: logic, template: {spec: {containers: [{name: main, image: a}]}}}]"
        let model = Self.model.replacing("validation:\n", with: "validation:\n    \(test)\n")
        let words = try await Self.verify(#"{"accuracy": 0.97}"#, model: model)
        #expect(words.output.contains("open     the candidate is still to be proven: test logic"), "\(words.output)")
        let answer = try await Self.verify(#"{"accuracy": 0.97}"#, model: model, ["--json"])
        #expect(try JSONValue(parsing: answer.output)["open"] == ["test logic"])
    }

    /// There is room for so much, and a cluster would not have read the rest.
    @Test func whatAClusterWouldCutIsNotRead() async throws {
        let long = #"{"note": "\#(String(repeating: "x", count: 5000))", "accuracy": 0.97}"#
        let answer = try await Self.verify(long)
        #expect(answer.status == .exited(1) && answer.error.contains("cut off after 4096 bytes"), "\(answer.error)")
    }

    /// Who reports it says what of it is measured on the holdout.
    @Test(arguments: [("evaluate", 0), ("train", 1), (nil, 0), ("other", 2)] as [(String?, Int32)])
    func whatIsAttestedDependsOnTheStep(_ step: String?, _ status: Int32) async throws {
        let template = "template: {spec: {containers: [{name: main, image: \"registry.local/wine:1\"}]}}"
        let model = Self.model.replacing("validation:\n", with: "validation:\n    requireAttested: true\n").replacing(
            "template: {spec: {containers: [{name: train, image: \"registry.local/wine:1\"}]}}",
            with: """
                holdout: holdout
                        artifactStore: {uri: pvc://models}
                        steps:
                        - {name: train, outputs: [model, holdout], \(template)}
                        - {name: evaluate, inputs: [model, holdout], \(template)}
                """)
        let more = step.map { ["--step", $0] } ?? []
        let answer = try await Self.verify(#"{"accuracy": 0.97}"#, model: model, baseline: nil, more)
        #expect(answer.status == .exited(status), "\(answer.output)\(answer.error)")
    }

    /// What was made elsewhere is judged by what the evaluation says of it.
    @Test(arguments: [(nil, 0), ("collect", 1), ("other", 2)] as [(String?, Int32)])
    func theEvaluationReports(_ step: String?, _ status: Int32) async throws {
        let template = "template: {spec: {containers: [{name: main, image: \"registry.local/wine:1\"}]}}"
        let training = """
            training:
                template:
                  spec:
                    template: {spec: {containers: [{name: train, image: "registry.local/wine:1"}]}}
            """
        let model = Self.model.replacing(
            training,
            with: """
                artifact: {uri: "oci://registry.local/wine@sha256:\(String(repeating: "ab12", count: 16))"}
                  evaluation:
                    holdout: holdout
                    steps:
                    - {name: collect, outputs: [holdout], \(template)}
                    - {name: measure, inputs: [model, holdout], \(template)}
                """
        ).replacing("port: 8080\n", with: "port: 8080\n    allowUnpinned: true\n")
        #expect(model != Self.model)
        let more = step.map { ["--step", $0] } ?? []
        let answer = try await Self.verify(#"{"accuracy": 0.97}"#, model: model, baseline: nil, more)
        #expect(answer.status == .exited(status), "\(answer.output)\(answer.error)")
    }

    @Test(arguments: [
        (
            model.replacing("threshold: 0.93", with: "threshold: high"),
            "wine.yaml: spec.validation.thresholds[0].threshold"
        ),
        (model.replacing("kind: MLModel", with: "kind: Other"), "wine.yaml: there is no MLModel"),
        (model + "\n---\n" + model, "there are 2 MLModels; say which with --name"),
        ("a: [", "wine.yaml: "),
    ])
    func whatCannotBeJudgedEndsWithTwo(_ model: String, _ words: String) async throws {
        let answer = try await Self.verify(#"{"accuracy": 0.99}"#, model: model)
        #expect(answer.status == .exited(2))
        #expect(answer.error.contains(words) && answer.output.isEmpty, "\(answer.error)")
    }
}
