import ControllerRuntime
import HTTPServer
import KubernetesModel
import Logging
import NIOCore
import NIOHTTP1
import OpenSSL

/// By which door a client came.
enum Entrance: Sendable, Hashable {
    /// A model's own port.
    case port(Int)
    /// A port that all share, where the name decides.
    case shared
}

/// A client's connection: takes its requests one after another, gives each to a pod, and passes the answers back.
///
/// All of it happens on one event loop and without tasks. What a client sends while a request is under way waits, and
/// nothing is read beyond what one read brought.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    enum Stage {
        /// Before the first request, until the client is known by TLS.
        case handshake
        /// Between requests. `hasBegun` once a byte of the next head came.
        case head(hasBegun: Bool)
        case exchange
        /// A last answer is on its way; what still comes is thrown away, so that the client can read the answer.
        case lingering
        case closed
    }

    let loop: LoopContext
    let entrance: Entrance
    var stage: Stage
    var exchange: Exchange?
    var context: ChannelHandlerContext?
    private var address = ""
    /// What came while a request was under way.
    private var backlog = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 2)
    /// What the parser refused, behind all that it let through.
    private var parserRejection: Rejection?
    /// Bytes for the pod, and for the client, that go out with the next flush.
    var toPod = ByteBuffer()
    var toClient = ByteBuffer()
    var isStalled = false
    let timer: StageTimer

    private let isSecure: Bool

    /// - Parameter isSecure: the client speaks TLS.
    init(_ loop: LoopContext, _ entrance: Entrance, isSecure: Bool = false) {
        self.loop = loop
        self.entrance = entrance
        self.isSecure = isSecure
        stage = isSecure ? .handshake : .head(hasBegun: false)
        timer = StageTimer(loop)
    }

    /// Sets up a channel; called on its event loop.
    ///
    /// - Parameter tls: by which the client speaks TLS.
    func install(in channel: any Channel, tls: TLSContext? = nil) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(TLSHandler(try TLSEngine(tls, role: .server))) }
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        try pipeline.addHandler(self)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        guard loop.admits else { return context.close(promise: nil) }
        address = context.remoteAddress?.ipAddress ?? "unknown"
        timer.handler = self
        loop.add(self)
        timer.wait(for: isSecure ? .handshake : .head)
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSEstablished, case .handshake = stage {
            stage = .head(hasBegun: false)
            timer.wait(for: .head)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch stage {
        case .exchange where exchange?.isComplete ?? true: backlog.append(part)
        case .exchange, .head: take(part)
        case .handshake, .lingering, .closed: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch stage {
        case .head(hasBegun: false):
            // The parser says nothing of a head that is not whole.
            stage = .head(hasBegun: true)
            timer.wait(for: .head)
        case .exchange: if exchange?.pod != nil { flushToPod() }
        case .handshake, .head, .lingering, .closed: break
        }
        readMore()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard isStalled, context.channel.isWritable else { return }
        isStalled = false
        exchange?.pod?.setReading(true)
        if case .exchange = stage { timer.wait(for: .responseBody) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stage = .closed
        timer.stop()
        loop.remove(self)
        backlog.removeAll()
        abandon(status: 499)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else { return close() }
        let rejection =
            error == .headerOverflow
            ? Rejection(status: 431, message: "the header is too long")
            : Rejection(status: 400, message: "this is not HTTP/1.1")
        switch stage {
        case .exchange where exchange?.isComplete ?? true: parserRejection = rejection
        case .exchange, .head: refuse(rejection)
        case .handshake, .lingering, .closed: break
        }
    }

    /// Reads on unless the pod or the line is to be waited for. A read that is never needed costs nothing, whereas taking
    /// the wish to read back costs system calls; so one is pending also while an answer is awaited.
    func readMore() {
        guard let context else { return }
        switch stage {
        case .handshake, .head, .lingering: context.read()
        case .exchange:
            guard let exchange else { return }
            let mayRead = exchange.isComplete ? backlog.isEmpty : exchange.pod?.isWritable ?? false
            if mayRead { context.read() }
        case .closed: break
        }
    }

    // MARK: The request

    private func take(_ part: HTTPServerRequestPart) {
        switch (part, stage) {
        case (.head(let head), .head):
            do throws(Rejection) {
                begin(head, try RequestRules.check(head, loop.limits.server))
            } catch {
                refuse(error)
            }
        case (.body(let bytes), .exchange): takeBody(bytes)
        case (.end(let trailers), .exchange): takeEnd(trailers)
        default: refuse(Rejection(status: 400, message: "the request is malformed"))
        }
    }

    private func begin(_ head: HTTPRequestHead, _ facts: RequestFacts) {
        let id = RequestID.given(head.headers) ?? loop.makeRequestID()
        stage = .exchange
        let model: LoopModel? =
            switch entrance {
            case .port(let port): loop.model(port: port)
            case .shared: loop.model(host: facts.host)
            }
        guard let model else {
            return refuse(
                Rejection(status: 404, message: "no model answers here"), id: id, isHead: head.method == .HEAD)
        }
        let exchange = Exchange(head, facts, id: id, model: model, started: loop.now)
        self.exchange = exchange
        if let rule = model.route?.callers, rule != .anybody {
            authenticate(exchange, by: rule)
        } else {
            admit(exchange)
        }
    }

    /// From here on it is one of the model's requests.
    func admit(_ exchange: Exchange) {
        exchange.isAdmitted = true
        exchange.model.shared.meter.begin(now: loop.now)
        timer.wait(for: .requestBody)
        choose(avoiding: nil)
    }

    /// Asks the revision that is next for a connection.
    func choose(avoiding avoided: Int?) {
        guard let model = exchange?.model else { return }
        guard let revision = model.next() else {
            return answer(GatewayAnswer(503, "no revision of \(model.shared.key.name) serves", retryAfter: 5))
        }
        exchange?.revision = revision
        revision.connect(self, bytes: toPod.readableBytes, avoiding: avoided)
    }

    private func takeBody(_ bytes: ByteBuffer) {
        guard let exchange else { return }
        exchange.received += bytes.readableBytes
        let limit = loop.limits.server.body
        if exchange.received > limit {
            return refuse(Rejection(status: 413, message: "the body is longer than \(limit) bytes"))
        }
        timer.progress(exchange.received)
        if exchange.facts.isChunked { toPod.writeChunkSize(bytes.readableBytes) }
        if bytes.readableBytes >= Self.worthNoCopy, exchange.replay == nil, let pod = exchange.pod {
            flushToPod()
            pod.send(bytes)
        } else {
            toPod.writeImmutableBuffer(bytes)
        }
        if exchange.facts.isChunked { toPod.writeStaticString("\r\n") }
        exchange.keep(bytes, limit: loop.limits.replayBytes)
    }

    private func takeEnd(_ trailers: HTTPHeaders?) {
        guard let exchange else { return }
        if exchange.facts.isChunked {
            toPod.writeLastChunk(trailers: trailers)
            exchange.keepEnd(trailers)
        }
        exchange.isComplete = true
        guard exchange.pod != nil else {
            // Whoever is asked about it may not answer.
            if exchange.isAdmitted { timer.stopWaiting() }
            return
        }
        flushToPod()
        if exchange.plan == nil { timer.wait(for: .response) }
    }

    /// From this size on a buffer is sent as it is instead of with what stands before it.
    static let worthNoCopy = 8 << 10

    func flushToPod() {
        guard let exchange, let pod = exchange.pod else { return }
        if toPod.readableBytes > 0 {
            exchange.wasSent = true
            pod.send(toPod)
            toPod.clear()
        }
        pod.flush()
    }

    // MARK: From the line

    /// A connection is there: the request goes out.
    func attach(_ pod: PodHandler) {
        guard let exchange, let revision = exchange.revision else { return pod.giveBack() }
        let isLate = exchange.heldSince != nil || exchange.retries > 0 || exchange.isReviewed
        if let since = exchange.heldSince {
            exchange.started = loop.now
            revision.shared.metrics.heldTime.observe(exchange.started - since)
        }
        exchange.pod = pod
        exchange.ticket = nil
        exchange.heldSince = nil
        let body = exchange.replay ?? toPod
        if toPod.readableBytes > 0 { toPod = ByteBuffer() }
        RequestHead(head: exchange.head, facts: exchange.facts).write(
            to: &toPod, from: .init(address: address, scheme: isSecure ? "https" : "http", caller: exchange.caller),
            fallbackHost: exchange.model.shared.key.name, requestID: exchange.id)
        if body.readableBytes > 0 { toPod.writeImmutableBuffer(body) }
        pod.begin(self, isHead: exchange.isHead)
        revision.shared.metrics.inFlight.increment()
        if exchange.facts.expectsContinue, !exchange.saidContinue, !exchange.isComplete {
            toClient.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
            flushToClient()
        }
        exchange.saidContinue = true
        timer.wait(for: exchange.isComplete ? .response : .requestBody)
        // Else the read that brought the head is not over, and perhaps brings more.
        if isLate {
            flushToPod()
            readMore()
        }
    }

    func held(by revision: LoopRevision, _ ticket: Int) {
        exchange?.ticket = ticket
        exchange?.heldSince = loop.now
        timer.stopWaiting()
    }

    /// It is not held any longer, and gets this answer.
    func refused(_ reason: GatewayAnswer) {
        exchange?.ticket = nil
        answer(reason)
    }

    /// What it waited for takes no requests any more.
    func chooseAgain() {
        exchange?.ticket = nil
        choose(avoiding: nil)
    }

    /// Takes what came meanwhile, once a request is over.
    func takeBacklog() {
        while !backlog.isEmpty {
            switch stage {
            case .head: take(backlog.removeFirst())
            case .exchange where exchange?.isComplete == false: take(backlog.removeFirst())
            case .exchange: return
            case .handshake, .lingering, .closed:
                backlog.removeAll()
                return
            }
        }
        if let rejection = parserRejection {
            switch stage {
            case .exchange where exchange?.isComplete ?? true: return
            case .head, .exchange: refuse(rejection)
            case .handshake, .lingering, .closed: break
            }
            parserRejection = nil
        }
        if case .exchange = stage, exchange?.pod != nil { flushToPod() }
    }

    var hasBacklog: Bool { !backlog.isEmpty || parserRejection != nil }
}
