import ArgumentParser
import AssayCore
import Files
import JSON
import KubernetesModel
import YAML

/// `assay verify METRICS --model FILE`
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Judges metrics by the gate of an MLModel, as the operator would.",
        discussion: """
            It prints what each rule says that judges what a training has reported, and ends with status 1 where the gate refuses them, and with status 2 where it \
            cannot judge: a file that is not there, or a spec that the operator would refuse.
            """)

    /// It cannot judge.
    private static let undecided = ExitCode(2)

    @Argument(help: "What a training writes to ASSAY_METRICS_FILE; - for standard input.") var metrics: String
    @Option(name: [.customShort("m"), .long], help: "The manifest with the MLModel, in YAML or JSON.") var model: String
    @Option(help: "Which MLModel, where the manifest has several.") var name: String?
    @Option(help: "The metrics of what serves, for rules that compare; nothing serves unless given.") var baseline:
        String?
    @Option(
        help: ArgumentHelp(
            "The step of the training or the evaluation that reports them; unless given, one that reads the holdout, where there is one.",
            valueName: "step"))
    var step: String?
    @Flag(help: "Print the verdicts as JSON.") var json = false

    mutating func run() throws {
        let spec = try spec()
        let reporting = spec.reporting
        let reporter = try reporter(in: reporting)
        func read(_ path: String) throws -> MetricsReading {
            MetricsReading.reading(try text(of: path), of: reporter, in: reporting)
        }
        let reading = try read(metrics)
        let other = try baseline.map { Gate.Baseline(revision: $0, metrics: try read($0).metrics) }
        var rules = spec.validation
        if reporting.holdout != nil || rules.maxOverlap != nil {
            StandardError.say(
                "maxOverlap is judged in a cluster alone, or by assay artifact overlap: it takes the data")
            rules.maxOverlap = nil
        }
        let outcome = Gate.judge(reading.metrics, by: rules, baseline: other)
        if let problem = reading.message { StandardError.say("\(metrics): \(problem)") }
        if json { tellJSON(outcome, spec.validation) } else { tell(outcome, spec.validation) }
        if !outcome.passed { throw ExitCode.failure }
    }

    private func tell(_ outcome: Gate.Outcome, _ validation: MLModelSpec.Validation) {
        let width = outcome.verdicts.map(\.summary.count).max() ?? 0
        for verdict in outcome.verdicts {
            let padding = String(repeating: " ", count: width - verdict.summary.count)
            print("\(verdict.passed ? "passed " : "refused")  \(verdict.summary)\(padding)  \(verdict.why)")
        }
        if validation.needsProof {
            print("open     the candidate is still to be proven: \(validation.proofNames.joined(separator: ", "))")
        }
        if outcome.verdicts.isEmpty, !validation.needsProof {
            print(outcome.passed ? "passed   no gate: everything passes" : "refused  no rule: nothing was proven")
        }
    }

    private func tellJSON(_ outcome: Gate.Outcome, _ validation: MLModelSpec.Validation) {
        var document: JSONValue = [
            "passed": .bool(outcome.passed), "verdicts": JSONValue(outcome.verdicts.map(\.json)),
        ]
        if validation.needsProof { document["open"] = JSONValue(validation.proofNames) }
        print(document.serialized())
    }

    // MARK: Reading

    private func reporter(in training: TrainingJobSpec) throws -> TrainingStep? {
        guard let step else {
            return training.steps.first { step in training.holdout.map(step.inputs.contains) ?? false }
        }
        guard let found = training.steps.first(where: { $0.name == step }) else {
            throw unable("\(model): neither the training nor the evaluation has a step \(step)")
        }
        return found
    }

    private func spec() throws -> MLModelSpec {
        var found: [MLModel] = []
        do {
            for document in try JSONValue.documents(yaml: try text(of: model))
            where document["kind"]?.string == MLModel.resourceType.kind {
                found.append(try MLModel(json: document))
            }
        } catch let error as ExitCode {
            throw error
        } catch {
            throw unable("\(model): \(error)")
        }
        if let name { found = found.filter { $0.metadata.name == name } }
        guard let only = found.first, found.count == 1 else {
            let which = name.map { " of the name \($0)" } ?? ""
            throw unable(
                found.isEmpty
                    ? "\(model): there is no MLModel\(which)"
                    : "\(model): there are \(found.count) MLModels\(which); say which with --name")
        }
        let problems = only.problems
        guard problems.isEmpty, let spec = only.spec.value else {
            for problem in problems { StandardError.say("\(model): \(problem.path): \(problem.message)") }
            throw Self.undecided
        }
        return spec
    }

    private func text(of path: String) throws -> String {
        do {
            let bytes = try FileSystem.contents(path == "-" ? "/dev/stdin" : path)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw unable("\(error)")
        }
    }

    private func unable(_ why: String) -> ExitCode {
        StandardError.say(why)
        return Self.undecided
    }
}

extension MLModelSpec.Validation {
    /// What `assay prove` and the tests say, in a cluster.
    fileprivate var proofNames: [String] {
        let names = [golden.map { _ in "golden" }, malformedInput.map { _ in "malformedInput" }].compactMap(\.self)
        let measured = candidateThresholds.map(\.metric)
        return names + tests.map { "test \($0.name)" } + measured
    }
}
