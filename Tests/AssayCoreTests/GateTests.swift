import AssayCore
import Testing

@Suite struct GateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var rule: Threshold
        var value: MetricValue?
        var baseline: MetricValue?
        var passes: Bool
        var summary: String
        var testDescription: String { name }
    }

    private static func up(_ change: (inout Threshold) -> Void) -> Threshold {
        var rule = Threshold(metric: "accuracy", direction: .maximize)
        change(&rule)
        return rule
    }

    private static func down(_ change: (inout Threshold) -> Void) -> Threshold {
        var rule = Threshold(metric: "loss", direction: .minimize)
        change(&rule)
        return rule
    }

    static let cases: [Case] = [
        .init(
            name: "at the threshold", rule: up { $0.threshold = 0.93 }, value: .finite(0.93), passes: true,
            summary: "accuracy 0.93 ≥ 0.93"),
        .init(
            name: "below the threshold", rule: up { $0.threshold = 0.93 }, value: .finite(0.9299), passes: false,
            summary: "accuracy 0.9299 < 0.93"),
        .init(
            name: "minimize, below", rule: down { $0.threshold = 0.1 }, value: .finite(0.05), passes: true,
            summary: "loss 0.05 ≤ 0.1"),
        .init(
            name: "minimize, above", rule: down { $0.threshold = 0.1 }, value: .finite(0.2), passes: false,
            summary: "loss 0.2 > 0.1"),
        .init(
            name: "missing", rule: up { $0.threshold = 0 }, value: nil, passes: false, summary: "accuracy not reported"),
        .init(
            name: "NaN", rule: up { $0.threshold = 0 }, value: .notANumber, passes: false, summary: "accuracy is NaN"),
        .init(
            name: "NaN to minimize", rule: down { $0.threshold = 1 }, value: .notANumber, passes: false,
            summary: "loss is NaN"),
        .init(
            name: "infinite", rule: up { $0.threshold = 0 }, value: .infinite(negative: false), passes: false,
            summary: "accuracy is Infinity"),
        .init(
            name: "minus infinite, to minimize", rule: down { $0.threshold = 0 }, value: .infinite(negative: true),
            passes: false, summary: "loss is -Infinity"),
        .init(
            name: "garbage", rule: up { $0.threshold = 0 }, value: .unparsable("high"), passes: false,
            summary: "accuracy is high"),
        .init(
            name: "no baseline fails", rule: up { $0.minAbsoluteChange = -1 }, value: .finite(1), passes: false,
            summary: "accuracy 1, no baseline"),
        .init(
            name: "no baseline passes where it says so",
            rule: up {
                $0.minAbsoluteChange = 0.1
                $0.whenNoBaseline = .pass
            }, value: .finite(1), passes: true, summary: "accuracy 1, no baseline"),
        .init(
            name: "a little worse is borne", rule: up { $0.minAbsoluteChange = -0.01 }, value: .finite(0.965),
            baseline: .finite(0.97), passes: true, summary: "accuracy 0.965 vs 0.97, ≥ -0.01"),
        .init(
            name: "as much worse as is borne, to the last digit", rule: up { $0.minAbsoluteChange = -0.005 },
            value: .finite(0.965), baseline: .finite(0.97), passes: true, summary: "accuracy 0.965 vs 0.97, ≥ -0.005"),
        .init(
            name: "too much worse", rule: up { $0.minAbsoluteChange = -0.005 }, value: .finite(0.96),
            baseline: .finite(0.97), passes: false, summary: "accuracy 0.96 vs 0.97, < -0.005"),
        .init(
            name: "minimize: less is better", rule: down { $0.minAbsoluteChange = 0.1 }, value: .finite(0.3),
            baseline: .finite(0.5), passes: true, summary: "loss 0.3 vs 0.5, ≥ +0.1"),
        .init(
            name: "negative baseline, better", rule: up { $0.minRelativeChange = 0.1 }, value: .finite(-0.4),
            baseline: .finite(-0.5), passes: true, summary: "accuracy -0.4 vs -0.5, ≥ +0.1"),
        .init(
            name: "negative baseline, worse", rule: up { $0.minRelativeChange = 0.1 }, value: .finite(-0.9),
            baseline: .finite(-0.5), passes: false, summary: "accuracy -0.9 vs -0.5, < +0.1"),
        .init(
            name: "baseline 0, unchanged", rule: up { $0.minRelativeChange = 0 }, value: .finite(0),
            baseline: .finite(0), passes: true, summary: "accuracy 0 vs 0, ≥ 0"),
        .init(
            name: "baseline 0, better", rule: up { $0.minRelativeChange = 5 }, value: .finite(0.1),
            baseline: .finite(0), passes: true, summary: "accuracy 0.1 vs 0, ≥ +5"),
        .init(
            name: "baseline 0, worse", rule: up { $0.minRelativeChange = -5 }, value: .finite(-0.1),
            baseline: .finite(0), passes: false, summary: "accuracy -0.1 vs 0, < -5"),
        .init(
            name: "baseline NaN", rule: up { $0.minAbsoluteChange = -1 }, value: .finite(1), baseline: .notANumber,
            passes: false, summary: "accuracy 1 vs NaN, < -1"),
    ]

    @Test(arguments: cases)
    func aRuleSays(_ example: Case) {
        let metric = example.rule.metric
        let metrics = example.value.map { [Metric(name: metric, value: $0)] } ?? []
        let baseline = example.baseline.map {
            Gate.Baseline(revision: "wine-1", metrics: [Metric(name: metric, value: $0)])
        }
        let outcome = Gate.judge(metrics, by: .init(thresholds: [example.rule]), baseline: baseline)
        #expect(outcome.passed == example.passes)
        #expect(outcome.summary == example.summary)
        #expect(outcome.verdicts.count == 1)
        #expect(outcome.verdicts.allSatisfy { !$0.why.isEmpty && $0.evidence == .selfReported })
    }

    @Test func anUnknownMetricIsToldWithThoseThatWereReported() {
        let outcome = Gate.judge(
            [Metric(name: "accuracy", value: .finite(1)), Metric(name: "auc", split: .train, value: .finite(1))],
            by: .init(thresholds: [Threshold(metric: "acuracy", direction: .maximize, threshold: 0)]), baseline: nil)
        #expect(!outcome.passed)
        #expect(outcome.verdicts.first?.why.hasSuffix("reported were accuracy (holdout), auc (train)") == true)
    }

    @Test func theSplitCounts() {
        let metrics = [Metric(name: "accuracy", split: .train, value: .finite(1))]
        let holdout = Threshold(metric: "accuracy", direction: .maximize, threshold: 0.5)
        let train = Threshold(metric: "accuracy", direction: .maximize, split: .train, threshold: 0.5)
        #expect(!Gate.judge(metrics, by: .init(thresholds: [holdout]), baseline: nil).passed)
        #expect(Gate.judge(metrics, by: .init(thresholds: [train]), baseline: nil).passed)
    }

    @Test(arguments: [(0.98, 0.95, true), (0.99, 0.9, false), (0.9, 0.95, true)])
    func theGapBetweenTrainAndHoldoutIsBounded(train: Double, holdout: Double, passes: Bool) {
        let metrics = [
            Metric(name: "accuracy", split: .train, value: .finite(train)),
            Metric(name: "accuracy", value: .finite(holdout)),
        ]
        let rule = Threshold(metric: "accuracy", direction: .maximize, maxGeneralizationGap: 0.05)
        #expect(Gate.judge(metrics, by: .init(thresholds: [rule]), baseline: nil).passed == passes)
        #expect(!Gate.judge([metrics[1]], by: .init(thresholds: [rule]), baseline: nil).passed)
    }

    @Test func everyBoundIsARowAndAllMustHold() {
        let rule = Threshold(metric: "accuracy", direction: .maximize, threshold: 0.5, minAbsoluteChange: 0)
        let baseline = Gate.Baseline(revision: "r", metrics: [Metric(name: "accuracy", value: .finite(0.9))])
        let outcome = Gate.judge(
            [Metric(name: "accuracy", value: .finite(0.8))], by: .init(thresholds: [rule]), baseline: baseline)
        #expect(outcome.verdicts.map(\.passed) == [true, false])
        #expect(!outcome.passed)
    }

    @Test func onlyAWrittenOutGateLetsEverythingPass() {
        #expect(Gate.judge([], by: .init(gate: MLModelSpec.Validation.Gate.none), baseline: nil).passed)
        #expect(!Gate.judge([], by: .init(), baseline: nil).passed)
    }

    @Test func selfReportedIsRefusedWhereAttestationIsRequired() {
        let rule = Threshold(metric: "accuracy", direction: .maximize, threshold: 0.5)
        let outcome = Gate.judge(
            [Metric(name: "accuracy", value: .finite(0.8))], by: .init(thresholds: [rule], requireAttested: true),
            baseline: nil)
        #expect(!outcome.passed)
        #expect(outcome.summary == "accuracy 0.8 SelfReported")
    }
}
