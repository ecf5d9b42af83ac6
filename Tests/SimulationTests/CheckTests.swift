import Concurrency
import HTTPTransport
import JSON
import Testing

@testable import Simulation

/// The faults that few stories meet, and the checks that never fail while the operator is as it should be.
@Suite struct CheckTests {
    private struct Answering: HTTPTransport {
        func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
            HTTPResponse(status: 200, body: HTTPBody { () async throws(HTTPTransportError) in nil })
        }
    }

    @Test func whoWritesToAnObjectAllTheTimeIsCaught() async throws {
        let time = SimulatedTime()
        let violations = Locked<[Violation]>([])
        let check = PaceCheck(Answering(), time: time) { violation in violations.withLock { $0.append(violation) } }
        func write(_ name: String, times: Int) async throws {
            for _ in 0..<times {
                let path = "/apis/assay.dev/v1alpha1/namespaces/ml/mlmodels/\(name)/status"
                _ = try await check.send(HTTPRequest(.patch, path, body: Array("{}".utf8)))
            }
        }
        try await write("wine", times: 18)
        try await write("beer", times: 18)
        #expect(violations.withLock { $0.isEmpty })
        time.alarm(after: .seconds(1)) {}
        #expect(time.advance())
        try await write("wine", times: 18)
        #expect(violations.withLock { $0.isEmpty }, "another second")
        try await write("wine", times: 1)
        #expect(violations.withLock { $0.map(\.invariant) } == ["I15"])
    }

    /// The list begins anew where its second page is too old.
    @Test func aListThatIsTooOldAtItsSecondPageIsMadeAgain() async {
        let story = Story("scaled", [.apply(ToyModel("good", replicas: 4))])
        let reference = await Simulation(seed: 1, story: story).run(on: SimulationTests.template)
        let outcome = await Simulation(
            seed: 2, story: story, faults: [Fault(.time(40_000), .gone("pods", asEvent: true))]
        )
        .run(on: SimulationTests.template, reference: reference, keepsTrace: true)
        #expect(outcome.violation == nil)
        #expect(outcome.trace.count { $0.hasSuffix("CONTINUE pods is too old") } == 1)
    }

    @Test func aReplicaThatIsCutOffLosesItsLead() async {
        let reference = await Simulation(seed: 1, story: .good).run(on: SimulationTests.template)
        let simulation = Simulation(
            seed: 3, story: .good,
            faults: [0, 1].map { Fault(.time(3000 + 50_000 * $0), .cutOff(replica: $0, 40_000)) },
            replicas: 2, elects: true)
        let outcome = await simulation.run(on: SimulationTests.template, reference: reference, keepsTrace: true)
        #expect(outcome.violation == nil)
        for replica in 0...1 {
            #expect(outcome.trace.contains { $0.contains("operator-\(replica): PUT leases") }, "\(replica) never led")
        }
    }

    @Test func aClockThatIsSetChangesNothing() async {
        let reference = await Simulation(seed: 1, story: .change).run(on: SimulationTests.template)
        for (seed, jump) in [(1, 30_000), (2, -30_000)] {
            let faults = [1000, 5000, 9000, 40_000].map { Fault(.time($0), .clockSet(replica: 0, jump)) }
            let outcome = await Simulation(seed: UInt64(seed), story: .change, faults: faults)
                .run(on: SimulationTests.template, reference: reference)
            #expect(outcome.violation == nil, "\(jump) ms")
        }
    }

    /// A model of the same name in another namespace serves, whatever becomes of the first.
    @Test(arguments: ["children deleted", "namespace deleted", "poor model", "name taken"])
    func aNeighbourIsLeftAlone(_ name: String) async throws {
        let story = try #require(Story.all.first { $0.name == name })
        let reference = await Simulation(seed: 1, story: story).run(on: SimulationTests.template)
        var simulation = Simulation(seed: 1, story: story)
        simulation.hasNeighbour = true
        let outcome = await simulation.run(on: SimulationTests.template, reference: reference)
        #expect(outcome.violation == nil)
        #expect(outcome.perturbations["neighbour"] == 1)
    }
}
