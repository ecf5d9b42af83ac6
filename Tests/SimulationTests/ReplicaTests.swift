import Concurrency
import ControllerRuntime
import KubernetesClient
import KubernetesModel
import Logging
import Testing

@testable import Simulation

@Suite struct ReplicaTests {
    @Test func aStandbyWatchesAndWorksOnlyOnceTheLeaderHasStopped() async throws {
        let world = ElectionWorld()
        let time = world.time
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let queues = ["a", "b"].map { name in WorkQueue(name: name, time: time) }
        await world.run(for: .seconds(60)) { group in
            for (index, queue) in queues.enumerated() {
                let name = queue.name
                let elector = world.elector(name)
                let controller = Controller(name: name, queue: queue, time: time, logger: quiet) { _ in
                    world.note("\(name) works: \(elector.isLeader)")
                    return .done
                }
                let events = EventRecorder(
                    client: world.client, controller: "example.com/test", instance: name, time: time, logger: quiet)
                let watch: @Sendable () async -> Void = { world.note("\(name) watches") }
                let replica = Replica(background: [watch], controllers: [controller], events: events, elector: elector)
                group.addTask {
                    await world.wait(until: .seconds(index))
                    queue.add(ElectionWorld.lease)
                    do {
                        try await replica.run()
                        world.note("\(name) ended")
                    } catch {
                        world.note("\(name): \(error)")
                    }
                }
            }
            await world.wait(until: .seconds(20))
            queues[0].shutDown()
        }
        #expect(
            world.story.prefix(5) == ["a watches", "a works: true", "b watches", "a ended", "b works: true"])
        let (end, takeover) = (try #require(world.moment("a ended")), try #require(world.moment("b works: true")))
        #expect(takeover - end <= .seconds(4.5))
    }
}
