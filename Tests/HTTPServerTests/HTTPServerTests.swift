import Concurrency
import HTTPTransport
import Logging
import NIOPosix
import OpenSSL
import Testing

@testable import HTTPServer

private func server(
    tls: TLSContext? = nil, limits: HTTPServerLimits = .init(), on threads: HTTPServer.Threads = .pool,
    _ handler: @escaping HTTPServer.Handler
) -> HTTPServer {
    HTTPServer(tls: tls, limits: limits, handlersOn: threads, logger: Logger(label: "test"), handler: handler)
}

private let everyThreads: [HTTPServer.Threads] = [.pool, .eventLoop]

private var isOnEventLoop: Bool { MultiThreadedEventLoopGroup.currentEventLoop != nil }

private let echo: HTTPServer.Handler = { request in
    .text("\(request.method) \(request.path) \(request.query ?? "-") \(String(decoding: request.body, as: UTF8.self))")
}

@Suite(.timeLimit(.minutes(1))) struct HTTPServerTests {
    @Test("A connection carries one request after another, pipelined ones in their order", arguments: everyThreads)
    func keepAlive(_ threads: HTTPServer.Threads) async throws {
        try await withHTTPServer(server(on: threads, echo)) { port in
            try await RawClient.with(port: port) { client in
                try await client.send("GET /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n")
                let first = try await client.response()
                #expect(first.head.hasPrefix("HTTP/1.1 200 OK\r\n") && !first.head.contains("Connection"))
                #expect(first.body == "GET /a%20b x=1&y ")

                try await client.send(
                    "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
                        + "PUT /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n"
                        + "GET http://h/3?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                #expect(try await client.response().body == "POST /1 - one")
                #expect(try await client.response().body == "PUT /2 - two")
                let last = try await client.response()
                #expect(last.body == "GET /3 q " && last.head.contains("Connection: close\r\n"))
                #expect(await client.readToEnd() == "")
            }
        }
    }

    @Test("HEAD, 204 and 304 have no body, and HTTP/1.0 closes")
    func bodiless() async throws {
        let running = server { request in
            if request.path == "/stream" {
                return HTTPServerResponse(status: 200, body: .stream { try await $0.write("x") })
            }
            return HTTPServerResponse(status: Int(request.path.dropFirst()) ?? 500, body: .bytes(Array("body".utf8)))
        }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port) { client in
                try await client.send("HEAD /200 HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.read(through: "\r\n\r\n").contains("Content-Length: 4\r\n"))
                for status in ["204", "304"] {
                    try await client.send("GET /\(status) HTTP/1.1\r\nHost: h\r\n\r\n")
                    let head = try await client.read(through: "\r\n\r\n")
                    #expect(head.hasPrefix("HTTP/1.1 \(status) ") && !head.contains("Content-Length"))
                }
                try await client.send("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
                try await client.send("GET /stream HTTP/1.0\r\n\r\n")
                let rest = await client.readToEnd()
                #expect(rest.hasSuffix("Connection: close\r\n\r\nx") && !rest.contains("chunked"))
            }
        }
    }

    @Test("A large body comes whole in both directions, with 100-continue on demand")
    func large() async throws {
        let size = 3_000_000
        let running = server { HTTPServerResponse(status: 200, body: .bytes($0.body.reversed())) }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port) { client in
                try await client.send(
                    "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: \(size)\r\n\r\n")
                #expect(try await client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
                try await client.send([UInt8](repeating: 97, count: size - 1) + [98])
                let body = try await client.response().body
                #expect(body.utf8.count == size && body.hasPrefix("baa"))
            }
        }
    }

    @Test("Handlers and streams run where they are to: on the event loop, before a wait and after it, or not")
    func whereHandlersRun() async throws {
        for threads in everyThreads {
            let running = server(on: threads) { _ in
                let first = isOnEventLoop
                await Task.yield()
                let second = isOnEventLoop
                return HTTPServerResponse(
                    status: 200,
                    body: .stream { writer in
                        try await writer.write("\(first) \(second) ")
                        try await writer.write("\(isOnEventLoop)")
                    })
            }
            try await withHTTPServer(running) { port in
                try await RawClient.with(port: port) { client in
                    try await client.send("GET / HTTP/1.0\r\n\r\n")
                    let isThere = threads == .eventLoop
                    #expect(await client.readToEnd().hasSuffix("\r\n\r\n\(isThere) \(isThere) \(isThere)"))
                }
            }
        }
    }

    @Test(
        "A stream comes chunk by chunk as it is written, and the connection lives on after it", arguments: everyThreads)
    func streaming(_ threads: HTTPServer.Threads) async throws {
        let (steps, step) = AsyncStream.makeStream(of: String.self)
        let shared = Locked(Optional(steps))
        let running = server(on: threads) { request in
            guard let steps = shared.withLock({ $0.take() }) else { return .text("again") }
            return HTTPServerResponse(
                status: 200,
                body: .stream { writer in for await text in steps { try await writer.write(text) } })
        }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.read(through: "\r\n\r\n").contains("Transfer-Encoding: chunked\r\n"))
                for text in ["first", "", "a longer second one"] {
                    step.yield(text)
                    guard !text.isEmpty else { continue }
                    let chunk = "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
                    #expect(try await client.read(chunk.utf8.count) == chunk)
                }
                step.finish()
                #expect(try await client.read(5) == "0\r\n\r\n")
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.response().body == "again")
            }
        }
    }

    @Test("A stream that fails is cut off, so that the client cannot take it for whole")
    func brokenStream() async throws {
        struct Fault: Error {}
        let running = server { _ in
            HTTPServerResponse(
                status: 200,
                body: .stream { writer in
                    try await writer.write("part")
                    throw Fault()
                })
        }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(await client.readToEnd().hasSuffix("\r\n\r\n4\r\npart\r\n"))
            }
        }
    }

    @Test(
        "When the client goes, its handler and its stream are cancelled",
        arguments: [(true, true), (true, false), (false, true), (false, false)],
        everyThreads)
    func clientGone(_ what: (streams: Bool, overTLS: Bool), _ threads: HTTPServer.Threads) async throws {
        let (streams, overTLS) = what
        let (events, event) = AsyncStream.makeStream(of: String.self)
        @Sendable func hang() async {
            event.yield("began")
            let (never, _) = AsyncStream.makeStream(of: Void.self)
            for await _ in never {}
            event.yield(Task.isCancelled ? "cancelled" : "ended")
        }
        let world = overTLS ? try TestTLS() : nil
        let running = server(tls: world?.server, on: threads) { _ in
            if streams { return HTTPServerResponse(status: 200, body: .stream { _ in await hang() }) }
            await hang()
            return .text("late")
        }
        try await withHTTPServer(running) { port in
            var iterator = events.makeAsyncIterator()
            try await RawClient.with(port: port, tls: world?.client) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(await iterator.next() == "began")
            }
            #expect(await iterator.next() == "cancelled")
        }
    }

    @Test("A writer waits for a client that does not read, and is told when it goes", arguments: everyThreads)
    func backpressure(_ threads: HTTPServer.Threads) async throws {
        let written = Locked(0)
        let (ends, end) = AsyncStream.makeStream(of: Bool.self)
        let running = server(on: threads) { _ in
            HTTPServerResponse(
                status: 200,
                body: .stream { writer in
                    do {
                        while true {
                            try await writer.write([UInt8](repeating: 0, count: 1 << 16))
                            written.withLock { $0 += 1 << 16 }
                        }
                    } catch {
                        end.yield(error is HTTPClientGone)
                    }
                })
        }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                _ = try await client.read(1)
                // The kernel's buffers fill up, and then nothing moves any more.
                var last = -1
                while case let now = written.withLock({ $0 }), now != last {
                    last = now
                    try await Task.sleep(for: .milliseconds(200))
                }
                #expect(last < 64 << 20)
            }
            var iterator = ends.makeAsyncIterator()
            #expect(await iterator.next() == true)
        }
    }

    @Test("Over TLS a client's certificate names it, and one without is served too")
    func tls() async throws {
        let world = try TestTLS()
        let running = server(tls: world.server) { request in
            let who = request.clientCertificate
            return .text("\(who?.commonName ?? "nobody") \(who?.organizations ?? []) \(request.remoteAddress)")
        }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port, tls: world.client) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.response().body == #"alice ["system:masters"] 127.0.0.1"#)
            }
            try await RawClient.with(port: port, tls: world.anonymous) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                #expect(try await client.response().body == "nobody [] 127.0.0.1")
                #expect(await client.readToEnd() == "")
            }
            try await RawClient.with(port: port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(await !client.readToEnd().contains("HTTP/1.1 200"))
            }
        }
    }

    @Test("A large body passes TLS in both directions")
    func largeOverTLS() async throws {
        let world = try TestTLS()
        let size = 1_000_000
        let running = server(tls: world.server) { HTTPServerResponse(status: 200, body: .bytes($0.body)) }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port, tls: world.client) { client in
                try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
                try await client.send([UInt8](repeating: 97, count: size))
                #expect(try await client.response().body.utf8.count == size)
            }
        }
    }

    @Test("A shutdown lets the request in flight end, and ends idle connections at once", arguments: everyThreads)
    func shutdown(_ threads: HTTPServer.Threads) async throws {
        let (gates, gate) = AsyncStream.makeStream(of: Void.self)
        let shared = Locked(Optional(gates))
        let (events, event) = AsyncStream.makeStream(of: Void.self)
        let running = server(on: threads) { request in
            guard request.path == "/slow", let gates = shared.withLock({ $0.take() }) else { return .text("quick") }
            event.yield()
            for await _ in gates { break }
            return .text("slow")
        }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port) { idle in
                try await idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await idle.response().body == "quick")
                try await RawClient.with(port: port) { client in
                    try await client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
                    for await _ in events { break }
                    running.shutdown()
                    #expect(await idle.readToEnd() == "")
                    await #expect(throws: (any Error).self) {
                        try await RawClient.with(port: port) { late in
                            try await late.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                            guard try await late.response().head.isEmpty else { return }
                            throw HTTPClientGone()
                        }
                    }
                    gate.yield()
                    let response = try await client.response()
                    #expect(response.body == "slow" && response.head.contains("Connection: close\r\n"))
                    #expect(await client.readToEnd() == "")
                }
            }
        }
    }

    @Test("A shutdown cuts off what does not end in time")
    func shutdownDeadline() async throws {
        var limits = HTTPServerLimits()
        limits.shutdownGrace = .milliseconds(50)
        let running = server(limits: limits) { _ in
            HTTPServerResponse(
                status: 200,
                body: .stream { writer in
                    try await writer.write("x")
                    let (never, _) = AsyncStream.makeStream(of: Void.self)
                    for await _ in never {}
                    try await writer.write("y")
                })
        }
        try await withHTTPServer(running) { port in
            try await RawClient.with(port: port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                _ = try await client.read(through: "x\r\n")
                running.shutdown()
                #expect(await client.readToEnd() == "")
            }
        }
    }

    @Test(
        "Cancelling the task that runs it ends the server and its handlers at once, whose late answers are not sent",
        arguments: everyThreads, [true, false])
    func cancellation(_ threads: HTTPServer.Threads, _ streams: Bool) async throws {
        let (events, event) = AsyncStream.makeStream(of: String.self)
        let (ports, ready) = AsyncStream.makeStream(of: Int.self)
        @Sendable func hang() async {
            event.yield("began")
            let (never, _) = AsyncStream.makeStream(of: Void.self)
            for await _ in never {}
            event.yield(Task.isCancelled ? "cancelled" : "ended")
        }
        let running = server(on: threads) { _ in
            if streams { return HTTPServerResponse(status: 200, body: .stream { _ in await hang() }) }
            await hang()
            return .text("late")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await running.run { ready.yield($0) } }
            for await port in ports {
                try await RawClient.with(port: port) { client in
                    try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    var iterator = events.makeAsyncIterator()
                    #expect(await iterator.next() == "began")
                    group.cancelAll()
                    #expect(await iterator.next() == "cancelled")
                    let answer = await client.readToEnd()
                    #expect(streams ? answer.hasSuffix("chunked\r\n\r\n") : answer.isEmpty, "\(answer)")
                }
                break
            }
            try await group.waitForAll()
        }
    }

    @Test("A port that is taken is named in the error")
    func portTaken() async throws {
        try await withHTTPServer(server(echo)) { port in
            let second = HTTPServer(port: port, logger: Logger(label: "test"), handler: echo)
            let error = await #expect(throws: HTTPServerError.self) { try await withHTTPServer(second) { _ in } }
            #expect(error?.description.hasPrefix("listen on 127.0.0.1:\(port): ") == true)
        }
    }

    @Test("Connections beyond the limit are closed")
    func tooMany() async throws {
        var limits = HTTPServerLimits()
        limits.connections = 1
        try await withHTTPServer(server(limits: limits, echo)) { port in
            try await RawClient.with(port: port) { first in
                try await first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await first.response().body == "GET / - ")
                let answer = try await RawClient.with(port: port) { second in await second.readToEnd() }
                #expect(answer == "")
            }
        }
    }

    @Test("Hundreds of streams at once all get what is written")
    func manyStreams() async throws {
        let count = 300
        let started = Locked(0)
        let (gates, gate) = AsyncStream.makeStream(of: Void.self)
        let running = server { _ in
            HTTPServerResponse(
                status: 200,
                body: .stream { writer in
                    if started.withLock({ started in
                        started += 1
                        return started == count
                    }) {
                        gate.finish()
                    }
                    for await _ in gates {}
                    try await writer.write("event\n")
                })
        }
        try await withHTTPServer(running) { port in
            let received = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        try await RawClient.with(port: port) { client in
                            try await client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                            return await client.readToEnd()
                        }
                    }
                }
                return try await group.reduce(0) { $0 + ($1.hasSuffix("6\r\nevent\n\r\n0\r\n\r\n") ? 1 : 0) }
            }
            #expect(received == count)
        }
    }
}
