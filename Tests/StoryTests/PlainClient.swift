import NIOCore
import NIOPosix

/// A client of HTTP/1.1 that keeps its connection, and does nothing a second time.
struct PlainClient {
    struct Answer: Sendable {
        var status: Int
        /// By lower-case name.
        var fields: [String: String]
        var body: String
        var endsConnection: Bool { fields["connection"]?.lowercased() == "close" }
    }

    /// There was no answer, or not all of it.
    struct NoAnswer: Error, CustomStringConvertible {
        var description: String
    }

    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var held: [UInt8] = []

    /// Connects, runs `body`, and closes.
    static func with(
        _ address: String, _ port: Int, _ body: (inout PlainClient) async throws -> Void
    ) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .connect(host: address, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        // Nobody waits for ever.
        let deadline = channel.channel.eventLoop.scheduleTask(in: .seconds(180)) {
            channel.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        try await channel.executeThenClose { inbound, outbound in
            var client = PlainClient(iterator: inbound.makeAsyncIterator(), outbound: outbound)
            try await body(&client)
        }
    }

    private init(
        iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.iterator = iterator
        self.outbound = outbound
    }

    /// Sends a request and reads its answer.
    /// - Parameter token: to say who asks.
    mutating func ask(_ method: String, _ target: String, token: String? = nil) async throws -> Answer {
        let caller = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let body = method == "GET" ? "" : "{\"inputs\": []}"
        try await outbound.write(
            ByteBuffer(
                string:
                    "\(method) \(target) HTTP/1.1\r\nHost: model\r\n\(caller)Content-Length: \(body.utf8.count)\r\n\r\n"
                    + body))
        let head = try await read(through: Array("\r\n\r\n".utf8)).split(separator: "\r\n")
        guard let status = head.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw NoAnswer(description: "no answer: \(head)")
        }
        var fields: [String: String] = [:]
        for line in head.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        guard let length = fields["content-length"].flatMap({ Int($0) }) else {
            throw NoAnswer(description: "an answer without a length: \(head)")
        }
        while held.count < length { try await readOn() }
        defer { held.removeFirst(length) }
        return Answer(status: status, fields: fields, body: String(decoding: held.prefix(length), as: UTF8.self))
    }

    private mutating func read(through mark: [UInt8]) async throws -> String {
        while true {
            if let end = held.indices.first(where: { held[$0...].starts(with: mark) }) {
                defer { held.removeFirst(end + mark.count) }
                return String(decoding: held[..<end], as: UTF8.self)
            }
            try await readOn()
        }
    }

    private mutating func readOn() async throws {
        guard let buffer = try await iterator.next() else {
            throw NoAnswer(description: "the connection ended after \(held.count) bytes of the answer")
        }
        held += buffer.readableBytesView
    }
}
