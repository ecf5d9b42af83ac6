/// The second half of the gate: what the candidate's own server has shown. It fails closed too: what was not tried, or was not
/// told, has not passed.
extension Gate {
    /// How a test of the user's has ended.
    public struct TestResult: Sendable, Hashable {
        public var name: String
        public var passed: Bool
        public var why: String

        public init(name: String, passed: Bool, why: String) {
            self.name = name
            self.passed = passed
            self.why = why
        }
    }

    /// - Parameters:
    ///   - report: what `assay prove` found; nil where it was not asked.
    ///   - tests: in the order of the spec, those that have run.
    ///   - baseline: what was measured on the revision that serves, when it was a candidate.
    public static func judge(
        candidate report: ProofReport?, tests: [TestResult], by validation: MLModelSpec.Validation, baseline: Baseline?
    ) -> [Verdict] {
        var verdicts: [Verdict] = []
        if let golden = validation.golden {
            verdicts.append(
                verdict("golden", "within \(Number.exact(golden.allowed))", report?.golden, "answered as recorded"))
        }
        if validation.malformedInput == .reject {
            verdicts.append(verdict("malformedInput", "refused by 4xx", report?.malformedInput, "refused"))
        }
        for test in validation.tests {
            let result = tests.first { $0.name == test.name }
            verdicts.append(
                Verdict(
                    metric: "test \(test.name)", rule: Verdict.shown, split: nil,
                    value: result.map { $0.passed ? "passed" : "failed" }, bound: "passes", evidence: .candidate,
                    passed: result?.passed == true, why: result?.why ?? "it was not run, for something else had failed")
            )
        }
        let measured = Proof.reported(report?.measurements ?? [])
        for threshold in validation.candidateThresholds {
            for rule in threshold.rules {
                verdicts.append(judge(rule, of: threshold, metrics: measured, baseline: baseline))
            }
        }
        return verdicts
    }

    private static func verdict(
        _ name: String, _ bound: String, _ part: ProofReport.Part?, _ wanted: String
    ) -> Verdict {
        var result = Verdict(
            metric: name, rule: Verdict.shown, split: nil, value: nil, bound: bound, evidence: .candidate,
            passed: part?.passed == true, why: "it was not tried, for something else had failed")
        if let part {
            let good = part.tried - part.failed
            result.value = "\(good) of \(part.tried) \(wanted)"
            result.why =
                part.message
                ?? (part.tried == 0 ? "there was nothing to try" : "\(good) of \(part.tried) were \(wanted)")
        }
        return result
    }
}
