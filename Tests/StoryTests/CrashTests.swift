import APIServerModel
import AssayCore
import AssayOperator
import Concurrency
import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import TestCluster
import Testing

extension Stories {
    /// The operator dies before or after each of its writes, and the next one finishes the story with the same objects.
    @Suite struct CrashTests {
        private static let kinds: [ResourceType] = [.trainingJobs, .jobs, .deployments, .services]

        private static let onceEach = ["trainingjobs": 1, "jobs": 1, "deployments": 1, "services": 1]

        private static func run<Result: Sendable>(
            on backend: Backend,
            _ story: @escaping @Sendable (StoryWorld, CreationJournal) async throws -> Result
        ) async throws -> Result {
            try await StoryWorld.run(on: backend) { world in
                try await CreationJournal.keep(kinds, of: world) { try await story(world, $0) }
            }
        }

        private static func finish(_ world: StoryWorld) async throws {
            _ = try await world.wait("serving") {
                $0.isTrue("Ready") && $0.phase == "Serving" && !$0.isTrue("Reconciling")
            }
            let answer = try await world.ask()
            #expect(answer.status == 200, "\(answer.body)")
        }

        @Test(arguments: Backend.all) func aCrashAtAnyWriteLosesNothingAndMakesNothingTwice(_ backend: Backend)
            async throws
        {
            let writes = try await Self.run(on: backend) { world, made in
                let counter = CrashingTransport.Plan(crashAt: nil, after: false)
                try await world.withOperator({ CrashingTransport($0, counter) }) {
                    try await world.apply(yaml: ToyModel().yaml)
                    try await Self.finish(world)
                }
                #expect(try await made.counts() == Self.onceEach)
                return counter.writes
            }
            #expect(writes >= 8, "the story has fewer writes than it can have")
            var explored = 0
            for write in 1...writes {
                for after in [false, true] {
                    try await Self.run(on: backend) { world, made in
                        let plan = CrashingTransport.Plan(crashAt: write, after: after)
                        try await world.apply(yaml: ToyModel().yaml)
                        try await world.withOperator({ CrashingTransport($0, plan) }) {
                            await plan.waitForCrash(or: world)
                        }
                        try await world.withOperator { try await Self.finish(world) }
                        #expect(
                            try await made.counts() == Self.onceEach,
                            "crash \(after ? "after" : "before") write \(write)")
                    }
                    explored += 1
                }
            }
            print("explored \(explored) crash points")
        }
    }
}

/// Lets the operator's writes through up to one, and then nothing more: as if the process had died there.
struct CrashingTransport: HTTPTransport {
    final class Plan: Sendable {
        private struct State {
            var writes = 0
            var crashed = false
        }

        let crashAt: Int?
        let after: Bool
        private let state = Locked(State())
        private let crash = AsyncStream.makeStream(of: Void.self)

        init(crashAt: Int?, after: Bool) {
            self.crashAt = crashAt
            self.after = after
        }

        var writes: Int { state.withLock { $0.writes } }

        enum Step { case pass, dropAnswer, die, refuse }

        func step(for request: HTTPRequest) -> Step {
            // Events are a courtesy: their number varies.
            let counts = request.method != .get && !request.target.contains("/events")
            let step = state.withLock { state -> Step in
                if state.crashed { return .refuse }
                guard counts else { return .pass }
                state.writes += 1
                guard state.writes == crashAt else { return .pass }
                state.crashed = true
                return after ? .dropAnswer : .die
            }
            return step
        }

        func died() { crash.continuation.finish() }

        /// Returns once the operator has died; or, where the story has fewer writes this time, when it is at its end.
        func waitForCrash(or world: StoryWorld) async {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in self.crash.stream {} }
                group.addTask {
                    do {
                        _ = try await world.wait("serving") {
                            $0.isTrue("Ready") && $0.phase == "Serving" && !$0.isTrue("Reconciling")
                        }
                    } catch {
                        // The crash came first.
                    }
                }
                await group.next()
                group.cancelAll()
            }
        }
    }

    private let inner: any HTTPTransport
    private let plan: Plan

    init(_ inner: any HTTPTransport, _ plan: Plan) {
        self.inner = inner
        self.plan = plan
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        switch plan.step(for: request) {
        case .pass: return try await inner.send(request)
        case .refuse: break
        case .die: plan.died()
        case .dropAnswer:
            // What another worker asks meanwhile is refused, and does not cut this short.
            defer { plan.died() }
            let response = try await inner.send(request)
            _ = try await response.body.collect()
        }
        throw HTTPTransportError(.closed, detail: "the process has died")
    }
}
