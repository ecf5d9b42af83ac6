import AssayCore
import JSON
import KubernetesModel
import Testing

@testable import AssayGateway

/// A model on its way to sleep: what comes is held and not sent on, so that whoever scales it to zero knows what it has.
@Suite(.timeLimit(.minutes(2))) struct DrainingTests {
    private static let key = ObjectKey(namespace: "ml", name: "wine")

    private static func model(_ world: GatewayWorld, _ pod: TestPod, _ state: String, generation: Int64) -> JSONValue {
        modelJSON(port: world.port, traffic: [("wine-1", 100, state)], podPort: pod.port, generation: generation)
    }

    /// Before a pod that answers with what it was asked.
    private static func serving(
        threads: Int = 2, waker: TestWaker = TestWaker(),
        _ body: @escaping @Sendable (GatewayWorld, TestPod) async throws -> Void
    ) async throws {
        try await TestPod.with(reply: { .text($0.target) }) { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port, generation: 1) },
                pods: [podJSON("a", address: pod.address, port: pod.port)], waker: waker, threads: threads
            ) { try await body($0, pod) }
        }
    }

    /// What the gateway says of the model, once it says so of this generation.
    private static func load(_ world: GatewayWorld, generation: Int64) async throws -> GatewayLoad.Model {
        while true {
            let load = try await world.gateway.load(isEnding: false)
            if let model = load.models[key], model.generation >= generation { return model }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test func whatComesWhileItDrainsIsHeldAndSentOnWhenItIsCalledBack() async throws {
        let waker = TestWaker()
        try await Self.serving(waker: waker) { world, pod in
            #expect(try await TestClient.get(port: world.port, "/before").body == "/before")
            try world.tell(model: Self.model(world, pod, "Draining", generation: 2))
            let drained = try await Self.load(world, generation: 2)
            #expect(drained.isIdle && drained.requests == 1)

            try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<20 {
                    group.addTask { try await TestClient.get(port: world.port, "/\(index)").body == "/\(index)" }
                }
                try await world.waitForHeld(20)
                let held = try await Self.load(world, generation: 2)
                #expect(held.held == 20 && held.inFlight == 0)
                #expect(pod.seen.requests.count == 1, "not one of them was sent")
                #expect(waker.woken.isEmpty, "it has a pod")
                try world.tell(model: Self.model(world, pod, "Serving", generation: 3))
                for try await isRight in group { #expect(isRight) }
            }
            let after = try await Self.load(world, generation: 3)
            #expect(after.isIdle && after.requests == 21)
            #expect(pod.seen.requests.count == 21 && pod.seen.faults.isEmpty)
        }
    }

    /// What one has in hand when it begins to drain goes on, and is told.
    @Test func whatIsInFlightIsTold() async throws {
        try await TestPod.with(reply: { _ in .nothing }) { pod in
            try await GatewayWorld.with(
                model: { modelJSON(port: $0, podPort: pod.port, generation: 1) },
                pods: [podJSON("a", address: pod.address, port: pod.port)]
            ) { world in
                async let answer = TestClient.get(port: world.port, "/slow")
                await pod.wait { !$0.requests.isEmpty }
                try world.tell(model: Self.model(world, pod, "Draining", generation: 2))
                let load = try await Self.load(world, generation: 2)
                #expect(load.inFlight == 1 && load.held == 0)
                pod.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
                #expect(try await answer.body == "late")
                while try await Self.load(world, generation: 2).inFlight > 0 {
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
        }
    }

    /// That its pods are going the watch of pods may tell later than the other one that it sleeps.
    @Test func whoSleepsIsWokenEvenIfItsOldPodSeemsToBeThere() async throws {
        let waker = TestWaker()
        try await Self.serving(waker: waker) { world, pod in
            try world.tell(model: Self.model(world, pod, "Draining", generation: 2))
            async let answer = TestClient.get(port: world.port, "/new")
            try await world.waitForHeld(1)
            try world.tell(model: Self.model(world, pod, "Hibernating", generation: 3))
            await waker.wait()
            #expect(pod.seen.requests.isEmpty, "the old pod gets nothing")
            try world.tell(gone: podJSON("a", address: pod.address, port: pod.port))
            try world.tell(pod: podJSON("b", address: pod.address, isReady: false, port: pod.port))
            #expect(try await answer.body == "/new")
        }
    }

    @Test func whatIsMeasuredIsTheTimeThatRequestsWereThere() {
        let meter = LoadMeter()
        meter.begin(now: .seconds(1))
        meter.begin(now: .seconds(2))
        meter.end(now: .seconds(4))
        #expect(meter.read(now: .seconds(5)) == .init(active: 1, requests: 2, busySeconds: 6))
        // Another loop's clock is behind.
        meter.end(now: .milliseconds(4500))
        #expect(meter.read(now: .seconds(9)) == .init(active: 0, requests: 2, busySeconds: 6))
    }
}
