import AssayOperator
import CurlTransport
import FoundationEssentials
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// What the running operator tells over HTTP.
    @Suite struct ObservationTests {
        @Test func theOperatorTellsWhatItDidByMetricsThatAreDocumentedAndByItsState() async throws {
            try await StoryWorld.run(on: .local) { world in
                let account = try await world.cluster.serviceAccount(TestCluster.operatorAccount)
                let transport = try CurlTransport(account.transport)
                defer { transport.shutdown() }
                let (ports, port) = AsyncStream.makeStream(of: Int.self)
                let daemon = AssayOperator(
                    configuration: OperatorConfiguration(health: .init(host: "127.0.0.1", port: 0)),
                    cluster: account, transport: transport, logger: world.logger, onListening: { port.yield($0) })
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await daemon.run() }
                    try await world.apply(yaml: ToyModel().yaml)
                    _ = try await world.wait("serving") { $0.isTrue("Ready") && $0.phase == "Serving" }
                    let first = try #require(await ports.first { _ in true })
                    try await Self.check(server: "http://127.0.0.1:\(first)", world)
                    group.cancelAll()
                }
            }
        }

        private static func check(server: String, _ world: StoryWorld) async throws {
            let transport = try CurlTransport(TransportConfiguration(server: server))
            defer { transport.shutdown() }
            let client = KubernetesClient(transport: transport)
            func get(_ target: String) async throws -> String {
                let response = try await client.send(HTTPRequest(.get, target))
                return String(decoding: try await response.body.collect(limit: 1 << 20), as: UTF8.self)
            }
            let lines = [
                "assay_mlmodels{phase=\"Serving\"} 1",
                "assay_verdicts_total{judgement=\"Passed\"} 1", "assay_trainingjobs{phase=\"Succeeded\"} 1",
                "assay_training_duration_seconds_count{phase=\"Succeeded\"} 1",
                "reflector_objects{resource=\"mlmodels.assay.dev\"} 1", "workqueue_depth{name=\"mlmodel\"} 0",
            ]
            // The caches and the queues may be a moment behind what the story has seen.
            var metrics = ""
            do {
                try await world.cluster.eventually("the metrics tell what was done") {
                    metrics = try await get("/metrics")
                    return lines.allSatisfy { metrics.contains("\n\($0)\n") }
                }
            } catch {
                let missing = lines.filter { !metrics.contains("\n\($0)\n") }
                Issue.record("not told: \(missing) in \(metrics)")
                throw error
            }
            let told = Set(
                metrics.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] })
            let text = try String(
                contentsOfFile: "\(ProgramUnderTest.repository)/docs/observability.md", encoding: .utf8)
            let undocumented = told.filter { !text.contains("| `\($0)`") && !text.contains("| `\($0){") }
            #expect(undocumented.isEmpty)
            #expect(told.count > 30)

            let state = try JSONValue(parsing: try await get("/debug/state?format=json"))
            #expect(state["process", "version"]?.string == AssayOperator.version)
            let caches = state["caches"]?.array ?? []
            #expect(caches.count == 7)
            #expect(caches.allSatisfy { $0["watch"] == "watching" && $0["lastError"] == .null })
            #expect(state["failing"] == [])
            let writes = state["latest writes"]?.array ?? []
            #expect(writes.contains { $0["path"]?.string?.hasSuffix("/mlmodels/wine/status") == true })
            #expect(try await get("/debug/state?format=text").hasPrefix("process\n"))
        }
    }
}
