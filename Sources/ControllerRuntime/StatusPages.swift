/// What a program shows of itself to probes and to Prometheus, whichever server it has.
public struct StatusPages: Sendable {
    /// An answer to a GET.
    public struct Page: Sendable, Hashable {
        /// The HTTP status.
        public var status: Int
        /// The value of Content-Type.
        public var contentType: String
        /// Whether another Accept header would get another page.
        public var variesByAccept = false
        /// The body.
        public var text: String
    }

    private let checks: HealthChecks
    private let metrics: MetricsRegistry

    /// The pages of these checks and metrics.
    public init(checks: HealthChecks, metrics: MetricsRegistry) {
        self.checks = checks
        self.metrics = metrics
    }

    /// `/livez` (also as `/healthz`), `/readyz` and `/metrics`; nil for any other path.
    ///
    /// - Parameter accept: the request's Accept header.
    public func page(_ path: String, accept: String?) -> Page? {
        switch path {
        case "/livez", "/healthz": return health(.live)
        case "/readyz": return health(.ready)
        case "/metrics":
            let format = MetricsFormat(accept: accept)
            return Page(
                status: 200, contentType: format.contentType, variesByAccept: true, text: metrics.exposition(format))
        default: return nil
        }
    }

    private func health(_ endpoint: HealthChecks.Endpoint) -> Page {
        let report = checks.report(endpoint)
        return Page(status: report.httpStatus, contentType: "text/plain; charset=utf-8", text: report.text)
    }
}
