import AssayCore
import FuzzProperties
import JSON
import Subprocess
import Testing

/// The gate against somebody else's word for it, at its very bounds and beyond.
@Suite struct GateOracleTests {
    private static let count = 20_000

    /// Cases that lie on a bound as often as beside it.
    private struct Generator {
        var random: SplitMix

        mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

        /// A number with a few digits, as an integer and a power of ten.
        private mutating func coefficient() -> Int { Int.random(in: -999...999, using: &random) }

        static func text(_ coefficient: Int, _ places: Int) -> String {
            guard places > 0 else { return "\(coefficient)" + String(repeating: "0", count: -places) }
            let digits = String(abs(coefficient))
            let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
            return (coefficient < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
        }

        private static let odd = [
            "NaN", "nan", "-NaN", "Infinity", "-inf", "1e999", "-1e999", "", " ", "high", "0x1p4", "1_000", "0.9 7",
            "1,5",
            "true", "null", "--1", "1e", "e5", "NaN1", "٣",
        ]
        private static let fine = ["+0.5", ".5", "5.", "-7.5e-05", "1E3", " 0.25\n", "-0", "1e300", "-4e-300"]

        private mutating func metric(_ name: String, _ split: Split, _ text: String) -> JSONValue {
            var text = text
            switch roll(12) {
            case 0: text = Self.odd[roll(Self.odd.count)]
            case 1: text = Self.fine[roll(Self.fine.count)]
            default: break
            }
            return ["name": .string(name), "split": .string(split.rawValue), "value": .string(text)]
        }

        /// A case in which most values lie on a bound of the first threshold, or one unit in the last place from it.
        mutating func next() -> JSONValue {
            let places = roll(5)
            let (reference, bound) = (coefficient(), coefficient())
            let beside = roll(3) - 1
            let isMaximized = roll(2) == 0
            // Better than the reference by the bound, as a number or as a part.
            let isRelative = roll(2) == 0
            let step = isMaximized ? bound : -bound
            let value = isRelative ? reference * 1000 + step * abs(reference) : reference + step
            let valuePlaces = isRelative ? places + 3 : places
            let boundText = Self.text(bound, isRelative ? 3 : places)
            var thresholds: [JSONValue] = []
            for index in 0..<[1, 1, 2, 0][roll(4)] + (roll(30) == 0 ? 0 : 1) {
                var threshold: JSONValue = [
                    "metric": .string(index == 0 ? "a" : "b"), "direction": isMaximized ? "Maximize" : "Minimize",
                ]
                if roll(3) == 0 { threshold["split"] = .string(Split.allCases[roll(3)].rawValue) }
                if roll(2) == 0 { threshold["whenNoBaseline"] = roll(2) == 0 ? "Pass" : "Fail" }
                for (place, name) in [
                    "threshold", "minAbsoluteChange", "minRelativeChange", "maxGeneralizationGap",
                ].enumerated() where roll(2) == 0 || place == (isRelative ? 2 : 1) {
                    threshold[.init(name)] = .string(
                        place == 0 ? Self.text(value + beside, valuePlaces) : boundText)
                }
                thresholds.append(threshold)
            }
            var metrics: [JSONValue] = []
            var before: [JSONValue] = []
            for name in ["a", "b"] {
                for split in Split.allCases where roll(8) != 0 {
                    metrics.append(metric(name, split, Self.text(value + beside, valuePlaces)))
                    before.append(metric(name, split, Self.text(reference, places)))
                }
            }
            var result: JSONValue = ["thresholds": .array(thresholds), "metrics": .array(metrics)]
            if roll(4) != 0 { result["baseline"] = .array(before) }
            if roll(20) == 0 { result["requireAttested"] = true }
            if roll(20) == 0 { result["gate"] = "None" }
            return result
        }
    }

    private static func metrics(_ json: JSONValue?) throws -> [Metric]? {
        try json?.array.map { try $0.map { try Metric(json: JSONCursor($0)) } }
    }

    private static func judge(_ example: JSONValue) throws -> Gate.Outcome {
        var spec = example
        // A spec has numbers, not texts.
        spec["thresholds"] = .array(
            try (example["thresholds"]?.array ?? []).map { threshold in
                var result = threshold
                for (name, value) in threshold.object ?? [:] {
                    guard let number = value.string.flatMap(Double.init) else { continue }
                    result[.init(name)] = try JSONValue(parsing: number.description)
                }
                return result
            })
        let validation = try MLModelSpec.Validation(json: JSONCursor(spec))
        let baseline = try metrics(example["baseline"]).map { Gate.Baseline(revision: "wine-1", metrics: $0) }
        return Gate.judge(try metrics(example["metrics"]) ?? [], by: validation, baseline: baseline)
    }

    @Test func theGateSaysWhatAnOracleSays() async throws {
        var generator = Generator(random: SplitMix(seed: 20_261_129))
        let cases = (0..<Self.count).map { _ in generator.next() }
        let script = String(#filePath.dropLast("GateOracleTests.swift".count)) + "gate_oracle.py"
        let answer = try await Subprocess.run(
            .name("env"), arguments: ["/usr/bin/python3", script],
            input: .string(cases.map { $0.serialized() + "\n" }.joined()), output: .string(limit: 1 << 24),
            error: .string(limit: 1 << 16))
        #expect(answer.standardError.isEmpty)
        let lines = answer.standardOutput.split(separator: "\n")
        try #require(lines.count == cases.count)
        var (passed, rows) = (0, 0)
        for (example, line) in zip(cases, lines) {
            let expected = try JSONValue(parsing: String(line))
            let outcome = try Self.judge(example)
            let said: JSONValue = [
                "passed": .bool(outcome.passed), "rows": JSONValue(outcome.verdicts.map { JSONValue.bool($0.passed) }),
            ]
            #expect(said == expected, "\(example.serialized()): \(outcome.verdicts.map(\.why))")
            passed += outcome.passed ? 1 : 0
            rows += outcome.verdicts.count { $0.passed }
        }
        // Both answers are common, so that neither is right by chance.
        #expect(passed > Self.count / 10 && passed < Self.count * 9 / 10, "\(passed)")
        #expect(rows > Self.count / 2, "\(rows)")
    }
}
