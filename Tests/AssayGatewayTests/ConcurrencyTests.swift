import AssayCore
import Concurrency
import JSON
import Testing

@testable import AssayGateway

@Suite(.timeLimit(.minutes(2))) struct ConcurrencyTests {
    private static func model(_ port: Int, _ pod: TestPod, limit: Int?) -> JSONValue {
        var model = modelJSON(port: port, podPort: pod.port)
        model["spec", "serving", "containerConcurrency"] = limit.map { JSONValue($0) }
        return model
    }

    /// A gateway of two threads before a pod that answers when it is told.
    private static func bounded(
        _ limit: Int?, _ body: @escaping @Sendable (GatewayWorld, TestPod) async throws -> Void
    ) async throws {
        try await TestPod.with(reply: { .later($0.target) }) { pod in
            try await GatewayWorld.with(
                model: { model($0, pod, limit: limit) }, pods: [podJSON("a", address: pod.address, port: pod.port)],
                threads: 2
            ) { try await body($0, pod) }
        }
    }

    @Test func noPodEverHasMoreThanItsBoundHoweverManyClientsAndThreads() async throws {
        try await Self.bounded(3) { world, pod in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<60 {
                    group.addTask { try await TestClient.get(port: world.port, "/\(index)").status }
                }
                try await world.waitForHeld(57)
                for left in (0..<60).reversed() {
                    await pod.wait { $0.pending == min(3, left + 1) }
                    pod.answerOldest()
                }
                for try await status in group { #expect(status == 200) }
            }
            #expect(pod.seen.mostPending == 3 && pod.seen.requests.count == 60)
        }
    }

    @Test func whoWaitsForRoomIsServedInTheOrderOfComingOnAllThreads() async throws {
        try await Self.bounded(1) { world, pod in
            try await withThrowingTaskGroup(of: Int.self) { group in
                // Both threads have a connection to the pod.
                for index in 0..<4 {
                    group.addTask { try await TestClient.get(port: world.port, "/warm\(index)").status }
                }
                for _ in 0..<4 {
                    await pod.wait { $0.pending == 1 }
                    pod.answerOldest()
                }
                for _ in 0..<4 { #expect(try await group.next() == 200) }
                for index in 0..<20 {
                    group.addTask { try await TestClient.get(port: world.port, "/\(index)").status }
                    if index == 0 { await pod.wait { $0.pending == 1 } }
                    try await world.waitForHeld(index)
                }
                for _ in 0..<20 {
                    await pod.wait { $0.pending == 1 }
                    pod.answerOldest()
                }
                for try await status in group { #expect(status == 200) }
            }
            #expect(pod.seen.requests.dropFirst(4).map(\.target) == (0..<20).map { "/\($0)" })
            #expect(pod.seen.mostPending == 1)
        }
    }

    @Test func aBoundThatIsRaisedOrTakenAwayHoldsAtOnce() async throws {
        try await Self.bounded(1) { world, pod in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<10 { group.addTask { try await TestClient.get(port: world.port, "/\(index)").status } }
                try await world.waitForHeld(9)
                await pod.wait { $0.pending == 1 }
                try world.tell(model: Self.model(world.port, pod, limit: 4))
                await pod.wait { $0.pending == 4 }
                try await world.waitForHeld(6)
                try world.tell(model: Self.model(world.port, pod, limit: nil))
                await pod.wait { $0.pending == 10 }
                for _ in 0..<10 { pod.answerOldest() }
                for try await status in group { #expect(status == 200) }
            }
        }
    }

    @Test func aClientThatGoesFreesItsPlace() async throws {
        try await Self.bounded(1) { world, pod in
            try await withThrowingTaskGroup(of: Int.self) { group in
                try await TestClient.with(port: world.port) { client in
                    try await client.send("GET /gone HTTP/1.1\r\nHost: h\r\n\r\n")
                    await pod.wait { $0.pending == 1 }
                    group.addTask { try await TestClient.get(port: world.port, "/next").status }
                    try await world.waitForHeld(1)
                }
                await pod.wait { $0.pending == 2 }
                pod.answerOldest()
                pod.answerOldest()
                for try await status in group { #expect(status == 200) }
            }
        }
    }

    @Test func whoFindsNoRoomInTimeIsRefusedAndCountsUntilThen() async throws {
        try await TestPod.with(reply: { .later($0.target) }) { pod in
            try await GatewayWorld.with(
                model: { Self.model($0, pod, limit: 1) }, pods: [podJSON("a", address: pod.address, port: pod.port)],
                limits: { $0.wakeTimeout = .milliseconds(300) }
            ) { world in
                async let first = TestClient.get(port: world.port, "/first").status
                await pod.wait { $0.pending == 1 }
                async let second = TestClient.get(port: world.port, "/second")
                try await world.waitForHeld(1)
                let load = try await world.gateway.load(isEnding: false).models.values.first
                #expect(load?.inFlight == 1 && load?.held == 1)
                let refused = try await second
                #expect(refused.status == 503 && refused.body.contains("the pods of wine had no room in time"))
                #expect(refused.head.contains("Retry-After: "))
                pod.answerOldest()
                #expect(try await first == 200)
            }
        }
    }
}
