import JSON
import Testing

@testable import AssayGateway

/// A revision that sleeps, was asked for at second 10, and has a pod of before.
private final class Sleeper {
    private var state = WakeState()

    init() {
        saw("old", .started, 1)
        #expect(request(10) == .start)
    }

    func request(_ second: Int) -> WakeState.Decision { state.request(now: .seconds(second)) }
    @discardableResult func finished(_ outcome: WakeOutcome, _ second: Int) -> Bool {
        state.finished(outcome, now: .seconds(second))
    }
    func saw(_ pod: String, _ progress: PodProgress, _ second: Int) {
        state.saw(pod, progress, now: .seconds(second))
    }
    func ready(_ second: Int) { state.ready(now: .seconds(second)) }
    func nobodyWaits() { state.nobodyWaits() }
    func parts(_ now: Duration) -> [ColdStart.Part]? { state.forwarded(now: now) }

    /// What is told when a request is forwarded then: seconds, in the order of the phases.
    func forwarded(_ second: Int) -> [Double]? { parts(.seconds(second))?.map { $0.duration / .seconds(1) } }
}

@Suite struct ColdStartTests {
    @Test func eachPhaseHasItsTimeAndTogetherTheyAreTheWhole() throws {
        let state = Sleeper()
        #expect(state.finished(.awake, 11))
        for (progress, second) in [(PodProgress.none, 12), (.bound, 13), (.fetched, 20), (.started, 22)] {
            state.saw("new", progress, second)
        }
        #expect(state.forwarded(25) == nil, "no pod answers")
        state.ready(30)
        let parts = try #require(state.parts(.milliseconds(30_500)))
        #expect(parts.map(\.phase.rawValue) == ["patch", "schedule", "fetch", "start", "ready", "forward"])
        #expect(parts.map { $0.duration / .seconds(1) } == [1, 2, 7, 2, 8, 0.5])
        #expect(state.forwarded(31) == nil, "once, whichever loop it was")
    }

    /// Moments of the patch, the node, the init containers, the container and the answer; nil for one that was not seen.
    @Test(
        arguments: [
            ([11, 12, 12, 12, 15], [1, 1, 0, 0, 3, 1]), ([11, nil, nil, nil, 15], [1, 0, 0, 0, 4, 1]),
            ([11, nil, 13, nil, 15], [1, 2, 0, 0, 2, 1]), ([14, 11, 12, 13, 15], [4, 0, 0, 0, 1, 1]),
            ([nil, 11, 12, 13, 15], [0, 1, 1, 1, 2, 1]), ([11, 12, 13, 17, 15], [1, 1, 1, 0, 2, 1]),
        ] as [([Int?], [Double])])
    func ofWhatIsSeenTogetherTheFirstHasTheTimeAndWhatIsNotSeenHasNone(_ moments: [Int?], _ wanted: [Double]) {
        let state = Sleeper()
        for second in 10...20 {
            if moments[0] == second { state.finished(.awake, second) }
            for (moment, progress) in zip(moments[1...3], [PodProgress.bound, .fetched, .started])
            where moment == second {
                state.saw("new", progress, second)
            }
            if moments[4] == second { state.ready(second) }
            if moments[4] == second - 1 {
                #expect(state.forwarded(second) == wanted)
                #expect(wanted.reduce(0, +) == Double(second - 10))
            }
        }
    }

    @Test func podsOfBeforeTellNothing() {
        let state = Sleeper()
        state.finished(.awake, 11)
        state.saw("old", .started, 12)
        state.saw("new", .bound, 13)
        state.saw("newer", .started, 14)
        state.ready(15)
        #expect(state.forwarded(15) == [1, 2, 1, 0, 1, 0])
        // The next time those are of before, too.
        _ = state.request(100)
        state.saw("new", .started, 101)
        state.ready(103)
        #expect(state.forwarded(103) == [0, 0, 0, 0, 3, 0])
    }

    @Test func whoHasGoneBeforeTheEndLeavesNoTime() {
        let state = Sleeper()
        state.finished(.awake, 11)
        state.nobodyWaits()
        state.ready(15)
        #expect(state.forwarded(16) == nil)
        let other = Sleeper()
        other.finished(.awake, 11)
        other.nobodyWaits()
        #expect(other.request(12) == .hold)
        other.ready(15)
        #expect(other.forwarded(15) == [0, 0, 0, 0, 3, 0], "for the next it begins anew")
    }

    @Test func aTryThatFailedIsNoPartOfTheNext() {
        let state = Sleeper()
        #expect(state.finished(.failed("no"), 11))
        #expect(state.request(12) == .start)
        #expect(state.finished(.awake, 13))
        state.ready(15)
        #expect(state.forwarded(15) == [1, 0, 0, 0, 2, 0])
    }

    @Test func askingAgainForWhatDoesNotComeIsNoOtherColdStart() {
        let state = Sleeper()
        #expect(state.finished(.awake, 11))
        #expect(state.request(20) == .start)
        #expect(!state.finished(.awake, 21))
        state.ready(22)
        #expect(state.forwarded(22) == [1, 0, 0, 0, 11, 0])
        _ = state.request(90)
        #expect(state.finished(.awake, 91))
    }

    // MARK: What a pod says of itself

    private static func progress(_ change: (inout JSONValue) -> Void) throws -> PodProgress {
        var pod = podJSON("a", isReady: false)
        pod["spec", "containers"] = [
            ["name": "log", "ports": []], ["name": "server", "ports": [["containerPort": 8080]]],
        ]
        change(&pod)
        // As the watch keeps it.
        let kept = try PodRecord(json: JSONValue(parsing: pod.serializedBytes()[...], fields: PodRecord.fields))
        return kept.progress(port: 8080)
    }

    private static func running(_ names: String...) -> JSONValue {
        .array(names.map { ["name": .string($0), "state": ["running": ["startedAt": "2026-01-01T00:00:00Z"]]] })
    }

    @Test func howFarAPodIsItSaysInItsConditionsAndContainers() throws {
        #expect(try Self.progress { _ in } == .none)
        #expect(try Self.progress { $0["spec", "nodeName"] = "n" } == .fetched, "there is nothing to fetch")
        let scheduled: JSONValue = [["type": "PodScheduled", "status": "True"]]
        #expect(try Self.progress { $0["status", "conditions"] = scheduled } == .fetched)
        func fetching(_ pod: inout JSONValue) {
            pod["spec", "nodeName"] = "n"
            pod["spec", "initContainers"] = [["name": "fetch"]]
        }
        #expect(try Self.progress { fetching(&$0) } == .bound)
        #expect(
            try Self.progress {
                fetching(&$0)
                $0["status", "conditions"] = [["type": "Initialized", "status": "False"]]
            } == .bound)
        #expect(
            try Self.progress {
                fetching(&$0)
                $0["status", "conditions"] = [["type": "Initialized", "status": "True"]]
                $0["status", "containerStatuses"] = Self.running("log")
            } == .fetched)
        #expect(
            try Self.progress {
                $0["spec", "nodeName"] = "n"
                $0["status", "containerStatuses"] = Self.running("log", "server")
            } == .started)
    }
}
