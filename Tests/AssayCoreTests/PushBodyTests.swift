import JSON
import Testing

@testable import AssayCore

/// A push is taken whole, or refused with the fields that are wrong.
@Suite struct PushBodyTests {
    struct Good: Sendable, CustomTestStringConvertible {
        var text: String
        var body: PushBody
        var testDescription: String { text }
    }

    static let good: [Good] = [
        .init(text: #"{"accuracy": 0.9}"#, body: .init(metrics: [Metric(name: "accuracy", value: .finite(0.9))])),
        .init(text: #"{"progressPercentage": 40}"#, body: .init(percentage: 40)),
        .init(text: #"{"progressPercentage": 0}"#, body: .init(percentage: 0)),
        .init(text: #"{"progressPercentage": 100, "metrics": null}"#, body: .init(percentage: 100)),
        .init(text: #"{"estimatedRemainingSeconds": 7200}"#, body: .init(remainingSeconds: 7200)),
        .init(
            text: #"{"progressPercentage": null, "estimatedRemainingSeconds": 1}"#, body: .init(remainingSeconds: 1)),
        .init(
            text:
                #" {"metrics": [{"name": "loss", "value": NaN, "split": "train"}, {"name": "loss", "value": 1e999}]} "#,
            body: .init(metrics: [
                Metric(name: "loss", split: .train, value: .notANumber),
                Metric(name: "loss", value: .infinite(negative: false)),
            ])),
        .init(
            text: #"{"metrics": [{"name": "loss", "value": "-Infinity", "split": null}]}"#,
            body: .init(metrics: [Metric(name: "loss", value: .infinite(negative: true))])),
        .init(
            text:
                #"{"progressPercentage": 5, "metrics": [{"name": "a/b.c-d_e", "value": -1.5e-3, "split": "selection"}]}"#,
            body: .init(
                percentage: 5, metrics: [Metric(name: "a/b.c-d_e", split: .selection, value: .finite(-0.0015))])),
    ]

    @Test(arguments: good) func whatIsWellFormedIsTaken(_ good: Good) throws {
        #expect(try PushBody.read(Array(good.text.utf8)) == good.body)
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var text: String
        var fields: [String]
        var words: String
        var testDescription: String { text }

        init(_ text: String, _ fields: [String], _ words: String) {
            self.text = text
            self.fields = fields
            self.words = words
        }
    }

    static let bad: [Bad] = [
        .init("", ["body"], "no JSON"),
        .init("{", ["body"], "no JSON"),
        .init("[1]", ["body"], "must be a JSON object"),
        .init("7", ["body"], "no JSON"),
        .init("{}", ["body"], "says nothing"),
        .init(#"{"metrics": []}"#, ["body"], "says nothing"),
        .init(#"{"progressPercentage": 101}"#, ["progressPercentage"], "whole number from 0 to 100"),
        .init(#"{"progressPercentage": -1}"#, ["progressPercentage"], "whole number"),
        .init(#"{"progressPercentage": 4.5}"#, ["progressPercentage"], "whole number"),
        .init(#"{"progressPercentage": [4]}"#, ["progressPercentage"], "whole number"),
        .init(#"{"estimatedRemainingSeconds": 1e3}"#, ["estimatedRemainingSeconds"], "whole number"),
        .init(#"{"estimatedRemainingSeconds": 99999999999999999999}"#, ["estimatedRemainingSeconds"], "whole number"),
        .init(#"{"progressPercentage": 1, "accuracy": 1}"#, ["accuracy"], "not known"),
        .init(#"{"metrics": {"accuracy": 1}}"#, ["metrics"], "must be a list"),
        .init(#"{"metrics": [1]}"#, ["metrics[0]"], "must be an object"),
        .init(#"{"metrics": [{"value": 1}]}"#, ["metrics[0].name"], "is required"),
        .init(#"{"metrics": [{"name": "a"}]}"#, ["metrics[0].value"], "is required"),
        .init(#"{"metrics": [{"name": "a b", "value": 1}]}"#, ["metrics[0].name"], "a metric's name"),
        .init(#"{"metrics": [{"name": "", "value": 1}]}"#, ["metrics[0].name"], "a metric's name"),
        .init(#"{"metrics": [{"name": "a", "value": "high"}]}"#, ["metrics[0].value"], "must be a number"),
        .init(#"{"metrics": [{"name": "a", "value": true}]}"#, ["metrics[0].value"], "must be a number"),
        .init(#"{"metrics": [{"name": "a", "value": {"b": 1}}]}"#, ["metrics[0].value"], "must be a number"),
        .init(#"{"metrics": [{"name": "a", "value": 1, "split": "test"}]}"#, ["metrics[0].split"], "must be train"),
        .init(#"{"metrics": [{"name": "a", "value": 1, "unit": "s"}]}"#, ["metrics[0].unit"], "not known"),
        .init(
            #"{"metrics": [{"name": "a", "value": 1}, {"name": "a", "value": 1}]}"#, ["metrics[1].name"],
            "is there twice"),
        .init(#"{"accuracy": "high", "loss": null}"#, ["accuracy", "loss"], "must be a number"),
        .init(#"{"a b": 1}"#, ["body"], "a metric's name"),
        .init(
            #"{"progressPercentage": 200, "metrics": [{"name": "a", "value": "x"}]}"#,
            ["progressPercentage", "metrics[0].value"], "must be a number"),
    ]

    @Test(arguments: bad) func whatIsNotSaysWhichFieldsAreWrong(_ bad: Bad) {
        #expect {
            _ = try PushBody.read(Array(bad.text.utf8))
        } throws: { error in
            guard case .invalid(let problems) = error as? PushRefusal else { return false }
            return problems.map(\.path).sorted() == bad.fields.sorted()
                && problems.contains { $0.message.contains(bad.words) }
        }
    }

    @Test func sizeAndCountAreBounded() throws {
        let padding = String(repeating: " ", count: PushBody.longest)
        #expect(throws: PushRefusal.tooLarge) { _ = try PushBody.read(Array(#"{"a": 1}\#(padding)"#.utf8)) }
        func metrics(_ count: Int) -> [UInt8] {
            Array("{\((0..<count).map { "\"m\($0)\": \($0)" }.joined(separator: ","))}".utf8)
        }
        #expect(try PushBody.read(metrics(64)).metrics.count == 64)
        #expect(throws: PushRefusal.self) { _ = try PushBody.read(metrics(65)) }
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(throws: PushRefusal.self) { _ = try PushBody.read(Array(#"{"a": \#(deep)}"#.utf8)) }
    }

    /// Whatever is sent, something is said of it, and at most so much.
    @Test func noBytesAreTooMuchForIt() {
        var random = SystemRandomNumberGenerator()
        let seeds = Self.good.map(\.text) + Self.bad.map(\.text)
        for _ in 0..<5000 {
            var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &random)
                if Bool.random(using: &random) {
                    bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                } else {
                    bytes.remove(at: index)
                }
            }
            do throws(PushRefusal) {
                let body = try PushBody.read(bytes)
                #expect(body != PushBody() && body.metrics.count <= 64)
            } catch {
                #expect(error.code == 422 && error.status["details", "causes"]?.array?.isEmpty == false)
                #expect(error.status.serializedBytes().count < 16_384)
            }
        }
    }

    @Test func everyRefusalIsAStatus() {
        let all: [(PushRefusal, Int, Int?)] = [
            (.unauthorized("a"), 401, nil), (.forbidden("a"), 403, nil), (.notFound("a"), 404, nil),
            (.methodNotAllowed, 405, nil), (.tooLarge, 413, nil), (.unsupportedMediaType, 415, nil),
            (.invalid([FieldProblem("a", "b")]), 422, nil), (.tooMany(retryAfter: .milliseconds(1500)), 429, 2),
            (.tooMany(retryAfter: .milliseconds(1)), 429, 1), (.unavailable("a", retryAfter: .seconds(2)), 503, 2),
        ]
        for (refusal, code, wait) in all {
            let status = refusal.status
            #expect(status["kind"] == "Status" && status["apiVersion"] == "v1" && status["status"] == "Failure")
            #expect(status["code"]?.int == code && refusal.code == code)
            #expect(status["message"]?.string?.isEmpty == false && status["reason"]?.string?.isEmpty == false)
            #expect(refusal.retryAfterSeconds == wait && status["details", "retryAfterSeconds"]?.int == wait)
        }
    }
}
