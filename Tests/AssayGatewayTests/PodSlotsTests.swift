import Concurrency
import Testing

@testable import AssayGateway

private typealias Pool = RevisionPool<Token, Token>

/// Several loops before the same pods, which may have only so many requests each. What is called happens when the test lets it.
private final class Loops {
    let slots = PodSlots()
    var pools: [Pool] = []
    var dialing: [[Pool.Dial]]
    var used: [(loop: Int, connection: Token, id: Int)] = []
    /// The order in which requests came to their pods.
    var served: [String] = []
    private let calls = Locked<[Int]>([])
    var now = Duration.zero

    init(_ count: Int, pods: Int, limit: Int?) {
        dialing = Array(repeating: [], count: count)
        for loop in 0..<count {
            let line = SlotLine(slots)
            line.onCall { [calls] in calls.withLock { $0.append(loop) } }
            pools.append(
                Pool(
                    .init(connectionsPerPod: 100, dialsPerPod: 100, idleTimeout: .seconds(60)),
                    budget: HoldBudget(requests: 1000, bytes: 1 << 20), line: line))
            pools[loop].setBounded(true)
        }
        update(pods: pods, limit: limit)
    }

    func update(pods: Int, limit: Int?) {
        let endpoints = (0..<pods).map { Endpoint(pod: "p\($0)", address: "10.0.0.\($0)", port: 80, isReady: true) }
        slots.update(limit: limit, pods: Set(endpoints.map(\.pod)))
        for loop in pools.indices {
            _ = pools[loop].update(endpoints, now: now)
            advance(loop)
        }
    }

    func ask(_ loop: Int, _ name: String) {
        switch pools[loop].acquire(Token(name), bytes: 0, deadline: .seconds(1000), now: now) {
        case .connection(let connection, let dial):
            serve(Token(name), connection, loop)
            dialing[loop] += dial.map { [$0] } ?? []
        case .waiting(_, let dials): dialing[loop] += dials
        case .refused: Issue.record("refused")
        }
    }

    private func serve(_ request: Token, _ connection: Token, _ loop: Int) {
        served.append(request.description)
        let pod = String(connection.description.prefix { $0 != "/" })
        let id = pools[loop].endpoints.first { $0.endpoint.pod == pod && $0.inUse > 0 }?.id
        used.append((loop, connection, id ?? -1))
    }

    /// As its owner does whenever something has come about.
    func advance(_ loop: Int) {
        while let next = pools[loop].takeTurn() { serve(next.request, next.connection, loop) }
        dialing[loop] += pools[loop].dials(now: now)
    }

    func connect(_ loop: Int, works: Bool = true) {
        guard !dialing[loop].isEmpty else { return }
        let dial = dialing[loop].removeFirst()
        if works {
            _ = pools[loop].connected(Token("\(dial.endpoint.pod)/\(loop)"), dial.id, now: now)
        } else {
            pools[loop].dialFailed(dial.id, now: now)
        }
        advance(loop)
    }

    func release(_ index: Int, isUsable: Bool = true) {
        let (loop, connection, id) = used.remove(at: index)
        let released = pools[loop].release(connection, id, isUsable: isUsable, now: now)
        if case .reuse(let request) = released { serve(request, connection, loop) }
        if !isUsable { advance(loop) }
    }

    /// One loop that was called looks.
    func answerCall() -> Bool {
        guard let loop = calls.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return false }
        advance(loop)
        return true
    }

    func settle() {
        while answerCall() || dialing.contains(where: { !$0.isEmpty }) { pools.indices.forEach { connect($0) } }
    }

    var atPods: [String: Int] {
        used.reduce(into: [:]) { $0[String($1.connection.description.prefix { $0 != "/" }), default: 0] += 1 }
    }
    var waiting: Int { pools.reduce(0) { $0 + $1.waiting.count } }
}

@Suite struct PodSlotsTests {
    @Test func whoIsBeyondTheBoundWaitsThoughAConnectionIsFree() {
        let loops = Loops(1, pods: 1, limit: 2)
        for name in ["a", "b", "c"] { loops.ask(0, name) }
        loops.settle()
        #expect(loops.served == ["a", "b"] && loops.waiting == 1)
        loops.release(0)
        #expect(loops.served == ["a", "b", "c"] && loops.waiting == 0)
    }

    @Test func requestsOfAllLoopsLeaveInTheOrderOfTheirComing() {
        let loops = Loops(3, pods: 1, limit: 1)
        // Each loop has its connection.
        for loop in 0..<3 {
            loops.ask(loop, "first \(loop)")
            loops.settle()
            loops.release(0)
        }
        loops.served = []
        let names = (0..<30).map { "\($0)" }
        for name in names { loops.ask((Int(name) ?? 0) * 7 % 3, name) }
        for _ in names {
            loops.settle()
            #expect(loops.used.count == 1)
            loops.release(0)
        }
        #expect(loops.served == names)
    }

    @Test func aLoopWithoutAConnectionIsPassedOverUntilItHasOne() {
        let loops = Loops(2, pods: 1, limit: 1)
        loops.ask(0, "a")
        loops.settle()
        loops.ask(1, "b")
        loops.ask(0, "c")
        loops.release(0)
        // The second loop is called, and has to dial; meanwhile the first has a turn.
        while loops.answerCall() {}
        #expect(loops.served == ["a", "c"])
        loops.settle()
        loops.ask(0, "d")
        loops.release(0)
        loops.settle()
        #expect(loops.served == ["a", "c", "b"] && loops.waiting == 1)
    }

    @Test func whoseClientGoesHoldsUpNobody() throws {
        let loops = Loops(2, pods: 1, limit: 1)
        loops.ask(0, "a")
        loops.settle()
        guard
            case .waiting(let ticket, _) = loops.pools[0].acquire(
                Token("gone"), bytes: 0, deadline: .seconds(9), now: .zero)
        else {
            Issue.record("no wait")
            return
        }
        loops.ask(1, "b")
        loops.pools[0].cancel(ticket)
        loops.release(0)
        loops.settle()
        #expect(loops.served == ["a", "b"] && loops.waiting == 0)
    }

    @Test func aBoundThatChangesHoldsAtOnce() {
        let loops = Loops(2, pods: 1, limit: 3)
        for index in 0..<8 { loops.ask(index % 2, "\(index)") }
        loops.settle()
        #expect(loops.used.count == 3)
        loops.update(pods: 1, limit: 1)
        loops.release(0)
        loops.release(0)
        loops.settle()
        #expect(loops.used.count == 1, "what was begun before goes on, and nothing more begins")
        loops.update(pods: 1, limit: 5)
        loops.settle()
        #expect(loops.used.count == 5)
    }

    @Test func whatIsUnderWayWhenABoundIsSetIsCounted() {
        let loops = Loops(2, pods: 1, limit: 100)
        for loop in 0..<2 { loops.pools[loop].setBounded(false) }
        for index in 0..<4 {
            loops.ask(index % 2, "\(index)")
            while loops.dialing.contains(where: { !$0.isEmpty }) {
                for loop in 0..<2 where !loops.dialing[loop].isEmpty {
                    let dial = loops.dialing[loop].removeFirst()
                    let connection = Token("p0/\(loop)")
                    if case .reuse = loops.pools[loop].connected(connection, dial.id, now: .zero) {
                        loops.used.append((loop, connection, dial.id))
                    }
                }
            }
        }
        #expect(loops.used.count == 4 && !loops.slots.isInUse)
        for loop in 0..<2 { loops.pools[loop].setBounded(true) }
        #expect(loops.slots.room(at: "p0") == 96)
        for loop in 0..<2 { loops.pools[loop].setBounded(false) }
        #expect(!loops.slots.isInUse)
    }

    /// Acts at random, and checks after each what must always hold; then nobody waits where there is room.
    @Test(arguments: 1...200) func whateverHappensNoPodHasMoreAndNobodyIsForgotten(_ seed: Int) {
        var dice = Dice(seed)
        var limit = 1 + dice.roll(0..<3)
        var pods = 1 + dice.roll(0..<3)
        let loops = Loops(1 + dice.roll(0..<3), pods: pods, limit: limit)
        var asked = 0
        var before: [String: Int] = [:]
        for _ in 0..<400 {
            loops.now += .milliseconds(dice.roll(0..<5))
            let loop = dice.roll(0..<loops.pools.count)
            switch dice.roll(0..<12) {
            case 0, 1, 2, 3:
                asked += 1
                loops.ask(loop, "\(asked)")
            case 4, 5: loops.connect(loop, works: dice.roll(0..<5) > 0)
            case 6, 7, 8:
                if !loops.used.isEmpty {
                    loops.release(dice.roll(0..<loops.used.count), isUsable: dice.roll(0..<4) > 0)
                }
            case 9, 10: _ = loops.answerCall()
            default:
                (limit, pods) = (1 + dice.roll(0..<3), 1 + dice.roll(0..<3))
                loops.update(pods: pods, limit: limit)
            }
            for (pod, count) in loops.atPods { #expect(count <= max(limit, before[pod] ?? 0)) }
            before = loops.atPods
            #expect(asked == loops.served.count + loops.waiting)
        }
        for _ in 0..<50 {
            loops.now += .seconds(10)
            loops.pools.indices.forEach(loops.advance)
            loops.settle()
        }
        let room = (0..<pods).contains { loops.slots.room(at: "p\($0)") > 0 }
        #expect(loops.waiting == 0 || !room)
        while !loops.used.isEmpty {
            loops.release(0)
            loops.settle()
        }
        #expect(loops.waiting == 0 && loops.served.count == asked && !loops.slots.isInUse)
    }
}
