import Concurrency
import ControllerRuntime
import CoreMetrics
import HTTPTransport
import JSON
import Testing

@Suite("The metrics registry")
struct MetricsRegistryTests {
    @Test("writes counters, gauges and histograms as Prometheus reads them")
    func exposition() {
        let registry = MetricsRegistry(descriptions: [
            "work_seconds": MetricDescription("Work.\nDone \\ so", buckets: [0.5, 1])
        ])
        Counter(label: "jobs_total", dimensions: [("kind", "b")], factory: registry).increment(by: 2)
        Counter(label: "jobs_total", dimensions: [("kind", "a")], factory: registry).increment()
        Gauge(label: "depth", dimensions: [], factory: registry).record(2.5)
        let timer = Timer(label: "work_seconds", dimensions: [("x", "y")], factory: registry)
        timer.recordMilliseconds(250)
        timer.recordSeconds(1)
        timer.recordSeconds(7)
        #expect(
            registry.exposition() == """
                # TYPE depth gauge
                depth 2.5
                # TYPE jobs_total counter
                jobs_total{kind="a"} 1
                jobs_total{kind="b"} 2
                # HELP work_seconds Work.\\nDone \\\\ so
                # TYPE work_seconds histogram
                work_seconds_bucket{x="y",le="0.5"} 1
                work_seconds_bucket{x="y",le="1"} 2
                work_seconds_bucket{x="y",le="+Inf"} 3
                work_seconds_sum{x="y"} 8.25
                work_seconds_count{x="y"} 3

                """)
        #expect(MetricsFormat.text.contentType == "text/plain; version=0.0.4; charset=utf-8")
    }

    @Test("escapes label values and repairs names")
    func escaping() {
        let registry = MetricsRegistry()
        registry.counter("a.b-c", [("la bel", "quote\" back\\ line\nend é")]).increment()
        registry.counter("9lives").increment()
        registry.counter("").increment()
        registry.gauge("scope:ok", [("scope:bad", "v")]).set(1)
        let text = registry.exposition()
        #expect(text.contains("a_b_c{la_bel=\"quote\\\" back\\\\ line\\nend é\"} 1\n"))
        #expect(text.contains("\n_9lives 1\n"))
        #expect(text.contains("\n_ 1\n"))
        #expect(text.contains("scope:ok{scope_bad=\"v\"} 1\n"))
    }

    @Test("bounds the series of a family, and counts the rest together")
    func cardinality() {
        let registry = MetricsRegistry(seriesLimit: 10)
        for index in 0..<1000 { registry.counter("hits_total", [("user", "u\(index)")]).increment() }
        let lines = registry.exposition().split(separator: "\n").filter { $0.hasPrefix("hits_total{") }
        #expect(lines.count == 11)
        #expect(lines.contains("hits_total{user=\"other\"} 990"))
        #expect(registry.exposition().contains("metrics_series_overflow_total 990\n"))
    }

    @Test("labels in another order are the same series, and handlers share it")
    func identity() {
        let registry = MetricsRegistry()
        registry.counter("x_total", [("a", "1"), ("b", "2")]).increment()
        let counter = Counter(label: "x_total", dimensions: [("b", "2"), ("a", "1")], factory: registry)
        counter.increment()
        counter.destroy()
        #expect(registry.exposition().contains("x_total{a=\"1\",b=\"2\"} 2\n"))
    }

    @Test("a name used for two kinds stays what it was first")
    func conflictingKinds() {
        let registry = MetricsRegistry()
        registry.counter("x").increment()
        registry.gauge("x").set(50)
        registry.histogram("x").observe(1.0)
        #expect(registry.exposition() == "# TYPE x counter\nx 1\n")
    }

    @Test("keeps odd numbers readable, and out of counters and histograms")
    func numbers() {
        let registry = MetricsRegistry()
        registry.gauge("a").set(.nan)
        registry.gauge("b").set(-.infinity)
        registry.gauge("c").set(1e300)
        let counter = registry.counter("d_total")
        counter.increment(by: -5)
        counter.increment(by: .nan)
        counter.increment(by: 0.5)
        registry.histogram("e").observe(.nan)
        let text = registry.exposition()
        #expect(text.contains("\na NaN\n"))
        #expect(text.contains("\nb -Inf\n"))
        #expect(text.contains("\nc 1e+300\n"))
        #expect(text.contains("\nd_total 0.5\n"))
        #expect(text.contains("\ne_count 0\n"))
    }

    @Test("serves every kind of swift-metrics")
    func factory() {
        let registry = MetricsRegistry()
        let meter = Meter(label: "m", factory: registry)
        meter.set(5)
        meter.increment(by: 2.0)
        meter.decrement()
        FloatingPointCounter(label: "f_total", factory: registry).increment(by: 1.5)
        Recorder(label: "r", dimensions: [], aggregate: true, factory: registry).record(3)
        Recorder(label: "g", dimensions: [], aggregate: false, factory: registry).record(3)
        let text = registry.exposition()
        #expect(text.contains("m 6\n"))
        #expect(text.contains("f_total 1.5\n"))
        #expect(text.contains("# TYPE r histogram\n"))
        #expect(text.contains("# TYPE g gauge\ng 3\n"))
    }

    @Test("runs collectors before it writes")
    func collectors() {
        let registry = MetricsRegistry()
        let gauge = registry.gauge("now")
        registry.beforeExposition { gauge.set(gauge.value + 1) }
        _ = registry.exposition()
        #expect(registry.exposition().contains("now 2\n"))
    }

    @Test("tells of the process what Prometheus' own libraries tell")
    func process() {
        let registry = MetricsRegistry()
        ProcessMetrics.add(to: registry)
        _ = registry.exposition()
        #expect(registry.gauge("process_resident_memory_bytes").value > 1_000_000)
        #expect(registry.gauge("process_virtual_memory_bytes").value > 1_000_000)
        #expect(registry.counter("process_cpu_seconds_total").value > 0)
        #expect(registry.gauge("process_open_fds").value >= 1)
        #expect(registry.gauge("process_max_fds").value >= registry.gauge("process_open_fds").value)
        #expect(registry.gauge("process_virtual_memory_max_bytes").value > 0)
        let age = SystemTime().wallNow() - .seconds(registry.gauge("process_start_time_seconds").value)
        #expect(age > .zero && age < .seconds(86_400))
    }

    @Test("loses no count under many tasks")
    func race() async {
        let registry = MetricsRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        registry.counter("n_total").increment()
                        registry.histogram("h").observe(0.01)
                    }
                }
            }
        }
        #expect(registry.counter("n_total").value == 8000)
        #expect(registry.histogram("h").count == 8000)
    }

    @Test("counts the requests of a client under client-go's names")
    func transport() async throws {
        let registry = MetricsRegistry()
        let time = ManualTime()
        let server = ScriptedServer { call in
            time.advance(by: .milliseconds(20))
            if call.path == "/down" { call.fail(.connect) } else { call.answer([:], status: 404) }
            return true
        }
        let transport = MeteredTransport(server, host: "h:1", registry: registry, time: time)
        #expect(try await transport.send(HTTPRequest(.get, "/x")).status == 404)
        await #expect(throws: HTTPTransportError.self) { _ = try await transport.send(HTTPRequest(.post, "/down")) }
        let text = registry.exposition()
        #expect(text.contains("rest_client_requests_total{code=\"404\",host=\"h:1\",method=\"GET\"} 1\n"))
        #expect(text.contains("rest_client_requests_total{code=\"<error>\",host=\"h:1\",method=\"POST\"} 1\n"))
        #expect(
            text.contains("rest_client_request_duration_seconds_bucket{host=\"h:1\",verb=\"GET\",le=\"0.025\"} 1\n"))
    }

    @Test("writes OpenMetrics with counters without their suffix, bounds with a point, and an end")
    func openMetrics() {
        let registry = MetricsRegistry(descriptions: [
            "jobs_total": MetricDescription("Jobs \"all\"."),
            "work_seconds": MetricDescription("W", buckets: [0.5, 1]),
        ])
        registry.counter("jobs_total", [("kind", "a")]).increment()
        registry.counter("odd").increment()
        registry.gauge("depth").set(2.5)
        registry.histogram("work_seconds").observe(0.7)
        #expect(
            registry.exposition(.openMetrics) == """
                # TYPE depth gauge
                depth 2.5
                # HELP jobs Jobs \\"all\\".
                # TYPE jobs counter
                jobs_total{kind="a"} 1
                # TYPE odd unknown
                odd 1
                # HELP work_seconds W
                # TYPE work_seconds histogram
                work_seconds_bucket{le="0.5"} 0
                work_seconds_bucket{le="1.0"} 1
                work_seconds_bucket{le="+Inf"} 1
                work_seconds_sum 0.7
                work_seconds_count 1
                # EOF

                """)
    }

    @Test(
        "gives a client the format that it likes best, and text where it likes neither",
        arguments: [
            (nil, MetricsFormat.text), ("", .text), ("*/*", .text), ("text/html", .text),
            ("application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text; version=1.0.0", .openMetrics),
            ("application/openmetrics-text;version=2.0.0", .text),
            ("application/openmetrics-text;q=0", .text),
            ("text/plain;q=0.9,application/openmetrics-text;q=0.5", .text),
            (
                "application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
                    + "text/plain;version=0.0.4;q=0.4,*/*;q=0.3", .openMetrics
            ),
            ("application/vnd.google.protobuf;q=0.7,text/plain;version=0.0.4;q=0.3", .text),
        ] as [(String?, MetricsFormat)])
    func negotiation(accept: String?, format: MetricsFormat) {
        #expect(MetricsFormat(accept: accept) == format)
    }
}
