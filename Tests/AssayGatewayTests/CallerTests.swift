import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel
import NIOCore
import Testing

@testable import AssayGateway

/// Requests to a model that asks who calls, over sockets.
@Suite(.timeLimit(.minutes(1))) struct CallerTests {
    private static let token = callerToken()
    private static let account = CallerVerdict.account(ReviewedAccount(namespace: "ml", name: "app"))

    private static func withPod(
        _ callers: (any CallerReviews)?, auth: JSONValue? = "ServiceAccount",
        limits: (inout GatewayLimits) -> Void = { _ in },
        _ body: @escaping @Sendable (GatewayWorld, TestPod) async throws -> Void
    ) async throws {
        try await AssayGatewayTests.withPod(
            reply: { .text($0.text) }, auth: auth, callers: callers, limits: limits, body)
    }

    private static func request(_ token: String?, body: String = "", _ fields: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n"
            + (token.map { "Authorization: Bearer \($0)\r\n" } ?? "") + "\(fields)\r\n\(body)"
    }

    private static func ask(_ world: GatewayWorld, _ text: String) async throws -> TestClient.Answer {
        try await TestClient.with(port: world.port) { client in
            try await client.send(text)
            return try await client.answer()
        }
    }

    @Test func withoutATokenNobodyGetsThrough() async throws {
        let callers = TestCallers()
        try await Self.withPod(callers) { world, pod in
            let answer = try await Self.ask(world, Self.request(nil, body: "x"))
            #expect(answer.status == 401 && answer.head.contains("\r\nWWW-Authenticate: Bearer realm="))
            #expect(answer.body.hasPrefix("{\"error\":"))
            for garbage in ["x", "a.b.c", callerToken(audiences: ["https://kubernetes.default.svc"])] {
                #expect(try await Self.ask(world, Self.request(garbage)).status == 401)
            }
            #expect(try await Self.ask(world, Self.request(callerToken(namespace: "other"))).status == 403)
            #expect(callers.reviewed.isEmpty && pod.seen.connections == 0)
            let denied = world.registry.counter(
                "assay_gateway_denied_requests_total", [("namespace", "ml"), ("model", "wine"), ("code", "401")])
            #expect(denied.value == 4)
        }
    }

    @Test func thePodIsToldWhoCallsAndNeverTheToken() async throws {
        let callers = TestCallers { $0 == Self.token ? Self.account : .nobody }
        try await Self.withPod(callers) { world, pod in
            let forged = "X-Assay-Caller: root\r\nx_assay_caller: root\r\nX-Assay_Caller: root\r\n"
            let answer = try await Self.ask(world, Self.request(Self.token, body: "grapes", forged))
            #expect(answer.status == 200 && answer.body == "grapes")
            let seen = try #require(pod.seen.requests.first)
            #expect(seen.values("X-Assay-Caller") == ["system:serviceaccount:ml:app"])
            #expect(seen.values("Authorization").isEmpty && !seen.fields.joined().contains(Self.token))
            #expect(!seen.fields.joined().contains("root"))
        }
    }

    @Test func whatIsKnownIsNotAskedAgain() async throws {
        let callers = TestCallers(known: [Self.token: Self.account])
        try await Self.withPod(callers) { world, _ in
            try await TestClient.with(port: world.port) { client in
                for number in 0..<20 {
                    try await client.send(Self.request(Self.token, body: "\(number)"))
                    #expect(try await client.answer().body == "\(number)")
                }
            }
            #expect(callers.reviewed.isEmpty)
        }
    }

    @Test func withoutAuthTheTokenIsThePodsAndNobodyIsNamed() async throws {
        let callers = TestCallers()
        try await Self.withPod(callers, auth: nil) { world, pod in
            let forged = "X-Assay-Caller: root\r\n"
            #expect(try await Self.ask(world, Self.request("own", body: "x", forged)).status == 200)
            let seen = try #require(pod.seen.requests.first)
            #expect(seen.values("Authorization") == ["Bearer own"] && seen.values("X-Assay-Caller").isEmpty)
            #expect(callers.reviewed.isEmpty)
        }
    }

    @Test(arguments: [JSONValue("ServiceAccount"), JSONValue("OIDC")])
    func whereNobodyCanTellNobodyGetsThrough(_ auth: JSONValue) async throws {
        try await Self.withPod(nil, auth: auth) { world, pod in
            let answer = try await Self.ask(world, Self.request(Self.token))
            #expect(answer.status == 503 && answer.head.contains("\r\nRetry-After: "))
            #expect(pod.seen.connections == 0)
        }
        try await Self.withPod(TestCallers { _ in .unavailable(retryAfter: 7) }, auth: auth) { world, pod in
            let answer = try await Self.ask(world, Self.request(Self.token))
            #expect(answer.status == 503 && answer.head.contains("\r\nRetry-After: "))
            #expect(pod.seen.connections == 0)
        }
    }

    @Test func aRuleThatIsSetLaterHoldsFromThenOn() async throws {
        try await Self.withPod(TestCallers(), auth: nil) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send(Self.request(nil, body: "x"))
                #expect(try await client.answer().status == 200)
                try world.tell(model: modelJSON(port: world.port, podPort: pod.port, auth: "ServiceAccount"))
                _ = try await world.gateway.load(isEnding: false)
                var status = 200
                while status == 200 {
                    try await client.send(Self.request(nil, body: "x"))
                    status = try await client.answer().status
                }
                #expect(status == 401)
            }
        }
    }

    // MARK: While it is asked

    /// Answers when it is told to.
    private struct Slow: Sendable {
        let callers: TestCallers
        private let gate = AsyncStream.makeStream(of: CallerVerdict.self)
        private let asked = AsyncStream.makeStream(of: Void.self)

        init() {
            let (gate, asked) = (gate, asked)
            callers = TestCallers { _ in
                asked.continuation.yield()
                for await verdict in gate.stream { return verdict }
                return .unavailable(retryAfter: 1)
            }
        }

        func wait() async { for await _ in asked.stream { return } }
        func say(_ verdict: CallerVerdict) { gate.continuation.yield(verdict) }

        func sayOnceAsked(_ verdict: CallerVerdict) async {
            await wait()
            say(verdict)
        }
    }

    @Test func aRequestIsWholeAfterItHasWaited() async throws {
        let slow = Slow()
        try await Self.withPod(slow.callers) { world, pod in
            try await TestClient.with(port: world.port) { client in
                let size = 3 << 20
                let body = String(repeating: "0123456789abcdef", count: size / 16)
                async let said: Void = slow.sayOnceAsked(Self.account)
                try await client.send(Self.request(Self.token, body: body))
                await said
                let answer = try await client.answer()
                #expect(answer.status == 200 && answer.body == body)
                #expect(pod.seen.faults.isEmpty)
            }
        }
    }

    @Test func whatFollowsARequestThatWaitsIsAnsweredAfterIt() async throws {
        let slow = Slow()
        try await Self.withPod(slow.callers) { world, _ in
            try await TestClient.with(port: world.port) { client in
                try await client.send(
                    Self.request(Self.token, body: "one") + Self.request(nil, body: "two"))
                await slow.wait()
                slow.say(Self.account)
                let first = try await client.answer()
                #expect(first.status == 200 && first.body == "one")
                #expect(try await client.answer().status == 401)
            }
        }
    }

    /// Returns once so many clients are connected.
    private static func wait(for count: Double, _ world: GatewayWorld) async throws {
        let gauge = world.registry.gauge("assay_gateway_connections")
        repeat {
            _ = world.registry.exposition()
            try await Task.sleep(for: .milliseconds(2))
        } while gauge.value != count
    }

    @Test func aClientThatIsGoneMeanwhileIsForgotten() async throws {
        let slow = Slow()
        try await Self.withPod(slow.callers) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send(Self.request(Self.token, body: "x"))
                await slow.wait()
                try await Self.wait(for: 1, world)
            }
            try await Self.wait(for: 0, world)
            slow.say(Self.account)
            #expect(try await world.gateway.load(isEnding: false).models.values.allSatisfy { $0.requests == 0 })
            #expect(pod.seen.requests.isEmpty)
        }
    }

    @Test func whoIsNotAnsweredInTimeIsTold() async throws {
        let slow = Slow()
        try await Self.withPod(slow.callers, limits: { $0.reviewTimeout = .milliseconds(50) }) { world, pod in
            let answer = try await Self.ask(world, Self.request(Self.token, body: "x"))
            #expect(answer.status == 503 && answer.head.contains("\r\nRetry-After: "))
            slow.say(Self.account)
            #expect(pod.seen.requests.isEmpty)
        }
    }

    @Test func onlySoManyWait() async throws {
        let slow = Slow()
        try await Self.withPod(slow.callers, limits: { $0.reviewedRequests = 1 }) { world, _ in
            try await TestClient.with(port: world.port) { client in
                try await client.send(Self.request(Self.token, body: "x"))
                await slow.wait()
                #expect(try await Self.ask(world, Self.request(Self.token)).status == 503)
                slow.say(Self.account)
                #expect(try await client.answer().status == 200)
            }
        }
    }

    // MARK: Sleep

    @Test func onlyWhoMayCallWakesWhatSleepsAndCounts() async throws {
        let waker = TestWaker()
        let callers = TestCallers(known: [Self.token: Self.account]) { _ in .nobody }
        try await TestPod.with(reply: { .text($0.text) }) { pod in
            try await GatewayWorld.with(
                model: {
                    modelJSON(
                        port: $0, traffic: [("wine-1", 100, "Hibernating")], podPort: pod.port, auth: "ServiceAccount")
                }, waker: waker, callers: callers
            ) { world in
                for token in [nil, "x", callerToken(name: "unknown"), callerToken(namespace: "other")] {
                    let status = try await Self.ask(world, Self.request(token, body: "x")).status
                    #expect(status == 401 || status == 403)
                }
                let load = try await world.gateway.load(isEnding: false)
                #expect(load.models.values.allSatisfy { $0.requests == 0 && $0.held == 0 && $0.inFlight == 0 })
                #expect(waker.woken.isEmpty)
                async let answer = Self.ask(world, Self.request(Self.token, body: "now"))
                await waker.wait()
                try world.tell(pod: podJSON("a", address: pod.address, isReady: false, port: pod.port))
                #expect(try await answer.body == "now")
                let after = try await world.gateway.load(isEnding: false)
                #expect(after.models.values.map(\.requests) == [1])
            }
        }
    }
}
