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

    private enum End {
        case answered, gone
    }

    private struct State {
        var isClosed = false
        var isDraining = false
        var request: Incoming?
        var requestWaiter: CheckedContinuation<Incoming?, Never>?
        /// Counts the exchanges; the current one is open until it is answered.
        var exchange: UInt64 = 0
        var isOpen = false
        var endWaiter: CheckedContinuation<End, Never>?
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
        endWaiter?.resume(returning: .gone)
    }

    // MARK: From the server

    func close() { channel.close(promise: nil) }

    /// Closes the connection when its current request is answered.
    func drain() {
        state.withLock { $0.isDraining = true }
        channel.triggerUserOutboundEvent(Drain(), promise: nil)
    }

    /// Answers requests until the connection ends. Cancelling closes it.
    func serve(_ handler: @escaping HTTPServer.Handler) async {
        await withTaskCancellationHandler {
            while let incoming = await nextRequest() {
                await withTaskGroup(of: Void.self) { group in
                    let exchange = beginExchange()
                    group.addTask {
                        await self.answer(incoming, exchange, handler)
                        self.endExchange()
                    }
                    if case .gone = await exchangeEnd() { group.cancelAll() }
                }
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

    private func endExchange() {
        let waiter = state.withLock { state in
            state.isOpen = false
            defer { state.endWaiter = nil }
            return state.endWaiter
        }
        waiter?.resume(returning: .answered)
    }

    /// Returns when the current exchange is answered or the client is gone, whichever is first.
    private func exchangeEnd() async -> End {
        await withCheckedContinuation { continuation in
            let end = state.withLock { state -> End? in
                if !state.isOpen { return .answered }
                if state.isClosed { return .gone }
                state.endWaiter = continuation
                return nil
            }
            if let end { continuation.resume(returning: end) }
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
