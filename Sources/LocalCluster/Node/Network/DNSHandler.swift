internal import NIOCore

/// Answers each datagram that is a query with one.
final class DNSHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let answer: (DNSQuery) -> DNSAnswer

    init(answer: @escaping (DNSQuery) -> DNSAnswer) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        // Clients that do not take their answers lose them, as datagrams are lost.
        guard context.channel.isWritable, let query = DNSQuery(Array(envelope.data.readableBytesView)) else { return }
        let bytes = ByteBuffer(bytes: answer(query).message(to: query))
        let reply = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: bytes)
        context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
    }

    /// What befell one answer is of no concern to the next client.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
