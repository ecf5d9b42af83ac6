import NIOCore
import NIOHTTP1

/// A connection to a pod. It carries one exchange at a time, for whichever client the pool gives it to.
final class PodHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private enum Stage {
        /// Nothing may come.
        case idle
        case exchange(ClientHandler)
        case probing(isReady: Bool?, keepsAlive: Bool)
        case closed
    }

    /// What the response decoder is told of a request, of which it only needs to know whether the answer has a body.
    private static let headRequest = HTTPRequestHead(version: .http1_1, method: .HEAD, uri: "/")
    private static let otherRequest = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
    private static let probeTimeout = TimeAmount.seconds(1)

    let endpointID: Int
    private let revision: LoopRevision
    private let writer = RequestWriter()
    private var context: ChannelHandlerContext?
    private var stage = Stage.idle
    private var mayRead = true
    /// The end of the answer has come, with these trailers. It counts once the read that brought it is over: what stands
    /// behind it belongs to no request, and must not be taken for the answer to the next one.
    private var end: (trailers: HTTPHeaders?, isClean: Bool)?
    private var probeTimer: Scheduled<Void>?
    private var exchanges = 0

    init(_ endpointID: Int, _ revision: LoopRevision) {
        self.endpointID = endpointID
        self.revision = revision
    }

    /// Sets up a channel; called on its event loop.
    func install(in channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(writer)
        try pipeline.addHandler(ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)))
        try pipeline.addHandler(self)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: From the client

    /// The next exchange begins. Its bytes follow.
    func begin(_ client: ClientHandler, isHead: Bool) {
        exchanges += 1
        stage = .exchange(client)
        announce(isHead: isHead)
        mayRead = true
    }

    /// The exchange is the first on this connection.
    var isFresh: Bool { exchanges == 1 }

    private func announce(isHead: Bool) {
        context?.write(wrapOutboundOut(.head(isHead ? Self.headRequest : Self.otherRequest)), promise: nil)
    }

    /// Sends bytes of a request. They go out with the next flush.
    func send(_ buffer: ByteBuffer) { writer.send(buffer) }

    func flush() { writer.flush() }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// The exchange is over for the client, who tells the pool what becomes of the connection.
    func detach() {
        if case .exchange = stage { stage = .idle }
        setReading(true)
    }

    /// Stops and starts the pod's answer, as its client takes it.
    func setReading(_ reads: Bool) {
        if reads, !mayRead { context?.read() }
        mayRead = reads
    }

    /// It was given to a client that does not need it any more.
    func giveBack() { revision.release(self, isUsable: true) }

    func close() { context?.close(promise: nil) }

    // MARK: From the pod

    func channelActive(context: ChannelHandlerContext) {
        context.read()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch stage {
        case .exchange where end != nil: end?.isClean = false
        case .exchange(let client):
            switch part {
            case .head(let head): client.podAnswered(head)
            case .body(let bytes): client.podSent(bytes)
            case .end(let trailers): end = (trailers, true)
            }
        case .probing: takeProbe(part)
        case .idle, .closed:
            // Nobody asked for it, so nobody may get it.
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .exchange(let client) = stage, !finish(client, isOpen: true) { client.podPaused() }
        if mayRead { context.read() }
    }

    /// Tells the client of the end, if it has come.
    private func finish(_ client: ClientHandler, isOpen: Bool) -> Bool {
        guard let end else { return false }
        self.end = nil
        client.podFinished(end.trailers, isUsable: end.isClean && isOpen)
        return true
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .exchange(let client) = stage { client.podTakesBytes() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .exchange(let client) = stage, error is HTTPParserError || error is NIOHTTPDecoderError {
            if end != nil {
                end?.isClean = false
                return
            }
            stage = .idle
            client.podBroke(.malformed)
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let last = stage
        stage = .closed
        switch last {
        case .exchange(let client): if !finish(client, isOpen: false) { client.podBroke(.closed) }
        case .probing: endProbe(isReady: false, isUsable: false)
        case .idle: revision.idleClosed(self)
        case .closed: break
        }
        context.fireChannelInactive()
    }

    // MARK: Probing

    /// Asks the pod whether it is ready.
    func probe(_ path: String, host: String) {
        guard let context else { return revision.probed(self, isReady: false, isUsable: false) }
        stage = .probing(isReady: nil, keepsAlive: false)
        announce(isHead: false)
        writer.send(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: assay-gateway\r\n\r\n"))
        writer.flush()
        probeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.probeTimeout) { self.close() }
    }

    private func takeProbe(_ part: HTTPClientResponsePart) {
        switch part {
        case .head(let head):
            stage = .probing(isReady: (200..<400).contains(head.status.code), keepsAlive: head.isKeepAlive)
        case .body: break
        case .end:
            guard case .probing(let isReady?, let keepsAlive) = stage else { return }
            stage = .idle
            endProbe(isReady: isReady, isUsable: keepsAlive)
            if !isReady || !keepsAlive { close() }
        }
    }

    private func endProbe(isReady: Bool, isUsable: Bool) {
        probeTimer?.cancel()
        probeTimer = nil
        revision.probed(self, isReady: isReady, isUsable: isUsable)
    }
}

/// Lets the bytes of requests through beside the decoder, which wants to hear of requests as values; those end here.
private final class RequestWriter: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) { promise?.succeed() }

    func send(_ buffer: ByteBuffer) { context?.write(wrapOutboundOut(buffer), promise: nil) }

    func flush() { context?.flush() }
}
