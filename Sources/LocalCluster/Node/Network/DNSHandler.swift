internal import NIOCore

/// Answers each datagram that is a query with one.
final class DNSDatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let answer: (DNSQuery) -> DNSAnswer

    init(answer: @escaping (DNSQuery) -> DNSAnswer) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        // Clients that do not take their answers lose them, as datagrams are lost.
        guard context.channel.isWritable, let query = DNSQuery(Array(envelope.data.readableBytesView)) else { return }
        let bytes = ByteBuffer(bytes: answer(query).datagram(to: query))
        let reply = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: bytes)
        context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
    }

    /// What befell one answer is of no concern to the next client.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Answers the queries of a connection in turn; each message has its length before it (RFC 1035 §4.2.2).
final class DNSConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A query is a few hundred bytes at most.
    private static let queryLimit = 1024
    /// How long a client may be silent.
    static let idleLimit: TimeAmount = .seconds(10)

    private let answer: (DNSQuery) -> DNSAnswer
    private var received = ByteBuffer()

    init(answer: @escaping (DNSQuery) -> DNSAnswer) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        while let length = received.getInteger(at: received.readerIndex, as: UInt16.self).map(Int.init) {
            guard length <= Self.queryLimit else { return context.close(promise: nil) }
            guard let message = received.getBytes(at: received.readerIndex + 2, length: length) else { break }
            received.moveReaderIndex(forwardBy: 2 + length)
            // Whoever sends what is no query, or does not read answers, has nothing to expect.
            guard context.channel.isWritable, let query = DNSQuery(message) else { return context.close(promise: nil) }
            let reply = answer(query).message(to: query)
            var bytes = context.channel.allocator.buffer(capacity: reply.count + 2)
            bytes.writeInteger(UInt16(clamping: reply.count))
            bytes.writeBytes(reply)
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
        received.discardReadBytes()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
