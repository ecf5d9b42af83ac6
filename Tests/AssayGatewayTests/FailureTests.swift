import Concurrency
import HTTPServer
import JSON
import NIOCore
import Testing

@testable import AssayGateway

@Suite(.timeLimit(.minutes(1))) struct FailureTests {
    private static func post(_ client: TestClient) async throws -> TestClient.Answer {
        try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
        return try await client.answer()
    }

    /// Two pods of one revision on one port, of which the first given to a request breaks.
    private static func withTwoPods(
        _ reply: @escaping @Sendable (String, StrictReader.Request) -> TestPod.Reply, retry: String? = nil,
        _ body: @escaping @Sendable (GatewayWorld, [TestPod]) async throws -> Void
    ) async throws {
        try await TestPod.with(address: "127.0.0.2", reply: { reply("a", $0) }) { first in
            try await TestPod.with(address: "127.0.0.3", port: first.port, reply: { reply("b", $0) }) { second in
                try await GatewayWorld.with(
                    model: { modelJSON(port: $0, podPort: first.port, retry: retry) },
                    pods: [
                        podJSON("a", address: first.address, port: first.port),
                        podJSON("b", address: second.address, port: second.port),
                    ]
                ) { try await body($0, [first, second]) }
            }
        }
    }

    @Test func aPostThatAPodTookAndDidNotAnswerIsA502AndIsNotSentAgain() async throws {
        try await Self.withTwoPods({ _, _ in .close }) { world, pods in
            let answer = try await TestClient.with(port: world.port) { try await Self.post($0) }
            #expect(answer.status == 502 && answer.body.hasPrefix("{\"error\":"))
            #expect(answer.head.contains("Content-Type: application/json\r\n"))
            #expect(pods[0].seen.requests.count + pods[1].seen.requests.count == 1)
            #expect(world.metric("assay_gateway_requests_total", [("code", "502")]) == 1)
        }
    }

    @Test func aGetIsSentToAnotherPod() async throws {
        try await Self.withTwoPods({ pod, _ in pod == "a" ? .close : .text("b") }) { world, pods in
            for _ in 0..<4 {
                let answer = try await TestClient.get(port: world.port)
                #expect(answer.body == "b")
            }
            #expect(pods[1].seen.requests.count == 4)
            #expect(world.metric("assay_gateway_retries_total") == Double(pods[0].seen.requests.count))
        }
    }

    @Test func whereTheModelIsIdempotentAPostIsSentAgainWhole() async throws {
        try await Self.withTwoPods({ pod, _ in pod == "a" ? .close : .text("b") }, retry: "Idempotent") { world, pods in
            try await TestClient.with(port: world.port) { client in
                for _ in 0..<3 {
                    let answer = try await Self.post(client)
                    #expect(answer.body == "b")
                }
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo")
                try await client.send("dy\r\n0\r\nSum: 1\r\n\r\n")
                #expect(try await client.answer().body == "b")
            }
            #expect(pods[1].seen.requests.allSatisfy { $0.text == "body" } && pods[1].seen.requests.count == 4)
            #expect(pods[1].seen.requests.last?.trailers == ["Sum: 1"])
        }
    }

    @Test func whatIsSentInVainEverywhereIsA502() async throws {
        try await Self.withTwoPods({ _, _ in .close }) { world, pods in
            let answer1 = try await TestClient.get(port: world.port)
            #expect(answer1.status == 502)
            #expect(pods[0].seen.requests.count + pods[1].seen.requests.count == 1 + RetryDecision.limit)
        }
    }

    @Test func aPodThatRefusesConnectionsCostsNoRequest() async throws {
        try await Self.withTwoPods({ pod, _ in .text(pod) }) { world, pods in
            try await pods[0].stop()
            try await TestClient.with(port: world.port) { client in
                for _ in 0..<10 {
                    let answer = try await Self.post(client)
                    #expect(answer.body == "b")
                }
            }
        }
    }

    @Test func aConnectionThatAPodClosedMeanwhileCostsNoRequest() async throws {
        try await withPod { world, pod in
            try await TestClient.with(port: world.port) { client in
                for round in 1...5 {
                    let answer = try await Self.post(client)
                    #expect(answer.status == 200)
                    pod.hangUp()
                    await pod.wait { $0.open == 0 && $0.connections == round }
                    // The gateway hears of it by its own event loop, whose turn this waits for.
                    _ = try await TestClient.get(port: world.sharedPort)
                }
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "rubbish\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    func anAnswerThatIsNotHTTPIsA502(_ reply: String) async throws {
        try await withPod(reply: { _ in .bytes(reply) }) { world, _ in
            let answer = try await TestClient.with(port: world.port) { try await Self.post($0) }
            #expect(answer.status == 502)
        }
    }

    @Test func anAnswerThatBreaksOffIsSeenToBreakOff() async throws {
        let replies = [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ]
        for reply in replies {
            try await withPod(reply: { _ in .last(reply) }) { world, _ in
                try await TestClient.with(port: world.port) { client in
                    try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    let text = await client.readToEnd()
                    #expect(text.contains("abc") && !text.hasSuffix("\r\n0\r\n\r\n") && !text.contains("502"))
                }
                #expect(world.metric("assay_gateway_requests_total", [("code", "502")]) == 1)
            }
        }
    }

    @Test func moreThanOneAnswerIsForNobody() async throws {
        let two = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        try await withPod(reply: { $0.target == "/two" ? .bytes(two) : .text("b") }) { world, _ in
            let answer2 = try await TestClient.get(port: world.port, "/two")
            #expect(answer2.body == "a")
            for _ in 0..<5 {
                let answer = try await TestClient.get(port: world.port)
                #expect(answer.body == "b")
            }
        }
    }

    @Test func whatAPodSaysBeyondItsAnswerIsForNobody() async throws {
        let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        let reply: @Sendable (StrictReader.Request) -> TestPod.Reply = { request in
            switch request.target {
            case "/head": .bytes("HTTP/1.1 200 OK\r\nContent-Length: \(evil.utf8.count)\r\n\r\n" + evil)
            case "/204": .bytes("HTTP/1.1 204 No Content\r\n\r\n" + evil)
            case "/long": .bytes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc")
            default: .text("good")
            }
        }
        try await withPod(reply: reply) { world, _ in
            try await TestClient.with(port: world.port) { client in
                for _ in 0..<3 {
                    for line in ["HEAD /head", "GET /204"] {
                        // Two at once, so that the second is there when the first is answered.
                        try await client.send(
                            "\(line) HTTP/1.1\r\nHost: h\r\n\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
                        )
                        _ = try await client.answer(isHead: true)
                        let answer = try await client.answer()
                        #expect(answer.body == "good")
                    }
                    try await client.send("GET /long HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    let (first, second) = (try await client.answer(), try await client.answer())
                    #expect(first.body == "a" && second.body == "good")
                }
            }
        }
    }

    @Test func aPodThatDoesNotAnswerInTimeIsA504() async throws {
        try await withPod(
            reply: { _ in .nothing }, limits: { $0.responseTimeout = .milliseconds(100) }
        ) { world, pod in
            let answer = try await TestClient.get(port: world.port)
            #expect(answer.status == 504)
            await pod.wait { $0.requests.count == 1 && $0.open == 0 }
            #expect(pod.seen.connections == 1, "it may be working on it: not sent again")
        }
    }

    @Test func aClientThatGoesTakesItsRequestAlong() async throws {
        try await withPod(reply: { _ in .nothing }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                await pod.wait { $0.requests.count == 1 }
            }
            await pod.wait { $0.open == 0 }
        }
    }

    @Test func aClientThatDoesNotTakeItsAnswerIsCutOff() async throws {
        try await withPod(
            reply: { _ in .nothing }, limits: { $0.server.writeTimeout = .milliseconds(300) }
        ) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                await pod.wait { $0.requests.count == 1 }
                pod.write("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
                _ = pod.write(ByteBuffer(repeating: 1, count: 64 << 20))
                await pod.wait { $0.open == 0 }
            }
        }
    }

    @Test func anUnknownModelIsA404() async throws {
        try await withPod { world, _ in
            let answer = try await TestClient.get(port: world.sharedPort, host: "nobody.example")
            #expect(answer.status == 404 && answer.body.contains("no model answers here"))
        }
    }

    @Test func aModelIsFoundByItsNameAtTheSharedPort() async throws {
        try await TestPod.with { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port, hosts: ["wine.example"]) },
                pods: [podJSON("a", address: pod.address, port: pod.port)]
            ) { world in
                let answer3 = try await TestClient.get(port: world.sharedPort, host: "Wine.example:80")
                #expect(answer3.status == 200)
                let answer4 = try await TestClient.get(port: world.sharedPort, host: "wine")
                #expect(answer4.status == 404)
                let answer5 = try await TestClient.get(port: world.port, host: "other.example")
                #expect(answer5.status == 200)
            }
        }
    }

    @Test func aModelWithoutTrafficIsA503() async throws {
        try await GatewayWorld.with(model: { modelJSON(port: $0, traffic: []) }) { world in
            let answer = try await TestClient.get(port: world.port)
            #expect(answer.status == 503 && answer.head.contains("Retry-After: "))
        }
    }

    @Test func aPortThatGoesIsClosedAndOneThatComesIsOpened() async throws {
        try await withPod { world, pod in
            let answer6 = try await TestClient.get(port: world.port)
            #expect(answer6.status == 200)
            try world.tell(model: modelJSON(port: nil, podPort: pod.port))
            while true {
                do { _ = try await TestClient.get(port: world.port) } catch { break }
            }
            try world.tell(model: modelJSON(port: world.port, podPort: pod.port))
            while true {
                do {
                    let answer7 = try await TestClient.get(port: world.port)
                    #expect(answer7.status == 200)
                    break
                } catch {}
            }
        }
    }

    @Test func aCanaryGetsItsPartAndEachRequestOneRevision() async throws {
        try await TestPod.with(address: "127.0.0.2", reply: { _ in .text("old") }) { old in
            try await TestPod.with(address: "127.0.0.3", port: old.port, reply: { _ in .text("new") }) { new in
                let traffic = [("wine-1", 80, "Serving"), ("wine-2", 20, "Canary")]
                try await GatewayWorld.with(
                    model: { modelJSON(port: $0, traffic: traffic, podPort: old.port) },
                    pods: [
                        podJSON("a", address: old.address, port: old.port),
                        podJSON("b", revision: "wine-2", address: new.address, port: old.port),
                    ], threads: 2
                ) { world in
                    let answers = Locked<[String: Int]>([:])
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<4 {
                            group.addTask {
                                try await TestClient.with(port: world.port) { client in
                                    for _ in 0..<50 {
                                        try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                                        let body = try await client.answer().body
                                        answers.withLock { $0[body, default: 0] += 1 }
                                    }
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                    #expect(answers.withLock { $0 } == ["old": 160, "new": 40])
                }
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct DrainTests {
    @Test func aRequestInFlightIsAnsweredAndThenItIsOver() async throws {
        try await withPod(reply: { _ in .nothing }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await TestClient.with(port: world.port) { idle in
                    try await idle.send("")
                    try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    await pod.wait { $0.requests.count == 1 }
                    world.gateway.shutdown()
                    #expect(await idle.readToEnd() == "")
                    pod.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
                    let answer = try await client.answer()
                    #expect(answer.body == "last" && answer.head.contains("Connection: close\r\n"))
                    #expect(await client.readToEnd() == "")
                }
            }
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 503), ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 502),
    ])
    func whatDoesNotEndInTimeIsToldWhetherItMayBeRepeated(_ request: String, _ status: Int) async throws {
        try await withPod(
            reply: { _ in .nothing }, limits: { $0.drainTimeout = .milliseconds(100) }
        ) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send(request)
                await pod.wait { $0.requests.count == 1 }
                world.gateway.shutdown()
                let text = await client.readToEnd()
                #expect(text.hasPrefix("HTTP/1.1 \(status) ") && text.contains("Retry-After") == (status == 503))
            }
        }
    }

    @Test func whatIsHeldWhenTheTimeIsOverIsTold() async throws {
        try await GatewayWorld.with(
            model: { modelJSON(port: $0, traffic: [("wine-1", 100, "Hibernating")]) },
            limits: { $0.drainTimeout = .milliseconds(100) }
        ) { world in
            try await TestClient.with(port: world.port) { client in
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhi")
                try await world.waitForHeld(1)
                world.gateway.shutdown()
                let text = await client.readToEnd()
                #expect(text.hasPrefix("HTTP/1.1 503 ") && text.contains("Retry-After: "))
            }
        }
    }

    @Test func anAnswerThatIsNotWholeWhenTheTimeIsOverIsSeenToBreakOff() async throws {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
        try await withPod(
            reply: { _ in .bytes(half) }, limits: { $0.drainTimeout = .milliseconds(100) }
        ) { world, _ in
            try await TestClient.with(port: world.port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                let begun = try await client.read(through: "half")
                world.gateway.shutdown()
                let rest = await client.readToEnd()
                #expect(begun.hasSuffix("half") && rest.isEmpty)
            }
        }
    }
}
