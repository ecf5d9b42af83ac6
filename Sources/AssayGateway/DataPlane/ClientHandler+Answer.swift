import ControllerRuntime
import HTTPServer
import NIOCore
import NIOHTTP1

extension ClientHandler {
    // MARK: From the pod

    func podAnswered(_ head: HTTPResponseHead) {
        guard let exchange, let revision = exchange.revision, let pod = exchange.pod, exchange.plan == nil else {
            return
        }
        let request = ResponsePlan.Request(
            isHead: exchange.isHead, isOld: exchange.head.version.minor == 0,
            keepsAlive: exchange.facts.keepsAlive && !loop.isDraining, isComplete: exchange.isComplete)
        guard let plan = ResponsePlan(head, to: request) else { return podBroke(.malformed) }
        exchange.plan = plan
        exchange.status = Int(head.status.code)
        revision.noteAnswer(pod)
        ResponseHeadWriter.write(head, plan, to: &toClient, requestID: exchange.id)
        timer.wait(for: .responseBody)
    }

    func podSent(_ bytes: ByteBuffer) {
        guard let exchange, let plan = exchange.plan, plan.framing != .none else { return }
        let isChunked = plan.framing == .chunked
        if isChunked { toClient.writeChunkSize(bytes.readableBytes) }
        if bytes.readableBytes >= Self.worthNoCopy {
            writeToClient()
            context?.write(wrapOutboundOut(bytes), promise: nil)
        } else {
            toClient.writeImmutableBuffer(bytes)
        }
        if isChunked { toClient.writeStaticString("\r\n") }
    }

    /// One read of the pod's bytes is over.
    func podPaused() {
        guard let exchange, exchange.plan != nil else { return }
        flushToClient()
        guard let context, !context.channel.isWritable else {
            timer.wait(for: .responseBody)
            return
        }
        isStalled = true
        exchange.pod?.setReading(false)
        timer.wait(for: .clientTakes)
    }

    /// The pod can take more of the request.
    func podTakesBytes() {
        if exchange?.isComplete == false, exchange?.pod?.isWritable == true { readMore() }
    }

    /// The answer is whole.
    ///
    /// - Parameter isUsable: whether the pod's connection is as one expects it after an answer.
    func podFinished(_ trailers: HTTPHeaders?, isUsable: Bool) {
        guard let exchange, let plan = exchange.plan, let pod = exchange.pod else { return }
        if plan.framing == .chunked { toClient.writeLastChunk(trailers: trailers) }
        detach(pod, isUsable: isUsable && plan.keepsPod && exchange.isComplete)
        finish(exchange, keepsAlive: plan.keepsClient)
    }

    /// The connection to the pod is of no more use, and the answer is not whole.
    func podBroke(_ failure: PodFailure) {
        guard let exchange, let pod = exchange.pod, let revision = exchange.revision else { return }
        if exchange.plan == nil { revision.noteBreak(pod) }
        let isAllowed = failure != .timeout && exchange.retry.isAllowed
        detach(pod, isUsable: false)
        if exchange.plan != nil {
            // What the client has got cannot be taken back; that its connection ends tells it that this is not all.
            record(exchange, status: 502)
            return close()
        }
        if isAllowed {
            exchange.retries += 1
            exchange.wasSent = false
            revision.shared.metrics.retries.increment()
            // A client that is answered by another pod does not make this one good. A connection that was kept may just have
            // been closed as it should be.
            if pod.isFresh { revision.shared.count(isError: true, loop.now - exchange.started) }
            toPod.clear()
            return choose(avoiding: pod.endpointID)
        }
        switch failure {
        case .timeout: answer(GatewayAnswer(504, "the model did not answer in time"))
        case .closed: answer(GatewayAnswer(502, "the connection to the model broke before it answered"))
        case .malformed: answer(GatewayAnswer(502, "the model's answer is not HTTP/1.1"))
        }
    }

    private func detach(_ pod: PodHandler, isUsable: Bool) {
        guard let revision = exchange?.revision else { return }
        exchange?.pod = nil
        isStalled = false
        revision.shared.metrics.inFlight.increment(by: -1)
        pod.detach()
        revision.release(pod, isUsable: isUsable)
    }

    // MARK: The end of a request

    private func record(_ exchange: Exchange, status: Int) {
        guard let revision = exchange.revision?.shared else { return }
        let duration = loop.now - exchange.started
        revision.metrics.count(status: status)
        revision.metrics.duration.observe(duration)
        revision.count(isError: status >= 500, duration)
    }

    private func end(_ over: Exchange) {
        if over.isAdmitted { over.model.shared.meter.end(now: loop.now) }
        exchange = nil
    }

    private func finish(_ done: Exchange, keepsAlive: Bool) {
        record(done, status: done.status)
        end(done)
        toPod.clear()
        // Not by whether it drains now: the client goes by what the answer's head has said.
        guard keepsAlive else { return sayGoodbye(isUnread: !done.isComplete) }
        flushToClient()
        stage = .head(hasBegun: hasBacklog)
        timer.wait(for: hasBacklog ? .head : .idle)
        if hasBacklog { takeBacklog() }
        readMore()
    }

    /// Answers in the pod's place.
    func answer(_ answer: GatewayAnswer) {
        guard let exchange else { return }
        exchange.status = answer.status
        let keepsAlive = exchange.facts.keepsAlive && exchange.isComplete && !loop.isDraining
        answer.write(to: &toClient, isHead: exchange.isHead, keepsAlive: keepsAlive, requestID: exchange.id)
        finish(exchange, keepsAlive: keepsAlive)
    }

    /// Answers a request that breaks a rule, and ends the connection.
    func refuse(_ rejection: Rejection, id: String? = nil, isHead: Bool = false) {
        loop.refused.increment()
        let current = exchange
        if current?.plan != nil { return close() }
        abandon(status: rejection.status)
        GatewayAnswer(rejection.status, rejection.message).write(
            to: &toClient, isHead: current?.isHead ?? isHead, keepsAlive: false, requestID: id ?? current?.id)
        sayGoodbye(isUnread: true)
    }

    /// The request is given up: the client is gone, or broke a rule in its midst.
    func abandon(status: Int) {
        guard let gone = exchange else { return }
        if let ticket = gone.ticket { gone.revision?.cancel(ticket) }
        gone.ticket = nil
        if let pod = gone.pod { detach(pod, isUsable: false) }
        record(gone, status: status)
        end(gone)
        toPod.clear()
    }

    /// Sends what there is to send, and closes.
    ///
    /// - Parameter isUnread: the client may be sending still. A close with bytes unread would reset the connection, and the
    ///   client might lose the answer: so only this side is closed, and what comes is dropped for a while.
    private func sayGoodbye(isUnread: Bool) {
        guard let context else { return }
        stage = .lingering
        timer.wait(for: .clientTakes)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [self] _ in
            guard case .lingering = stage else { return }
            if isUnread {
                self.context?.close(mode: .output, promise: nil)
                timer.wait(for: .linger)
                readMore()
            } else {
                close()
            }
        }
        context.writeAndFlush(wrapOutboundOut(toClient), promise: promise)
        toClient.clear()
    }

    private func writeToClient() {
        guard let context, toClient.readableBytes > 0 else { return }
        context.write(wrapOutboundOut(toClient), promise: nil)
        toClient.clear()
    }

    func flushToClient() {
        writeToClient()
        context?.flush()
    }

    // MARK: Time

    func expired(_ wait: StageTimer.Wait) {
        switch (wait, stage) {
        case (.requestBody, .exchange) where exchange?.pod?.isWritable == false: podBroke(.timeout)
        case (.head, .head(hasBegun: true)), (.requestBody, .exchange):
            refuse(Rejection(status: 408, message: "the request did not come in time"))
        case (.response, .exchange): podBroke(.timeout)
        case (.review, .exchange): reviewTookTooLong()
        default: close()
        }
    }

    /// Ends the connection if nothing is under way on it.
    func closeIfIdle() {
        switch stage {
        case .handshake, .head(hasBegun: false): close()
        case .head, .exchange, .lingering, .closed: break
        }
    }

    func close() {
        context?.close(promise: nil)
    }

    /// The time of the gateway is over. A request that has no answer yet gets one that says whether it may be repeated.
    func giveUp() {
        guard let exchange, exchange.plan == nil else { return close() }
        let wasSent = exchange.wasSent && !exchange.retry.isHarmless
        if let ticket = exchange.ticket { exchange.revision?.cancel(ticket) }
        exchange.ticket = nil
        if let pod = exchange.pod { detach(pod, isUsable: false) }
        answer(
            wasSent
                ? GatewayAnswer(502, "the gateway stopped before the model answered")
                : GatewayAnswer(503, "the gateway is stopping", retryAfter: 1))
    }
}
