import HTTPServer
import NIOCore
import NIOPosix
import OpenSSL

/// A client that sends and reads bytes as they are.
final class TestClient {
    struct Answer: Sendable {
        var head: String
        var body: String
        var status: Int { Int(head.dropFirst(9).prefix(3)) ?? 0 }
    }

    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    /// What was read and not yet taken.
    private var held: [UInt8] = []

    private init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        iterator = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    /// Connects, runs `body`, and closes.
    static func with<Result: Sendable>(
        address: String = "127.0.0.1", port: Int, tls: TLSContext? = nil, name: String = "127.0.0.1",
        _ body: (TestClient) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: address, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let engine = try TLSEngine(tls, role: .client(hostname: name))
                        try channel.pipeline.syncOperations.addHandler(TLSHandler(engine))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { try await body(TestClient($0, $1)) }
    }

    /// One request on a connection of its own.
    static func get(port: Int, _ target: String = "/", host: String = "wine") async throws -> Answer {
        try await with(port: port) { client in
            try await client.send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            return try await client.answer()
        }
    }

    func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
    func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    func read(_ count: Int) async throws -> String {
        while held.count < count, let buffer = try await iterator.next() { held += buffer.readableBytesView }
        defer { held.removeFirst(min(count, held.count)) }
        return String(decoding: held.prefix(count), as: UTF8.self)
    }

    /// Takes and counts what comes, up to `count` bytes.
    func skip(_ count: Int) async throws -> Int {
        var taken = held.count
        held = []
        while taken < count, let buffer = try await iterator.next() { taken += buffer.readableBytes }
        return taken
    }

    /// What comes up to and with `mark`; all there is at the end.
    func read(through mark: String) async throws -> String {
        let mark = Array(mark.utf8)
        while true {
            if let end = held.indices.first(where: { held[$0...].starts(with: mark) }) {
                let result = held[..<(end + mark.count)]
                held.removeFirst(result.count)
                return String(decoding: result, as: UTF8.self)
            }
            guard let buffer = try await iterator.next() else {
                defer { held = [] }
                return String(decoding: held, as: UTF8.self)
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

    /// One answer, with the bytes of its body without their framing.
    func answer(isHead: Bool = false) async throws -> Answer {
        let head = try await read(through: "\r\n\r\n")
        func value(_ name: String) -> String? {
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name + ": ") }
                .map { String($0.dropFirst(name.utf8.count + 2)) }
        }
        if isHead { return Answer(head: head, body: "") }
        if value("transfer-encoding") == "chunked" {
            var body = ""
            while true {
                let line = try await read(through: "\r\n").dropLast(1)
                guard let size = Int(line, radix: 16), size > 0 else { break }
                body += try await read(size)
                _ = try await read(2)
            }
            while true {
                let line = try await read(through: "\r\n")
                if line == "\r\n" || line.isEmpty { break }
                body += "[\(line.dropLast(1))]"
            }
            return Answer(head: head, body: body)
        }
        if let length = value("content-length").flatMap({ Int($0) }) {
            return Answer(head: head, body: try await read(length))
        }
        return Answer(head: head, body: "")
    }
}
