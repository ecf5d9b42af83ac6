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
        let pages = StatusPages(checks: checks, metrics: metrics)
        guard let page = pages.page(request.path, accept: request.headers["Accept"]) else {
            return .text("no such path\n", status: 404)
        }
        var response = HTTPServerResponse(
            status: page.status, headers: ["Content-Type": page.contentType], body: .bytes(Array(page.text.utf8)))
        if page.variesByAccept { response.headers["Vary"] = "Accept" }
        return response
    }
}
