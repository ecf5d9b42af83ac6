import Concurrency
import HTTPTransport
import Testing

@testable import CurlTransport

/// A server that sends 1 GB of events as fast as it can, to a reader who takes his time.
@Suite(.serialized) struct FloodTests {
    private static let flood = 1 << 30
    private static let watch: HTTPRequest.Delivery = .watch(idleTimeout: .seconds(60))

    /// What happened beside the flood.
    private struct Beside: Sendable {
        var answers = 0
        var slowest: Duration = .zero
        var peak = 0
    }

    /// Reads a flood while calls are made on the same transport and the process's memory is looked at.
    private static func measure(
        _ transport: CurlTransport, _ flood: @escaping @Sendable () async throws -> Void
    ) async throws -> (Beside, growth: Int) {
        // Whatever is made once is made before.
        _ = try await transport.send(HTTPRequest(.get, "/ok")).text()
        let before = residentMemory()
        try #require(before > 0)
        let isOver = Locked(false)
        let beside = try await withThrowingTaskGroup(of: Beside?.self) { group in
            group.addTask {
                defer { isOver.withLock { $0 = true } }
                try await flood()
                return nil
            }
            group.addTask {
                var beside = Beside()
                while !isOver.withLock({ $0 }) {
                    let began = ContinuousClock.now
                    _ = try await transport.send(HTTPRequest(.get, "/ok")).text()
                    beside.slowest = max(beside.slowest, ContinuousClock.now - began)
                    beside.answers += 1
                    beside.peak = max(beside.peak, residentMemory())
                    try await Task.sleep(for: .milliseconds(5))
                }
                return beside
            }
            return try await group.reduce(nil) { $1 ?? $0 }
        }
        let result = try #require(beside)
        return (result, result.peak - before)
    }

    private static func report(_ what: String, _ beside: Beside, _ growth: Int, _ began: ContinuousClock.Instant) {
        print(
            "flood over \(what): \(ContinuousClock.now - began), memory grew by \(growth >> 10) kB;",
            "beside it \(beside.answers) calls, the slowest \(beside.slowest)")
    }

    @Test func overHTTP1TheServerWaitsForTheReaderAndMemoryStaysFlat() async throws {
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                guard request.hasPrefix("GET /flood") else {
                    connection.answer("ok")
                    continue
                }
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                let line = #"{"type":"MODIFIED","object":{}}"# + String(repeating: " ", count: 1024 - 32) + "\n"
                let block = Array(("10000\r\n" + String(repeating: line, count: 64) + "\r\n").utf8)
                for _ in 0..<(Self.flood >> 16) where !connection.write(block) { return }
                connection.write("0\r\n\r\n")
            }
        }
        let transport = try server.transport()
        let began = ContinuousClock.now
        let count = Locked(0)
        let (beside, growth) = try await Self.measure(transport) {
            let response = try await transport.send(HTTPRequest(.get, "/flood", delivery: Self.watch))
            try await Task.sleep(for: .milliseconds(500))
            var pieces = 0
            while let piece = try await response.body.next() {
                count.withLock { $0 += piece.count }
                pieces += 1
                if pieces % 8 == 0 { try await Task.sleep(for: .milliseconds(1)) }
            }
        }
        Self.report("HTTP/1.1", beside, growth, began)
        #expect(count.withLock { $0 } == Self.flood, "all of it, in one watch")
        #expect(growth < 16 << 20)
        #expect(beside.answers > 10)
        #expect(beside.slowest < .seconds(5))
    }

    @Test func overHTTP2AWatchThatIsOutrunEndsAndMemoryStaysFlat() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        let began = ContinuousClock.now
        let ends = Locked(0)
        let poured: @Sendable () -> Int = {
            server.log("poured").compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
        }
        let (beside, growth) = try await Self.measure(transport) {
            // As a reflector does: a watch that was outrun is resumed, until the server has sent all it wanted to.
            while poured() < Self.flood {
                let response = try await transport.send(HTTPRequest(.get, "/flood/\(Self.flood)", delivery: Self.watch))
                do throws(HTTPTransportError) {
                    var pieces = 0
                    while try await response.body.next() != nil {
                        pieces += 1
                        if pieces % 4 == 0 { await Self.rest() }
                    }
                } catch {
                    guard error.code == .outrun(limit: Transfer.maximumUnreadWatch) else { throw error }
                    ends.withLock { $0 += 1 }
                }
            }
        }
        Self.report("HTTP/2, \(poured() >> 20) MB in \(ends.withLock { $0 }) watches", beside, growth, began)
        #expect(ends.withLock { $0 } > 1)
        #expect(growth < 64 << 20)
        #expect(beside.answers > 10)
        #expect(beside.slowest < .seconds(5))
        let firstConnection = server.log("request 1")
        #expect(firstConnection.contains { $0.contains("/flood/") } && firstConnection.contains { $0.hasSuffix("/ok") })
    }

    private static func rest() async {
        do {
            try await Task.sleep(for: .milliseconds(10))
        } catch {
            // Cancelled: the next reading says so.
        }
    }
}
