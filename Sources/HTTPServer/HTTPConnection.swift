internal import Concurrency
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import OpenSSL

/// A connection between its two worlds: the channel's event loop, which delivers requests, and the task that answers
/// them one after the other.
final class HTTPConnection: Sendable {
    /// A request as the event loop hands it over.
    struct Incoming: Sendable {
        var request: HTTPServerRequest
        var keepsAlive: Bool
        /// HTTP/1.0 knows no chunks.
        var allowsChunks: Bool
    }

    /// Told to the channel's handler when a response is written.
    struct ExchangeEnd: Sendable {
        var keepsAlive: Bool
    }

    /// Told to the channel's handler when the server shuts down.
    struct Drain: Sendable {}

    private struct State {
        var isClosed = false
        var isDraining = false
        var request: Incoming?
        var requestWaiter: CheckedContinuation<Incoming?, Never>?
        /// Counts the exchanges; the current one is open until it is answered.
        var exchange: UInt64 = 0
        var isOpen = false
        var endWaiter: CheckedContinuation<Void, Never>?
    }

    private let channel: any Channel
    let logger: Logger
    private let state = Locked(State())

    init(channel: any Channel, logger: Logger) {
        self.channel = channel
        self.logger = logger
    }

    /// Sets up a channel; called on its event loop.
    static func install(
        on channel: any Channel, tls: TLSContext?, limits: HTTPServerLimits, logger: Logger,
        refusal: @escaping HTTPServer.Refusal = HTTPServer.plainRefusal
    ) throws -> HTTPConnection {
        let connection = HTTPConnection(channel: channel, logger: logger)
        let handler = HTTPServerHandler(connection: connection, limits: limits, logger: logger, refusal: refusal)
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(TLSHandler(try TLSEngine(tls, role: .server))) }
        try pipeline.addHandler(ArrivalHandler(handler))
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        try pipeline.addHandler(handler)
        return connection
    }

    // MARK: From the event loop

    func deliver(_ request: Incoming) {
        let waiter = state.withLock { state -> CheckedContinuation<Incoming?, Never>? in
            guard let waiter = state.requestWaiter else {
                state.request = request
                return nil
            }
            state.requestWaiter = nil
            return waiter
        }
        waiter?.resume(returning: request)
    }

    func closed() {
        let (requestWaiter, endWaiter) = state.withLock { state in
            state.isClosed = true
            state.request = nil
            defer {
                state.requestWaiter = nil
                state.endWaiter = nil
            }
            return (state.requestWaiter, state.endWaiter)
        }
        requestWaiter?.resume(returning: nil)
        endWaiter?.resume()
    }

    // MARK: From the server

    /// Runs tasks where the channel lives.
    var executor: any TaskExecutor { LoopExecutor(channel.eventLoop) }

    func close() { channel.close(promise: nil) }

    /// Closes the connection when its current request is answered.
    func drain() {
        state.withLock { $0.isDraining = true }
        channel.triggerUserOutboundEvent(Drain(), promise: nil)
    }

    /// Answers requests until the connection ends, and then cancels what is still being answered. Cancelling closes it.
    func serve(_ handler: @escaping HTTPServer.Handler) async {
        await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while let incoming = await self.nextRequest() {
                        await self.answer(incoming, self.beginExchange(), handler)
                        self.endExchange()
                    }
                }
                await end()
                group.cancelAll()
            }
        } onCancel: {
            close()
        }
        close()
    }

    private func nextRequest() async -> Incoming? {
        await withCheckedContinuation { continuation in
            enum Found {
                case request(Incoming), end, nothing
            }
            let found = state.withLock { state -> Found in
                if state.isClosed { return .end }
                if let request = state.request {
                    state.request = nil
                    return .request(request)
                }
                state.requestWaiter = continuation
                return .nothing
            }
            switch found {
            case .request(let request): continuation.resume(returning: request)
            case .end: continuation.resume(returning: nil)
            case .nothing: break
            }
        }
    }

    private func beginExchange() -> UInt64 {
        state.withLock { state in
            state.exchange += 1
            state.isOpen = true
            return state.exchange
        }
    }

    private func endExchange() { state.withLock { $0.isOpen = false } }

    /// Returns when the channel is closed.
    private func end() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed { state.endWaiter = continuation }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }

    // MARK: For the answer

    var isDraining: Bool { state.withLock { $0.isDraining } }

    func isOpen(_ exchange: UInt64) -> Bool {
        state.withLock { !$0.isClosed && $0.isOpen && $0.exchange == exchange }
    }

    func finish(keepsAlive: Bool) {
        channel.triggerUserOutboundEvent(ExchangeEnd(keepsAlive: keepsAlive), promise: nil)
    }

    func makeBuffer(capacity: Int) -> ByteBuffer { channel.allocator.buffer(capacity: capacity) }

    /// Returns when the operating system has taken the bytes.
    func write(_ buffer: ByteBuffer) async throws(HTTPClientGone) {
        do {
            try await channel.writeAndFlush(buffer)
        } catch {
            throw HTTPClientGone()
        }
    }
}
