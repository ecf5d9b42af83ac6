import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel
import Logging
import Testing

@Suite("Health checks")
struct HealthChecksTests {
    @Test("are ready once stores have synced, and live while queues and loops move")
    func report() async {
        let time = ManualTime()
        let health = HealthChecks()
        let store = Store<TestPod>()
        let queue = WorkQueue(name: "jobs", time: time)
        let heartbeat = Heartbeat(time: time)
        health.addSync("pods", store)
        health.addQueue(queue, limit: .seconds(60))
        health.addHeartbeat("loop", heartbeat, limit: .seconds(30))
        #expect(health.report(.live).isHealthy)
        #expect(health.report(.ready).httpStatus == 503)
        #expect(health.report(.ready).text == "[-]sync-pods failed: not synced yet\ncheck failed\n")
        store.beginList()
        store.finishList(resourceVersion: "1")
        #expect(health.report(.ready).text == "[+]sync-pods ok\nok\n")
        queue.add(key("a"))
        _ = await queue.next()
        time.advance(by: .seconds(29))
        #expect(health.report(.live).isHealthy)
        heartbeat.beat()
        time.advance(by: .seconds(32))
        let report = health.report(.live)
        #expect(report.httpStatus == 503)
        #expect(report.text.contains("[-]queue-jobs failed: ml/a has been worked on for 61.0 seconds"))
        #expect(report.text.contains("[-]loop failed: no sign of life for 32.0 seconds"))
        heartbeat.beat()
        queue.done(key("a"))
        #expect(health.report(.live).isHealthy)
    }

    @Test("a check of the same name replaces the earlier one, for its endpoint only")
    func replacement() {
        let health = HealthChecks()
        #expect(health.report(.ready).text == "ok\n")
        health.add(.ready, "leader") { .unhealthy("no") }
        health.add(.live, "leader") { .healthy }
        health.add(.ready, "leader") { .healthy }
        #expect(health.report(.ready).results.count == 1)
        #expect(health.report(.ready).isHealthy)
    }
}

@Suite("The log handler")
struct StructuredLogHandlerTests {
    private func line(_ format: StructuredLogHandler.Format, _ body: (inout Logger) -> Void) -> String {
        let lines = Locked<[String]>([])
        var logger = Logger(label: "assay.test") { label in
            StructuredLogHandler(label: label, format: format, level: .debug, time: ManualTime()) { bytes in
                lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
            }
        }
        body(&logger)
        return lines.withLock { $0.joined() }
    }

    @Test("writes text for people")
    func text() {
        let text = line(.text) { logger in
            logger[metadataKey: "key"] = "ml/wine"
            logger.info("reconciled", metadata: ["b": "two words", "a": "1", "empty": ""])
            logger.trace("not this")
        }
        #expect(
            text == "2026-01-01T00:00:00.000000Z info     reconciled a=1 b=\"two words\" empty=\"\" key=ml/wine\n")
    }

    @Test("writes JSON for machines, the time first, and no metadata in the place of its own fields")
    func json() throws {
        let text = line(.json) { logger in
            logger[metadataKey: "generation"] = "3"
            logger.warning(
                "failed: \"x\"",
                metadata: ["msg": "mine", "list": ["a", "b"], "map": ["k": "v"], "n": .stringConvertible(5)])
        }
        #expect(text.hasPrefix("{\"time\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"warning\","))
        let json = try JSONValue(parsing: text)
        #expect(json["msg"] == "failed: \"x\"")
        #expect(json["metadata.msg"] == "mine")
        #expect(json["logger"] == "assay.test")
        #expect(json["generation"] == "3")
        #expect(json["list"] == ["a", "b"])
        #expect(json["map"] == ["k": "v"])
        #expect(json["n"] == "5")
    }

    @Test("lets no text forge a second line or steer a terminal", arguments: StructuredLogHandler.Format.allCases)
    func forging(format: StructuredLogHandler.Format) {
        let text = line(format) { logger in
            logger.info("one\ninfo two\u{1B}[31m\u{7F}", metadata: ["k": "v\nw\u{1B}\u{7F}", "x": "a=b \"c\\d"])
        }
        #expect(text.filter { $0 == "\n" }.count == 1)
        #expect(!text.contains("\u{1B}"))
        if format == .text { #expect(!text.contains("\u{7F}")) }
    }

    @Test("what a message says overrides what its logger says")
    func precedence() {
        let text = line(.text) { logger in
            logger[metadataKey: "k"] = "old"
            logger.info("m", metadata: ["k": "new"])
        }
        #expect(text.hasSuffix("m k=new\n"))
    }
}
