import Concurrency
import NIOCore
import NIOPosix
import Testing

@testable import AssayGateway

/// A gateway that was told to stop, while users are still led to it.
@Suite(.timeLimit(.minutes(1))) struct StoppingTests {
    @Test func whoComesAfterTheOrderIsServedUntilNobodyComesAnyMore() async throws {
        try await TestPod.with { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port) },
                pods: [podJSON("a", address: pod.address, port: pod.port)], threads: 2,
                limits: { $0.drainDelay = .milliseconds(500) }
            ) { world in
                world.gateway.shutdown()
                let end = ContinuousClock.now + .seconds(2)
                while ContinuousClock.now < end {
                    let answer = try await TestClient.get(port: world.port)
                    #expect(answer.status == 200 && answer.head.contains("close"), "\(answer)")
                }
                // It ends, for nobody comes any more.
            }
        }
    }

    /// A client that has read the head of an answer goes by it: it may ask again on this connection, and is told then.
    @Test func whoWasToldThatTheConnectionGoesOnMayAskOnceMore() async throws {
        try await TestPod.with(reply: {
            $0.target == "/slow" ? .bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") : .text("ok")
        }) { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port) },
                pods: [podJSON("a", address: pod.address, port: pod.port)],
                limits: { $0.drainDelay = .seconds(1) }
            ) { world in
                try await TestClient.with(port: world.port) { client in
                    try await client.send("GET /slow HTTP/1.1\r\nHost: wine\r\n\r\n")
                    let head = try await client.read(through: "\r\n\r\n")
                    #expect(head.contains(" 200 ") && !head.contains("close"))
                    world.gateway.shutdown()
                    while try await !TestClient.get(port: world.port).head.contains("close") {}
                    pod.write("ok", toConnection: 0)
                    #expect(try await client.read(2) == "ok")
                    try await client.send("POST / HTTP/1.1\r\nHost: wine\r\nContent-Length: 0\r\n\r\n")
                    let answer = try await client.answer()
                    #expect(answer.status == 200 && answer.head.contains("close"), "\(answer)")
                }
            }
        }
    }

    /// One that was told to go on, and is idle when nobody looks for such connections any more, holds up nobody's end.
    @Test func whoIsToldTooLateAndAsksNoMoreIsNotWaitedForLong() async throws {
        try await TestPod.with(reply: { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") }) { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port) },
                pods: [podJSON("a", address: pod.address, port: pod.port)],
                limits: {
                    $0.drainDelay = .milliseconds(200)
                    // Longer than this suite may take.
                    $0.drainTimeout = .seconds(300)
                }
            ) { world in
                try await TestClient.with(port: world.port) { client in
                    try await client.send("GET / HTTP/1.1\r\nHost: wine\r\n\r\n")
                    let head = try await client.read(through: "\r\n\r\n")
                    #expect(head.contains(" 200 ") && !head.contains("close"))
                    world.gateway.shutdown()
                    try await Self.waitUntilFree(world.port)
                    pod.write("ok", toConnection: 0)
                    #expect(try await client.read(2) == "ok")
                    #expect(await client.readToEnd().isEmpty)
                }
            }
        }
    }

    @Test func whoComesForEverIsNotServedForEver() async throws {
        try await TestPod.with { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port) },
                pods: [podJSON("a", address: pod.address, port: pod.port)],
                limits: {
                    $0.drainDelay = .milliseconds(200)
                    $0.drainTimeout = .seconds(1)
                }
            ) { world in
                world.gateway.shutdown()
                let begun = ContinuousClock.now
                do {
                    while true { _ = try await TestClient.get(port: world.port) }
                } catch {
                    #expect(ContinuousClock.now - begun >= .milliseconds(690), "\(error)")
                }
            }
        }
    }

    /// Not by asking whether somebody listens, for whoever comes keeps the gateway open.
    private static func waitUntilFree(_ port: Int) async throws {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        while true {
            do {
                try await bootstrap.bind(host: "127.0.0.1", port: port).get().close()
                return
            } catch {
                try await Task.sleep(for: .milliseconds(2))
            }
        }
    }
}
