import Concurrency
import Logging
internal import NIOCore
internal import NIOPosix

/// Connects clients of services with endpoints, and keeps count.
///
/// Channels without tasks: a connection that nobody takes over any more, as when its listener closes, is just closed.
final class ProxiedConnections: Sendable {
    private struct State {
        var clients: [ObjectIdentifier: any Channel] = [:]
        var isFull = false
        var isClosed = false
    }

    /// Connections at a time; more are reset.
    static let limit = 10_000
    static let connectTimeout: TimeAmount = .seconds(1)

    private let limit: Int
    private let logger: Logger
    private let state = Locked(State())

    init(limit: Int = ProxiedConnections.limit, logger: Logger) {
        self.limit = limit
        self.logger = logger
    }

    /// Forwards a client's connection to the first of `backends` that answers. Called on the client's event loop.
    func admit(_ client: any Channel, _ relay: Relay, to backends: [ServiceTable.Backend]) {
        guard enter(client) else { return client.reset() }
        client.closeFuture.whenComplete { _ in self.leave(client) }
        connect(client, relay, backends[...])
    }

    /// Resets all connections, and those that still come.
    func close() {
        let clients = state.withLock { state in
            state.isClosed = true
            return Array(state.clients.values)
        }
        for client in clients { client.reset() }
    }

    private func enter(_ client: any Channel) -> Bool {
        let (isAdmitted, isNews) = state.withLock { state -> (Bool, Bool) in
            if state.isClosed { return (false, false) }
            if state.clients.count < limit {
                state.clients[ObjectIdentifier(client)] = client
                return (true, false)
            }
            defer { state.isFull = true }
            return (false, !state.isFull)
        }
        if isNews { logger.warning("refusing connections to services: there are \(limit) already") }
        return isAdmitted
    }

    private func leave(_ client: any Channel) {
        state.withLock { state in
            state.clients[ObjectIdentifier(client)] = nil
            if state.clients.count < limit / 10 * 9 { state.isFull = false }
        }
    }

    private func connect(_ client: any Channel, _ relay: Relay, _ backends: ArraySlice<ServiceTable.Backend>) {
        // Nobody serves: the answer is that of a closed port.
        guard client.isActive, let backend = backends.first else { return client.reset() }
        // On the client's event loop, where the two ends can work together without locks.
        ClientBootstrap(group: client.eventLoop)
            .connectTimeout(Self.connectTimeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connect(host: backend.address, port: backend.port)
            .hop(to: client.eventLoop)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let server): self.join(client, relay, server)
                case .failure(let error):
                    self.logger.debug(
                        "an endpoint does not answer",
                        metadata: ["address": "\(backend.address):\(backend.port)", "error": "\(error)"])
                    self.connect(client, relay, backends.dropFirst())
                }
            }
    }

    private func join(_ client: any Channel, _ relay: Relay, _ server: any Channel) {
        guard client.isActive else { return server.reset() }
        do {
            let other = Relay()
            try server.pipeline.syncOperations.addHandler(other)
            Relay.join(relay, other)
        } catch {
            server.reset()
            client.reset()
        }
    }
}
