import AssayCore
import JSON
import Testing

@Suite struct MetricsReadingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        /// `name split value`
        var metrics: [String]
        /// A part of the message; nil when there is none.
        var message: String?
        var testDescription: String { String(text.prefix(60)) }

        init(_ text: String, _ metrics: [String], _ message: String? = nil) {
            self.text = text
            self.metrics = metrics
            self.message = message
        }
    }

    static let cases = [
        Case(#"{"accuracy": 0.97}"#, ["accuracy holdout 0.97"]),
        Case(#"{"loss": "-7.5e-05"}"#, ["loss holdout -7.5e-05"]),
        Case(#"{"loss": -7.5e-05}"#, ["loss holdout -7.5e-05"]),
        Case(#"  {"n": 3}  "#, ["n holdout 3"]),
        Case(#"{"loss": NaN, "accuracy": 0.9}"#, ["accuracy holdout 0.9", "loss holdout NaN"]),
        Case(
            #"{"a": Infinity, "b": -Infinity, "c": "inf"}"#,
            [
                "a holdout Infinity", "b holdout -Infinity", "c holdout Infinity",
            ]),
        Case(#"{"a": 1e999, "b": 0.5}"#, ["a holdout Infinity", "b holdout 0.5"]),
        Case(#"{"a": "nan"}"#, ["a holdout NaN"]),
        Case(
            #"{"a": "0x1p4", "b": "high", "c": "", "d": null, "e": [1], "f": {"g": 1}, "h": true}"#,
            [
                "a holdout 0x1p4", "b holdout high", "c holdout ", "d holdout null", "e holdout array",
                "f holdout object",
                "h holdout true",
            ]),
        Case(
            #"{"metrics": [{"name": "auc", "value": 0.8, "split": "train", "samples": 100}, {"name": "auc", "value": "0.7"}]}"#,
            ["auc train 0.8", "auc holdout 0.7"]),
        Case(
            #"{"metrics": [{"value": 1}, {"name": "b", "value": 2, "split": "test"}, {"name": "c"}]}"#,
            [
                "c holdout null"
            ], "metrics[0] has no name; metrics[1].split is none of"),
        Case(#"{"metrics": [{"name": "a", "value": 1}, {"name": "a", "value": 2}]}"#, ["a holdout 1 and 2"], "twice"),
        Case(#"{"metrics": [{"name": "a", "value": 1}, {"name": "a", "value": 1.0}]}"#, ["a holdout 1"]),
        Case(#"{"accuracy": 0.97, "f1"#, [], "cut off after"),
        Case(#"{"accuracy": 0.9"#, [], "cut off"),
        Case("", [], "wrote nothing"),
        Case("Traceback (most recent call last)", [], "no JSON object"),
        Case(#"[0.97]"#, [], "no JSON object"),
        Case(#"{"a" 1}"#, [], "broken JSON"),
        Case(#"{"a b": 1, "ok": 2}"#, ["ok holdout 2"], "name"),
        Case(#"{"quote\" 1": "x", "ok": 2}"#, ["ok holdout 2"], "name"),
        Case(String(repeating: "{\"a\":", count: 100), [], "broken JSON"),
    ]

    @Test(arguments: cases)
    func readsWhatIsThereAndInventsNothing(_ example: Case) {
        let reading = MetricsReading(terminationMessage: example.text)
        #expect(reading.metrics.map { "\($0.name) \($0.split.rawValue) \($0.value)" } == example.metrics)
        if let part = example.message {
            #expect(reading.message?.contains(part) == true, "\(reading.message ?? "none")")
        } else {
            #expect(reading.message == nil)
        }
    }

    @Test func onlyNumbersAreFinite() {
        for text in ["1", "-0.5", "+2e3", ".5", "1."] {
            guard case .finite = MetricValue(text: text) else {
                Issue.record("\(text) is a number")
                continue
            }
        }
        for text in ["NaN", "nan", "inf", "-Infinity", "1,5", "0x10", "1e999", "", "e", "--1", "١"] {
            if case .finite = MetricValue(text: text) { Issue.record("\(text) is no number") }
        }
    }

    @Test func aValueOfTheStatusReadsBackTheSame() {
        let values: [MetricValue] = [
            .finite(0.1 + 0.2), .finite(-0), .finite(1e300), .finite(3), .notANumber, .infinite(negative: true),
            .infinite(negative: false), .unparsable("high"),
        ]
        for value in values { #expect(MetricValue(text: value.description) == value) }
    }

    @Test func thereAreAtMost64Metrics() {
        let text = "{" + (0..<200).map { "\"m\($0)\": \($0)" }.joined(separator: ",") + "}"
        let reading = MetricsReading(terminationMessage: text)
        #expect(reading.metrics.count == 64)
        #expect(reading.message?.contains("more than 64") == true)
    }

    @Test func noInputIsTooMuch() {
        var state: UInt64 = 42
        for _ in 0..<2000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int(state % 40) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let alphabet = Array(#"{}[]",:\ 019.eE+-NaIty"#.utf8)
                bytes.append(alphabet[Int(state >> 33) % alphabet.count])
            }
            state = state &* 6_364_136_223_846_793_005 &+ 1
            let reading = MetricsReading(terminationMessage: "{" + String(decoding: bytes, as: UTF8.self))
            #expect(reading.metrics.count <= 64)
        }
    }
}
