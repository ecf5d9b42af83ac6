import FuzzProperties
import JSON
import KubernetesModel
import Testing

@testable import AssayCore

@Suite struct AutoscalerTests {
    private static func rules(least: Int = 1, most: Int = 100, target: Double = 10) -> Autoscaling {
        Autoscaling(minReplicas: least, maxReplicas: most, target: target)
    }

    private func desired(
        stable: Double, panic: Double? = nil, ready: Int, least: Int = 1, most: Int = 100, span: Int = 60,
        isComplete: Bool = true
    ) -> Int {
        var scaler = Autoscaler()
        return scaler.desired(
            Autoscaler.Load(
                stable: stable, panic: panic ?? stable, span: .seconds(span), isComplete: isComplete),
            by: Self.rules(least: least, most: most), ready: ready, current: ready, now: .zero)
    }

    /// Of a target of 10, 7 are aimed at.
    @Test(
        arguments: [
            (0.0, 1, 1), (7.0, 1, 1), (7.1, 1, 2), (70, 10, 10), (70.1, 10, 11), (35, 10, 5), (7, 10, 5), (0, 9, 4),
            (0, 2, 1),
        ] as [(Double, Int, Int)])
    func soManyAreWantedOfALongWindow(_ load: Double, _ ready: Int, _ wanted: Int) {
        #expect(desired(stable: load, ready: ready) == wanted)
    }

    /// As Knative's `resources.Resolve` has it, of which 70 % are aimed at.
    @Test(
        arguments: [
            (nil, nil, 100), (nil, 8, 8), (20, nil, 20), (20, 8, 8), (4, 8, 4), (nil, 200, 200),
        ] as [(Double?, Int?, Double)])
    func aReplicaIsToHaveNoMoreThanItMay(_ target: Double?, _ limit: Int?, _ wanted: Double) {
        let rules = Autoscaling(maxReplicas: 9, target: target)
        #expect(Autoscaler.target(rules, limit: limit) == wanted)
        let rates = Autoscaling(maxReplicas: 9, metric: .requestsPerSecond, target: target)
        #expect(Autoscaler.target(rates, limit: limit) == target ?? 100, "requests a second are another thing")
    }

    @Test func whatWaitsForRoomCallsForReplicas() {
        var scaler = Autoscaler()
        let load = Autoscaler.Load(stable: 7, panic: 7, span: .seconds(60), isComplete: true)
        let wanted = scaler.desired(
            load, by: Autoscaling(maxReplicas: 50), limit: 1, ready: 1, current: 1, now: .zero)
        #expect(wanted == 10)
    }

    @Test func itKeepsToItsBounds() {
        #expect(desired(stable: 0, ready: 3, least: 3) == 3)
        #expect(desired(stable: 10_000, ready: 3, most: 12) == 12)
        #expect(desired(stable: 0, ready: 0, least: 0) == 1, "to sleep is not its to say")
    }

    @Test func whatWasNotMeasuredMayBeLoad() {
        #expect(desired(stable: 0, ready: 8, isComplete: false) == 8)
        #expect(desired(stable: 0, ready: 8, span: 59) == 8)
        #expect(desired(stable: 70, ready: 8, span: 1, isComplete: false) == 10, "upwards it may")
    }

    @Test func aBurstIsAnsweredAtOnceAndNotTakenBackBeforeItIsOver() {
        var scaler = Autoscaler()
        func step(_ stable: Double, _ panic: Double, _ ready: Int, _ second: Int) -> Int {
            scaler.desired(
                Autoscaler.Load(stable: stable, panic: panic, span: .seconds(60), isComplete: true),
                by: Self.rules(), ready: ready, current: ready, now: .seconds(second))
        }
        #expect(step(7, 13, 1, 0) == 2, "twice what is ready")
        #expect(scaler.isPanicking)
        #expect(step(14, 70, 2, 1) == 10)
        #expect(step(14, 7, 10, 2) == 10, "it does not go down in a panic")
        #expect(step(14, 7, 10, 61) == 10)
        #expect(step(14, 7, 10, 62) == 5 && !scaler.isPanicking, "a window after the last rise it is over")
    }

    /// Whatever the load, the number is within bounds, rises with the load, and moves no faster than it may.
    @Test func anyLoadIsAnsweredWithinBounds() {
        var random = SplitMix(seed: 11)
        for _ in 0..<5000 {
            let ready = Int(random.next() % 50)
            let load = Double(random.next() % 100_000) / 100
            let (least, most) = (Int(random.next() % 5), 5 + Int(random.next() % 95))
            let first = desired(stable: load, ready: ready, least: least, most: most)
            let second = desired(stable: load + 5, ready: ready, least: least, most: most)
            #expect((max(1, least)...most).contains(first) && second >= first)
            if first > max(1, least), first < most { #expect(Double(first) * 7 >= load - 7 && first >= ready / 2) }
        }
    }

    /// A day's worth of simulated traffic, second by second: replicas follow, and few requests find too few.
    @Test func simulatedTrafficIsServed() {
        var random = SplitMix(seed: 3)
        var scaler = Autoscaler()
        var window = LoadWindow(now: .zero)
        var (replicas, ready, starting) = (1, 1, [Int]())
        var (short, total) = (0.0, 0.0)
        for second in 0..<20_000 {
            let now = Duration.seconds(second)
            let wave = 60 + 55 * sine(Double(second) / 3000)
            let burst = second % 5000 > 4900 ? 200.0 : 0
            let load = max(0, wave + burst + Double(random.next() % 20) - 10)
            window.add(LoadWindow.Second(concurrency: load, requests: load * 5), isComplete: true, now: now)
            // A replica takes five seconds to start.
            while let first = starting.first, first <= second {
                starting.removeFirst()
                ready += 1
            }
            let wanted = scaler.desired(
                window.load(in: .concurrency), by: Self.rules(), ready: ready, current: replicas, now: now)
            if wanted > replicas { starting += Array(repeating: second + 5, count: wanted - replicas) }
            if wanted < replicas {
                let gone = replicas - wanted
                let pending = min(gone, starting.count)
                starting.removeLast(pending)
                ready -= gone - pending
            }
            replicas = wanted
            total += load
            short += max(0, load - Double(ready) * 10)
            #expect(replicas == ready + starting.count && replicas <= 60)
        }
        #expect(short / total < 0.01, "\(short / total) of the load found too few replicas")
    }

    /// Without the C library's.
    private func sine(_ x: Double) -> Double {
        let turn = 2 * Double.pi
        let y = x - (x / turn).rounded() * turn
        let z = y > .pi / 2 ? .pi - y : y < -.pi / 2 ? -.pi - y : y
        return z - z * z * z / 6 + z * z * z * z * z / 120
    }

    // MARK: What is measured

    @Test func aWindowForgets() {
        var window = LoadWindow(now: .zero)
        #expect(window.load(in: .concurrency) == .init(stable: 0, panic: 0, span: .zero, isComplete: false))
        for second in 1...90 {
            let busy = second <= 30
            window.add(
                .init(concurrency: busy ? 6 : 0, requests: busy ? 60 : 0), isComplete: true, now: .seconds(second))
        }
        #expect(window.load(in: .concurrency).stable == 0 && window.lastActive == .seconds(30))
        window.add(.init(concurrency: 6, requests: 12), isComplete: true, now: .seconds(91))
        #expect(window.load(in: .concurrency) == .init(stable: 0.1, panic: 1, span: .seconds(60), isComplete: true))
        #expect(window.load(in: .requestsPerSecond).panic == 2)
        window.add(.init(), isComplete: false, now: .seconds(95))
        #expect(window.lastActive == .seconds(95), "who was not heard may have had a request")
    }

    @Test func whatAGatewaySaysIsTakenByTheDifference() throws {
        let key = ObjectKey(namespace: "ml", name: "wine")
        func load(_ time: Double, _ requests: Int64, _ busy: Double) -> GatewayLoad {
            GatewayLoad(
                time: time, models: [key: .init(generation: 3, requests: requests, busySeconds: busy)])
        }
        let (first, second) = (load(10, 100, 50), load(12, 160, 53))
        #expect(second.second(of: key, since: first) == .init(concurrency: 1.5, requests: 30))
        #expect(first.second(of: key, since: second) == nil, "it has begun anew")
        #expect(second.second(of: ObjectKey(namespace: "ml", name: "x"), since: first) == .init())
        #expect(try GatewayLoad(json: JSONCursor(second.json)) == second)
    }
}
