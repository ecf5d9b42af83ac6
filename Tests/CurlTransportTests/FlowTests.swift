import Concurrency
import HTTPTransport
import Testing

@testable import CurlTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

@Suite struct FlowTests {
    private static let watch = HTTPRequest(.get, "/watch", delivery: .watch(idleTimeout: .seconds(60)))

    /// Answers with a head and then nothing; counts connections that the client has closed.
    private static func idleServer(_ closed: Locked<Int>) throws -> RawServer {
        try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.awaitEnd()
            closed.withLock { $0 += 1 }
        }
    }

    @Test func anUnreadStreamIsHeldBackAndThenArrivesWhole() async throws {
        let total = 48 << 20
        let written = Locked(0)
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let block = (0..<65_536).map { UInt8($0 % 251) }
            while written.withLock({ $0 }) < total, connection.write(block) { written.withLock { $0 += block.count } }
            connection.awaitEnd()
        }
        let transport = try server.transport()
        let response = try await transport.send(
            HTTPRequest(.get, "/", delivery: .stream(idleTimeout: .seconds(2))))
        // The server stands still: the same count twice, a while apart, and longer than the idle deadline.
        var last = -1
        while true {
            try await Task.sleep(for: .milliseconds(400))
            let now = written.withLock { $0 }
            if now == last { break }
            last = now
        }
        #expect(last < 24 << 20, "held back by the sockets' buffers and ours")
        try await Task.sleep(for: .milliseconds(1800))
        var count = 0
        var isRight = true
        while let chunk = try await response.body.next() {
            #expect(chunk.count <= Transfer.highWater + 1 << 20)
            for index in stride(from: 0, to: chunk.count, by: 997) {
                isRight = isRight && chunk[index] == UInt8((count + index) % 65_536 % 251)
            }
            count += chunk.count
        }
        #expect(count == total)
        #expect(isRight)
    }

    @Test func eventsArriveAsTheyAreSent() async throws {
        let seen = Locked(0)
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in 1...3 {
                connection.write("2\r\n\(number)\n\r\n")
                while seen.withLock({ $0 }) < number { usleep(500) }
            }
            connection.write("0\r\n\r\n")
            connection.awaitEnd()
        }
        let response = try await server.transport().send(Self.watch)
        for number in 1...3 {
            #expect(try await response.body.next() == Array("\(number)\n".utf8))
            seen.withLock { $0 = number }
        }
        #expect(try await response.body.next() == nil)
        #expect(try await response.body.next() == nil, "the end stays the end")
    }

    /// Cancels what `operation` waits for; how long that took. The machine may be busy, so the best of ten tries counts.
    private static func bestCancellation(
        _ operation: @escaping @Sendable (_ isWaiting: Locked<Bool>) async -> HTTPTransportError.Code?
    ) async throws -> Duration {
        var best: Duration = .seconds(3600)
        for _ in 0..<10 {
            let isWaiting = Locked(false)
            try await withThrowingTaskGroup(of: HTTPTransportError.Code?.self) { group in
                group.addTask { await operation(isWaiting) }
                try #require(try await eventually { isWaiting.withLock { $0 } })
                try await Task.sleep(for: .milliseconds(20))
                let before = ContinuousClock.now
                group.cancelAll()
                for try await code in group { #expect(code == .cancelled) }
                best = min(best, ContinuousClock.now - before)
            }
        }
        return best
    }

    @Test func cancellingTheReaderEndsAnIdleWatchPromptly() async throws {
        let closed = Locked(0)
        let server = try Self.idleServer(closed)
        let transport = try server.transport()
        let best = try await Self.bestCancellation { isWaiting in
            await failure {
                let response = try await transport.send(Self.watch)
                isWaiting.withLock { $0 = true }
                _ = try await response.body.next()
            }?.code
        }
        // Without the cancellation they would end at their own deadline, minutes later.
        #expect(best < .seconds(5))
        #expect(try await eventually { closed.withLock { $0 } == 10 })
    }

    @Test func cancellingWhileConnectingIsPrompt() async throws {
        // A listener that accepts nobody: after its backlog is full, connecting hangs.
        let server = try RawServer(backlog: 0, nil)
        let transport = try server.transport()
        let best = try await Self.bestCancellation { isWaiting in
            isWaiting.withLock { $0 = true }
            return await failure { _ = try await transport.send(Self.watch) }?.code
        }
        // Without the cancellation they would end at their own deadline, minutes later.
        #expect(best < .seconds(5))
    }

    @Test func aConnectTimeoutMeansNothingWasSent() async throws {
        let server = try RawServer(backlog: 0, nil)
        let configuration = TransportConfiguration(server: server.url, connectTimeout: .milliseconds(200))
        let transport = try CurlTransport(configuration)
        let codes = await withTaskGroup(of: HTTPTransportError.Code?.self) { group in
            for _ in 0..<4 {
                let request = HTTPRequest(.post, "/", body: [1], delivery: .unary(timeout: .seconds(1)))
                group.addTask { await failure { _ = try await transport.send(request) }?.code }
            }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        // The kernel takes one or two on behalf of the listener; they are sent and never answered.
        #expect(codes[.connect, default: 0] >= 2)
        #expect(codes[.connect, default: 0] + codes[.timeout, default: 0] == 4)
    }

    @Test func aTaskThatIsCancelledAlreadySendsNothing() async throws {
        let server = try RawServer { _ = $0.readRequest() }
        let transport = try server.transport()
        let code = await withTaskGroup(of: HTTPTransportError.Code?.self) { group in
            group.cancelAll()
            group.addTask { await failure { _ = try await transport.send(Self.watch) }?.code }
            return await group.next() ?? nil
        }
        #expect(code == .cancelled)
        #expect(server.connectionCount == 0)
    }

    @Test func droppingABodyUnreadEndsTheTransfer() async throws {
        let closed = Locked(0)
        let server = try Self.idleServer(closed)
        let transport = try server.transport()
        _ = try await transport.send(Self.watch)
        #expect(try await eventually { closed.withLock { $0 } == 1 })
    }

    @Test func shutdownEndsWhatRunsAndRefusesWhatComes() async throws {
        let server = try Self.idleServer(Locked(0))
        let transport = try server.transport()
        let response = try await transport.send(Self.watch)
        transport.shutdown()
        #expect(await failure { _ = try await response.body.next() }?.code == .closed)
        #expect(await failure { _ = try await transport.send(Self.watch) }?.code == .closed)
        transport.shutdown()
    }

    @Test func theThreadEndsWithTheTransport() async throws {
        let settings = try TransferSettings(TransportConfiguration(server: "http://127.0.0.1:1"))
        weak var mailbox: LoopMailbox?
        do {
            let strong = try LoopMailbox()
            mailbox = strong
            try startCurlLoop(strong, settings)
            strong.post(.stop(HTTPTransportError(.closed)))
        }
        #expect(try await eventually { mailbox == nil }, "the thread holds the mailbox as long as it runs")
    }

    @Test func aBodyOutlivesTheTransportsOtherOwners() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
            usleep(50_000)
            connection.write("cd")
            connection.awaitEnd()
        }
        var transport: CurlTransport? = try server.transport()
        let response = try await #require(transport).send(Self.watch)
        transport = nil
        #expect(try await response.text() == "abcd")
    }
}
