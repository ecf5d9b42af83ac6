package import NIOCore
package import OpenSSL

/// Told to the handlers after it once the peer is known.
package struct TLSEstablished: Sendable {
    package var peer: CertificateSubject?
}

/// Puts the TLS engine into a channel: ciphertext on the network's side, plaintext on the other.
///
/// The handlers after it hear that a read is complete only where it brought plaintext; until then it reads on by itself.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// The most that a TLS record carries. Going by records keeps the engine's buffers at that size.
    private static let record = 16 << 10
    /// How long a peer has to read the alert of a handshake that failed.
    static let linger = TimeAmount.seconds(1)

    private var engine: TLSEngine
    private var isAnnounced = false
    private var isFinished = false
    private var isLingering = false
    /// The read that is under way has brought plaintext.
    private var hasDelivered = false
    /// Plaintext that waits for the handshake, or for the peer.
    private var waiting = CircularBuffer<(buffer: ByteBuffer, promise: EventLoopPromise<Void>?)>()

    package init(_ engine: consuming TLSEngine) { self.engine = engine }

    package func channelActive(context: ChannelHandlerContext) {
        advance(context)
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        while buffer.readableBytes > 0, !isFinished {
            guard let slice = buffer.readSlice(length: min(buffer.readableBytes, Self.record)) else { return }
            slice.withUnsafeReadableBytes { engine.receive($0) }
            advance(context)
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if hasDelivered {
            hasDelivered = false
            context.fireChannelReadComplete()
        } else {
            context.read()
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        isFinished = true
        for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
        waiting.removeAll()
        context.fireChannelInactive()
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        waiting.append((unwrapOutboundIn(data), promise))
        guard !isFinished else {
            waiting.removeLast().promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        do throws(TLSError) {
            try encrypt(context)
        } catch {
            fail(context, error)
        }
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .input, !isFinished {
            isFinished = true
            engine.close()
            sendOutput(context, promise: nil)
            context.flush()
        }
        if isLingering {
            context.channel.closeFuture.cascade(to: promise)
        } else {
            context.close(mode: mode, promise: promise)
        }
    }

    /// Goes as far as the bytes that came allow.
    private func advance(_ context: ChannelHandlerContext) {
        do throws(TLSError) {
            let state = try engine.handshake()
            sendOutput(context, promise: nil)
            if state == .done {
                if !isAnnounced {
                    isAnnounced = true
                    context.fireUserInboundEventTriggered(TLSEstablished(peer: engine.peerSubject))
                }
                try encrypt(context)
                try decrypt(context)
            }
            context.flush()
        } catch {
            fail(context, error)
        }
    }

    private func decrypt(_ context: ChannelHandlerContext) throws(TLSError) {
        // Plaintext is never longer than what it comes from. Where a record came in parts, what does not fit is read next.
        while !isFinished, case let size = min(engine.pendingInput, Self.record), size > 0 {
            var plaintext = context.channel.allocator.buffer(capacity: size)
            var outcome: Result<TLSEngine.Read, TLSError> = .success(.wantsInput)
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
                outcome = Result { () throws(TLSError) in try engine.read(into: space) }
                if case .success(.bytes(let count)) = outcome { return count }
                return 0
            }
            switch try outcome.get() {
            case .bytes:
                hasDelivered = true
                context.fireChannelRead(wrapInboundOut(plaintext))
            case .wantsInput, .wantsOutput:
                sendOutput(context, promise: nil)
                return
            case .closed, .truncated:
                // It is told farewell too (RFC 5246 §7.2.1).
                close(context: context, mode: .all, promise: nil)
                return
            }
        }
        sendOutput(context, promise: nil)
    }

    /// Encrypts what waits, as far as the engine takes it. A promise goes with the last bytes of its plaintext.
    private func encrypt(_ context: ChannelHandlerContext) throws(TLSError) {
        while var (buffer, promise) = waiting.popFirst() {
            repeat {
                var outcome: Result<TLSEngine.Write, TLSError> = .success(.wantsInput)
                let size = min(buffer.readableBytes, Self.record)
                buffer.withUnsafeReadableBytes { bytes in
                    let slice = UnsafeRawBufferPointer(rebasing: bytes.prefix(size))
                    outcome = Result { () throws(TLSError) in try engine.write(slice) }
                }
                guard case .bytes(let count) = try outcome.get() else {
                    waiting.prepend((buffer, promise))
                    sendOutput(context, promise: nil)
                    return
                }
                buffer.moveReaderIndex(forwardBy: count)
                let isLast = buffer.readableBytes == 0
                sendOutput(context, promise: isLast ? promise : nil)
                if isLast { promise = nil }
            } while buffer.readableBytes > 0
        }
    }

    private func sendOutput(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        let count = engine.pendingOutput
        guard count > 0 else {
            promise?.succeed()
            return
        }
        var ciphertext = context.channel.allocator.buffer(capacity: count)
        ciphertext.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { engine.takeOutput(into: $0) }
        context.write(wrapOutboundOut(ciphertext), promise: promise)
    }

    /// Sends the alert that the engine left, tells the handlers, and closes.
    ///
    /// By TLS 1.3 a client is done, and may have sent its request, before its certificate is looked at. Closing with that
    /// unread would reset the connection, and the client might never see why: so only this side is closed, and what still
    /// comes is dropped until the client closes too.
    private func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
        if isFinished { return }
        sendOutput(context, promise: nil)
        context.flush()
        isFinished = true
        isLingering = true
        context.fireErrorCaught(error)
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.linger) { context.close(promise: nil) }
    }
}
