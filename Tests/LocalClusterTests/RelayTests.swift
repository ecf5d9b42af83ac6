import NIOCore
import NIOEmbedded
import Testing

@testable import LocalCluster

@Suite struct RelayTests {
    /// Sees what is closed, and how.
    private final class Closings: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        private(set) var modes: [CloseMode] = []

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            modes.append(mode)
            promise?.succeed()
        }
    }

    @Test func whatCameBeforeThereWasAPartnerIsPassedOnWithItsEnd() throws {
        let (first, second) = (Relay(), Relay())
        let client = EmbeddedChannel(handler: first)
        let closings = Closings()
        let server = EmbeddedChannel(handlers: [closings, second])
        try client.writeInbound(ByteBuffer(string: "ques"))
        try client.writeInbound(ByteBuffer(string: "tion"))
        client.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        Relay.join(first, second)
        #expect(try server.readOutbound(as: ByteBuffer.self) == ByteBuffer(string: "question"))
        server.embeddedEventLoop.run()
        guard case [.output] = closings.modes else {
            Issue.record("the end was not passed on: \(closings.modes)")
            return
        }
    }
}
