import ControllerRuntime
import KubernetesModel
import Testing

@Suite struct LeaderElectionTests {
    /// A Lease on a server: the first write of a version wins.
    private struct Server {
        var lease: LeaderElection.Lease?
        var version = 0

        mutating func write(_ step: LeaderElection.Step) -> LeaderElection.Lease? {
            let record: LeaseRecord
            switch step {
            case .wait: return nil
            case .create(let wanted):
                guard lease == nil else { return nil }
                record = wanted
            case .replace(let wanted):
                guard wanted.resourceVersion == lease?.resourceVersion else { return nil }
                record = wanted.record
            }
            version += 1
            lease = .init(record: record, resourceVersion: "\(version)")
            return lease
        }
    }

    private static func wall(_ now: Duration) -> Timestamp { Timestamp(sinceEpoch: .seconds(1_800_000_000) + now) }

    /// Looks and writes in one moment.
    private static func attempt(_ candidate: inout LeaderElection, _ server: inout Server, at now: Duration) {
        candidate.observe(server.lease, at: now)
        guard let lease = server.write(candidate.step(now: now, wall: wall(now))) else { return }
        candidate.succeed(with: lease, startedAt: now, now: now)
    }

    private static func pair() -> (LeaderElection, LeaderElection, Server) {
        (.init(identity: "a", times: .standard), .init(identity: "b", times: .standard), Server())
    }

    @Test func theFirstLeadsAndTheOtherWaitsForAsLongAsItSeesTheRecordChange() {
        var (a, b, server) = Self.pair()
        Self.attempt(&a, &server, at: .seconds(0))
        #expect(a.isLeader(at: .seconds(9)))
        for second in stride(from: 1, through: 101, by: 2) {
            Self.attempt(&b, &server, at: .seconds(second))
            #expect(!b.isLeader(at: .seconds(second)))
            Self.attempt(&a, &server, at: .seconds(second + 1))
        }
        #expect(server.lease?.record.transitions == 0)
        #expect(server.lease?.record.acquireTime == Self.wall(.seconds(0)))
        #expect(server.lease?.record.renewTime == Self.wall(.seconds(102)))
    }

    @Test func aLeaderThatIsSilentStartsNothingMoreBeforeAnotherLeads() {
        var (a, b, server) = Self.pair()
        Self.attempt(&a, &server, at: .seconds(0))
        // Long after, it sees the record for the first time: its clock begins now, whatever the record says.
        Self.attempt(&b, &server, at: .seconds(1000))
        #expect(!b.isLeader(at: .seconds(1000)))
        #expect(!a.isLeader(at: .seconds(10)))
        Self.attempt(&b, &server, at: .seconds(1014))
        #expect(!b.isLeader(at: .seconds(1014)))
        Self.attempt(&b, &server, at: .seconds(1015))
        #expect(b.isLeader(at: .seconds(1015)))
        #expect(server.lease?.record.transitions == 1)
        Self.attempt(&a, &server, at: .seconds(1016))
        #expect(!a.isLeader(at: .seconds(1016)))
    }

    @Test func aLeaseThatIsGivenBackIsTakenAtOnce() throws {
        var (a, b, server) = Self.pair()
        Self.attempt(&a, &server, at: .seconds(0))
        Self.attempt(&b, &server, at: .seconds(1))
        let held = try #require(server.lease)
        #expect(b.vacant(held, wall: Self.wall(.seconds(2))) == nil, "it is not hers")
        let given = try #require(a.vacant(held, wall: Self.wall(.seconds(2))))
        #expect(given.record.holder == "" && given.record.durationSeconds == 1)
        let mayHold = a.resign()
        #expect(mayHold)
        #expect(!a.isLeader(at: .seconds(2)))
        _ = server.write(.replace(given))
        a.noteGivenBack()
        let mayStillHold = a.resign()
        #expect(!mayStillHold)
        Self.attempt(&b, &server, at: .seconds(2))
        #expect(b.isLeader(at: .seconds(2)))
        #expect(server.lease?.record.transitions == 1)
    }

    @Test func oneThatWonWithoutKnowingTakesItsOwnLeaseAtOnceAndMayGiveItBack() {
        var (a, _, server) = Self.pair()
        a.observe(nil, at: .seconds(0))
        // The answer is lost.
        _ = server.write(a.step(now: .seconds(0), wall: Self.wall(.seconds(0))))
        #expect(!a.isLeader(at: .seconds(1)))
        var other = a
        let mayHold = other.resign()
        #expect(mayHold)
        Self.attempt(&a, &server, at: .seconds(1))
        #expect(a.isLeader(at: .seconds(1)))
        #expect(server.lease?.record.transitions == 0)
    }

    @Test func aLeaderWhoseLeaseIsDeletedOrTakenDoesNotLead() {
        var (a, _, server) = Self.pair()
        Self.attempt(&a, &server, at: .seconds(0))
        a.observe(nil, at: .seconds(1))
        #expect(!a.isLeader(at: .seconds(1)))
        Self.attempt(&a, &server, at: .seconds(2))
        #expect(a.isLeader(at: .seconds(2)))
        a.observe(.init(record: .init(holder: "x", durationSeconds: 15), resourceVersion: "9"), at: .seconds(3))
        #expect(!a.isLeader(at: .seconds(3)))
    }

    @Test func leadershipCountsFromTheBeginningOfTheTryThatWon() throws {
        var (a, _, server) = Self.pair()
        a.observe(nil, at: .seconds(0))
        let written = server.write(a.step(now: .seconds(0), wall: Self.wall(.zero)))
        let lease = try #require(written)
        a.succeed(with: lease, startedAt: .seconds(0), now: .seconds(9))
        #expect(a.isLeader(at: .milliseconds(9_999)))
        #expect(!a.isLeader(at: .seconds(10)))
    }

    /// Writes that arrive late, answers that are lost, pauses, and clocks that go by themselves.
    @Test(arguments: 0..<200) func neverDoTwoLeadAtOnce(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var server = Server()
        var candidates = ["a", "b", "c"].map { LeaderElection(identity: $0, times: .standard) }
        var next = candidates.map { _ in Duration.zero }
        var now = Duration.zero
        var led: Set<Int> = []
        for _ in 0..<2_000 {
            let index = next.indices.min { next[$0] < next[$1] } ?? 0
            now = max(now, next[index])
            let start = now
            // Reading takes its time, and so does writing; some candidates sleep in between.
            candidates[index].observe(server.lease, at: start)
            let step = candidates[index].step(now: start, wall: Self.wall(start))
            let isLate = Int.random(in: 0..<10, using: &random) == 0
            let isLost = Int.random(in: 0..<10, using: &random) == 0
            if let lease = server.write(step), !isLost {
                candidates[index].succeed(
                    with: lease, startedAt: start, now: start + .milliseconds(isLate ? 4_000 : 20))
            }
            let pause = Int.random(in: 0..<40, using: &random) == 0 ? 20_000 : 2_000
            next[index] = now + .milliseconds(pause + Int.random(in: 0..<400, using: &random))
            let leaders = candidates.indices.filter { candidates[$0].isLeader(at: now) }
            #expect(leaders.count <= 1, "at \(now): \(leaders)")
            led.formUnion(leaders)
        }
        #expect(led.count > 1, "leadership moved")
    }

    @Test(arguments: [
        (15.0, 10.0, 2.0, true), (10, 10, 2, false), (15, 10, 9, false), (15, 10, 0, false), (15.5, 10, 2, false),
    ])
    func timesThatDoNotGoTogetherAreRefused(_ lease: Double, _ renew: Double, _ retry: Double, _ isFine: Bool) {
        let times = try? LeaderElectionTimes(
            leaseDuration: .seconds(lease), renewDeadline: .seconds(renew), retryPeriod: .seconds(retry))
        #expect((times != nil) == isFine)
    }
}
