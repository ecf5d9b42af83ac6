import ControllerRuntime
import HTTPServer
import HTTPTransport
import Logging

/// Serves `/livez` (also as `/healthz`), `/readyz` and `/metrics` over plain HTTP, for probes and Prometheus.
struct GatewayStatusServer: Sendable {
    let address: GatewayConfiguration.Address
    let checks: HealthChecks
    let metrics: MetricsRegistry
    let logger: Logger

    /// Serves until the task is cancelled.
    func run(onListening: @escaping @Sendable (Int) -> Void) async throws {
        let server = HTTPServer(host: address.host, port: address.port, logger: logger) { answer($0) }
        try await server.run { port in
            logger.info("serving health and metrics", metadata: ["address": "\(address.host):\(port)"])
            onListening(port)
        }
    }

    func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        guard request.method == "GET" || request.method == "HEAD" else {
            return .text("only GET is answered here\n", status: 405)
        }
        switch request.path {
        case "/livez", "/healthz": return health(.live)
        case "/readyz": return health(.ready)
        case "/metrics":
            let format = MetricsFormat(accept: request.headers["Accept"])
            return HTTPServerResponse(
                status: 200, headers: ["Content-Type": format.contentType, "Vary": "Accept"],
                body: .bytes(Array(metrics.exposition(format).utf8)))
        default: return .text("no such path\n", status: 404)
        }
    }

    private func health(_ endpoint: HealthChecks.Endpoint) -> HTTPServerResponse {
        let report = checks.report(endpoint)
        return .text(report.text, status: report.httpStatus)
    }
}
