import HTTPTransport
import JSON

/// The wire of a gateway, which may have a planted mistake.
struct PlantedWakeTransport: HTTPTransport {
    let inner: any HTTPTransport
    let forgetsVersion: Bool

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        guard forgetsVersion, request.method == .patch, let bytes = request.body else {
            return try await inner.send(request)
        }
        var request = request
        do {
            var body = try JSONValue(parsing: bytes)
            body["metadata", "resourceVersion"] = nil
            request.body = body.serializedBytes()
        } catch {
            // It is no JSON, and goes as it is.
        }
        return try await inner.send(request)
    }
}
