import ControllerRuntime

extension Simulation {
    /// The story, the faults and the order that belong to a seed: one in ten is a story of sleep.
    public init(seed: UInt64) {
        if Self.isSleeping(seed: seed) {
            self = .sleeping(seed: seed)
            return
        }
        var random = SeededGenerator(seed: seed)
        _ = random.next()
        let story = Story.all[Int(random.next() % UInt64(Story.all.count))]
        let replicas = random.next() % 4 == 0 ? 2 : 1
        let count = Int(random.next() % 9)
        var faults: [Fault] = []
        for _ in 0..<count { faults += Fault.random(&random, replicas: replicas, touched: story.touched) }
        let elects = replicas > 1 && random.next() % 2 == 0
        self.init(seed: seed, story: story, faults: faults, replicas: replicas, elects: elects)
        hasNeighbour = random.next() % 8 == 0
    }
}

extension Fault {
    private static let kinds = ["mlmodels", "trainingjobs", "jobs", "pods", "deployments", "services"]

    /// One fault, or a crash and another during what follows it (P2).
    ///
    /// - Parameter touched: the kinds that people touch, with which half of what concerns a kind goes wrong.
    static func random(_ random: inout SeededGenerator, replicas: Int, touched: [String]) -> [Fault] {
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        func kind() -> String {
            let some = !touched.isEmpty && number(0...1) == 0 ? touched : kinds
            return some[number(0...some.count - 1)]
        }
        // Much goes wrong only in the moments after somebody has done something.
        func moment() -> Trigger {
            number(0...1) == 0 ? .time(number(0...60_000)) : .act(number(0...3), after: number(0...20_000))
        }
        let write = number(1...30)
        switch number(0...18) {
        case 0, 1: return [Fault(.write(write), crash(&random))]
        case 2: return [Fault(.write(write), crash(&random)), Fault(.write(write + number(1...4)), crash(&random))]
        case 3, 4: return [Fault(moment(), .lag(kind(), number(100...60_000), lasting: number(1000...90_000)))]
        case 5: return [Fault(moment(), .collapse(kind(), lasting: number(1000...60_000)))]
        case 6: return [Fault(moment(), .close(kind()))]
        case 7: return [Fault(moment(), number(0...3) == 0 ? .compact : .gone(kind(), asEvent: number(0...1) == 0))]
        case 8: return [Fault(.write(write), .refuse(code: 409, retryAfter: nil, count: [1, 3, 1000][number(0...2)]))]
        case 9: return [Fault(.write(write), refusal(&random, [404, 422]))]
        case 10: return [Fault(.call(number(1...80)), refusal(&random, [401, 403, 429, 500, 503]))]
        case 11: return [Fault(.write(write), number(0...2) == 0 ? .drop : .loseAnswer)]
        case 12: return [Fault(.write(write), .late(number(100...60_000)))]
        case 13, 14:
            return [Fault(moment(), .outage(kind(), lasting: number(1000...60_000), isGone: number(0...1) == 0))]
        case 15: return [Fault(moment(), .cutOff(replica: number(0...replicas - 1), number(1000...60_000)))]
        case 16: return [Fault(moment(), .clockSet(replica: number(0...replicas - 1), number(-30_000...30_000)))]
        default: return [Fault(moment(), .pause(replica: number(0...replicas - 1), number(5000...60_000)))]
        }
    }

    private static func crash(_ random: inout SeededGenerator) -> Effect {
        let behind = random.next() % 3 == 0 ? Int.random(in: 1...SimulatedServer.memory, using: &random) : 0
        return .crash(
            after: random.next() % 2 == 0, down: Int.random(in: 0...20_000, using: &random), behind: behind)
    }

    private static func refusal(_ random: inout SeededGenerator, _ codes: [Int]) -> Effect {
        let code = codes[Int(random.next() % UInt64(codes.count))]
        let waits: [String?] = [nil, nil, "1", "0", "-5", "999999", "soon", "Thu, 01 Jan 2026 00:00:30 GMT"]
        return .refuse(
            code: code, retryAfter: waits[Int(random.next() % UInt64(waits.count))],
            count: [1, 3, 1000][Int(random.next() % 3)])
    }
}
