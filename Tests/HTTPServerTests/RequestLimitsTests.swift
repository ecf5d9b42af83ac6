import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServer

/// Counts how often the network is asked for more.
private final class Reads: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}

/// A connection without a network, whose time is the test's.
private struct Connection {
    let channel = EmbeddedChannel()
    let reads = Reads()

    init(_ change: (inout HTTPServerLimits) -> Void = { _ in }) throws {
        var limits = HTTPServerLimits()
        change(&limits)
        try channel.pipeline.syncOperations.addHandler(reads)
        _ = try HTTPConnection.install(on: channel, tls: nil, limits: limits, logger: Logger(label: "test"))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    func sent() throws -> String {
        var result = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { result += String(buffer: buffer) }
        return result
    }

    func advance(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }
}

@Suite struct RequestLimitsTests {
    private static let long = String(repeating: "x", count: 8200)
    private static let many = (0..<101).map { "H\($0): v\r\n" }.joined()
    private static let total = (0..<20).map { "H\($0): \(String(repeating: "x", count: 4000))\r\n" }.joined()

    @Test(
        "A request that breaks a rule is answered with its status",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
            ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388609\r\n\r\n", 413),
            ("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n", 431), ("GET / HTTP/1.1\r\nHost: a\r\n\(many)\r\n", 431),
            ("GET / HTTP/1.1\r\nHost: a\r\n\(total)\r\n", 431),
            ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
            ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("rubbish\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", 400),
        ])
    func refused(_ request: String, _ status: Int) throws {
        let connection = try Connection()
        try connection.send(request)
        let answer = try connection.sent()
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(request.prefix(200)) -> \(answer)")
        #expect(answer.contains("Connection: close\r\n"))
    }

    @Test("A body in chunks is cut off where it passes the limit")
    func chunkedBody() throws {
        let connection = try Connection { $0.body = 10 }
        try connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
        #expect(try connection.sent() == "")
        try connection.send("6\r\nabcdef\r\n")
        #expect(try connection.sent().hasPrefix("HTTP/1.1 413 "))
    }

    @Test("A head and a body must come in time, and an idle connection ends without a word")
    func times() throws {
        let idle = try Connection()
        idle.advance(9)
        #expect(idle.channel.isActive)
        idle.advance(2)
        #expect(!idle.channel.isActive)
        #expect(try idle.sent() == "")

        let slowHead = try Connection()
        for byte in "GET / HT" {
            try slowHead.send(String(byte))
            slowHead.advance(1)
        }
        #expect(try slowHead.sent() == "")
        slowHead.advance(3)
        #expect(try slowHead.sent().hasPrefix("HTTP/1.1 408 "))

        let slowBody = try Connection()
        try slowBody.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        slowBody.advance(30)
        try slowBody.send("x")
        slowBody.advance(29)
        #expect(try slowBody.sent() == "")
        slowBody.advance(2)
        #expect(try slowBody.sent().hasPrefix("HTTP/1.1 408 "))
        slowBody.advance(3)
        #expect(!slowBody.channel.isActive)
    }

    @Test(
        "While a request is being answered the next one is awaited, and once something of it is there no more is read")
    func readingAhead() throws {
        let connection = try Connection()
        try connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let count = connection.reads.count
        try connection.send("GET / HT")
        #expect(connection.reads.count == count + 1)
        try connection.send("TP/1.1\r\nHost: a\r\n\r\n")
        #expect(connection.reads.count == count + 1)
        connection.channel.triggerUserOutboundEvent(HTTPConnection.ExchangeEnd(keepsAlive: true), promise: nil)
        #expect(connection.reads.count == count + 2)
    }

    @Test("A head that began while the one before it was being answered has no more time than another")
    func slowHeadAhead() throws {
        let connection = try Connection()
        try connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try connection.send("GET / HT")
        connection.advance(3600)
        connection.channel.triggerUserOutboundEvent(HTTPConnection.ExchangeEnd(keepsAlive: true), promise: nil)
        connection.advance(9)
        #expect(try connection.sent() == "")
        connection.advance(2)
        #expect(try connection.sent().hasPrefix("HTTP/1.1 408 "))
    }

    @Test("While a request is being answered no time runs, and after it the idle time does")
    func answering() throws {
        let connection = try Connection()
        try connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.advance(3600)
        #expect(connection.channel.isActive)
        connection.channel.triggerUserOutboundEvent(HTTPConnection.ExchangeEnd(keepsAlive: true), promise: nil)
        connection.advance(119)
        #expect(connection.channel.isActive)
        connection.advance(2)
        #expect(!connection.channel.isActive)
    }
}
