internal import NIOCore

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// One of the two ends of a forwarded connection; what it reads, its partner writes.
///
/// Both ends live on one event loop. An end reads only while its partner can write, so that the slower side sets the
/// pace. The end of one direction is passed on alone; a connection that breaks is reset on the other side too.
final class Relay: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var partner: Relay?
    /// What came before there was a partner: NIO reads all at a connection's end, however early that is.
    private var early = ByteBuffer()
    private var isReadHeld = false
    private var isInputClosed = false
    private var isOutputClosed = false
    private var hasFailed = false
    /// Called once with the channel when it becomes active.
    private var onActive: ((any Channel, Relay) -> Void)?

    init(onActive: ((any Channel, Relay) -> Void)? = nil) { self.onActive = onActive }

    /// Joins two ends of active channels and starts reading from both.
    static func join(_ first: Relay, _ second: Relay) {
        first.partner = second
        second.partner = first
        first.start()
        second.start()
    }

    private func start() {
        guard let context else {
            partner?.reset()
            return
        }
        if early.readableBytes > 0 {
            partner?.write(early)
            partner?.context?.flush()
            early = ByteBuffer()
        }
        if isInputClosed { partner?.closeOutput() }
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            reset()
        }
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { release() }

    func channelActive(context: ChannelHandlerContext) {
        onActive?(context.channel, self)
        onActive = nil
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let partner = partner
        release()
        if hasFailed || !isOutputClosed {
            partner?.reset()
        } else if !isInputClosed {
            // Where the output was closed before, NIO closes the channel at the input's end without telling of that.
            partner?.closeOutput()
        }
        context.fireChannelInactive()
    }

    private func release() {
        context = nil
        partner = nil
        onActive = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if let partner { partner.write(bytes) } else { early.writeBuffer(&bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.context?.flush()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            isInputClosed = true
            partner?.closeOutput()
            if isOutputClosed { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        hasFailed = true
        partner?.reset()
        reset()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.readOn() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if let partner, partner.isWritable {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    // MARK: From the partner

    private var isWritable: Bool { context?.channel.isWritable ?? false }

    private func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    private func readOn() {
        if !isReadHeld { return }
        isReadHeld = false
        context?.read()
    }

    /// Ends this direction once everything before it is written: a channel whose input is closed already closes as a
    /// whole, and would drop what it still holds.
    private func closeOutput() {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
            self.isOutputClosed = true
            self.context?.close(mode: .output, promise: nil)
        }
    }

    private func reset() {
        guard let context else { return }
        context.channel.reset()
    }
}

extension Channel {
    /// Closes the connection with RST in place of FIN, so that the peer sees a failure and not an end.
    func reset() {
        guard let socket = self as? any SocketOptionProvider else { return close(promise: nil) }
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in self.close(promise: nil) }
    }
}
