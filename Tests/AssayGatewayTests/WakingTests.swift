import Concurrency
import JSON
import KubernetesModel
import Testing

@testable import AssayGateway

@Suite(.timeLimit(.minutes(2))) struct WakingTests {
    /// A gateway before a model that sleeps, and the server that its pod will be.
    private static func asleep(
        state: String = "Hibernating",
        reply: @escaping @Sendable (StrictReader.Request) -> TestPod.Reply = { .text($0.target) },
        waker: TestWaker = TestWaker(), threads: Int = 1, limits: (inout GatewayLimits) -> Void = { _ in },
        _ body: @escaping @Sendable (GatewayWorld, TestPod) async throws -> Void
    ) async throws {
        try await TestPod.with(reply: reply) { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, traffic: [("wine-1", 100, state)], podPort: pod.port) }, waker: waker,
                threads: threads, limits: limits
            ) { try await body($0, pod) }
        }
    }

    private static func starting(_ pod: TestPod, probe: JSONValue? = nil) -> JSONValue {
        podJSON("a", address: pod.address, isReady: false, probe: probe, port: pod.port)
    }

    @Test func aRequestForAModelThatSleepsWakesItAndIsAnswered() async throws {
        let waker = TestWaker()
        try await Self.asleep(waker: waker) { world, pod in
            async let answer = TestClient.get(port: world.port, "/first")
            await waker.wait()
            try world.tell(pod: Self.starting(pod))
            #expect(try await answer.body == "/first")
            #expect(waker.woken == [ObjectKey(namespace: "ml", name: "wine-1")])
            #expect(world.metric("assay_gateway_cold_starts_total", [("outcome", "awake")]) == 1)
            for phase in ColdStart.Phase.allCases {
                #expect(world.metric("assay_gateway_cold_start_seconds", [("phase", phase.rawValue)]) == 1)
            }
            #expect(world.metric("assay_gateway_held_seconds") == 1)
            #expect(world.metric("assay_gateway_requests_held") == 0)
        }
    }

    @Test func aModelThatServesIsNotScaled() async throws {
        let waker = TestWaker()
        try await Self.asleep(
            state: "Serving", waker: waker, limits: { $0.unreadyTimeout = .milliseconds(300) }
        ) { world, _ in
            let answer = try await TestClient.get(port: world.port)
            #expect(answer.status == 503 && answer.head.contains("Retry-After: ") && waker.woken.isEmpty)
        }
    }

    @Test func manyRequestsWakeItOnceAndAreAllAnswered() async throws {
        let waker = TestWaker()
        try await Self.asleep(waker: waker, threads: 2) { world, pod in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<200 {
                    group.addTask { try await TestClient.get(port: world.port, "/\(index)").body == "/\(index)" }
                }
                try await world.waitForHeld(200)
                try world.tell(pod: Self.starting(pod))
                for try await isRight in group { #expect(isRight) }
            }
            #expect(waker.woken.count == 1)
            #expect(world.metric("assay_gateway_cold_starts_total", [("outcome", "awake")]) == 1)
            #expect(world.metric("assay_gateway_cold_start_seconds", [("phase", "forward")]) == 1)
            #expect(pod.seen.requests.count == 200 && pod.seen.faults.isEmpty)
        }
    }

    /// As many as the process has descriptors for, both ends being in it; the pool's own tests hold 10,000.
    @Test func thousandsAreHeldAndForwardedInTheOrderOfTheirComing() async throws {
        let (batches, size) = (8, 500)
        try await Self.asleep(limits: { $0.connectionsPerPod = 1 }) { world, pod in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for batch in 0..<batches {
                    for _ in 0..<size {
                        group.addTask { try await TestClient.get(port: world.port, "/\(batch)").status }
                    }
                    try await world.waitForHeld((batch + 1) * size)
                }
                try world.tell(pod: Self.starting(pod))
                for try await status in group { #expect(status == 200) }
            }
            let order = pod.seen.requests.map(\.target)
            #expect(order.count == batches * size && order == order.sorted())
        }
    }

    @Test func aFailureIsToldToAllWhoWaitAndNotTriedAtEveryRequest() async throws {
        let waker = TestWaker { _ in .failed("wine-1 cannot be woken: forbidden") }
        try await Self.asleep(waker: waker) { world, _ in
            for _ in 0..<20 {
                let answer = try await TestClient.get(port: world.port)
                #expect(answer.status == 503 && answer.body.contains("cannot be woken: forbidden"))
                #expect(answer.head.contains("Retry-After: "))
            }
            // One, and where the machine is slow another after a second, and after two more.
            #expect(waker.woken.count <= 5)
        }
    }

    @Test func aPodThatComesTooLateIsA503() async throws {
        try await Self.asleep(limits: { $0.wakeTimeout = .milliseconds(300) }) { world, _ in
            let answer = try await TestClient.get(port: world.port)
            #expect(answer.status == 503 && answer.body.contains("no pod of wine became ready in time"))
            #expect(answer.head.contains("Retry-After: "))
        }
    }

    @Test func whatIsTooMuchToHoldIsA503() async throws {
        let waker = TestWaker()
        try await Self.asleep(waker: waker, limits: { $0.heldRequests = 3 }) { world, pod in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 { group.addTask { try await TestClient.get(port: world.port).status } }
                try await world.waitForHeld(3)
                let answer = try await TestClient.get(port: world.port)
                #expect(answer.status == 503 && answer.body.contains("too many requests wait for wine"))
                #expect(answer.head.contains("Retry-After: "))
                try world.tell(pod: Self.starting(pod))
                for try await status in group { #expect(status == 200) }
            }
        }
    }

    @Test func aClientThatGoesWhileItIsHeldIsForgotten() async throws {
        try await Self.asleep { world, pod in
            for request in [
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
            ] {
                try await TestClient.with(port: world.port) { client in
                    try await client.send(request)
                    try await world.waitForHeld(1)
                }
                try await world.waitForHeld(0)
            }
            try world.tell(pod: Self.starting(pod))
            let answer = try await TestClient.get(port: world.port, "/later")
            #expect(answer.body == "/later" && pod.seen.requests.map(\.target) == ["/later"])
        }
    }

    @Test func aBodyIsKeptWhileItsRequestIsHeld() async throws {
        let body = String(repeating: "x", count: 300_000)
        try await Self.asleep(reply: { .text("\($0.text == body)") }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                try await client.send(head + body.prefix(1000))
                try await world.waitForHeld(1)
                try await client.send(String(body.dropFirst(1000).prefix(20_000)))
                try world.tell(pod: Self.starting(pod))
                try await client.send(String(body.dropFirst(21_000)))
                #expect(try await client.answer().body == "true")
            }
        }
    }

    @Test func aHeldClientIsAskedForItsBodyOnlyOnceThePodIsThere() async throws {
        try await Self.asleep(reply: { .text($0.text) }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
                try await world.waitForHeld(1)
                #expect(pod.seen.connections == 0)
                try world.tell(pod: Self.starting(pod))
                #expect(try await client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
                try await client.send("hi")
                #expect(try await client.answer().body == "hi")
            }
        }
    }

    @Test func aPodThatHasAnAddressAndDoesNotListenYetIsDialledUntilItDoes() async throws {
        let port = try await GatewayWorld.freePorts(1)[0]
        let waker = TestWaker()
        try await GatewayWorld.with(
            model: { modelJSON(port: $0, traffic: [("wine-1", 100, "Hibernating")], podPort: port) }, waker: waker
        ) { world in
            async let answer = TestClient.get(port: world.port)
            await waker.wait()
            // An address of its own, for no other test's server may stand in for it.
            try world.tell(pod: podJSON("a", address: "127.0.0.9", isReady: false, port: port))
            try await Task.sleep(for: .milliseconds(100))
            let pod = try await TestPod.start(address: "127.0.0.9", port: port)
            #expect(try await answer.body == "ok")
            try await pod.stop()
        }
    }

    @Test func aPodIsAskedAsItsProbeSaysBeforeItGetsARequest() async throws {
        let isReady = Locked(false)
        let reply: @Sendable (StrictReader.Request) -> TestPod.Reply = { request in
            if request.target != "/ready" { return .text("model") }
            return isReady.withLock { $0 } ? .text("") : .text("", status: "503 Service Unavailable")
        }
        try await Self.asleep(reply: reply) { world, pod in
            async let answer = TestClient.get(port: world.port, "/v2")
            try await world.waitForHeld(1)
            let probe: JSONValue = ["httpGet": ["path": "/ready", "port": JSONValue(pod.port)]]
            try world.tell(pod: Self.starting(pod, probe: probe))
            await pod.wait { $0.requests.count > 3 }
            #expect(pod.seen.requests.allSatisfy { $0.target == "/ready" })
            isReady.withLock { $0 = true }
            #expect(try await answer.body == "model")
            #expect(pod.seen.requests.last?.target == "/v2" && pod.seen.faults.isEmpty)
        }
    }

    @Test func whatWaitsForARevisionThatIsReplacedGoesToItsSuccessor() async throws {
        try await Self.asleep { world, pod in
            async let answer = TestClient.get(port: world.port, "/moved")
            try await world.waitForHeld(1)
            try world.tell(pod: podJSON("b", revision: "wine-2", address: pod.address, port: pod.port))
            try world.tell(
                model: modelJSON(port: world.port, traffic: [("wine-2", 100, "Serving")], podPort: pod.port))
            #expect(try await answer.body == "/moved")
        }
    }

    @Test func aPodThatDiesWithHeldRequestsCostsNoGet() async throws {
        let deaths = Locked(5)
        let reply: @Sendable (StrictReader.Request) -> TestPod.Reply = { request in
            let dies = deaths.withLock { count in
                count -= 1
                return count >= 0
            }
            return dies ? .close : .text(request.target)
        }
        try await Self.asleep(reply: reply) { world, pod in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 { group.addTask { try await TestClient.get(port: world.port).status } }
                try await world.waitForHeld(50)
                try world.tell(pod: Self.starting(pod))
                var statuses: [Int: Int] = [:]
                for try await status in group { statuses[status, default: 0] += 1 }
                // One that is unlucky three times is a 502, and all others are answered.
                #expect(statuses[200, default: 0] >= 48 && statuses[200, default: 0] + statuses[502, default: 0] == 50)
            }
        }
    }
}
