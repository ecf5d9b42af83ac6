import Testing

@testable import AssayGateway

private typealias Pool = RevisionPool<Token, Token>

/// A pool of some pods, and its connections by name.
private struct World {
    var pool: Pool
    var now = Duration.zero

    init(pods: Int, ready: Bool = true, probe: PodProbe = .connect, perPod: Int = 100, dials: Int = 100) {
        pool = Pool(
            .init(connectionsPerPod: perPod, dialsPerPod: dials, idleTimeout: .seconds(60)),
            budget: HoldBudget(requests: 1000, bytes: 1 << 20))
        _ = pool.update(Self.endpoints(pods, ready: ready, probe: probe), now: .zero)
    }

    static func endpoints(_ count: Int, ready: Bool = true, probe: PodProbe = .connect) -> [Endpoint] {
        (0..<count).map {
            Endpoint(pod: "pod-\($0)", address: "10.0.0.\($0)", port: 80, isReady: ready, probe: probe)
        }
    }

    mutating func ask(_ name: String, avoiding: Int? = nil) -> Pool.Acquired {
        pool.acquire(Token(name), avoiding: avoiding, bytes: 0, deadline: now + .seconds(100), now: now)
    }

    /// Asks, and returns the connections to be made.
    mutating func dials(_ name: String) -> [Pool.Dial] {
        guard case .waiting(_, let dials) = ask(name) else { return [] }
        return dials
    }

    /// Makes a connection, and returns the request that gets it.
    mutating func connect(_ dial: Pool.Dial, _ connection: Token = Token("c")) -> String? {
        guard case .reuse(let request) = pool.connected(connection, dial.id, now: now) else { return nil }
        return request.description
    }
}

@Suite struct RevisionPoolTests {
    @Test func aRequestGetsANewConnectionAndTheNextOneTheSame() throws {
        var world = World(pods: 1)
        let dial = try #require(world.dials("a").first)
        let connection = Token("c")
        #expect(!dial.isProbe && world.connect(dial, connection) == "a")
        guard case .kept = world.pool.release(connection, dial.id, isUsable: true, now: .zero) else {
            Issue.record("not kept")
            return
        }
        guard case .connection(let again, nil) = world.ask("b") else {
            Issue.record("not reused")
            return
        }
        #expect(again === connection)
    }

    @Test func whoWaitsGetsWhateverIsFreeFirstInTheOrderOfComing() throws {
        var world = World(pods: 1)
        let dials = ["a", "b", "c"].flatMap { world.dials($0) }
        #expect(dials.count == 3)
        let connection = Token("c")
        #expect(world.connect(dials[1], connection) == "a")
        guard case .reuse(let next) = world.pool.release(connection, dials[1].id, isUsable: true, now: .zero) else {
            Issue.record("not reused")
            return
        }
        #expect(next.description == "b")
        #expect(world.connect(dials[0]) == "c")
        #expect(world.connect(dials[2]) == nil, "nobody waits any more: it is kept for later")
    }

    @Test func requestsAreSpreadOverThePods() {
        var world = World(pods: 3)
        let dials = (0..<9).flatMap { world.dials("\($0)") }
        #expect(Dictionary(grouping: dials, by: \.id).mapValues(\.count) == [0: 3, 1: 3, 2: 3])
    }

    @Test func aPodWithoutAConnectionGetsOneWhenAnotherHasMoreToDo() throws {
        var world = World(pods: 2)
        let first = try #require(world.dials("a").first)
        let (used, idle) = (Token("used"), Token("idle"))
        _ = world.connect(first, used)
        let second = try #require(world.dials("b").first)
        #expect(second.id != first.id)
        _ = world.connect(second, idle)
        world.pool.dialFailed(first.id, now: .zero)
        _ = world.pool.release(used, first.id, isUsable: true, now: .zero)
        guard case .connection(let connection, _) = world.ask("c") else {
            Issue.record("none")
            return
        }
        #expect(connection === used)
    }

    @Test func connectionsAreBoundedByPod() {
        var world = World(pods: 1, perPod: 2)
        #expect((0..<5).flatMap { world.dials("\($0)") }.count == 2)
        #expect(world.pool.waiting.count == 5)
    }

    @Test func aPodThatHasJustBegunIsNotFloodedWithAttempts() throws {
        var world = World(pods: 1, ready: false, dials: 4)
        let dials = (0..<50).flatMap { world.dials("\($0)") }
        #expect(dials.count == 1 && dials[0].isProbe, "one attempt while nobody knows whether it answers")
        #expect(world.connect(dials[0]) == "0")
        #expect(world.pool.dials(now: .zero).count == 4)
    }

    /// The waits after each of so many failures, in milliseconds.
    private static func waits(_ count: Int, probe: PodProbe) throws -> [Int] {
        var world = World(pods: 1, ready: false, probe: probe)
        var dial = try #require(world.dials("a").first)
        var result: [Int] = []
        for _ in 0..<count {
            world.pool.dialFailed(dial.id, now: world.now)
            let next = try #require(world.pool.nextAttempt())
            let tooEarly = world.pool.dials(now: next - .nanoseconds(1))
            #expect(tooEarly.isEmpty)
            result.append(Int((next - world.now) / .milliseconds(1)))
            world.now = next
            dial = try #require(world.pool.dials(now: world.now).first)
        }
        #expect(world.connect(dial) == "a" && world.pool.isAvailable)
        return result
    }

    @Test func aPodThatRefusesIsTriedAgainEvery5And10MillisecondsAndLaterMoreRarely() throws {
        let waits = try Self.waits(900, probe: .connect)
        #expect(waits[..<2] == [5, 5] && waits[399..<402] == [5, 10, 10])
        #expect(waits[701..<706] == [10, 20, 40, 80, 100])
        #expect(waits[899] == 5000 && waits == waits.sorted())
    }

    @Test func aPodThatIsAskedByARequestIsAskedAfter5And10AndSoOnTo100Milliseconds() throws {
        let waits = try Self.waits(7, probe: .get(path: "/"))
        #expect(waits == [5, 10, 20, 40, 80, 100, 100])
    }

    @Test func aPodThatNobodyWaitsForIsNotTried() throws {
        var world = World(pods: 1, ready: false)
        guard case .waiting(let ticket, let dials) = world.ask("a") else {
            Issue.record("no wait")
            return
        }
        world.pool.cancel(ticket)
        world.pool.dialFailed(try #require(dials.first).id, now: .zero)
        #expect(world.pool.nextAttempt() == nil && world.pool.dials(now: .seconds(1)).isEmpty)
    }

    @Test func aReadyPodThatRefusesIsPassedOverForOneThatDoesNot() throws {
        var world = World(pods: 2)
        let first = try #require(world.dials("a").first)
        world.pool.dialFailed(first.id, now: .zero)
        let second = try #require(world.pool.dials(now: .zero).first)
        #expect(second.id != first.id)
        #expect(world.connect(second) == "a")
    }

    @Test func aPodThatSaysNothingIsNotWaitedForWhereThereIsAnother() throws {
        var world = World(pods: 2)
        let first = try #require(world.dials("a").first)
        world.now = .milliseconds(249)
        let early = world.pool.dials(now: world.now)
        world.now = .milliseconds(250)
        let late = world.pool.dials(now: world.now)
        #expect(early.isEmpty && late.map(\.id) == [1 - first.id])
        #expect(world.connect(late[0]) == "a")
        let again = world.dials("b").map(\.id)
        #expect(again == [1 - first.id], "nor is it asked again meanwhile")
    }

    @Test func aPodThatBecomesReadyIsNotKeptWaitingByAnAttemptElsewhere() throws {
        var world = World(pods: 1, ready: false)
        #expect(world.dials("a").count == 1)
        let ready = Endpoint(pod: "ready", address: "10.1.1.1", port: 80, isReady: true)
        _ = world.pool.update(World.endpoints(1, ready: false) + [ready], now: .zero)
        let dials = world.pool.dials(now: .zero)
        #expect(dials.map(\.endpoint.pod) == ["ready"])
    }

    @Test func aPodWhoseConnectionsBreakIsGivenARest() throws {
        var world = World(pods: 1)
        let dials = ["a", "b"].flatMap { world.dials($0) }
        let idle = Token("idle")
        for (dial, connection) in zip(dials, [Token("used"), idle]) { _ = world.connect(dial, connection) }
        _ = world.pool.release(idle, dials[1].id, isUsable: true, now: .zero)
        func breaks(_ world: inout World) -> [String] {
            world.pool.noteBreak(dials[0].id, wasKept: false, now: .zero).map(\.description)
        }
        let first = breaks(&world) + breaks(&world)
        world.pool.noteAnswer(dials[0].id)
        let second = breaks(&world) + breaks(&world)
        #expect(first.isEmpty && second.isEmpty && world.pool.isAvailable)
        let third = breaks(&world)
        #expect(third == ["idle"] && !world.pool.isAvailable)
        #expect(world.dials("c").isEmpty && world.pool.nextAttempt() == .milliseconds(100))
    }

    /// A request is sent again twice: it must not meet what a pod that has ended has left, one after the other.
    @Test func whereAKeptConnectionBreaksNoneThatWasKeptIsTried() throws {
        var world = World(pods: 1)
        let dials = ["a", "b", "c"].flatMap { world.dials($0) }
        let kept = [Token("1"), Token("2"), Token("3")]
        for (dial, connection) in zip(dials, kept) { _ = world.connect(dial, connection) }
        for connection in kept { _ = world.pool.release(connection, dials[0].id, isUsable: true, now: .zero) }
        guard case .connection(let used, _) = world.ask("d") else {
            Issue.record("there is an idle connection")
            return
        }
        let left = world.pool.noteBreak(dials[0].id, wasKept: true, now: .zero).map(\.description)
        #expect(Set(left + [used.description]) == ["1", "2", "3"] && world.pool.isAvailable)
        _ = world.pool.release(used, dials[0].id, isUsable: false, now: .zero)
        #expect(world.dials("d").count == 1, "a new one is made")
    }

    @Test func onlyTheKubeletCanTellWhetherAPodIsReadyThatItAsksInAWayOfItsOwn() throws {
        var world = World(pods: 1, ready: false, probe: .kubelet)
        #expect(world.dials("a").isEmpty && world.pool.nextAttempt() == nil)
        _ = world.pool.update(World.endpoints(1, ready: true, probe: .kubelet), now: .zero)
        #expect(world.connect(try #require(world.pool.dials(now: .zero).first)) == "a")
    }

    @Test func aPodThatGoesGetsNoMoreAndWhatItHasMayEnd() throws {
        var world = World(pods: 1)
        let dials = ["a", "b"].flatMap { world.dials($0) }
        let (busy, idle) = (Token("busy"), Token("idle"))
        _ = world.connect(dials[0], busy)
        _ = world.connect(dials[1], idle)
        _ = world.pool.release(idle, dials[1].id, isUsable: true, now: .zero)
        #expect(world.pool.update([], now: .zero).map(\.description) == ["idle"])
        guard case .close = world.pool.release(busy, dials[0].id, isUsable: true, now: .zero) else {
            Issue.record("kept")
            return
        }
        #expect(world.pool.endpoints.isEmpty && !world.pool.isAvailable)
    }

    @Test func aPodThatIsNoLongerReadyIsAskedAnew() throws {
        var world = World(pods: 1)
        let dial = try #require(world.dials("a").first)
        let connection = Token("c")
        _ = world.connect(dial, connection)
        _ = world.pool.release(connection, dial.id, isUsable: true, now: .zero)
        #expect(world.pool.update(World.endpoints(1, ready: false), now: .zero).count == 1)
        #expect(world.dials("b").map(\.isProbe) == [true])
    }

    @Test func aRetryGoesToAnotherPodIfThereIsOne() throws {
        var world = World(pods: 2)
        let first = try #require(world.dials("a").first)
        _ = world.connect(first)
        guard case .waiting(_, let dials) = world.ask("a", avoiding: first.id) else {
            Issue.record("no wait")
            return
        }
        #expect(dials.map(\.id) == [1 - first.id])
        var alone = World(pods: 1)
        guard case .waiting(_, let same) = alone.ask("a", avoiding: 0) else {
            Issue.record("no wait")
            return
        }
        #expect(same.map(\.id) == [0])
    }

    @Test func connectionsThatNobodyUsesAreClosed() throws {
        var world = World(pods: 1)
        let dials = ["a", "b"].flatMap { world.dials($0) }
        for (dial, name) in zip(dials, ["old", "new"]) { _ = world.connect(dial, Token(name)) }
        _ = world.pool.release(Token("old"), 0, isUsable: true, now: .zero)
        _ = world.pool.release(Token("new"), 0, isUsable: true, now: .seconds(30))
        #expect(world.pool.expireIdle(now: .seconds(60)).map(\.description) == ["old"])
        #expect(world.pool.expireIdle(now: .seconds(89)).isEmpty)
    }
}

@Suite struct RevisionPoolLawTests {
    /// Acts at random, and checks after each what must always hold.
    @Test(arguments: 1...100) func whateverHappensNoRequestIsLostAndNoConnectionIsUsedTwice(_ seed: Int) {
        var dice = Dice(seed)
        var world = World(pods: 2, perPod: 3)
        var dialing: [Pool.Dial] = []
        var used: [(Token, Int)] = []
        var asked = 0
        var served = 0
        func take(_ released: Pool.Released, _ connection: Token, _ id: Int) {
            if case .reuse = released {
                served += 1
                used.append((connection, id))
            }
        }
        for step in 0..<400 {
            world.now += .milliseconds(dice.roll(0..<20))
            switch dice.roll(0..<8) {
            case 0, 1, 2:
                asked += 1
                switch world.ask("\(step)") {
                case .connection(let connection, let dial):
                    served += 1
                    #expect(!used.contains { $0.0 === connection })
                    let id = world.pool.endpoints.first { $0.endpoint.pod == connection.description }?.id
                    used.append((connection, id ?? -1))
                    dialing += dial.map { [$0] } ?? []
                case .waiting(_, let dials): dialing += dials
                case .refused: Issue.record("refused")
                }
            case 3 where !dialing.isEmpty:
                let dial = dialing.remove(at: dice.roll(0..<dialing.count))
                let connection = Token(dial.endpoint.pod)
                take(world.pool.connected(connection, dial.id, now: world.now), connection, dial.id)
            case 4 where !dialing.isEmpty:
                world.pool.dialFailed(dialing.remove(at: dice.roll(0..<dialing.count)).id, now: world.now)
            case 5, 6:
                guard !used.isEmpty else { continue }
                let (connection, id) = used.remove(at: dice.roll(0..<used.count))
                let isUsable = dice.roll(0..<4) > 0
                take(world.pool.release(connection, id, isUsable: isUsable, now: world.now), connection, id)
            case 7: _ = world.pool.update(World.endpoints(dice.roll(0..<4)), now: world.now)
            default: break
            }
            dialing += world.pool.dials(now: world.now)
            #expect(asked == served + world.pool.waiting.count)
            for state in world.pool.endpoints {
                #expect(state.inUse >= 0 && state.dialing >= 0 && state.connections <= 3)
            }
        }
    }
}
