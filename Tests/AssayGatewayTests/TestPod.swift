import Concurrency
import NIOCore
import NIOPosix

/// A model's server, which keeps what it gets and answers what it is told.
final class TestPod: Sendable {
    enum Reply: Sendable {
        /// These bytes, as they are.
        case bytes(String)
        /// These, and then the end of the connection.
        case last(String)
        /// Nothing for now; see ``write(_:)``.
        case nothing
        /// This, once ``answerOldest()`` asks for it.
        case later(String)
        /// The connection ends.
        case close

        static func text(_ text: String, status: String = "200 OK") -> Reply {
            .bytes("HTTP/1.1 \(status)\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
        }
    }

    struct Seen: Sendable {
        var requests: [StrictReader.Request] = []
        var bytes: [UInt8] = []
        var faults: [String] = []
        var connections = 0
        var open = 0
        /// Requests that are answered later.
        var pending = 0
        var mostPending = 0
    }

    private struct State {
        var seen = Seen()
        var channels: [any Channel] = []
        var latest: (any Channel)? { channels.last }
        var pending: [(channel: any Channel, text: String)] = []
        var watchers: [(@Sendable (Seen) -> Bool, CheckedContinuation<Void, Never>)] = []
    }

    let address: String
    let port: Int
    private let state: Locked<State>
    private let listener: any Channel

    private init(_ listener: any Channel, _ state: Locked<State>) {
        self.listener = listener
        self.state = state
        address = listener.localAddress?.ipAddress ?? ""
        port = listener.localAddress?.port ?? 0
    }

    /// Listens while `body` runs.
    static func with<Result: Sendable>(
        address: String = "127.0.0.1", port: Int = 0,
        reply: @escaping @Sendable (StrictReader.Request) -> Reply = { _ in .text("ok") },
        _ body: (TestPod) async throws -> Result
    ) async throws -> Result {
        let pod = try await start(address: address, port: port, reply: reply)
        do {
            let result = try await body(pod)
            try await pod.stop()
            return result
        } catch {
            try await pod.stop()
            throw error
        }
    }

    static func start(
        address: String = "127.0.0.1", port: Int = 0,
        reply: @escaping @Sendable (StrictReader.Request) -> Reply = { _ in .text("ok") }
    ) async throws -> TestPod {
        let state = Locked(State())
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(state, reply))
                }
            }
            .bind(host: address, port: port).get()
        return TestPod(listener, state)
    }

    var seen: Seen { state.withLock { $0.seen } }

    /// Writes to the connection that was made last.
    func write(_ text: String) {
        state.withLock { $0.latest }?.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    /// Writes to one of its connections, in the order in which they were made.
    func write(_ text: String, toConnection index: Int) {
        state.withLock { $0.channels[index] }.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    func write(_ bytes: ByteBuffer) -> EventLoopFuture<Void>? {
        state.withLock { $0.latest }?.writeAndFlush(bytes)
    }

    /// Answers the oldest of those that are answered later.
    func answerOldest() {
        let next = state.withLock { state -> (channel: any Channel, text: String)? in
            state.seen.pending = max(0, state.seen.pending - 1)
            return state.pending.isEmpty ? nil : state.pending.removeFirst()
        }
        guard let next else { return }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(next.text.utf8.count)\r\n\r\n\(next.text)"
        next.channel.writeAndFlush(ByteBuffer(string: answer), promise: nil)
    }

    /// Ends the connection that was made last.
    func hangUp() { state.withLock { $0.latest }?.close(promise: nil) }

    func stop() async throws {
        do { try await listener.close() } catch ChannelError.alreadyClosed {}
        hangUp()
    }

    /// Returns once what was seen is so.
    func wait(until isSo: @escaping @Sendable (Seen) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isSoNow = state.withLock { state in
                if isSo(state.seen) { return true }
                state.watchers.append((isSo, continuation))
                return false
            }
            if isSoNow { continuation.resume() }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let state: Locked<State>
        private let reply: @Sendable (StrictReader.Request) -> Reply
        private var reader = StrictReader()

        init(_ state: Locked<State>, _ reply: @escaping @Sendable (StrictReader.Request) -> Reply) {
            self.state = state
            self.reply = reply
        }

        private func note(_ change: (inout State) -> Void) {
            let ready = state.withLock { state in
                change(&state)
                let seen = state.seen
                let ready = state.watchers.filter { $0.0(seen) }.map(\.1)
                state.watchers.removeAll { $0.0(seen) }
                return ready
            }
            for continuation in ready { continuation.resume() }
        }

        func channelActive(context: ChannelHandlerContext) {
            let channel = context.channel
            note { state in
                state.channels.append(channel)
                state.seen.connections += 1
                state.seen.open += 1
            }
        }

        func channelInactive(context: ChannelHandlerContext) { note { $0.seen.open -= 1 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            let requests = reader.take(bytes)
            let fault = reader.fault
            note { state in
                state.seen.bytes += bytes
                state.seen.requests += requests
                if let fault { state.seen.faults.append(fault) }
            }
            for request in requests {
                switch reply(request) {
                case .bytes(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                case .last(let text):
                    let channel = context.channel
                    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)))
                        .whenComplete { _ in channel.close(promise: nil) }
                case .later(let text):
                    let channel = context.channel
                    note { state in
                        state.pending.append((channel, text))
                        state.seen.pending = state.pending.count
                        state.seen.mostPending = max(state.seen.mostPending, state.pending.count)
                    }
                case .nothing: break
                case .close: context.close(promise: nil)
                }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
