import AssayCore
import Concurrency
import ControllerRuntime
import FoundationEssentials
import HTTPServer
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import Testing

@testable import AssayOperator

@Suite("What the operator tells of itself")
struct ObservabilityTests {
    @Test("docs/observability.md names every metric, its labels' meaning and no other")
    func documentation() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/observability.md")
        let text = String(decoding: try Data(contentsOf: path), as: UTF8.self)
        let documented = text.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("| `"), let end = line.dropFirst(3).firstIndex(of: "`") else { return nil }
            return String(line[line.index(line.startIndex, offsetBy: 3)..<end].prefix { $0 != "{" })
        }
        let registry = MetricsRegistry(descriptions: OperatorMetrics.descriptions)
        #expect(documented.sorted() == registry.describedNames.sorted())
    }

    @Test("counts models and trainings by phase, judgements and how long trainings took")
    func domain() throws {
        let caches = Caches()
        let registry = MetricsRegistry(descriptions: OperatorMetrics.descriptions)
        OperatorMetrics(registry: registry).follow(caches)
        func training(_ name: String, _ version: Int, _ status: JSONValue?) -> JSONValue {
            var json: JSONValue = [
                "apiVersion": .string(ResourceType.trainingJobs.apiVersion), "kind": "TrainingJob",
                "metadata": [
                    "namespace": "ml", "name": .string(name), "uid": .string(name),
                    "resourceVersion": .string("\(version)"),
                ],
            ]
            json["status"] = status
            return json
        }
        func model(_ version: Int, _ phase: String, runs: [JSONValue]) -> JSONValue {
            [
                "apiVersion": .string(ResourceType.mlModels.apiVersion), "kind": "MLModel",
                "metadata": ["namespace": "ml", "name": "m", "uid": "m", "resourceVersion": .string("\(version)")],
                "status": ["phase": .string(phase), "runs": .array(runs)],
            ]
        }
        func run(_ number: Int64, _ judgement: JSONValue?, _ hash: String = "h") -> JSONValue {
            var run: JSONValue = [
                "number": .integer(number), "trigger": "Created", "trainingHash": "t", "trainingJob": "j",
                "phase": "Trained", "validationHash": .string(hash),
            ]
            run["judgement"] = judgement
            return run
        }
        let finished: JSONValue = [
            "phase": "Succeeded", "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:02:00Z",
        ]
        caches.trainingJobs.beginList()
        // One that ended before this process looked is counted, but not timed.
        #expect(caches.trainingJobs.stage([training("a", 1, nil), training("old", 1, finished)]).isEmpty)
        caches.trainingJobs.finishList(resourceVersion: "1")
        #expect(registry.exposition().contains("assay_trainingjobs{phase=\"Unobserved\"} 1\n"))
        #expect(caches.trainingJobs.apply(training("a", 2, ["phase": "Running"])) == nil)
        #expect(caches.trainingJobs.apply(training("a", 3, finished)) == nil)
        #expect(caches.trainingJobs.apply(training("a", 4, finished)) == nil)
        caches.trainingJobs.delete(training("old", 5, finished))

        #expect(caches.models.apply(model(1, "Training", runs: [run(1, nil)])) == nil)
        #expect(caches.models.apply(model(2, "Serving", runs: [run(1, "Passed")])) == nil)
        #expect(caches.models.apply(model(3, "Serving", runs: [run(1, "Passed"), run(2, "Refused")])) == nil)
        #expect(caches.models.apply(model(4, "Serving", runs: [run(1, "Passed", "i"), run(2, "Refused")])) == nil)

        let text = registry.exposition()
        for line in [
            "assay_trainingjobs{phase=\"Succeeded\"} 1", "assay_trainingjobs{phase=\"Running\"} 0",
            "assay_trainingjobs{phase=\"Unobserved\"} 0", "assay_mlmodels{phase=\"Serving\"} 1",
            "assay_mlmodels{phase=\"Training\"} 0", "assay_verdicts_total{judgement=\"Passed\"} 2",
            "assay_verdicts_total{judgement=\"Refused\"} 1",
            "assay_training_duration_seconds_sum{phase=\"Succeeded\"} 120",
            "assay_training_duration_seconds_count{phase=\"Succeeded\"} 1",
            "assay_build_info{version=\"\(AssayOperator.version)\"} 1",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
    }

    private func answer(_ target: String, from address: String = "127.0.0.1", accept: String? = nil) -> (
        response: HTTPServerResponse, text: String
    ) {
        let server = StatusServer(
            address: .init(host: "127.0.0.1", port: 0), checks: HealthChecks(), metrics: MetricsRegistry(),
            debug: DebugState(version: "9", time: ManualTime()), logger: .init(label: "test"))
        var headers = HTTPHeaders()
        headers["Accept"] = accept
        let response = server.answer(
            HTTPServerRequest(method: "GET", target: target, headers: headers, remoteAddress: address))
        guard case .bytes(let bytes) = response.body else { return (response, "") }
        return (response, String(decoding: bytes, as: UTF8.self))
    }

    @Test("shows its state to the pod itself alone, as text or as JSON")
    func debugState() throws {
        for stranger in ["10.0.0.7", "", "127.0.0.2x", "::ffff:10.0.0.7"] {
            #expect(answer("/debug/state", from: stranger).response.status == 403)
        }
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            #expect(answer("/debug/state", from: local).text.hasPrefix("process\n  version: 9\n"))
        }
        let json = answer("/debug/state?format=json")
        #expect(json.response.headers["Content-Type"] == "application/json")
        #expect(try JSONValue(parsing: json.text)["process", "version"] == "9")
        #expect(answer("/debug/state", accept: "application/json").text == json.text)
        #expect(answer("/debug/state?format=text", accept: "application/json").text.hasPrefix("process\n"))
    }

    @Test("answers metrics in the format that is asked for")
    func metrics() {
        let text = answer("/metrics")
        #expect(text.response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        let open = answer("/metrics", from: "10.0.0.7", accept: "application/openmetrics-text;version=1.0.0")
        #expect(open.response.headers["Content-Type"] == MetricsFormat.openMetrics.contentType)
        #expect(open.text == "# EOF\n")
        #expect(open.response.status == 200)
    }
}
