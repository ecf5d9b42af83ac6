import NIOCore
import NIOPosix
import OpenSSL

@testable import HTTPServer

/// A client that sends and reads bytes as they are.
final class RawClient {
    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let channel: any Channel
    /// What was read and not yet taken.
    private var held: [UInt8] = []

    private init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ channel: any Channel
    ) {
        iterator = inbound.makeAsyncIterator()
        self.outbound = outbound
        self.channel = channel
    }

    /// Connects, runs `body`, and closes.
    static func with<Result: Sendable>(
        port: Int, tls: TLSContext? = nil, _ body: (RawClient) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let engine = try TLSEngine(tls, role: .client(hostname: "127.0.0.1"))
                        try channel.pipeline.syncOperations.addHandler(TLSHandler(engine))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(RawClient(inbound, outbound, channel.channel))
        }
    }

    func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
    func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    /// The next `count` bytes, fewer at the end.
    func read(_ count: Int) async throws -> String {
        while held.count < count, let buffer = try await iterator.next() { held += buffer.readableBytesView }
        defer { held.removeFirst(min(count, held.count)) }
        return String(decoding: held.prefix(count), as: UTF8.self)
    }

    /// What comes up to and with `mark`; all there is at the end.
    func read(through mark: String) async throws -> String {
        while true {
            let text = String(decoding: held, as: UTF8.self)
            if let range = text.firstRange(of: mark) {
                let result = text[..<range.upperBound]
                held.removeFirst(result.utf8.count)
                return String(result)
            }
            guard let buffer = try await iterator.next() else {
                held = []
                return text
            }
            held += buffer.readableBytesView
        }
    }

    /// All that comes until the server ends. A reset counts as an end.
    func readToEnd() async -> String {
        do {
            while let buffer = try await iterator.next() { held += buffer.readableBytesView }
        } catch {}
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// One response with a length: its head and its body.
    func response() async throws -> (head: String, body: String) {
        let head = try await read(through: "\r\n\r\n")
        let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length: ") }
        return (head, try await read(length.flatMap { Int($0.dropFirst(16)) } ?? 0))
    }
}
