import JSON
import Simulation

/// Counts over many simulations.
struct Tally {
    private(set) var violations = 0
    private var runs = 0
    private var states = 0
    private var writes = 0
    private var wakeUps = 0
    private var requests = Simulation.RequestCounts()
    /// Of all traces together, in whatever order they came.
    private var traces: UInt64 = 0
    private var perturbations: [String: Int] = [:]
    private let start = ContinuousClock.now

    mutating func add(_ outcome: Simulation.Outcome) {
        runs += 1
        states += outcome.statesChecked
        writes += outcome.writes
        wakeUps += outcome.wakeUps
        requests.add(outcome.requests)
        traces &+= outcome.traceHash
        if outcome.violation != nil { violations += 1 }
        perturbations.merge(outcome.perturbations) { $0 + $1 }
    }

    mutating func add(_ other: Tally) {
        violations += other.violations
        runs += other.runs
        states += other.states
        writes += other.writes
        wakeUps += other.wakeUps
        requests.add(other.requests)
        traces &+= other.traces
        perturbations.merge(other.perturbations) { $0 + $1 }
    }

    /// As a process tells it to the one that started it.
    var json: JSONValue {
        [
            "violations": JSONValue(violations), "runs": JSONValue(runs), "states": JSONValue(states),
            "writes": JSONValue(writes), "traces": .string(String(traces)),
            "wakeUps": JSONValue(wakeUps), "requests": requests.json,
            "perturbations": .object(JSONObject(perturbations.map { ($0.key, JSONValue($0.value)) })),
        ]
    }

    init() {}

    init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        violations = try cursor["violations"].int()
        runs = try cursor["runs"].int()
        states = try cursor["states"].int()
        writes = try cursor["writes"].int()
        traces = try UInt64(cursor["traces"].string()) ?? 0
        wakeUps = try cursor["wakeUps"].int()
        requests = try Simulation.RequestCounts(json: cursor["requests"])
        for (name, count) in try cursor["perturbations"].object() { perturbations[name] = count.int ?? 0 }
    }

    /// Seeds that were not run, which is as bad as a violation.
    mutating func addFailure() { violations += 1 }

    var text: String {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let faults = perturbations.sorted { ($0.key.count, $0.key) < ($1.key.count, $1.key) }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return """
            \(runs) runs, \(violations) violations
            faults: \(faults)
            sleep: \(wakeUps) wake-ups, \(requests.all) requests: \(requests.served) served, \(requests.refused) told to come \
            again, \(requests.broken) broken by a kill, \(requests.unreached) that nobody took
            hash of all traces: \(String(traces, radix: 16))
            \(states) states checked, \(writes) writes of operators, \(Int(seconds)) s, \
            \(Int((Double(runs) / max(seconds, 0.001)).rounded())) runs a second
            """
    }
}
