import NIOCore
import NIOEmbedded
import OpenSSL
import Testing

@testable import HTTPServer

@Suite struct TLSHandlerTests {
    /// Sees what is closed, and how.
    private final class Closings: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        private(set) var modes: [CloseMode] = []

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            modes.append(mode)
            promise?.succeed()
        }
    }

    @Test("A client whose certificate is refused can read why, whatever it sent meanwhile")
    func lingering() throws {
        let closings = Closings()
        let world = try TestTLS()
        let handler = TLSHandler(try TLSEngine(world.server, role: .server))
        let server = EmbeddedChannel(handlers: [closings, handler])
        server.pipeline.fireChannelActive()
        var client = try TLSEngine(world.stranger, role: .client(hostname: "127.0.0.1"))
        for _ in 0..<10 where closings.modes.isEmpty {
            _ = try? client.handshake()
            try Self.move(&client, to: server)
            while let answer = try server.readOutbound(as: ByteBuffer.self) {
                answer.withUnsafeReadableBytes { client.receive($0) }
            }
        }
        #expect(Self.isOutput(closings.modes.first), "\(closings.modes)")
        server.close(promise: nil)
        #expect(closings.modes.count == 1, "the handlers after it do not cut it short")
        server.embeddedEventLoop.advanceTime(by: TLSHandler.linger)
        #expect(closings.modes.count == 2, "a client that does not close is closed")
    }

    private static func move(_ client: inout TLSEngine, to server: EmbeddedChannel) throws {
        let count = client.pendingOutput
        guard count > 0 else { return }
        var bytes = ByteBuffer()
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { client.takeOutput(into: $0) }
        do {
            try server.writeInbound(bytes)
        } catch is TLSError {
            // What the handlers after it are told.
        }
    }

    private static func isOutput(_ mode: CloseMode?) -> Bool {
        if case .output = mode { true } else { false }
    }
}
