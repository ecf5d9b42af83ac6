import Concurrency
import NIOCore
import Testing

@testable import AssayGateway

@Suite(.timeLimit(.minutes(1))) struct ForwardTests {
    @Test func aRequestReachesThePodAndItsAnswerTheClient() async throws {
        try await withPod(reply: { .text("answer to \($0.target)") }) { world, pod in
            let answer = try await TestClient.get(port: world.port, "/v2?x=1")
            #expect(answer.status == 200 && answer.body == "answer to /v2?x=1")
            #expect(answer.head.contains("X-Request-Id: "))
            let request = try #require(pod.seen.requests.first)
            #expect(request.values("host") == ["wine"] && request.values("x-forwarded-for") == ["127.0.0.1"])
            #expect(pod.seen.faults.isEmpty)
        }
    }

    @Test func connectionsOfBothSidesAreUsedAgain() async throws {
        try await withPod(reply: { .text($0.target) }) { world, pod in
            for round in 0..<3 {
                try await TestClient.with(port: world.port) { client in
                    for index in 0..<5 {
                        try await client.send("GET /\(round)/\(index) HTTP/1.1\r\nHost: h\r\n\r\n")
                        #expect(try await client.answer().body == "/\(round)/\(index)")
                    }
                }
            }
            #expect(pod.seen.connections == 1 && pod.seen.requests.count == 15)
            #expect(world.metric("assay_gateway_requests_total", [("code", "200")]) == 15)
            #expect(world.metric("assay_gateway_request_duration_seconds") == 15)
            #expect(world.metric("assay_gateway_requests_in_flight") == 0)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInTheirOrder() async throws {
        try await withPod(reply: { .text($0.target + $0.text) }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                var all = ""
                for index in 0..<50 {
                    all += "GET /\(index) HTTP/1.1\r\nHost: h\r\n\r\n"
                    all += "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n\(10 + index)"
                }
                try await client.send(all)
                for index in 0..<50 {
                    #expect(try await client.answer().body == "/\(index)")
                    #expect(try await client.answer().body == "/p\(10 + index)")
                }
            }
            #expect(pod.seen.requests.count == 100 && pod.seen.faults.isEmpty)
        }
    }

    @Test func chunkedBodiesAndTrailersPassBothWays() async throws {
        let reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nSum: 5\r\n\r\n"
        try await withPod(reply: { _ in .bytes(reply) }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                try await client.send("5;ext=1\r\nhello\r\n")
                try await client.send("1\r\n!\r\n0\r\nCheck: 6\r\nHost: evil\r\n\r\n")
                #expect(try await client.answer().body == "abcde[Sum: 5]")
            }
            let request = try #require(pod.seen.requests.first)
            #expect(request.text == "hello!" && request.trailers == ["Check: 6"])
        }
    }

    @Test func largeBodiesPassBothWays() async throws {
        let body = String(repeating: "0123456789abcdef", count: 1 << 16)
        try await withPod(reply: { .text($0.text) }) { world, _ in
            try await TestClient.with(port: world.port) { client in
                for _ in 0..<3 {
                    let length = "Content-Length: \(body.utf8.count)"
                    try await client.send("POST / HTTP/1.1\r\nHost: h\r\n\(length)\r\n\r\n" + body)
                    #expect(try await client.answer().body == body)
                    try await client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                    try await client.send("\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
                    #expect(try await client.answer().body == body)
                }
            }
        }
    }

    @Test func answersWithoutBodyHaveNone() async throws {
        try await withPod(reply: { request in
            switch request.target {
            case "/204": .bytes("HTTP/1.1 204 No Content\r\n\r\n")
            case "/304": .bytes("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
            default:
                .bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + (request.method == "HEAD" ? "" : "123456789"))
            }
        }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.answer(isHead: true).head.contains("Content-Length: 9\r\n"))
                try await client.send("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.answer(isHead: true).head.hasPrefix("HTTP/1.1 204 No Content\r\n"))
                try await client.send("GET /304 HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.answer(isHead: true).head.hasPrefix("HTTP/1.1 304 "))
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.answer().body == "123456789")
            }
            #expect(pod.seen.connections == 1)
        }
    }

    @Test func aBodyThatEndsWithItsConnectionIsWhole() async throws {
        try await withPod(reply: { _ in .last("HTTP/1.1 200 OK\r\n\r\nto the end") }) { world, _ in
            try await TestClient.with(port: world.port) { client in
                for _ in 0..<2 {
                    try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    #expect(try await client.answer().body == "to the end")
                }
            }
        }
    }

    @Test func anOldClientGetsItsAnswerWithoutChunks() async throws {
        let reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        try await withPod(reply: { _ in .bytes(reply) }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("GET / HTTP/1.0\r\n\r\n")
                let text = await client.readToEnd()
                #expect(text.hasSuffix("\r\n\r\nabc") && !text.contains("chunked"))
            }
            #expect(pod.seen.requests.first?.values("host") == ["wine"])
        }
    }

    @Test func eventsReachTheClientOneByOne() async throws {
        try await withPod(reply: { _ in
            .bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.read(through: "\r\n\r\n").contains("text/event-stream"))
                for index in 0..<5 {
                    pod.write("9\r\ndata: \(index)\n\n\r\n")
                    #expect(try await client.read(through: "\n\n\r\n") == "9\r\ndata: \(index)\n\n\r\n")
                }
                pod.write("0\r\n\r\n")
                #expect(try await client.read(5) == "0\r\n\r\n")
            }
        }
    }

    @Test func aBodyIsAskedForOnceAPodIsThere() async throws {
        try await withPod(reply: { .text($0.text) }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
                #expect(try await client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
                try await client.send("hello")
                #expect(try await client.answer().body == "hello")
            }
            #expect(pod.seen.requests.first?.values("expect") == [])
        }
    }

    @Test func informationalAnswersOfThePodEndAtTheGateway() async throws {
        try await withPod(reply: { _ in
            .bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }) { world, _ in
            let answer = try await TestClient.get(port: world.port)
            #expect(answer.status == 200 && answer.body == "ok")
        }
    }

    @Test func anAnswerBeforeTheEndOfItsRequestEndsTheConnection() async throws {
        try await TestPod.with { pod in
            // A pod that refuses at the head: the strict reader would wait for the body.
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port) },
                pods: [podJSON("a", address: pod.address, port: pod.port)]
            ) { world in
                try await TestClient.with(port: world.port) { client in
                    try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nx")
                    await pod.wait { !$0.bytes.isEmpty }
                    pod.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
                    let answer = try await client.answer()
                    #expect(answer.status == 413 && answer.body == "big" && answer.head.contains("Connection: close"))
                    #expect(await client.readToEnd() == "")
                }
                await pod.wait { $0.open == 0 }
            }
        }
    }

    @Test func aSlowClientHoldsItsPodBackInsteadOfFillingTheGateway() async throws {
        let size = 96 << 20
        try await withPod(reply: { _ in .nothing }) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                try await expectHeldBack(pod, by: client, size)
            }
        }
    }

    @Test func aRequestWhosePodIsSlowIsNotReadOn() async throws {
        try await withPod(reply: { .text("\($0.body.count)") }) { world, _ in
            try await TestClient.with(port: world.port) { client in
                let piece = [UInt8](repeating: 65, count: 1 << 20)
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(32 << 20)\r\n\r\n")
                for _ in 0..<32 { try await client.send(piece) }
                #expect(try await client.answer().body == "\(32 << 20)")
            }
        }
    }
}

/// A pod answers a request with so many bytes, and cannot send them all while the client reads none.
func expectHeldBack(_ pod: TestPod, by client: TestClient, _ size: Int) async throws {
    await pod.wait { $0.requests.count == 1 }
    pod.write("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
    let written = pod.write(ByteBuffer(repeating: 1, count: size))
    let isTaken = Locked(false)
    written?.whenSuccess { isTaken.withLock { $0 = true } }
    #expect(try await client.read(through: "\r\n\r\n").contains("\(size)"))
    // Time for a gateway without a bound to take it all.
    try await Task.sleep(for: .milliseconds(300))
    #expect(!isTaken.withLock { $0 })
    #expect(try await client.skip(size) == size)
    try await written?.get()
}
