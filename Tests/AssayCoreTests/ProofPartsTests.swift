import FuzzProperties
import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What a proof is made of: records, their comparison, malformed requests, what a load run measures.
@Suite struct ProofPartsTests {
    // MARK: Comparison

    struct Pair: Sendable, CustomTestStringConvertible {
        var recorded: String
        var answer: String
        /// Nil where they are equal.
        var difference: String?
        var testDescription: String { "\(answer) for \(recorded)" }

        init(_ recorded: String, _ answer: String, _ difference: String? = nil) {
            (self.recorded, self.answer, self.difference) = (recorded, answer, difference)
        }
    }

    static let tensor = #"{"name": "p", "shape": [2], "datatype": "FP64", "data": [0.25, 0.75]}"#
    static let other = #"{"name": "c", "shape": [1], "datatype": "BYTES", "data": ["red"]}"#
    static let pairs = [
        Pair("1", "1"), Pair("1", "1.0000009"), Pair("1", "1.0000011", "the answer is 1.0000011, and was 1"),
        Pair("0", "-0.0"), Pair("0", "0.000001"), Pair("0", "0.0000011", "the answer is 1.1e-06, and was 0"),
        Pair("1e12", "1000000500000"),
        Pair("1e12", "1000002000000", "the answer is 1000002000000, and was 1000000000000"),
        Pair("1", "true", "the answer is of the kind boolean, and was of the kind integer"),
        Pair("1", #""1""#, "the answer is of the kind string, and was of the kind integer"),
        Pair("true", "1", "the answer is of the kind integer, and was of the kind boolean"),
        Pair("true", "false", "the answer is another boolean"), Pair("null", "null"),
        Pair("null", "0", "the answer is of the kind integer, and was of the kind null"),
        Pair(#""secret""#, #""other""#, "the answer is another string"),
        Pair("[1, 2]", "[1, 2]"), Pair("[1, 2]", "[2, 1]", "[0] is 2, and was 1"),
        Pair("[1, 2]", "[1]", "the answer has 1 elements, and had 2"), Pair("[]", "[]"),
        Pair("[]", "{}", "the answer is of the kind object, and was of the kind array"),
        Pair(#"{"a": 1}"#, #"{"a": 1, "took": 0.3}"#), Pair(#"{"a": 1}"#, #"{"b": 1}"#, "a is missing"),
        Pair(#"{"a": {"b": [1, 2]}}"#, #"{"a": {"b": [1, 3]}}"#, "a.b[1] is 3, and was 2"),
        // Tensors, in whatever order, nested or flat.
        Pair("{\"outputs\": [\(tensor), \(other)]}", "{\"outputs\": [\(other), \(tensor)]}"),
        Pair(
            "{\"outputs\": [\(tensor)]}",
            "{\"outputs\": [\(tensor.replacing("[0.25, 0.75]", with: "[[0.25], [0.75]]"))]}"),
        Pair("{\"outputs\": [\(tensor)]}", "{\"outputs\": [\(other)]}", "outputs[p] is missing"),
        Pair(
            "{\"outputs\": [\(tensor)]}", "{\"outputs\": [\(tensor.replacing("0.75", with: "0.7"))]}",
            "outputs[p].data[1] is 0.7, and was 0.75"),
        Pair(
            "{\"outputs\": [\(tensor)]}", "{\"outputs\": [\(tensor.replacing("[2]", with: "[1, 2]"))]}",
            "outputs[p].shape has 2 elements, and had 1"),
        Pair(
            "{\"outputs\": [\(tensor)]}", "{\"outputs\": [\(tensor.replacing("FP64", with: "FP32"))]}",
            "outputs[p].datatype is another string"),
        Pair("{\"outputs\": [\(tensor)]}", #"{"outputs": []}"#, "outputs[p] is missing"),
    ]

    @Test(arguments: pairs)
    func anAnswerIsComparedElementByElement(_ pair: Pair) throws {
        let found = AnswerComparison(tolerance: 1e-6).difference(
            try JSONValue(parsing: pair.answer), from: try JSONValue(parsing: pair.recorded))
        #expect(found == pair.difference)
    }

    /// Whatever the answer is: it is equal to itself, and a change of any one leaf is found.
    @Test func everyChangedLeafIsFound() {
        var random = SplitMix(seed: 6)
        for _ in 0..<2_000 {
            let recorded = Self.value(&random, depth: 4)
            let comparison = AnswerComparison(tolerance: 1e-6)
            #expect(comparison.difference(recorded, from: recorded) == nil)
            let leaves = Self.leaves(recorded)
            guard leaves > 0 else { continue }
            var chosen = Int(random.next() % UInt64(leaves))
            let changed = Self.changing(recorded, &chosen)
            #expect(comparison.difference(changed, from: recorded) != nil, "\(changed) for \(recorded)")
        }
    }

    private static func value(_ random: inout SplitMix, depth: Int) -> JSONValue {
        switch random.next() % (depth > 0 ? 6 : 4) {
        case 0: .integer(Int64(random.next() % 1000))
        case 1: .number(Double(random.next() % 1000) / 8)
        case 2: .string("text \(random.next() % 10)")
        case 3: .bool(random.next() % 2 == 0)
        case 4: .array((0..<random.next() % 4).map { _ in value(&random, depth: depth - 1) })
        default: .object(JSONObject((0..<random.next() % 4).map { ("m\($0)", value(&random, depth: depth - 1)) }))
        }
    }

    private static func leaves(_ value: JSONValue) -> Int {
        if let array = value.array { return array.reduce(0) { $0 + leaves($1) } }
        if let object = value.object { return object.members.reduce(0) { $0 + leaves($1.value) } }
        return 1
    }

    private static func changing(_ value: JSONValue, _ chosen: inout Int) -> JSONValue {
        if let array = value.array { return .array(array.map { changing($0, &chosen) }) }
        if let object = value.object {
            return .object(JSONObject(object.members.map { ($0.key, changing($0.value, &chosen)) }))
        }
        chosen -= 1
        guard chosen == -1 else { return value }
        switch value {
        case .integer(let number): return .integer(number + 1)
        case .number(let number): return .number(number + 1)
        case .string(let text): return .string(text + "x")
        case .bool(let flag): return .bool(!flag)
        default: return value
        }
    }

    // MARK: Malformed requests

    static let tensors = try? JSONValue(
        parsing: #"{"id": "7", "inputs": [{"name": "wine", "shape": [1, 2], "datatype": "FP64", "data": [0.5, 2]}]}"#)
    static let requests: [JSONValue] = [
        tensors ?? .null, ["alcohol": 12.5, "colour": "red"], ["instances": [[1, 2], [3, 4]]], ["text": "good"],
        [1, 2],
    ]

    @Test(arguments: requests)
    func noneOfThemIsTheGoodOne(_ request: JSONValue) throws {
        let all = MalformedRequest.all(of: request)
        #expect(all.count >= 11)
        #expect(Set(all.map(\.name)).count == all.count)
        for malformed in all {
            guard malformed.contentType == "application/json" else { continue }
            let parsed = try? JSONValue(parsing: malformed.body)
            #expect(parsed != request, "\(malformed.name)")
        }
        let text = all.map { String(decoding: $0.body, as: UTF8.self) }
        #expect(text.contains { $0.contains("NaN") } && text.contains { $0.contains("1e999") })
        #expect(all.contains { $0.body.count > 1 << 20 } && all.contains { $0.body.isEmpty })
    }

    @Test func ofTensorsItIsTheDataThatIsSpoilt() {
        let names = MalformedRequest.all(of: Self.tensors ?? .null).map(\.name)
        #expect(names.contains("NaN in place of inputs[0].data[0]"))
        #expect(names.contains("no inputs") && !names.contains("no id"))
        #expect(names.contains("a field that nobody knows"))
    }

    // MARK: Records

    @Test func recordsAreReadLineByLine() throws {
        let text = """
            {"path": "/a", "request": {"x": 1}, "response": {"y": 2}}

            {"request": [1], "response": null}\r
            """
        let records = try GoldenRecord.read(Array(text.utf8), file: "g.jsonl", defaultPath: "/b")
        #expect(records.map(\.path) == ["/a", "/b"])
        #expect(records.map(\.place) == ["g.jsonl line 1", "g.jsonl line 3"])
        #expect(records[1].response == .null)
    }

    @Test(arguments: [
        ("{", "is no JSON"), ("7", "must be an object with request and response"),
        (#"{"request": 1}"#, "must be an object with request and response"),
        (#"{"request": 1, "response": 2}"#, "has no path"),
        (#"{"path": "x", "request": 1, "response": 2}"#, "its path must begin with /"),
        (#"{"path": "/a b", "request": 1, "response": 2}"#, "its path must begin with /"),
        (#"{"path": "/a\r\nX: y", "request": 1, "response": 2}"#, "its path must begin with /"),
    ])
    func whatIsNoRecordSaysWhereItIs(line: String, words: String) {
        let error = #expect(throws: GoldenRecord.Problem.self) {
            _ = try GoldenRecord.read(Array("\n\(line)".utf8), file: "g.jsonl", defaultPath: nil)
        }
        #expect(error?.description.hasPrefix("g.jsonl line 2: ") == true)
        #expect(error?.description.contains(words) == true)
    }

    // MARK: Load

    @Test func quantilesAreByNearestRank() {
        let summary = LoadSummary(latencies: (1...100).map(Double.init).reversed(), errors: 25, seconds: 50)
        #expect([0.001, 0.5, 0.9, 0.99, 1].map { summary.quantile($0) } == [1, 50, 90, 99, 100])
        #expect(summary.metrics["errorRate"] == 0.2 && summary.metrics["requestsPerSecond"] == 2)
        #expect(summary.metrics["latencyP99Seconds"] == 99)
        #expect(Set(summary.metrics.keys) == Set(LoadSummary.names))
    }

    @Test func withoutAGoodAnswerThereIsNoLatency() {
        let summary = LoadSummary(latencies: [], errors: 3, seconds: 1)
        #expect(summary.metrics == ["errorRate": 1, "requestsPerSecond": 0])
        #expect(LoadSummary(latencies: [], errors: 0, seconds: 1).metrics.isEmpty)
    }

    @Test func aReportIsReadAsItWasWritten() {
        let report = ProofReport(
            golden: .init(tried: 3, failed: 1, message: "m"), malformedInput: .init(tried: 4, failed: 0),
            metrics: ["errorRate": 0.25, "latencyP50Seconds": 0.001], digest: World.digest)
        #expect(ProofReport(message: report.json.serialized()) == report)
    }

    // MARK: What may be asked

    struct Mistake: Sendable, CustomTestStringConvertible {
        var field: String
        var words: String
        var validation: JSONValue
        var testDescription: String { "\(field): \(words)" }
    }

    private static let threshold: JSONValue = ["metric": "latencyP99Seconds", "direction": "Minimize", "threshold": 1]
    private static func candidate(_ change: JSONValue) -> JSONValue {
        ["thresholds": [threshold.merging(patch: ["source": "Candidate"]).merging(patch: change)]]
    }
    private static let pod: JSONValue = ["spec": ["containers": [["name": "main", "image": "a"]]]]

    static let mistakes: [Mistake] = [
        .init(
            field: "spec.validation", words: "is empty; give thresholds, golden or tests",
            validation: ["golden": .null, "thresholds": .null]),
        .init(
            field: "spec.validation.gate", words: "None contradicts", validation: ["gate": "None", "thresholds": .null]),
        .init(
            field: "spec.validation.golden.artifact",
            words: "no step of spec.training or spec.evaluation has the output x",
            validation: ["golden": ["artifact": "x"]]),
        .init(
            field: "spec.validation.golden.tolerance", words: "must not be negative",
            validation: ["golden": ["tolerance": -1]]),
        .init(
            field: "spec.validation.golden.path", words: "must begin with /", validation: ["golden": ["path": "x"]]),
        .init(
            field: "spec.validation.malformedInput", words: "needs spec.validation.golden",
            validation: ["golden": .null, "malformedInput": "Reject"]),
        .init(
            field: "spec.validation.load", words: "needs spec.validation.golden",
            validation: ["golden": .null, "load": [:]]),
        .init(
            field: "spec.validation.thresholds", words: "needs spec.validation.golden",
            validation: ["golden": .null, "thresholds": candidate([:])["thresholds"] ?? .null]),
        .init(field: "spec.validation.load.seconds", words: "between 1 and 600", validation: ["load": ["seconds": 0]]),
        .init(
            field: "spec.validation.load.concurrency", words: "between 1 and 256",
            validation: ["load": ["concurrency": 257]]),
        .init(
            field: "spec.validation.thresholds[0].metric", words: "is not measured on a candidate",
            validation: candidate(["metric": "accuracy"])),
        .init(
            field: "spec.validation.thresholds[0].source", words: "a candidate has no splits",
            validation: candidate(["split": "train"])),
        .init(
            field: "spec.validation.thresholds[0].source", words: "a candidate has no splits",
            validation: candidate(["maxGeneralizationGap": 1])),
        .init(
            field: "spec.validation.tests[1].name", words: "is there twice",
            validation: ["tests": [["name": "a", "template": pod], ["name": "a", "template": pod]]]),
        .init(
            field: "spec.validation.tests[0].name", words: "must be 1 to 63",
            validation: ["tests": [["name": "A b", "template": pod]]]),
        .init(
            field: "spec.validation.tests[0].template.spec.restartPolicy", words: "must be Never",
            validation: [
                "tests": [["name": "a", "template": pod.merging(patch: ["spec": ["restartPolicy": "Always"]])]]
            ]),
        .init(
            field: "spec.validation.tests[0].activeDeadlineSeconds", words: "at least 1",
            validation: ["tests": [["name": "a", "template": pod, "activeDeadlineSeconds": 0]]]),
    ]

    @Test(arguments: mistakes)
    func aMistakeIsToldByItsField(_ mistake: Mistake) throws {
        let model = try MLModel(
            json: try Sample.model { object in
                var training = (try? Sample.workflow()["spec"]) ?? .null
                training["steps"] = .array(
                    (training["steps"]?.array ?? []) + [Sample.step("record", outputs: ["golden"])])
                object["spec", "training", "template", "spec"] = training
                object["spec", "validation", "golden"] = ["artifact": "golden"]
                object["spec", "validation"] = (object["spec", "validation"] ?? [:]).merging(patch: mistake.validation)
            })
        let told = model.problems.filter { $0.path == mistake.field }
        #expect(told.contains { $0.message.contains(mistake.words) }, "\(model.problems.text)")
    }
}
