internal import Concurrency
public import Logging
internal import NIOCore
internal import NIOPosix
public import OpenSSL

/// An HTTP/1.1 server, with TLS where it has a context.
///
/// Every handler, and every streaming body, runs as a child of the task that calls `run`, and is cancelled when its
/// client goes.
public final class HTTPServer: Sendable {
    public typealias Handler = @Sendable (HTTPServerRequest) async -> HTTPServerResponse
    /// What is answered where the server itself refuses a request, by the status and a sentence that says why.
    public typealias Refusal = @Sendable (Int, String) -> HTTPServerResponse

    /// Where handlers run.
    public enum Threads: Sendable, Hashable {
        /// On Swift's own pool, where one that computes for long holds up nobody.
        case pool
        /// On the event loop of the connection, which spares each request some changes of thread. For handlers that are
        /// done, or wait, after microseconds: meanwhile the loop's other connections stand still.
        case eventLoop
    }

    /// The sentence alone.
    public static let plainRefusal: Refusal = { .text($1 + "\n", status: $0) }

    private struct State {
        var connections: [ObjectIdentifier: HTTPConnection] = [:]
        var isShuttingDown = false
    }

    private let host: String
    private let port: Int
    private let tls: Locked<TLSContext?>
    private let limits: HTTPServerLimits
    private let threads: Int
    private let handlerThreads: Threads
    private let logger: Logger
    private let refusal: Refusal
    private let handler: Handler
    private let state = Locked(State())
    private let shutdownSignal: (stream: AsyncStream<Never>, continuation: AsyncStream<Never>.Continuation)

    /// - Parameters:
    ///   - host: An address to listen on, or a name that resolves to one.
    ///   - port: 0 for one that the system chooses.
    ///   - refusal: A plain text unless given. It has bytes for its body.
    ///   - threads: Event loop threads. One is enough for thousands of streams where handlers run on the pool.
    ///   - handlerThreads: Where handlers, and streaming bodies, run.
    public init(
        host: String = "127.0.0.1", port: Int = 0, tls: TLSContext? = nil, limits: HTTPServerLimits = .init(),
        threads: Int = 1, handlersOn handlerThreads: Threads = .pool, logger: Logger,
        refusal: @escaping Refusal = HTTPServer.plainRefusal, handler: @escaping Handler
    ) {
        self.host = host
        self.port = port
        self.tls = Locked(tls)
        self.limits = limits
        self.threads = threads
        self.handlerThreads = handlerThreads
        self.logger = logger
        self.refusal = refusal
        self.handler = handler
        shutdownSignal = AsyncStream.makeStream()
    }

    /// Serves until ``shutdown()`` is called, or the task is cancelled, which cancels all handlers at once. A server
    /// runs once.
    ///
    /// - Parameter onReady: Called with the port once the server accepts connections.
    public func run(onReady: @Sendable (Int) -> Void = { _ in }) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        do {
            let listener: NIOAsyncChannel<HTTPConnection, Never>
            do {
                listener = try await listen(group)
            } catch {
                throw HTTPServerError(description: "listen on \(host):\(port): \(error)")
            }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await self.awaitShutdown(listener.channel) }
                try await accept(listener, onReady)
                tasks.cancelAll()
            }
        } catch {
            try await group.shutdownGracefully()
            // The iteration's own way to say that the task was cancelled.
            if error is CancellationError { return }
            throw error
        }
        try await group.shutdownGracefully()
    }

    /// Gives connections that are accepted from now on another certificate, or other authorities of clients; those that
    /// are open go on. A server without TLS stays without.
    public func renew(_ context: TLSContext) {
        tls.withLock { if $0 != nil { $0 = context } }
    }

    /// Stops accepting, closes idle connections, and lets the requests in flight end within `limits.shutdownGrace`;
    /// then cuts them off. Returns at once; `run` returns when all is over.
    public func shutdown() { shutdownSignal.continuation.finish() }

    /// Carries out a shutdown, in a task beside the one that accepts: so that the event loop lives while it does.
    private func awaitShutdown(_ listener: any Channel) async throws {
        for await _ in shutdownSignal.stream {}
        if Task.isCancelled { return }
        listener.close(promise: nil)
        let connections = state.withLock { state in
            state.isShuttingDown = true
            return Array(state.connections.values)
        }
        for connection in connections { connection.drain() }
        do {
            try await Task.sleep(for: limits.shutdownGrace)
        } catch {
            return  // All requests ended before their time.
        }
        for connection in state.withLock({ Array($0.connections.values) }) { connection.close() }
    }

    private func listen(
        _ group: MultiThreadedEventLoopGroup
    ) async throws -> NIOAsyncChannel<HTTPConnection, Never> {
        let (tls, limits, logger, refusal) = (tls, limits, logger, refusal)
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.autoRead, value: false)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try HTTPConnection.install(
                        on: channel, tls: tls.withLock { $0 }, limits: limits, logger: logger, refusal: refusal)
                }
            }
    }

    private func accept(
        _ listener: NIOAsyncChannel<HTTPConnection, Never>, _ onReady: @Sendable (Int) -> Void
    ) async throws {
        try await listener.executeThenClose { inbound in
            onReady(listener.channel.localAddress?.port ?? port)
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in inbound {
                    guard admit(connection) else { continue }
                    group.addTask(executorPreference: handlerThreads == .eventLoop ? connection.executor : nil) {
                        await connection.serve(self.handler)
                        self.state.withLock { $0.connections[ObjectIdentifier(connection)] = nil }
                    }
                }
            }
        }
    }

    private func admit(_ connection: HTTPConnection) -> Bool {
        let isAdmitted = state.withLock { state in
            if state.isShuttingDown || state.connections.count >= limits.connections { return false }
            state.connections[ObjectIdentifier(connection)] = connection
            return true
        }
        if !isAdmitted {
            logger.debug("refused a connection: too many, or shutting down")
            connection.close()
        }
        return isAdmitted
    }
}

/// Why a server cannot run.
public struct HTTPServerError: Error, Sendable, Hashable, CustomStringConvertible {
    public var description: String
}

/// Runs a server while `body` runs, which gets the port, and shuts it down afterwards.
public func withHTTPServer<Result: Sendable>(
    _ server: HTTPServer, _ body: @Sendable (Int) async throws -> Result
) async throws -> Result {
    let (ports, ready) = AsyncThrowingStream.makeStream(of: Int.self)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            do {
                try await server.run { ready.yield($0) }
                ready.finish()
            } catch {
                ready.finish(throwing: error)
                throw error
            }
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = try await iterator.next() else { throw CancellationError() }
        do {
            let result = try await body(port)
            server.shutdown()
            try await group.waitForAll()
            return result
        } catch {
            group.cancelAll()
            throw error
        }
    }
}
