import FuzzProperties
import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What is counted of a canary, and what the counts say.
@Suite struct CanaryMeasureTests {
    private static let start = Timestamp(seconds: 1_800_000_000)

    private static func load(_ requests: Int, errors: Int = 0, seconds: Double = 0.02) -> RevisionLoad {
        var load = RevisionLoad()
        for index in 0..<requests { load.count(isError: index < errors, seconds: seconds) }
        return load
    }

    private static func report(_ requests: Int, errors: Int = 0, generation: Int64 = 2) -> GatewayLoad.Model {
        GatewayLoad.Model(generation: generation, revisions: ["wine-2": load(requests, errors: errors)])
    }

    private static func count(before: [String: GatewayLoad.Model] = [:]) -> CanaryCount {
        var rollout = RolloutStatus(revision: "wine-2", state: .progressing, step: 1, since: start)
        rollout.startTime = start
        return CanaryCount(of: rollout, before: before)
    }

    private static let none = GatewayLoad.Model(generation: 1)

    // MARK: Quantiles

    /// Against the quantile of the values themselves.
    @Test func aQuantileIsTheBoundOfTheBucketThatTheValueIsIn() {
        var dice = SplitMix(seed: 7)
        for _ in 0..<300 {
            let values = (0..<Int.random(in: 1..<200, using: &dice)).map { _ in
                Double.random(in: 0.0001..<80, using: &dice)
            }
            var load = RevisionLoad()
            for value in values { load.count(isError: false, seconds: value) }
            for part in [0.01, 0.5, 0.9, 0.99, 1] {
                let rank = max(1, Int((part * Double(values.count)).rounded(.up)))
                let exact = values.sorted()[rank - 1]
                let expected = RevisionLoad.latencyBounds.first { exact <= $0 } ?? .infinity
                #expect(load.latency(part) == expected)
            }
        }
    }

    @Test func whatTookLongerThanAllBoundsIsBeyondThem() {
        #expect(Self.load(3, seconds: 61).latency(0.99) == .infinity)
        #expect(Self.load(3, seconds: 60).latency(0.99) == 60)
        #expect(RevisionLoad().latency(0.99) == nil && RevisionLoad().errorRate() == nil)
    }

    @Test func requestsThatAreMissingCountAsGoodOnes() {
        let slow = Self.load(2, seconds: 1)
        #expect(slow.latency(0.99) == 1)
        #expect(slow.latency(0.99, ofAtLeast: 100) == 1, "two of a hundred are more than one part of it")
        #expect(Self.load(1, seconds: 1).latency(0.99, ofAtLeast: 100) == 0.001)
        #expect(Self.load(1, errors: 1).errorRate(ofAtLeast: 100) == 0.01)
    }

    @Test func whatIsNoCountIsNotRead() throws {
        let good = Self.load(3, errors: 1)
        #expect(RevisionLoad(json: good.json) == good)
        for (field, value) in [
            ("requests", -1), ("requests", 1), ("errors", 4), ("latencies", [1, 2]), ("requests", .integer(.max)),
            ("latencies", .array(.init(repeating: "x", count: 16))),
        ] as [(String, JSONValue)] {
            var json = good.json
            json[field] = value
            #expect(RevisionLoad(json: json) == nil, "\(field) \(value)")
        }
        let load = GatewayLoad(time: 1, models: [ObjectKey(namespace: "ml", name: "wine"): Self.report(3)])
        #expect(try GatewayLoad(json: JSONCursor(load.json)) == load)
    }

    // MARK: Counting

    @Test func whatAllGatewaysHadSinceItBeganIsCounted() {
        var count = Self.count(before: ["a": Self.none, "b": Self.none])
        count.add(["a": Self.report(3), "b": Self.report(5, errors: 1)], of: ["a", "b"], step: 1, generation: 2)
        #expect(count.isComplete && count.total.requests == 8 && count.total.errors == 1)
        count.add(["a": Self.report(4), "b": Self.report(5, errors: 1)], of: ["a", "b"], step: 2, generation: 2)
        #expect(count.total.requests == 9 && count.inStep.requests == 1 && count.inStep.errors == 0)
    }

    @Test func whoBeginsToListenCountsFromThenOn() {
        var count = Self.count()
        count.add(["a": Self.report(300, errors: 200)], of: ["a", "b"], step: 1, generation: 2)
        #expect(count.total.requests == 0 && !count.isComplete)
        count.add(["a": Self.report(301, errors: 200), "b": Self.report(90)], of: ["a", "b"], step: 1, generation: 2)
        #expect(count.total.requests == 1, "nobody knows since when the second has counted")
        count.add(
            ["a": Self.report(301, errors: 200), "b": Self.report(91), "c": Self.report(7)], of: ["a", "b", "c"],
            step: 1,
            generation: 2)
        #expect(count.total.requests == 9, "the third is new")
    }

    @Test func aSilentGatewayLeavesAGapThatItsNextAnswerFills() {
        var count = Self.count(before: ["a": Self.none, "b": Self.none])
        count.add(["a": Self.report(100), "b": Self.report(1)], of: ["a", "b"], step: 1, generation: 2)
        count.add(["a": Self.report(200)], of: ["a", "b"], step: 1, generation: 2)
        #expect(!count.isComplete && count.inStep.requests == 200 + 1)
        count.add(["a": Self.report(200), "b": Self.report(9, errors: 8)], of: ["a", "b"], step: 1, generation: 2)
        #expect(count.isComplete && count.inStep.errors == 8)
        count.add([:], of: [], step: 1, generation: 2)
        #expect(!count.isComplete, "no gateway is no measurement")
    }

    @Test func aGatewayThatHasBegunAnewTakesTheStepsCountWithIt() {
        var count = Self.count(before: ["a": Self.none])
        count.add(["a": Self.report(500, errors: 4)], of: ["a"], step: 1, generation: 2)
        count.add(["a": Self.report(2)], of: ["a"], step: 1, generation: 2)
        #expect(count.inStep.requests == 2, "what it had since it was heard last is lost")
        #expect(count.total.errors == 4)
    }

    @Test func aGatewayThatCountsNoRevisionsHasNotSaidThatThereWereNoErrors() {
        var count = Self.count(before: ["a": Self.none, "b": Self.none])
        let old = GatewayLoad.Model(generation: 2, requests: 900)
        count.add(["a": Self.report(100), "b": old], of: ["a", "b"], step: 1, generation: 2)
        #expect(!count.isComplete && count.total.requests == 100)
    }

    @Test func aGatewayThatRoutesByOldTrafficHasMeasuredNothingYet() {
        var count = Self.count(before: ["a": Self.none])
        count.add(["a": Self.report(0, generation: 1)], of: ["a"], step: 1, generation: 2)
        #expect(!count.isComplete)
    }

    // MARK: The verdict

    @Test func aBadStepIsNotHiddenByGoodOnesBefore() {
        let rules = RolloutSpec.Analysis(maxErrorRate: 0.01)
        var count = Self.count(before: ["a": Self.none])
        count.add(["a": Self.report(100_000)], of: ["a"], step: 1, generation: 2)
        #expect(CanaryAnalysis(count, by: rules) == .passed)
        count.add(["a": Self.report(100_100, errors: 50)], of: ["a"], step: 2, generation: 2)
        #expect(
            CanaryAnalysis(count, by: rules) == .violated("50 of 100 requests failed (maxErrorRate 0.01)"))
        #expect(CanaryAnalysis(nil, by: rules) == .waiting("nothing was measured yet"))
    }

    @Test(
        arguments: [
            ([:], "spec.serving.rollout.steps: is required"),
            (
                ["steps": [["weight": 0, "pause": "1m"]]],
                "spec.serving.rollout.steps[0].weight: must be between 1 and 99"
            ),
            (
                ["steps": [["weight": 10, "pause": "1m"], ["weight": 10, "pause": "1m"]]],
                "spec.serving.rollout.steps[1].weight: must be more than that of the step before"
            ),
            (
                ["steps": [["weight": 1, "pause": "soon"]]],
                "spec.serving.rollout.steps[0].pause: \"soon\" is no duration"
            ),
            (
                ["steps": [["weight": 1, "pause": "169h"]]],
                "spec.serving.rollout.steps[0].pause: \"169h\" is no duration"
            ),
            (
                ["steps": [["weight": 1, "pause": "1m"]], "analysis": [:]],
                "spec.serving.rollout.analysis: has no bound"
            ),
            (
                ["steps": [["weight": 1, "pause": "1m"]], "analysis": ["maxErrorRate": 1.5]],
                "spec.serving.rollout.analysis.maxErrorRate: must be from 0 to 1"
            ),
            (
                ["steps": [["weight": 1, "pause": "1m"]], "analysis": ["maxLatencyP99": "2h"]],
                "spec.serving.rollout.analysis.maxLatencyP99: \"2h\" is no duration from 1ms to 60s"
            ),
            (
                ["steps": [["weight": 1, "pause": "1m"]], "analysis": ["maxErrorRate": 0, "minRequests": 0]],
                "spec.serving.rollout.analysis.minRequests: must be between 1 and 1000000"
            ),
            (
                ["steps": [["weight": 1, "pause": "1m"]], "progressDeadline": "0s"],
                "spec.serving.rollout.progressDeadline: \"0s\" is no duration"
            ),
        ] as [(JSONValue, String)])
    func aMistakeIsNamed(_ rules: JSONValue, _ words: String) throws {
        let model = try Sample.model { $0["spec", "serving", "rollout"] = rules }
        let problems = try MLModel(json: model).problems.map { "\($0.path): \($0.message)" }
        #expect(problems.contains { $0.hasPrefix(words) }, "\(problems)")
    }

    @Test func whatNeedsTheGatewayOrTwoAtOnceSaysSo() throws {
        let rollout: JSONValue = ["steps": [["weight": 1, "pause": "1m"]]]
        func problems(_ change: (inout JSONValue) -> Void) throws -> [String] {
            try MLModel(json: try Sample.model(change)).problems.map(\.path)
        }
        #expect(try problems { $0["spec", "serving", "rollout"] = rollout } == [])
        for (field, value) in [("gateway", false), ("surge", 0)] as [(String, JSONValue)] {
            let found = try problems {
                $0["spec", "serving", "rollout"] = rollout
                $0["spec", "serving", field] = value
            }
            #expect(found == ["spec.serving.rollout"])
        }
        let found = try problems {
            $0["spec", "serving", "gateway"] = false
            $0["spec", "serving", "scaleDownDelay"] = "1m"
        }
        #expect(found == ["spec.serving.scaleDownDelay"])
    }
}
