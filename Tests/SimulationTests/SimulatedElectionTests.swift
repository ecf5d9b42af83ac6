import Concurrency
import HTTPTransport
import JSON
import Testing

@testable import Simulation

/// Replicas of a simulation that elect, and the check that only the one that leads writes.
@Suite struct SimulatedElectionTests {
    @Test(arguments: [UInt64(3), 4, 5]) func oneTakesOverWhereTheOtherStandsStill(_ seed: UInt64) async {
        let reference = await Simulation(seed: 1, story: .good).run(on: SimulationTests.template)
        let faults = [0, 1].map { Fault(.time(2000 + 45_000 * $0), .pause(replica: $0, 40_000)) }
        let simulation = Simulation(seed: seed, story: .good, faults: faults, replicas: 2, elects: true)
        let outcome = await simulation.run(on: SimulationTests.template, reference: reference, keepsTrace: true)
        #expect(outcome.violation == nil)
        for replica in 0...1 {
            #expect(outcome.trace.contains { $0.contains("operator-\(replica): PUT leases") }, "\(replica) never led")
        }
    }

    private static func request(_ method: HTTPRequest.Method, _ target: String, holder: String? = nil) -> HTTPRequest {
        let body: JSONValue = ["spec": ["holderIdentity": .string(holder ?? "")]]
        return HTTPRequest(method, target, body: body.serializedBytes())
    }

    @Test func aWriteIsBegunOnlyWithinTheDeadlineOfALease() async throws {
        let leases = "/apis/coordination.k8s.io/v1/namespaces/assay-system/leases"
        let job = Self.request(.post, "/apis/batch/v1/namespaces/ml/jobs")
        let time = SimulatedTime()
        let violations = Locked<[Violation]>([])
        let check = LeadershipCheck(Answering(), time: time) { violation in violations.withLock { $0.append(violation) }
        }
        func count() -> Int { violations.withLock { $0.count } }

        _ = try await check.send(job)
        #expect(count() == 1, "no Lease was won")
        _ = try await check.send(Self.request(.post, leases, holder: "a"))
        _ = try await check.send(job)
        #expect(count() == 1, "it leads")
        time.alarm(after: .seconds(10)) {}
        #expect(time.advance())
        _ = try await check.send(job)
        #expect(count() == 2, "the deadline is over")
        _ = try await check.send(Self.request(.put, leases + "/assay-operator", holder: "a"))
        _ = try await check.send(Self.request(.put, leases + "/assay-operator"))
        _ = try await check.send(job)
        #expect(count() == 3, "the Lease was given back")
        #expect(violations.withLock { $0.allSatisfy { $0.invariant == "I11" } })
    }

    private struct Answering: HTTPTransport {
        func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
            HTTPResponse(status: 200, body: HTTPBody { () async throws(HTTPTransportError) in nil })
        }
    }
}
