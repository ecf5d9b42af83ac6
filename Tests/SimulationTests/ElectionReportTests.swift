import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import ControllerRuntime
@testable import Simulation

/// What a replica tells of an election that it takes part in.
@Suite struct ElectionReportTests {
    private static func told(by elector: LeaderElector, in world: ElectionWorld) -> (page: DebugState, HealthChecks) {
        let (page, health) = (DebugState(version: "1", time: world.time), HealthChecks())
        page.addElector(elector)
        health.addElector(elector)
        return (page, health)
    }

    @Test func theLeaderAndAStandbySayWhoLeadsAndBothAreReady() async {
        let world = ElectionWorld()
        let (a, b) = (world.elector("a"), world.elector("b"))
        let (page, health) = Self.told(by: b, in: world)
        await world.run(for: .seconds(30)) { group in
            group.addTask { await world.takePart(a) }
            group.addTask { await world.takePart(b, from: .seconds(1)) }
            await world.wait(until: .seconds(20))
            let expected: JSONValue = [
                "lease": "assay-system/assay-operator", "identity": "b", "isLeader": false, "holder": "a",
                "lastError": .null,
            ]
            #expect(page.json["leader election"] == expected)
            #expect(Self.told(by: a, in: world).page.json["leader election", "isLeader"] == true)
            #expect(health.report(.ready).isHealthy)
        }
    }

    @Test(arguments: [403, 503]) func aReplicaIsNotReadyWhereTheLeaseIsForbiddenToIt(_ code: Int) async {
        let world = ElectionWorld()
        let a = world.elector("a") { now, _ in now < .seconds(10) ? .refuse(code, "Refused") : nil }
        let (page, health) = Self.told(by: a, in: world)
        await world.run(for: .seconds(60)) { group in
            group.addTask { await world.takePart(a) }
            await world.wait(until: .seconds(9))
            #expect(health.report(.ready).isHealthy == (code != 403))
            #expect(page.json["leader election", "lastError"]?.string?.contains("\(code)") == true)
            await world.wait(until: .seconds(40))
            #expect(health.report(.ready).isHealthy)
            #expect(page.json["leader election", "isLeader"] == true)
        }
    }

    @Test func renewalsAreNoNews() {
        let log = RequestLog()
        let before = log.writes
        for target in ["/apis/coordination.k8s.io/v1/namespaces/a/leases/b", "/api/v1/namespaces/a/services"] {
            log.began("PUT")
            log.ended(HTTPRequest(.put, target), result: "200", at: .zero, took: .zero)
        }
        #expect(before.isEmpty)
        #expect(log.writes.map(\.path) == ["/api/v1/namespaces/a/services"])
        #expect(log.waiting.isEmpty)
    }
}
