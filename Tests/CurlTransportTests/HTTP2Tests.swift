import Concurrency
import HTTPTransport
import Testing

@testable import CurlTransport

/// Against a server of Python's `h2` that breaks off, resets, holds up and goes away.
@Suite struct HTTP2Tests {
    private static func get(_ target: String, _ timeout: Duration = .seconds(10)) -> HTTPRequest {
        HTTPRequest(.get, target, delivery: .unary(timeout: timeout))
    }

    private static func post(_ target: String, _ count: Int = 2, _ timeout: Duration = .seconds(10)) -> HTTPRequest {
        HTTPRequest(.post, target, body: [UInt8](repeating: 32, count: count), delivery: .unary(timeout: timeout))
    }

    private static func outcome(_ transport: CurlTransport, _ request: HTTPRequest) async -> HTTPTransportError.Code? {
        await failure { _ = try await transport.send(request).body.collect() }?.code
    }

    @Test func aServerThatGoesAwayInGoodOrderFinishesAndTheNextCallUsesANewConnection() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        for number in 1...3 {
            let text = try await transport.send(Self.post("/goaway-then-answer")).text()
            #expect(text == #"{"connection":\#(number),"stream":1,"received":2}"#)
        }
        #expect(server.log("request").count == 3)
    }

    @Test func aCallThatTheServerLeftUnseenIsBrokenAndTheNextOneUsesANewConnection() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        for (number, request) in [Self.get("/goaway-unseen/read"), Self.post("/goaway-unseen/write")].enumerated() {
            #expect(await Self.outcome(transport, request) == .broken)
            #expect(server.log("request").count == 2 * number + 1, "not sent twice")
            let text = try await transport.send(request).text()
            #expect(text.contains("\"connection\":\(number + 2)"), "\(text)")
        }
    }

    @Test(arguments: [1, 2, 11])
    func aServerThatGoesAwayWithAnErrorBreaksWhatItHasSeen(_ code: Int) async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        #expect(await Self.outcome(transport, Self.post("/goaway-error/\(code)")) == .broken)
        #expect(server.log("request").count == 1, "a write that may have been carried out is not sent twice")
        #expect(try await transport.send(Self.post("/ok")).text().contains("\"received\":2"))
    }

    /// NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, CANCEL, ENHANCE_YOUR_CALM, and one unknown.
    @Test(arguments: [0, 1, 2, 3, 8, 11, 0xABC])
    func aStreamThatIsResetIsBrokenAndItsConnectionGoesOn(_ code: Int) async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        let write = await Self.outcome(transport, Self.post("/reset/\(code)"))
        #expect(write == .broken, "\(String(describing: write))")
        #expect(server.log("request").count == 1, "not sent twice")
        #expect(try await transport.send(Self.get("/ok")).text().contains("\"connection\":"))
        let response = try await transport.send(Self.get("/reset-late/\(code)"))
        #expect(response.status == 200)
        // libcurl takes NO_ERROR for an end in good order; what was cut is then no whole JSON.
        let end = await failure { _ = try await response.body.collect() }?.code
        #expect(end == (code == 0 ? nil : .broken))
    }

    @Test func aReadThatWasRefusedUnseenIsSentAgainAndAWriteIsNotSentTwice() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        #expect(try await transport.send(Self.get("/reset/7")).text().contains("\"received\":0"))
        let write = await Self.outcome(transport, Self.post("/reset/7/write"))
        #expect(write == .broken, "libcurl does not say that it was refused unseen, so it counts as unknown")
        #expect(server.log("request").filter { $0.hasSuffix("/write") }.count == 1)
    }

    @Test func anUploadIntoAWindowThatNeverOpensRunsIntoItsDeadline() async throws {
        let server = try await H2Server(["--window", "0"])
        let transport = try server.transport()
        _ = try await transport.send(Self.get("/ok")).text()  // Now the client knows the window.
        #expect(await Self.outcome(transport, Self.post("/ok", 4, .milliseconds(600))) == .timeout)
        #expect(try await transport.send(Self.get("/ok")).status == 200, "others go on")
    }

    @Test func anUploadLargerThanTheWindowsIsSentAsTheyOpen() async throws {
        let server = try await H2Server(["--window", "1000"])
        let transport = try server.transport()
        let text = try await transport.send(Self.post("/ok", 300_000)).text()
        #expect(text.contains("\"received\":300000"), "\(text)")
    }

    @Test(arguments: ["/settings", "/ping"])
    func settingsThatChangeAndPingsAreAnswered(_ path: String) async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        #expect(try await transport.send(Self.get(path)).status == 200)
        #expect(try await transport.send(Self.post("/ok", 5000)).text().contains("\"received\":5000"))
        #expect(server.log("failed") == [])
    }

    /// libcurl 7.88 takes any busy connection to a server of HTTP/2 for one that can be shared.
    @Test func nothingIsSentBehindAStreamThatHasItsConnectionForItself() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        let stream = try await transport.send(
            HTTPRequest(.get, "/stream", delivery: .stream(idleTimeout: .seconds(30))))
        #expect(try await stream.body.next() == Array("held\n".utf8))
        for _ in 0..<3 {
            let text = try await transport.send(Self.post("/ok")).text()
            #expect(text.contains(#""connection":2,"#), "\(text)")
        }
        #expect(server.log("behind") == [])
        withExtendedLifetime(stream) {}
    }

    @Test func oneStreamAtATimeIsEnough() async throws {
        let server = try await H2Server(["--max-streams", "1"])
        let transport = try server.transport()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<12 { group.addTask { try await transport.send(Self.post("/ok")).status } }
            for try await status in group { #expect(status == 200) }
        }
        let watches = HTTPRequest(.get, "/hold", delivery: .watch(idleTimeout: .seconds(30)))
        let first = try await transport.send(watches)
        let second = try await transport.send(watches)
        #expect(try await first.body.next() == Array("held\n".utf8))
        #expect(try await second.body.next() == Array("held\n".utf8), "a call beside a watch gets another connection")
        #expect(server.log("failed") == [])
    }

    @Test func headersBeyondAllMeasureAreRefused() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        #expect(try await transport.send(Self.get("/large-headers/10")).headers["X-9"]?.count == 4000)
        let code = await Self.outcome(transport, Self.get("/large-headers/200"))
        #expect(code == .broken, "\(String(describing: code))")
        #expect(try await transport.send(Self.get("/ok")).status == 200)
    }

    @Test func nothingMayBePushed() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        #expect(await Self.outcome(transport, Self.get("/push")) == .broken)
        #expect(server.log("push-allowed").allSatisfy { $0 == "push-allowed 0" })
        #expect(!server.log("push-allowed").isEmpty)
        #expect(try await transport.send(Self.get("/ok")).status == 200)
    }

    @Test func aConnectionThatDiesTakesAllItsStreamsAndNoOther() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        var bodies: [HTTPBody] = []
        for _ in 0..<5 {
            let response = try await transport.send(
                HTTPRequest(.get, "/hold", delivery: .watch(idleTimeout: .seconds(30))))
            #expect(try await response.body.next() == Array("held\n".utf8))
            bodies.append(response.body)
        }
        #expect(await Self.outcome(transport, Self.post("/die")) == .broken)
        for body in bodies { #expect(await failure { _ = try await body.next() }?.code == .broken) }
        #expect(Set(server.log("request").map { $0.split(separator: " ")[1] }) == ["1"], "all shared a connection")
        #expect(try await transport.send(Self.get("/ok")).text().contains("\"connection\":2"))
    }

    @Test func aConnectionOnWhichNothingIsAnsweredAnyMoreIsLeft() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        let watch = try await transport.send(HTTPRequest(.get, "/hold", delivery: .watch(idleTimeout: .seconds(30))))
        #expect(try await watch.body.next() == Array("held\n".utf8))
        #expect(await Self.outcome(transport, Self.post("/wedge", 2, .milliseconds(500))) == .timeout)
        #expect(try await transport.send(Self.get("/ok")).text().contains("\"connection\":2"))
    }

    @Test func aCallThatIsSlowBesideOthersThatAreNotCostsNoConnection() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        async let slow = Self.outcome(transport, Self.post("/silence", 2, .milliseconds(500)))
        for _ in 0..<20 {
            _ = try await transport.send(Self.get("/ok")).text()
            try await Task.sleep(for: .milliseconds(40))
        }
        #expect(await slow == .timeout)
        #expect(try await transport.send(Self.get("/ok")).text().contains("\"connection\":1"))
    }

    @Test func anAlertAfterTheHandshakeMeansThatNothingWasRead() async throws {
        let server = try await H2Server(["--client-certificate"])
        let error = await failure { _ = try await server.transport().send(Self.post("/ok")) }
        // A server that closes at once may reset the connection before its alert is read.
        #expect(error?.requestWasNotSent == true, "\(String(describing: error))")
        #expect(server.log("request") == [])
    }

    @Test func aConnectionCutAnywhereIsAnErrorThatSaysWhetherTheServerMayHaveSeenTheRequest() async throws {
        let server = try await H2Server()
        let limit = Locked(Int.max)
        let passed = Locked(0)
        let proxy = try RawServer { connection in
            let count = connection.tunnel(to: server.port, limit: limit.withLock { $0 })
            passed.withLock { $0 = count }
        }
        var configuration = server.configuration()
        configuration.server = "https://127.0.0.1:\(proxy.port)"
        do {
            let whole = try CurlTransport(configuration)
            _ = try await whole.send(Self.post("/ok")).text()
        }
        try #require(try await eventually { passed.withLock { $0 } > 1000 })
        let total = passed.withLock { $0 }
        for cut in [0, 5, 127, 500] + Array(stride(from: 700, to: total - 60, by: total / 5)) {
            limit.withLock { $0 = cut }
            let before = server.log("request").count
            let transport = try CurlTransport(configuration)
            let error = await failure { _ = try await transport.send(Self.post("/ok")).text() }
            #expect(error != nil, "cut after \(cut) of \(total) bytes")
            if error?.requestWasNotSent == true { #expect(server.log("request").count == before, "after \(cut) bytes") }
        }
    }

    @Test func aServerOfOldTLSIsNotSpokenTo() async throws {
        let server = try await H2Server(["--tls11"])
        #expect(await Self.outcome(try server.transport(), Self.get("/ok")) == .tls)
    }
}
