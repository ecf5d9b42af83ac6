import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesModel
import Logging
import Testing

@testable import Simulation

@Suite struct LeaderElectorTests {
    private static let path =
        "/apis/coordination.k8s.io/v1/namespaces/assay-system/leases/\(ElectionWorld.lease.name)"

    /// How long after a leader has gone another one may take to see it: two retries of up to 4.4 s, and the way.
    private static let nextRetry: Duration = .seconds(4.5)

    @Test(arguments: UInt64(0)..<20) func ofTwoCandidatesOneLeadsForAsLongAsItRenews(_ seed: UInt64) async {
        let world = ElectionWorld(seed: seed)
        let (a, b) = (world.elector("a"), world.elector("b"))
        await world.run(for: .seconds(300)) { group in
            group.addTask { await world.takePart(a) }
            group.addTask { await world.takePart(b) }
        }
        #expect([["a leads"], ["b leads"]].contains(world.story.filter { $0.hasSuffix("leads") }))
        #expect(world.leaders == 1)
        #expect(world.stored?["spec", "leaseTransitions"]?.int == 0)
        #expect(world.stored?["spec", "leaseDurationSeconds"]?.int == 15)
    }

    @Test func whenALeaderDiesAnotherLeadsOnceTheLeaseHasRunOut() async throws {
        let world = ElectionWorld()
        let dead = Locked(false)
        let a = world.elector("a") { _, _ in dead.withLock { $0 } ? .silence : nil }
        let b = world.elector("b")
        await world.run(for: .seconds(60)) { group in
            group.addTask {
                await withTaskGroup(of: Void.self) { life in
                    life.addTask { await world.takePart(a) }
                    await world.wait(until: .seconds(20))
                    dead.withLock { $0 = true }
                    life.cancelAll()
                }
            }
            group.addTask { await world.takePart(b, from: .seconds(1)) }
        }
        #expect(world.story.prefix(3) == ["a leads", "a cancelled", "b leads"])
        let takeover = try #require(world.moment("b leads"))
        // It was renewed last between 18 and 20, and seen so up to a retry later.
        #expect(takeover >= .seconds(18 + 15) && takeover <= .seconds(20 + 15) + Self.nextRetry * 2)
        #expect(world.stored?["spec", "leaseTransitions"]?.int == 1)
        #expect(world.leaders == 1)
    }

    @Test func aLeaseIsGivenBackWhenTheLeaderStopsAndTakenAtTheNextRetry() async throws {
        let world = ElectionWorld()
        let (a, b) = (world.elector("a"), world.elector("b"))
        await world.run(for: .seconds(40)) { group in
            group.addTask { await world.takePart(a) { await world.wait(until: .seconds(20)) } }
            group.addTask { await world.takePart(b, from: .seconds(1)) }
            group.addTask {
                await world.wait(until: .seconds(5))
                world.administer(
                    "PATCH", Self.path, ["metadata": ["labels": ["team": "ml"]]],
                    type: "application/merge-patch+json")
            }
        }
        #expect(world.story.prefix(3) == ["a leads", "a stopped", "b leads"])
        let (end, takeover) = (try #require(world.moment("a stopped")), try #require(world.moment("b leads")))
        #expect(takeover - end <= Self.nextRetry, "\(end) \(takeover)")
        #expect(world.stored?["metadata", "labels", "team"]?.string == "ml", "what others wrote stays")
        #expect(world.lines("the lease is given back").count == 1)
    }

    @Test func aLeaseGivenBackNamesNobodyForASecond() async {
        let world = ElectionWorld()
        let a = world.elector("a")
        await world.run(for: .seconds(40)) { group in
            group.addTask { await world.takePart(a) { await world.wait(until: .seconds(20)) } }
        }
        #expect(world.holder == "")
        #expect(world.stored?["spec", "leaseDurationSeconds"]?.int == 1)
        #expect(!a.isLeader)
    }

    // MARK: Failures

    struct Trouble: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var isWriteOnly = false
        var fault: ElectionWorld.Fault

        static let all = [
            Trouble(testDescription: "conflict", isWriteOnly: true, fault: .refuse(409, "Conflict")),
            Trouble(testDescription: "internal error", fault: .refuse(500, "InternalError")),
            Trouble(testDescription: "forbidden", fault: .refuse(403, "Forbidden")),
            Trouble(testDescription: "too many requests", fault: .refuse(429, "TooManyRequests")),
            Trouble(testDescription: "silence", fault: .silence),
        ]
        static let lostAnswer = Trouble(testDescription: "lost answer", isWriteOnly: true, fault: .loseAnswer)

        func elector(in world: ElectionWorld, _ name: String, during: Range<Duration>) -> LeaderElector {
            world.elector(name) { now, request in
                during.contains(now) && (request.method == .put || !isWriteOnly) ? fault : nil
            }
        }
    }

    @Test(arguments: Trouble.all + [Trouble.lostAnswer]) func aLeaderOutlivesRenewalsThatFailForAWhile(
        _ trouble: Trouble
    ) async {
        let world = ElectionWorld()
        let a = trouble.elector(in: world, "a", during: .seconds(20)..<(.seconds(24)))
        let b = world.elector("b")
        await world.run(for: .seconds(120)) { group in
            group.addTask { await world.takePart(a) }
            group.addTask { await world.takePart(b, from: .seconds(1)) }
        }
        #expect(world.story.filter { $0.hasSuffix("leads") || $0.hasSuffix("lost") } == ["a leads"])
        #expect(world.leaders == 1)
    }

    @Test(arguments: Trouble.all) func aLeaderThatCannotRenewStopsAtItsDeadlineAndBeforeAnotherLeads(
        _ trouble: Trouble
    ) async throws {
        let world = ElectionWorld()
        let a = trouble.elector(in: world, "a", during: .seconds(20)..<(.seconds(1000)))
        let b = world.elector("b")
        await world.run(for: .seconds(60)) { group in
            group.addTask { await world.takePart(a) }
            group.addTask { await world.takePart(b, from: .seconds(1)) }
        }
        #expect(world.story.prefix(3) == ["a leads", "a lost", "b leads"])
        let loss = try #require(world.moment("a lost"))
        // Renewed last between 18 and 20; it may try for 2 s to give back what it holds no more.
        #expect(loss >= .seconds(28) && loss <= .seconds(32.1), "\(loss)")
        #expect(world.leaders == 1)
    }

    @Test func aRightThatIsMissingIsLoggedOnceAndTriedAgain() async throws {
        let world = ElectionWorld()
        let a = world.elector("a") { now, _ in now < .seconds(100) ? .refuse(403, "Forbidden") : nil }
        await world.run(for: .seconds(120)) { group in
            group.addTask { await world.takePart(a) }
        }
        #expect(world.lines("could not be taken or renewed").count == 1)
        #expect(world.lines("Forbidden").count == 1)
        let start = try #require(world.moment("a leads"))
        #expect(start <= .seconds(100) + Self.nextRetry)
        #expect(a.lastError == nil)
    }

    @Test(arguments: [true, false]) func whatIsLostIsLostThoughItCouldBeWonAgain(_ isDeleted: Bool) async throws {
        let world = ElectionWorld()
        let a = world.elector("a")
        await world.run(for: .seconds(60)) { group in
            group.addTask { await world.takePart(a) }
            group.addTask {
                await world.wait(until: .seconds(20))
                if isDeleted {
                    world.administer("DELETE", Self.path)
                } else {
                    world.administer(
                        "PATCH", Self.path, ["spec": ["holderIdentity": ""]], type: "application/merge-patch+json")
                }
            }
        }
        #expect(world.story == ["a leads", "a lost"])
        #expect(try #require(world.moment("a lost")) <= .seconds(22.1))
    }

    @Test func aMachineThatSleptDoesNotLeadWhenItWakes() async throws {
        let world = ElectionWorld()
        let a = world.elector("a", suspended: .seconds(20)..<(.seconds(80)))
        let b = world.elector("b")
        let atWaking = Locked<Bool?>(nil)
        await world.run(for: .seconds(120)) { group in
            group.addTask { await world.takePart(a) }
            group.addTask { await world.takePart(b, from: .seconds(1)) }
            group.addTask {
                await world.wait(until: .seconds(80))
                atWaking.withLock { $0 = a.isLeader }
            }
        }
        #expect(world.story.prefix(3) == ["a leads", "b leads", "a lost"])
        #expect(atWaking.withLock { $0 } == false)
        #expect(try #require(world.moment("b leads")) < .seconds(50))
        #expect(world.leaders == 1)
    }

    // MARK: Stopping

    @Test func whoeverCancelsGivesTheLeaseBackAfterwards() async throws {
        let world = ElectionWorld()
        let (a, b) = (world.elector("a"), world.elector("b"))
        await world.run(for: .seconds(60)) { group in
            group.addTask {
                await withTaskGroup(of: Void.self) { life in
                    life.addTask { await world.takePart(a) }
                    await world.wait(until: .seconds(20))
                    life.cancelAll()
                }
                world.note("held by \(world.holder ?? "")")
                await a.release()
                world.note("given back")
            }
            group.addTask { await world.takePart(b, from: .seconds(1)) }
        }
        #expect(world.story.prefix(5) == ["a leads", "a cancelled", "held by a", "given back", "b leads"])
        let (end, takeover) = (try #require(world.moment("given back")), try #require(world.moment("b leads")))
        #expect(takeover - end <= Self.nextRetry)
    }

    @Test func aRenewalThatComesThroughWhileTheLeaseIsGivenBackDoesNotKeepIt() async throws {
        let world = ElectionWorld()
        let (stop, stopping) = AsyncStream.makeStream(of: Void.self)
        let isLate = Locked(false)
        let a = world.elector("a") { now, request in
            guard now >= .seconds(20), request.method == .put, !isLate.withLock({ $0 }) else { return nil }
            isLate.withLock { $0 = true }
            stopping.finish()
            // Between the moments in which the server is asked for the version, and told to give that one back.
            return .late(ElectionWorld.latency * 2.5)
        }
        await world.run(for: .seconds(60)) { group in
            group.addTask { await world.takePart(a) { for await _ in stop {} } }
        }
        #expect(world.story == ["a leads", "a stopped"])
        #expect(isLate.withLock { $0 })
        #expect(world.holder == "")
        #expect(world.lines("the lease is given back").count == 1)
    }
}
