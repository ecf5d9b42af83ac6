internal import HTTPTransport
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import OpenSSL

/// Assembles requests on the event loop, one at a time, and enforces what a client may take and how long.
///
/// While a request is being answered nothing more is read once something of the next one is there, so that of pipelined
/// requests only what two reads brought is held. NIO still notices that the client closes.
final class HTTPServerHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Between requests. `hasBegun` once a byte of the next head came.
        case head(hasBegun: Bool)
        case body(HTTPRequestHead, RequestFacts, [UInt8])
        case answering
        /// A last answer is on its way; what still comes is thrown away, so that the client can read the answer.
        case lingering
        case closed
    }

    /// What the one timer waits for.
    private enum Wait {
        case head, idle, body, write, linger
    }

    private let connection: HTTPConnection
    private let limits: HTTPServerLimits
    private let logger: Logger
    private let refusal: HTTPServer.Refusal
    private var phase = Phase.head(hasBegun: false)
    private var isDraining = false
    private var remoteAddress = ""
    private var peer: ClientCertificate?
    /// What came while a request was being answered, a rejection by the parser included.
    private var backlog = CircularBuffer<Result<HTTPServerRequestPart, Rejection>>()
    /// Whether bytes came while a request was being answered, though perhaps not yet a whole head.
    private var isAhead = false

    private var wait: (for: Wait, until: NIODeadline)?
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?
    private var pendingWrites = 0

    init(
        connection: HTTPConnection, limits: HTTPServerLimits, logger: Logger, refusal: @escaping HTTPServer.Refusal
    ) {
        self.connection = connection
        self.refusal = refusal
        self.limits = limits
        self.logger = logger
    }

    // MARK: Inbound

    func channelActive(context: ChannelHandlerContext) {
        remoteAddress = context.remoteAddress?.ipAddress ?? ""
        setWait(context, .head)
        context.read()
        context.fireChannelActive()
    }

    /// A byte came from the client, though perhaps not yet a whole head.
    func bytesArrived(_ context: ChannelHandlerContext) {
        switch phase {
        case .head(hasBegun: false):
            phase = .head(hasBegun: true)
            setWait(context, .head)
        case .answering: isAhead = true
        default: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let established = event as? TLSEstablished { peer = established.peer }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        backlog.append(.success(unwrapInboundIn(data)))
        process(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { readMore(context) }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        backlog.removeAll()
        timer?.task.cancel()
        timer = nil
        wait = nil
        connection.closed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            logger.debug("a connection failed", metadata: ["error": "\(error)"])
            context.close(promise: nil)
            return
        }
        let rejection =
            error == .headerOverflow
            ? Rejection(status: 431, message: "the header is too long")
            : Rejection(status: 400, message: "this is not HTTP/1.1")
        backlog.append(.failure(rejection))
        process(context)
    }

    /// Takes what came, until a request is whole.
    private func process(_ context: ChannelHandlerContext) {
        while true {
            switch phase {
            case .answering: return
            case .lingering, .closed:
                backlog.removeAll()
                return
            case .head, .body: break
            }
            guard let next = backlog.popFirst() else { return }
            do throws(Rejection) {
                try take(context, try next.get())
            } catch {
                reject(context, error)
            }
        }
    }

    private func take(_ context: ChannelHandlerContext, _ part: HTTPServerRequestPart) throws(Rejection) {
        switch (part, phase) {
        case (.head(let head), .head):
            let facts = try RequestRules.check(head, limits)
            phase = .body(head, facts, [])
            setWait(context, .body)
            if facts.expectsContinue {
                send(context, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), promise: nil)
            }
        case (.body(let bytes), .body(let head, let facts, var body)):
            guard body.count + bytes.readableBytes <= limits.body else {
                throw Rejection(status: 413, message: "the body is longer than \(limits.body) bytes")
            }
            phase = .answering  // Leaves `body` the only owner, so that it grows in place.
            body.append(contentsOf: bytes.readableBytesView)
            phase = .body(head, facts, body)
        case (.end, .body(let head, let facts, let body)):
            setWait(context, nil)
            phase = .answering
            connection.deliver(incoming(head, facts, body))
        default:
            throw Rejection(status: 400, message: "the request is malformed")
        }
    }

    private func incoming(
        _ head: HTTPRequestHead, _ facts: RequestFacts, _ body: [UInt8]
    ) -> HTTPConnection.Incoming {
        let headers = Fields(head.headers.map { Fields.Field(name: $0.name, value: $0.value) })
        let request = HTTPServerRequest(
            method: head.method.rawValue, target: facts.target, headers: headers, body: body,
            remoteAddress: remoteAddress, clientCertificate: peer)
        return HTTPConnection.Incoming(
            request: request, keepsAlive: facts.keepsAlive, allowsChunks: head.version.minor == 1)
    }

    private func readMore(_ context: ChannelHandlerContext) {
        switch phase {
        case .head, .body, .lingering: context.read()
        // To ask now for what comes next spares the loop a turn to and from epoll with each request.
        case .answering: if backlog.isEmpty { context.read() }
        case .closed: break
        }
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let promise = promise ?? context.eventLoop.makePromise()
        noteWrite(context, promise)
        context.write(data, promise: promise)
    }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        switch event {
        case let end as HTTPConnection.ExchangeEnd: endExchange(context, keepsAlive: end.keepsAlive)
        case is HTTPConnection.Drain:
            isDraining = true
            if case .head = phase { context.close(promise: nil) }
        default: break
        }
        promise?.succeed()
    }

    private func endExchange(_ context: ChannelHandlerContext, keepsAlive: Bool) {
        guard case .answering = phase else { return }
        guard keepsAlive, !isDraining else {
            phase = .closed
            context.close(promise: nil)
            return
        }
        let hasBegun = isAhead || !backlog.isEmpty
        isAhead = false
        phase = .head(hasBegun: hasBegun)
        setWait(context, hasBegun ? .head : .idle)
        process(context)
        readMore(context)
    }

    /// Answers in the handler's place, then closes.
    private func reject(_ context: ChannelHandlerContext, _ rejection: Rejection) {
        phase = .lingering
        setWait(context, .linger)
        backlog.removeAll()
        logger.debug("refused a request", metadata: ["status": "\(rejection.status)", "why": "\(rejection.message)"])
        let response = refusal(rejection.status, rejection.message)
        var body: [UInt8] = []
        if case .bytes(let bytes) = response.body { body = bytes }
        var head = ResponseHead(response, keepsAlive: false)
        head.add("Content-Length", String(body.count))
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [self] _ in
            guard case .lingering = phase else { return }
            // A close now would reset the connection if bytes are unread, and the client might lose the answer.
            context.close(mode: .output, promise: nil)
            setWait(context, .linger)
            context.read()
        }
        send(context, head.finished() + body, promise: promise)
    }

    private func send(_ context: ChannelHandlerContext, _ bytes: [UInt8], promise: EventLoopPromise<Void>?) {
        let promise = promise ?? context.eventLoop.makePromise()
        noteWrite(context, promise)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: promise)
    }

    private func noteWrite(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>) {
        pendingWrites += 1
        if case .answering = phase { setWait(context, .write) }
        promise.futureResult.assumeIsolated().whenComplete { [self] _ in
            pendingWrites -= 1
            if pendingWrites == 0, case .write = wait?.for { wait = nil }
        }
    }

    // MARK: Time

    /// Sets what the timer is for. The timer itself is moved only when it would come too late: most waits end long
    /// before their time, and cancelling costs a search in the event loop's heap.
    private func setWait(_ context: ChannelHandlerContext, _ kind: Wait?) {
        guard let kind else {
            wait = nil
            return
        }
        let duration: Duration =
            switch kind {
            case .head: limits.headTimeout
            case .idle: limits.idleTimeout
            case .body: limits.bodyTimeout
            case .write: limits.writeTimeout
            case .linger: .seconds(2)
            }
        let until = context.eventLoop.now + TimeAmount(duration)
        wait = (kind, until)
        if let timer {
            if timer.at <= until { return }
            timer.task.cancel()
        }
        schedule(context, until)
    }

    private func schedule(_ context: ChannelHandlerContext, _ at: NIODeadline) {
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: at) { [self] in
            timer = nil
            guard let wait else { return }
            if wait.until > context.eventLoop.now {
                schedule(context, wait.until)
            } else {
                expire(context, wait.for)
            }
        }
        timer = (task, at)
    }

    private func expire(_ context: ChannelHandlerContext, _ kind: Wait) {
        wait = nil
        switch (kind, phase) {
        case (.head, .head(hasBegun: true)), (.body, .body):
            reject(context, Rejection(status: 408, message: "the request did not come in time"))
        default:
            logger.debug("closed a connection that stood still", metadata: ["wait": "\(kind)"])
            context.close(promise: nil)
        }
    }
}

/// Tells the handler behind the parser that bytes came, of which the parser says nothing before a head is whole.
final class ArrivalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let handler: HTTPServerHandler

    init(_ handler: HTTPServerHandler) { self.handler = handler }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        handler.bytesArrived(context)
        context.fireChannelRead(data)
    }
}
