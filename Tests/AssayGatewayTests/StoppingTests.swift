import Concurrency
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
}
