import AssayCore
import Concurrency
import ControllerRuntime
import KubernetesModel

/// What the gateway measures, by its names in Prometheus.
public struct GatewayMetrics: Sendable {
    let registry: MetricsRegistry

    /// - Parameter registry: made with ``descriptions``.
    public init(_ registry: MetricsRegistry) { self.registry = registry }

    /// 1 ms to 60 s: those that canaries are judged by.
    static let latencyBuckets = RevisionLoad.latencyBounds

    /// Help texts and buckets.
    public static let descriptions: [String: MetricDescription] = [
        "assay_gateway_requests_total": .init("Total number of requests by model, revision and status"),
        "assay_gateway_request_duration_seconds": .init(
            "Time from a request's head to the end of its response, without the time that it was held",
            buckets: latencyBuckets),
        "assay_gateway_requests_in_flight": .init("Requests that a pod is working on"),
        "assay_gateway_requests_held": .init("Requests that wait for a pod"),
        "assay_gateway_retries_total": .init("Total number of requests given to a second pod"),
        "assay_gateway_cold_starts_total": .init("Total number of times that requests woke a revision, by outcome"),
        "assay_gateway_cold_start_seconds": .init(
            "Time of a cold start by phase: patch (asking the API server), schedule (until a pod has a node), fetch (its init "
                + "containers), start (until its container runs), ready (until it answers), forward (until it has a request)",
            buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120]),
        "assay_gateway_held_seconds": .init(
            "Time that requests were held for a pod", buckets: [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120]),
        "assay_gateway_refused_requests_total": .init("Total number of requests refused before any model was chosen"),
        "assay_gateway_denied_requests_total": .init(
            "Total number of requests that were not let in, by model and status (see spec.serving.auth)"),
        "assay_gateway_certificate_expiration_timestamp_seconds": .init(
            "When the certificate of the shared port ends, in seconds since the Unix epoch"),
        "assay_gateway_connections": .init("Open connections of clients"),
        "assay_gateway_listener_failures_total": .init("Total number of ports that could not be listened on"),
    ]
}

/// The series of one revision, so that a request looks none up.
final class RevisionMetrics: Sendable {
    private let registry: MetricsRegistry
    private let labels: [(String, String)]
    private let statuses = Locked<[Int: MetricSeries]>([:])
    private let answered: MetricSeries
    let duration: MetricSeries
    let inFlight: MetricSeries
    let held: MetricSeries
    let heldTime: MetricSeries
    let retries: MetricSeries

    init(_ metrics: GatewayMetrics, model: ObjectKey, revision: String) {
        let labels = [("namespace", model.namespace ?? ""), ("model", model.name), ("revision", revision)]
        registry = metrics.registry
        self.labels = labels
        answered = registry.counter("assay_gateway_requests_total", labels + [("code", "200")])
        duration = registry.histogram("assay_gateway_request_duration_seconds", labels)
        inFlight = registry.gauge("assay_gateway_requests_in_flight", labels)
        held = registry.gauge("assay_gateway_requests_held", labels)
        heldTime = registry.histogram("assay_gateway_held_seconds", labels)
        retries = registry.counter("assay_gateway_retries_total", labels)
    }

    /// A request has ended.
    func count(status: Int) {
        if status == 200 {
            answered.increment()
            return
        }
        let series = statuses.withLock { statuses in
            if let known = statuses[status] { return known }
            let series = registry.counter("assay_gateway_requests_total", labels + [("code", String(status))])
            statuses[status] = series
            return series
        }
        series.increment()
    }

    /// The API server was asked to scale it up.
    func coldStart(_ outcome: WakeOutcome) {
        let text = outcome == .awake ? "awake" : "failed"
        registry.counter("assay_gateway_cold_starts_total", labels + [("outcome", text)]).increment()
    }

    /// A cold start has ended with a request at a pod.
    func coldStart(_ parts: [ColdStart.Part]) {
        for part in parts {
            registry.histogram("assay_gateway_cold_start_seconds", labels + [("phase", part.phase.rawValue)])
                .observe(part.duration)
        }
    }
}
