import HTTPServer
import Testing

@testable import AssayGateway

/// Bytes that try to be read in two ways, to get into somebody else's request, or to cost more than they should.
@Suite(.timeLimit(.minutes(2))) struct HostileTests {
    /// Short waits, so that what never comes is soon given up.
    static func impatient(_ limits: inout GatewayLimits) {
        limits.server.headTimeout = .seconds(2)
        limits.server.bodyTimeout = .seconds(2)
        limits.server.idleTimeout = .seconds(2)
        limits.server.body = 1 << 20
    }

    private static func smallBodies(_ limits: inout GatewayLimits) { limits.server.body = 1 << 20 }

    private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let long = String(repeating: "x", count: 9000)

    /// What is refused, with its status; nothing of it may reach a pod.
    @Test(arguments: [
        // RFC 9112 §6: the body's length.
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 37\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 37\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\ncontent-length: 0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 37\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x10\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 1\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 0),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 0),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n", 0),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\u{0}: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        // §5.2: folded lines, and fields that are none.
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: h\r\nX: a\u{0}b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: h\r\n: none\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: h\n\n", 400), ("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX(: y\r\n\r\n", 400),
        // §3.2: Host and target.
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400), ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://a@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 501), ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        // §3: the request line.
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 0), ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", 0), ("GET /\r\n\r\n", 0),
        ("GET / http/1.1\r\nHost: h\r\n\r\n", 400), ("G\u{0}T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0), ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", 400),
        // Oversize.
        ("GET /\(long) HTTP/1.1\r\nHost: h\r\n\r\n", 414), ("GET / HTTP/1.1\r\nHost: h\r\nX: \(long)\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: h\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: long, count: 12), 431),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", 413),
    ])
    func whatCouldBeReadInTwoWaysReachesNoPod(_ request: String, _ status: Int) async throws {
        try await withPod(limits: Self.smallBodies) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send(request + Self.smuggled)
                let text = await client.readToEnd()
                if status > 0 { #expect(text.hasPrefix("HTTP/1.1 \(status) ")) }
                #expect(!text.contains(" 200 ") && text.contains("Connection: close"))
                #expect(text.components(of: "HTTP/1.1 ") == 1, "one answer: \(text)")
            }
            #expect(pod.seen.bytes.isEmpty)
        }
    }

    /// What begins like a request and breaks a rule in its body: the pod sees at most a part, and never another request.
    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n folded: x\r\n\r\n",
    ])
    func aBodyThatBreaksARuleEndsItsRequest(_ request: String) async throws {
        try await withPod(limits: Self.smallBodies) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send(request + Self.smuggled)
                let text = await client.readToEnd()
                #expect(text.hasPrefix("HTTP/1.1 4") && text.components(of: "HTTP/1.1 ") == 1)
            }
            #expect(pod.seen.requests.isEmpty && pod.seen.faults.isEmpty)
        }
    }

    /// What is taken, and how the pod gets it.
    @Test(arguments: [
        ("\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "/a"),
        ("GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", "/a"),
        ("GET HTTP://H:80/a HTTP/1.1\r\nHost: h\r\n\r\n", "/a"),
        ("GET http://h?a HTTP/1.1\r\nHost: h\r\n\r\n", "/?a"),
        (
            "GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n",
            "/a"
        ),
        ("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close, Content-Length\r\n\r\n", "/a"),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "*"),
        ("GET /../../etc HTTP/1.1\r\nHost: h\r\n\r\n", "/../../etc"),
        ("GET /%0d%0aX:%20y HTTP/1.1\r\nHost: h\r\n\r\n", "/%0d%0aX:%20y"),
    ])
    func whatIsTakenIsFramedInOneWay(_ request: String, _ target: String) async throws {
        try await withPod(limits: Self.smallBodies) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send(request)
                #expect(try await client.answer().status == 200)
            }
            #expect(pod.seen.requests.map(\.target) == [target] && pod.seen.faults.isEmpty)
            let request = try #require(pod.seen.requests.first)
            #expect(request.values("upgrade") == [] && request.values("connection") == [])
        }
    }

    @Test func afterAnOfferToUpgradeNothingMoreIsTaken() async throws {
        try await withPod(limits: Self.smallBodies) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send(
                    "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + Self.smuggled)
                let text = await client.readToEnd()
                #expect(text.components(of: "HTTP/1.1 ") == 1 && text.contains("Connection: close"))
            }
            #expect(pod.seen.requests.map(\.target) == ["/a"])
        }
    }

    @Test func aHeadThatNeverEndsIsGivenUp() async throws {
        try await withPod(limits: Self.impatient) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n")
                let text = await client.readToEnd()
                #expect(text.hasPrefix("HTTP/1.1 408 "))
            }
            try await TestClient.with(port: world.port) { client in
                // Each byte alone would be in time.
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\nX: ")
                await Self.drip(client)
                let text = await client.readToEnd()
                #expect(text.hasPrefix("HTTP/1.1 408 "))
            }
            #expect(pod.seen.bytes.isEmpty)
        }
    }

    /// A byte now and then, for longer than the gateway waits, and not so long that it would miss the answer.
    private static func drip(_ client: TestClient) async {
        let end = ContinuousClock.now + .milliseconds(2600)
        do {
            while ContinuousClock.now < end {
                try await client.send("x")
                try await Task.sleep(for: .milliseconds(10))
            }
        } catch {}
    }

    @Test func aBodyThatDripsIsGivenUp() async throws {
        try await withPod(limits: Self.impatient) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
                await Self.drip(client)
                let text = await client.readToEnd()
                #expect(text.hasPrefix("HTTP/1.1 408 "))
            }
            await pod.wait { $0.open == 0 }
            #expect(pod.seen.requests.isEmpty)
        }
    }

    @Test func aChunkedBodyIsBoundedToo() async throws {
        try await withPod(limits: Self.impatient) { world, pod in
            try await TestClient.with(port: world.port) { client in
                try await client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                let piece = "40000\r\n" + String(repeating: "x", count: 0x40000) + "\r\n"
                for _ in 0..<5 { try await client.send(piece) }
                let text = await client.readToEnd()
                #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 413 "))
            }
            await pod.wait { $0.open == 0 }
            #expect(pod.seen.requests.isEmpty)
        }
    }

    /// Requests with faults that a seed puts in. Whatever the gateway makes of them, the pod reads requests that are well
    /// formed, one for each answer that the client got, and where the strictest reader finds no fault in what the client
    /// sent, they are a beginning of what it finds.
    @Test(arguments: 1...8) func thePodSeesOneRequestForEachAnswer(_ seed: Int) async throws {
        try await withPod(reply: { $0.method == "HEAD" ? .text("") : .text($0.target) }, limits: Self.impatient) {
            world, pod in
            var dice = Dice(seed)
            for _ in 0..<60 {
                let bytes = HostileBytes.make(&dice)
                let before = pod.seen
                let text = try await TestClient.with(port: world.port) { client in
                    do { try await client.send(bytes) } catch {}
                    return await client.readToEnd()
                }
                let seen = pod.seen
                let got = Array(seen.requests.dropFirst(before.requests.count))
                let shown = String(decoding: bytes, as: UTF8.self).debugDescription
                #expect(seen.faults.isEmpty, "\(shown)")
                #expect(text.components(of: "HTTP/1.1 200 ") == got.count, "\(shown) gave \(text.debugDescription)")
                var reader = StrictReader()
                let strict = reader.take(bytes)
                if reader.fault == nil, reader.isAtRest {
                    let same = zip(strict, got).allSatisfy {
                        $0.target.replacing("http://h", with: "") == $1.target && $0.body == $1.body
                    }
                    #expect(same && got.count <= strict.count, "\(shown)")
                }
            }
        }
    }
}

/// Requests, and what spoils them.
private enum HostileBytes {
    private static let requests = [
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n",
        "GET http://h/e HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD /f HTTP/1.1\r\nHost: h\r\n\r\n",
    ]
    private static let fields = [
        "Content-Length: 0\r\n", "Content-Length: 5\r\n", "Content-Length: 44\r\n", "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n", "transfer-encoding:\tchunked\r\n", "Transfer-Encoding : chunked\r\n",
        "Host: g\r\n",
        "Connection: close\r\n", "Connection: Host\r\n", " folded\r\n", "X: a\nb\r\n", "X: \r\n", "Upgrade: x\r\n",
        "Expect: 100-continue\r\n", "X\r\n", "TE: chunked\r\n",
    ]
    private static let pieces = [
        "\r", "\n", "\r\n", "\0", " ", "\t", ":", "0\r\n\r\n", ",", ";", "\u{b}", "5", "\u{7f}",
    ]

    static func make(_ dice: inout Dice) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<dice.roll(1..<4) {
            var request = Array(requests[dice.roll(0..<requests.count)].utf8)
            if dice.roll(0..<3) > 0 { insertField(&request, &dice) }
            if dice.roll(0..<3) > 0 { spoil(&request, &dice) }
            bytes += request
        }
        return bytes + Array("GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".utf8)
    }

    private static func insertField(_ request: inout [UInt8], _ dice: inout Dice) {
        guard let end = request.firstIndex(of: 10) else { return }
        request.insert(contentsOf: fields[dice.roll(0..<fields.count)].utf8, at: end + 1)
    }

    private static func spoil(_ request: inout [UInt8], _ dice: inout Dice) {
        let place = dice.roll(0..<request.count)
        switch dice.roll(0..<4) {
        case 0: request.remove(at: place)
        case 1: request[place] = UInt8(dice.roll(0..<256))
        case 2: request.insert(contentsOf: pieces[dice.roll(0..<pieces.count)].utf8, at: place)
        default: request.insert(request[place], at: place)
        }
    }
}

extension String {
    /// How often a text occurs.
    func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
