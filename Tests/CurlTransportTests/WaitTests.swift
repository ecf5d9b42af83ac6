import Concurrency
import HTTPTransport
import Testing

@testable import CurlTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Something for which a transfer can wait without end.
private enum Wait: CaseIterable, Sendable {
    case nameLookUp, connecting, handshake, connectionOfAnother, sendingABody, head, body, pausedBody
}

/// What an operation waits for, and the one to cancel.
private struct Waiting: Sendable {
    var transport: CurlTransport
    /// Kept for as long as the wait lasts.
    var servers: [RawServer]
    var request: HTTPRequest
    var readsBody = false
}

@Suite struct WaitTests {
    private static let watch: HTTPRequest.Delivery = .watch(idleTimeout: .seconds(600))

    private static func silent() throws -> RawServer { try RawServer { $0.awaitEnd() } }

    private static func transport(_ url: String) throws -> CurlTransport {
        try CurlTransport(TransportConfiguration(server: url, connectTimeout: .seconds(600)))
    }

    private static func waiting(_ wait: Wait) throws -> Waiting {
        var request = HTTPRequest(.get, "/", delivery: watch)
        switch wait {
        case .nameLookUp:
            return Waiting(transport: try transport("http://host\(slowSuffix)"), servers: [], request: request)
        case .connecting:
            let server = try RawServer(backlog: 0, nil)
            return Waiting(transport: try server.transport(), servers: [server], request: request)
        case .handshake, .connectionOfAnother:
            let server = try silent()
            return Waiting(
                transport: try transport("https://127.0.0.1:\(server.port)"), servers: [server], request: request)
        case .sendingABody:
            let server = try RawServer { _ in pauseForAnHour() }
            request = HTTPRequest(
                .post, "/", body: [UInt8](repeating: 1, count: 64 << 20), delivery: .unary(timeout: .seconds(600)))
            return Waiting(transport: try server.transport(), servers: [server], request: request)
        case .head:
            let server = try silent()
            return Waiting(transport: try server.transport(), servers: [server], request: request)
        case .body, .pausedBody:
            let isPaused = wait == .pausedBody
            let server = try RawServer { connection in
                _ = connection.readRequest()
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(1 << 30)\r\n\r\nab")
                let block = [UInt8](repeating: 1, count: 1 << 16)
                while isPaused, connection.write(block) {}
                connection.awaitEnd()
            }
            return Waiting(
                transport: try server.transport(), servers: [server], request: request, readsBody: !isPaused)
        }
    }

    /// Waits until the task is cancelled or the transport is shut down; what the transport said then.
    private static func run(_ waiting: Waiting, _ wait: Wait) async -> HTTPTransportError.Code? {
        await failure {
            let response = try await waiting.transport.send(waiting.request)
            if wait == .pausedBody {
                // Nobody reads: the transfer stands still with its buffer full.
                try await Task.sleep(for: .seconds(600))
            }
            while try await response.body.next() != nil {}
        }?.code
    }

    @Test(arguments: Wait.allCases)
    fileprivate func everyWaitEndsAtOnceWhenItsTaskIsCancelled(_ wait: Wait) async throws {
        let waiting = try Self.waiting(wait)
        let tasks = wait == .connecting || wait == .connectionOfAnother ? 4 : 1
        let took = try await withThrowingTaskGroup(of: HTTPTransportError.Code?.self) { group in
            for _ in 0..<tasks { group.addTask { await Self.run(waiting, wait) } }
            try await Task.sleep(for: .milliseconds(200))
            let before = ContinuousClock.now
            group.cancelAll()
            for try await code in group { #expect(code == .cancelled || (wait == .pausedBody && code == nil)) }
            return ContinuousClock.now - before
        }
        #expect(took < .seconds(5), "its own deadline is ten minutes away")
        // The loop is free as well: a slow look-up must not hold up others.
        let other = try RawServer { connection in
            while connection.readRequest() != nil { connection.answer("ok") }
        }
        _ = try await other.transport().send(HTTPRequest(.get, "/")).text()
    }

    @Test func shuttingDownEndsEveryWaitAtOnce() async throws {
        try await withThrowingTaskGroup(of: HTTPTransportError.Code?.self) { group in
            var all: [Waiting] = []
            for wait in Wait.allCases where wait != .pausedBody {
                let waiting = try Self.waiting(wait)
                all.append(waiting)
                group.addTask { await Self.run(waiting, wait) }
                group.addTask { await Self.run(waiting, wait) }
            }
            try await Task.sleep(for: .milliseconds(300))
            let before = ContinuousClock.now
            for waiting in all { waiting.transport.shutdown() }
            for try await code in group { #expect(code == .closed) }
            #expect(ContinuousClock.now - before < .seconds(5))
        }
    }

    @Test func aNameLookUpHasADeadlineAndHoldsUpNobody() async throws {
        let transport = try CurlTransport(
            TransportConfiguration(server: "http://host\(slowSuffix)", connectTimeout: .milliseconds(300)))
        let before = ContinuousClock.now
        #expect(
            await failure { _ = try await transport.send(HTTPRequest(.get, "/", delivery: Self.watch)) }?.code
                == .connect)
        #expect(ContinuousClock.now - before < .seconds(5))
    }

    @Test func anUploadThatIsNotReadRunsIntoItsDeadline() async throws {
        let server = try RawServer { _ in pauseForAnHour() }
        let request = HTTPRequest(
            .post, "/", body: [UInt8](repeating: 1, count: 64 << 20), delivery: .unary(timeout: .milliseconds(300)))
        #expect(await failure { _ = try await server.transport().send(request) }?.code == .timeout)
    }

    @Test func anUploadThatIsReadSlowlyIsAlive() async throws {
        let server = try RawServer { connection in
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            var left = 24 << 20
            while left > 0, case let count = recv(connection.descriptor, &buffer, buffer.count, 0), count > 0 {
                left -= count
                usleep(4_000)
            }
            connection.answer("ok")
            connection.awaitEnd()
        }
        let before = ContinuousClock.now
        let request = HTTPRequest(
            .post, "/", body: [UInt8](repeating: 1, count: 24 << 20), delivery: .stream(idleTimeout: .seconds(1)))
        #expect(try await server.transport().send(request).text() == "ok")
        #expect(ContinuousClock.now - before > .seconds(1), "longer than the idle deadline, or nothing was shown")
    }
}

private func pauseForAnHour() { sleep(3600) }

/// Names that end like this are looked up for a minute.
private let slowSuffix = ".slow.invalid"

/// In place of the system's, in this process: libcurl looks names up with it, on a thread of its own.
@_cdecl("getaddrinfo")
func slowLookUp(
    _ node: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>?, _ hints: UnsafeRawPointer?,
    _ result: UnsafeMutableRawPointer?
) -> CInt {
    if let node, String(cString: node).hasSuffix(slowSuffix) {
        sleep(60)
        return EAI_NONAME
    }
    typealias Function =
        @convention(c) (
            UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafeRawPointer?, UnsafeMutableRawPointer?
        ) -> CInt
    // RTLD_NEXT, which is a cast that Swift does not import.
    guard let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: -1), "getaddrinfo") else { return EAI_SYSTEM }
    return unsafeBitCast(symbol, to: Function.self)(node, service, hints, result)
}
