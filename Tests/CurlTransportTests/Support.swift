import HTTPTransport
import Testing

@testable import CurlTransport

extension RawServer {
    func transport() throws -> CurlTransport { try CurlTransport(TransportConfiguration(server: url)) }
}

extension HTTPResponse {
    func text() async throws -> String { String(decoding: try await body.collect(), as: UTF8.self) }
}

/// The error of an operation that is expected to fail.
func failure(_ operation: () async throws -> Void) async -> HTTPTransportError? {
    do {
        try await operation()
        return nil
    } catch {
        return error as? HTTPTransportError
    }
}

/// Waits for something that happens on another thread, for at most ten seconds.
func eventually(_ condition: () -> Bool) async throws -> Bool {
    for _ in 0..<2000 {
        if condition() { return true }
        try await Task.sleep(for: .milliseconds(5))
    }
    return condition()
}
