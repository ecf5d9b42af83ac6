import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import ServiceLifecycle
import Testing

/// What else it does in its life is told in simulated time, by LeaderElectorTests.
@Suite struct StandbyTests {
    private struct Standby: Service {
        let elector: LeaderElector
        let log: Locked<[String]>

        func run() async {
            do {
                try await elector.run { self.log.withLock { $0.append("leads") } }
                log.withLock { $0.append("returned") }
            } catch {
                log.withLock { $0.append("\(error)") }
            }
        }
    }

    private static let held: JSONValue = [
        "metadata": ["name": "lease", "namespace": "ml", "resourceVersion": "7"],
        "spec": ["holderIdentity": "other", "leaseDurationSeconds": 15],
    ]

    @Test(.timeLimit(.minutes(1))) func aStandbyThatIsToldToStopStopsAtOnceAndWritesNothing() async throws {
        let server = ScriptedServer()
        let time = ManualTime()
        let elector = LeaderElector(
            client: KubernetesClient(transport: server, time: time), configuration: .init(lease: key("lease")),
            identity: "me", time: time, logger: quiet)
        let log = Locked<[String]>([])
        let group = ServiceGroup(services: [Standby(elector: elector, log: log)], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    try await group.run()
                } catch {
                    // A service that returns has ended before its time, to the group.
                }
            }
            let call = await server.next()
            #expect(call.request.method == .get)
            call.answer(Self.held)
            while elector.holder == nil { await Task.yield() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        #expect(log.withLock { $0 } == ["returned"])
        #expect(server.calls.waiting.isEmpty)
    }
}
