import ControllerRuntime
import HTTPServer
import HTTPTransport
import JSON
import Logging

/// Serves `/livez` (also as `/healthz`), `/readyz` and `/metrics` over plain HTTP, for probes and Prometheus, and
/// `/debug/state` for a person.
///
/// The last names the objects of every namespace, so it is answered to the pod itself alone: `kubectl port-forward` gets
/// there, and asks the API server for the right to.
struct StatusServer: Sendable {
    let address: OperatorConfiguration.Address
    let checks: HealthChecks
    let metrics: MetricsRegistry
    let debug: DebugState
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
            return request.path == "/debug/state" ? state(request) : .text("no such path\n", status: 404)
        }
        var response = HTTPServerResponse(
            status: page.status, headers: ["Content-Type": page.contentType], body: .bytes(Array(page.text.utf8)))
        if page.variesByAccept { response.headers["Vary"] = "Accept" }
        return response
    }

    private func state(_ request: HTTPServerRequest) -> HTTPServerResponse {
        guard ["127.0.0.1", "::1", "::ffff:127.0.0.1"].contains(request.remoteAddress) else {
            return .text("answered to the pod itself alone: kubectl port-forward\n", status: 403)
        }
        let query = (request.query ?? "").split(separator: "&")
        let likesJSON = request.headers["Accept"]?.contains("application/json") ?? false
        var answer = HTTPServerResponse.text(debug.text)
        if query.contains("format=json") || (likesJSON && !query.contains("format=text")) {
            answer.headers = ["Content-Type": "application/json"]
            answer.body = .bytes(Array((debug.json.serialized() + "\n").utf8))
        }
        answer.headers["Vary"] = "Accept"
        answer.headers["Cache-Control"] = "no-store"
        return answer
    }
}
