import Concurrency
import HTTPTransport

/// Counts requests and times them under client-go's names, and passes everything on.
public struct MeteredTransport: HTTPTransport {
    private let inner: any HTTPTransport
    private let registry: MetricsRegistry
    private let host: String
    private let time: any TimeSource
    /// The latest writes.
    public let log = RequestLog()

    /// - Parameters:
    ///   - inner: does the work.
    ///   - host: labels the series, `10.0.0.1:6443`.
    ///   - registry: shows what is measured.
    ///   - time: tells the time; a test gives one that it moves itself.
    public init(
        _ inner: any HTTPTransport, host: String, registry: MetricsRegistry, time: any TimeSource = SystemTime()
    ) {
        self.inner = inner
        self.host = host
        self.registry = registry
        self.time = time
    }

    /// Passes a request on; it is counted and timed once its answer has begun.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let started = time.monotonicNow()
        let sentAt = time.wallNow()
        log.began(request.method.rawValue)
        do throws(HTTPTransportError) {
            let response = try await inner.send(request)
            count(request, "\(response.status)", started)
            log.ended(request, result: "\(response.status)", at: sentAt, took: time.monotonicNow() - started)
            return response
        } catch {
            count(request, "<error>", started)
            log.ended(request, result: "\(error)", at: sentAt, took: time.monotonicNow() - started)
            throw error
        }
    }

    private func count(_ request: HTTPRequest, _ code: String, _ started: Duration) {
        let method = request.method.rawValue
        registry.counter(
            "rest_client_requests_total", [("code", code), ("method", method), ("host", host)]
        ).increment()
        registry.histogram("rest_client_request_duration_seconds", [("verb", method), ("host", host)])
            .observe(time.monotonicNow() - started)
    }
}
