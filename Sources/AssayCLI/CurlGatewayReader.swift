import AssayCore
import AssayOperator
import Concurrency
import CurlTransport
import HTTPTransport
import JSON

/// Asks the gateway's pods by HTTPS, each over a connection that is kept.
final class CurlGatewayReader: GatewayReader {
    /// A pod that does not answer within this time is taken for one that has something to do.
    private static let timeout: Duration = .seconds(2)

    private struct Peer: Hashable {
        var address: String
        var authorities: String
    }

    private let transports = Locked<[Peer: CurlTransport]>([:])

    func load(of address: String, by access: GatewayAccess) async throws -> GatewayLoad {
        let transport = try transport(to: Peer(address: address, authorities: access.authorities))
        let request = HTTPRequest(
            .get, GatewayAccess.path, headers: ["authorization": "Bearer \(access.token)"],
            delivery: .unary(timeout: Self.timeout))
        let response = try await transport.send(request)
        let body = try await response.body.collect(limit: 16 << 20)
        guard response.status == 200 else { throw Refusal(status: response.status) }
        return try GatewayLoad(json: JSONCursor(try JSONValue(parsing: body)))
    }

    private struct Refusal: Error, CustomStringConvertible {
        var status: Int
        var description: String { "it answers \(status)" }
    }

    private func transport(to peer: Peer) throws -> CurlTransport {
        if let known = transports.withLock({ $0[peer] }) { return known }
        let host = peer.address.contains(":") ? "[\(peer.address)]" : peer.address
        let new = try CurlTransport(
            TransportConfiguration(
                server: "https://\(host):\(GatewayAccess.port)",
                certificateAuthorityPEM: Array(peer.authorities.utf8), tlsServerName: GatewayAccess.serverName,
                connectTimeout: Self.timeout))
        let (kept, old) = transports.withLock { transports -> (CurlTransport, [CurlTransport]) in
            if let known = transports[peer] { return (known, [new]) }
            // Pods come and go, and authorities are renewed: what was there before is not needed by many any more.
            let old = transports.count < 64 ? [] : Array(transports.values)
            if !old.isEmpty { transports = [:] }
            transports[peer] = new
            return (new, old)
        }
        for transport in old { transport.shutdown() }
        return kept
    }

    func shutdown() {
        let all = transports.withLock { transports in
            defer { transports = [:] }
            return Array(transports.values)
        }
        for transport in all { transport.shutdown() }
    }
}
