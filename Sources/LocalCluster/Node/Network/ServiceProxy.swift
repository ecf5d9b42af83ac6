import Concurrency
import ControllerRuntime
import Glibc
import Logging
internal import NIOCore
internal import NIOPosix

/// Forwards connections to services' addresses to pods that are ready, and answers DNS for the cluster's names.
///
/// In user space, one task per direction of a connection: it needs no right beyond the address, works the same for the
/// host and for pods, and its speed is that of a proxy.
actor ServiceProxy {
    private let services: Store<DynamicObject>
    private let slices: Store<DynamicObject>
    private let network: NodeNetwork
    private let domain: String
    private let logger: Logger
    private let group = MultiThreadedEventLoopGroup.singleton
    private var channels: [ServiceTable.Listener: any Channel] = [:]
    private var failed: Set<ServiceTable.Listener> = []
    private let table: Locked<ServiceTable>
    private let turn = Locked(0)

    init(
        services: Store<DynamicObject>, slices: Store<DynamicObject>, network: NodeNetwork, domain: String,
        logger: Logger
    ) {
        self.services = services
        self.slices = slices
        self.network = network
        self.domain = domain
        self.logger = logger
        table = Locked(ServiceTable(services: [], slices: []))
    }

    /// Runs until the task is cancelled.
    func run() async {
        let (changes, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        services.subscribe { _ in signal.yield() }
        slices.subscribe { _ in signal.yield() }
        signal.yield()
        await withDiscardingTaskGroup { tasks in
            if !network.isHost { tasks.addTask { await self.answerNames() } }
            for await _ in changes {
                let table = ServiceTable(services: services.all().map(\.json), slices: slices.all().map(\.json))
                self.table.withLock { $0 = table }
                await network.setServiceAddresses(table.serviceAddresses)
                for (listener, channel) in channels where table.listeners[listener] == nil {
                    channels[listener] = nil
                    channel.close(promise: nil)
                }
                for listener in table.listeners.keys where channels[listener] == nil {
                    guard let server = await listen(listener) else { continue }
                    tasks.addTask { await self.serve(server, listener) }
                }
            }
            tasks.cancelAll()
        }
    }

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private func listen(
        _ listener: ServiceTable.Listener
    ) async -> NIOAsyncChannel<Connection, Never>? {
        do {
            let server: NIOAsyncChannel<Connection, Never>
            do {
                server = try await bind(listener.address, listener.port)
            } catch let error as IOError
                where (error.errnoCode == EACCES || error.errnoCode == EADDRINUSE) && network.isHost
                && listener.port + Self.otherPortOffset < 65_536
            {
                // Only root may listen below 1024, and a pod in the host's network that listens on all addresses has
                // taken its port on the service's too.
                let port = listener.port + Self.otherPortOffset
                server = try await bind(listener.address, port)
                logger.notice(
                    "a service is served on another port: its own cannot be had in the host's network",
                    metadata: ["address": "\(listener.address):\(listener.port)", "port": "\(port)"])
            }
            channels[listener] = server.channel
            failed.remove(listener)
            return server
        } catch {
            if failed.insert(listener).inserted {
                logger.warning(
                    "cannot listen for a service",
                    metadata: ["address": "\(listener.address):\(listener.port)", "error": "\(error)"])
            }
            return nil
        }
    }

    /// Added to a service's port where the node cannot listen on it.
    private static let otherPortOffset = 30_000

    private func bind(_ address: String, _ port: Int) async throws -> NIOAsyncChannel<Connection, Never> {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(host: address, port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.wrap(channel) }
            }
    }

    private static func wrap(_ channel: any Channel) throws -> Connection {
        try Connection(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    private nonisolated func serve(
        _ server: NIOAsyncChannel<Connection, Never>, _ listener: ServiceTable.Listener
    ) async {
        do {
            try await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { tasks in
                    for try await connection in connections {
                        tasks.addTask { await self.forward(connection, listener) }
                    }
                }
            }
        } catch {
            logger.debug("a service's listener ended", metadata: ["error": "\(error)"])
        }
    }

    private nonisolated func forward(_ client: Connection, _ listener: ServiceTable.Listener) async {
        do {
            try await client.executeThenClose { fromClient, toClient in
                guard let backend = await connect(listener) else { return }
                try await backend.executeThenClose { fromBackend, toBackend in
                    try await withThrowingTaskGroup(of: Void.self) { tasks in
                        tasks.addTask {
                            for try await bytes in fromClient { try await toBackend.write(bytes) }
                            toBackend.finish()
                        }
                        tasks.addTask {
                            for try await bytes in fromBackend { try await toClient.write(bytes) }
                            toClient.finish()
                        }
                        // The first direction to fail ends both.
                        while try await tasks.next() != nil {}
                    }
                }
            }
        } catch {
            logger.debug("a forwarded connection broke", metadata: ["error": "\(error)"])
        }
    }

    /// Connects to one of those that serve, in turn; another is tried where one does not answer.
    private nonisolated func connect(_ listener: ServiceTable.Listener) async -> Connection? {
        let backends = table.withLock { $0.listeners[listener] ?? [] }
        let first = turn.withLock { turn in
            turn &+= 1
            return turn
        }
        for offset in backends.indices {
            let backend = backends[(first &+ offset) % backends.count]
            do {
                return try await ClientBootstrap(group: group)
                    .channelOption(.allowRemoteHalfClosure, value: true)
                    .connectTimeout(.seconds(2))
                    .connect(host: backend.address, port: backend.port) { channel in
                        channel.eventLoop.makeCompletedFuture { try Self.wrap(channel) }
                    }
            } catch {
                logger.debug(
                    "an endpoint does not answer",
                    metadata: ["address": "\(backend.address):\(backend.port)", "error": "\(error)"])
            }
        }
        return nil
    }

    private nonisolated func answerNames() async {
        do {
            let server = try await DatagramBootstrap(group: group)
                .channelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: network.hostAddress, port: 53) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<AddressedEnvelope<ByteBuffer>, AddressedEnvelope<ByteBuffer>>(
                            wrappingChannelSynchronously: channel)
                    }
                }
            try await server.executeThenClose { queries, answers in
                for try await query in queries {
                    guard let question = DNSQuery(Array(query.data.readableBytesView)) else { continue }
                    let answer = table.withLock { $0.answer(to: question.name, domain: domain) }
                    let data = ByteBuffer(bytes: answer.message(to: question))
                    try await answers.write(AddressedEnvelope(remoteAddress: query.remoteAddress, data: data))
                }
            }
        } catch {
            if !Task.isCancelled {
                logger.error("names of services are not answered", metadata: ["error": "\(error)"])
            }
        }
    }
}
