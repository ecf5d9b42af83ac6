import CurlTransport
import HTTPTransport
import JSON

/// What a real API server keeps its objects in, spoken to behind its back.
struct Etcd: Sendable {
    let port: Int

    /// Forgets every state before a revision, which is what Kubernetes calls a resource version.
    func compact(to revision: String) async throws {
        let transport = try CurlTransport(TransportConfiguration(server: "http://127.0.0.1:\(port)"))
        defer { transport.shutdown() }
        let order: JSONValue = ["revision": .string(revision), "physical": true]
        var request = HTTPRequest(.post, "/v3/kv/compaction", body: order.serializedBytes())
        request.headers["Content-Type"] = "application/json"
        let response = try await transport.send(request)
        let text = String(decoding: try await response.body.collect(), as: UTF8.self)
        guard response.status == 200 else { throw TestClusterError("etcd: \(response.status) \(text)") }
    }
}
