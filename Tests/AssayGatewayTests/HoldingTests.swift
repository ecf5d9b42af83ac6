import Testing

@testable import AssayGateway

@Suite struct HoldQueueTests {
    private static let late = Duration.seconds(1000)

    @Test func requestsLeaveInTheOrderInWhichTheyCame() {
        var queue = HoldQueue<Token>(budget: HoldBudget(requests: 10_000, bytes: 1 << 20))
        let requests = (0..<10_000).map { Token("\($0)") }
        for request in requests { #expect(queue.append(request, bytes: 1, deadline: Self.late) != nil) }
        #expect(queue.append(Token("one more"), bytes: 1, deadline: Self.late) == nil)
        for request in requests {
            let next = queue.popFirst()
            #expect(next === request)
        }
        #expect(queue.popFirst() == nil && queue.isEmpty)
    }

    @Test func bytesAreBoundedToo() {
        let budget = HoldBudget(requests: 10, bytes: 10)
        var queue = HoldQueue<Token>(budget: budget)
        #expect(queue.append(Token("a"), bytes: 6, deadline: Self.late) != nil)
        #expect(queue.append(Token("b"), bytes: 6, deadline: Self.late) == nil)
        _ = queue.popFirst()
        #expect(queue.append(Token("c"), bytes: 10, deadline: Self.late) != nil)
    }

    @Test func twoLoopsShareOneBudget() {
        let budget = HoldBudget(requests: 1, bytes: 10)
        var (first, second) = (HoldQueue<Token>(budget: budget), HoldQueue<Token>(budget: budget))
        #expect(first.append(Token("a"), bytes: 0, deadline: Self.late) != nil)
        #expect(second.append(Token("b"), bytes: 0, deadline: Self.late) == nil)
        #expect(budget.count == 1)
        #expect(first.removeAll().count == 1)
        #expect(second.append(Token("b"), bytes: 0, deadline: Self.late) != nil)
    }

    @Test func whoeverLeavesIsForgotten() throws {
        let budget = HoldBudget(requests: 3, bytes: 100)
        var queue = HoldQueue<Token>(budget: budget)
        let tickets = ["a", "b", "c"].map { queue.append(Token($0), bytes: 1, deadline: Self.late) }
        #expect(queue.remove(try #require(tickets[1])))
        #expect(!queue.remove(try #require(tickets[1])))
        #expect(queue.count == 2 && budget.count == 2)
        #expect(queue.popFirst()?.description == "a")
        #expect(!queue.remove(try #require(tickets[0])))
        #expect(queue.popFirst()?.description == "c")
        #expect(budget.count == 0)
    }

    @Test func whoWaitsTooLongIsTakenOut() {
        var queue = HoldQueue<Token>(budget: HoldBudget(requests: 10, bytes: 100))
        for (index, seconds) in [30, 10, 20].enumerated() {
            _ = queue.append(Token("\(index)"), bytes: 1, deadline: .seconds(seconds))
        }
        #expect(queue.expire(now: .seconds(9)).isEmpty)
        #expect(queue.expire(now: .seconds(20)).map(\.description) == ["1", "2"])
        #expect(queue.popFirst()?.description == "0")
    }

    @Test func anyMixOfActsKeepsTheOrderAndTheBudget() {
        for seed in 1...200 {
            var dice = Dice(seed)
            let budget = HoldBudget(requests: 20, bytes: 1000)
            var queue = HoldQueue<Token>(budget: budget)
            var model: [(ticket: Int, request: Token)] = []
            for step in 0..<300 {
                switch dice.roll(0..<4) {
                case 0, 1:
                    let request = Token("\(step)")
                    let ticket = queue.append(request, bytes: 1, deadline: .seconds(step))
                    #expect((ticket == nil) == (model.count == 20))
                    if let ticket { model.append((ticket, request)) }
                case 2:
                    #expect(queue.popFirst() === model.first?.request)
                    if !model.isEmpty { model.removeFirst() }
                default:
                    guard !model.isEmpty else { continue }
                    let gone = model.remove(at: dice.roll(0..<model.count))
                    let isGone = queue.remove(gone.ticket)
                    #expect(isGone)
                }
                #expect(queue.count == model.count && budget.count == model.count)
            }
        }
    }
}

@Suite struct WakeStateTests {
    @Test func oneRequestWakesAndTheOthersWait() {
        var state = WakeState()
        #expect(state.request(now: .zero) == .start)
        #expect(state.request(now: .zero) == .hold)
        state.finished(.awake, now: .seconds(1))
        #expect(state.request(now: .seconds(2)) == .hold)
        state.ready(now: .seconds(4))
        #expect(state.phase == .resting)
        #expect(state.request(now: .seconds(100)) == .start)
    }

    @Test func aFailureIsToldUntilTheNextTryIsDueAndTriesGrowRare() {
        var state = WakeState()
        var now = Duration.zero
        var waits: [Duration] = []
        for _ in 0..<8 {
            #expect(state.request(now: now) == .start)
            state.finished(.failed("forbidden"), now: now)
            guard case .refuse("forbidden", let after) = state.request(now: now) else {
                Issue.record("not refused")
                return
            }
            waits.append(after)
            now += after
        }
        #expect(waits == [1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
    }

    @Test func podsThatDoNotComeAreAskedForAgainLaterAndLater() {
        var state = WakeState()
        #expect(state.request(now: .zero) == .start)
        state.finished(.awake, now: .zero)
        #expect(state.request(now: .seconds(4)) == .hold)
        #expect(state.request(now: .seconds(5)) == .start)
        state.finished(.awake, now: .seconds(5))
        #expect(state.request(now: .seconds(14)) == .hold)
        #expect(state.request(now: .seconds(15)) == .start)
    }
}
