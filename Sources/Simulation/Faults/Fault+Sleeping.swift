import ControllerRuntime

extension Simulation {
    static func sleeping(seed: UInt64) -> Simulation {
        var random = SeededGenerator(seed: seed)
        _ = random.next()
        // The seeds that have found something keep their stories.
        let stories = seed < 5000 ? Story.sleeping : Story.sleeping + Story.bounded
        let story = stories[Int(random.next() % UInt64(stories.count))]
        let replicas = random.next() % 4 == 0 ? 2 : 1
        var faults: [Fault] = []
        for _ in 0..<Int(random.next() % 16) { faults += Fault.duringTraffic(&random, replicas: replicas) }
        if seed / 10 % 7 == 1 { faults += Fault.onTheWayToSleep(seed: seed) }
        return Simulation(
            seed: seed, story: story, faults: faults, replicas: replicas,
            elects: replicas > 1 && random.next() % 2 == 0)
    }

    /// Whether a seed's story is one of sleep and waking.
    public static func isSleeping(seed: UInt64) -> Bool { seed % 10 == 7 }
}

extension Fault {
    /// What those who decide to sleep must be wary of: a gateway that neither hears nor says anything while users reach it, and
    /// an order to sleep that was given up and comes when the model has been called back.
    fileprivate static func onTheWayToSleep(seed: UInt64) -> [Fault] {
        var random = SeededGenerator(seed: seed ^ 0x736c_6565)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        let cuts = (0..<6).flatMap { _ -> [Fault] in
            let (moment, slot, length) = (number(20_000...1_200_000), number(0...2), number(30_000...120_000))
            return [
                Fault(.time(moment), .gateway(slot, .deaf(length))),
                Fault(.time(moment), .gateway(slot, .late(length, lasting: length))),
            ]
        }
        return cuts + (1...number(2...8)).map { Fault(.scale($0), .late(number(30_100...45_000))) }
    }

    /// One fault, or one as any story may have it.
    static func duringTraffic(_ random: inout SeededGenerator, replicas: Int) -> [Fault] {
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        let moment = Trigger.time(number(20_000...1_200_000))
        switch number(0...17) {
        case 0: return [Fault(moment, .serverAway(number(1000...40_000)))]
        case 1, 2: return [Fault(moment, .killPod)]
        case 3: return [Fault(moment, .gateway(number(0...2), .kill))]
        case 4: return [Fault(moment, .gateway(number(0...2), .restart))]
        case 5: return [Fault(moment, .gateway(number(0...2), .stop))]
        case 6: return [Fault(moment, .gateway(number(0...2), .deaf(number(1000...60_000))))]
        case 7, 8:
            return [
                Fault(moment, .gateway(number(0...2), .late(number(100...30_000), lasting: number(5000...120_000))))
            ]
        case 9: return [Fault(moment, .refuseWake(code: [403, 409, 500, 503][number(0...3)], count: number(1...6)))]
        case 10, 11:
            let behind = number(0...2) == 0 ? number(1...SimulatedServer.memory) : 0
            return [
                Fault(
                    .write(number(5...200)),
                    .crash(after: number(0...1) == 0, down: number(0...30_000), behind: behind))
            ]
        case 12: return [Fault(.write(number(5...200)), .late(number(100...60_000)))]
        case 13:
            return [
                Fault(
                    moment,
                    .lag(
                        ["mlmodels", "pods", "deployments"][number(0...2)], number(100...60_000),
                        lasting: number(1000...90_000)))
            ]
        default:
            return Self.random(&random, replicas: replicas, touched: ["mlmodels", "deployments", "pods"]).map { fault in
                // All through the story, not in its beginning alone.
                switch fault.trigger {
                case .time, .act: Fault(moment, fault.effect)
                case .write, .scale, .event, .call: fault
                }
            }
        }
    }
}
