import Concurrency
import ControllerRuntime
import Glibc
import Logging
internal import NIOCore
internal import NIOPosix

/// Forwards connections to services' addresses to pods that are ready, and answers DNS for the cluster's names.
///
/// In user space, on event loops: it needs no right beyond the address, works the same for the host and for pods, and
/// its speed is that of a proxy. Connections outlive changes of the routes: a pod that leaves finishes its answers.
actor ServiceProxy {
    private let services: Store<DynamicObject>
    private let endpoints: EndpointSource
    private let network: NodeNetwork
    private let domain: String
    private let logger: Logger
    private let group = MultiThreadedEventLoopGroup.singleton
    private var channels: [ServiceTable.Listener: any Channel] = [:]
    private var failed: Set<ServiceTable.Listener> = []
    private let table: Locked<ServiceTable>
    private let turn = Locked(0)
    private let connections: ProxiedConnections

    init(
        services: Store<DynamicObject>, endpoints: EndpointSource, network: NodeNetwork, domain: String, logger: Logger
    ) {
        self.services = services
        self.endpoints = endpoints
        self.network = network
        self.domain = domain
        self.logger = logger
        table = Locked(ServiceTable(services: [], slices: []))
        connections = ProxiedConnections(logger: logger)
    }

    /// Runs until the task is cancelled.
    func run() async {
        let (changes, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        services.subscribe { _ in signal.yield() }
        endpoints.store.subscribe { _ in signal.yield() }
        signal.yield()
        let names = network.isHost ? nil : await answerNames()
        for await _ in changes {
            let table = ServiceTable(services: services.all().map(\.json), slices: endpoints.slices)
            self.table.withLock { $0 = table }
            await network.setServiceAddresses(table.serviceAddresses)
            for (listener, channel) in channels where table.listeners[listener] == nil {
                channels[listener] = nil
                await close(channel)
            }
            for listener in table.listeners.keys where channels[listener] == nil { await listen(listener) }
        }
        for channel in channels.values { await close(channel) }
        channels = [:]
        connections.close()
        await names?.close()
    }

    private func close(_ channel: any Channel) async {
        do {
            try await channel.close()
        } catch {
            logger.debug("a listener was closed already", metadata: ["error": "\(error)"])
        }
    }

    private func listen(_ front: ServiceTable.Listener) async {
        do {
            do {
                channels[front] = try await bind(front, port: front.port)
            } catch let error as IOError
                where (error.errnoCode == EACCES || error.errnoCode == EADDRINUSE) && network.isHost
                && front.port + Self.otherPortOffset < 65_536
            {
                // Only root may listen below 1024, and a pod in the host's network that listens on all addresses has
                // taken its port on the service's too.
                let port = front.port + Self.otherPortOffset
                channels[front] = try await bind(front, port: port)
                logger.notice(
                    "a service is served on another port: its own cannot be had in the host's network",
                    metadata: ["address": "\(front.address):\(front.port)", "port": "\(port)"])
            }
            failed.remove(front)
        } catch {
            if failed.insert(front).inserted {
                logger.warning(
                    "cannot listen for a service",
                    metadata: ["address": "\(front.address):\(front.port)", "error": "\(error)"])
            }
        }
    }

    /// Added to a service's port where the node cannot listen on it.
    private static let otherPortOffset = 30_000

    private func bind(_ front: ServiceTable.Listener, port: Int) async throws -> any Channel {
        let (connections, table, turn) = (connections, table, turn)
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let relay = Relay { channel, relay in
                        connections.admit(channel, relay, to: Self.candidates(front, table, turn))
                    }
                    try channel.pipeline.syncOperations.addHandler(relay)
                }
            }
            .bind(host: front.address, port: port).get()
    }

    /// Those that serve in the order to try them, each time beginning with the next.
    private static func candidates(
        _ front: ServiceTable.Listener, _ table: Locked<ServiceTable>, _ turn: Locked<Int>
    ) -> [ServiceTable.Backend] {
        let backends = table.withLock { $0.listeners[front] ?? [] }
        if backends.isEmpty { return [] }
        let first = turn.withLock { turn in
            turn = (turn &+ 1) & Int.max
            return turn % backends.count
        }
        return Array(backends[first...] + backends[..<first])
    }

    private func answerNames() async -> NameServer? {
        let (table, domain) = (table, domain)
        do {
            return try await NameServer.listen(on: network.hostAddress, port: 53, logger: logger) { query in
                DNSZone(table.withLock { $0 }, domain: domain).answer(to: query)
            }
        } catch {
            logger.error("names of services are not answered", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
