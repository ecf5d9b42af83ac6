import KubernetesModel

/// Until when a run that is due by itself must wait, and for what.
struct RetrainingPause: Sendable, Hashable {
    var until: Timestamp
    var reason: String

    private static let day: Duration = .seconds(86_400)
    /// After the first failure; it doubles with each one after it.
    private static let firstBackoff: Int64 = 300
    private static let longestBackoff: Int64 = 86_400

    /// The longest of the pauses that stand; nil where a run may begin now. The history may have forgotten all runs but the newest.
    static func standing(
        _ runs: [Run], _ status: RetrainingStatus, _ rules: RetrainingSpec, now: Timestamp
    ) -> RetrainingPause? {
        [coolDown(runs, rules), backoff(runs, status), budget(status, rules, now: now)].compactMap(\.self)
            .filter { $0.until > now }.max { $0.until < $1.until }
    }

    /// How many runs have failed one after another until now. One that the gate has refused has not failed.
    static func failures(_ runs: [Run], _ status: RetrainingStatus) -> Int {
        newest(runs)?.hasFailed == true ? (status.failures ?? 0) + 1 : 0
    }

    /// Of these moments, those of the last 24 hours.
    static func ofToday(_ moments: [Timestamp], now: Timestamp) -> [Timestamp] { moments.filter { now - $0 < day } }

    private static func newest(_ runs: [Run]) -> Run? {
        runs.last { $0.phase != .superseded && $0.phase != .training }
    }

    private static func coolDown(_ runs: [Run], _ rules: RetrainingSpec) -> RetrainingPause? {
        guard let end = runs.compactMap(\.completionTime).max(), rules.coolDownTime > .zero else { return nil }
        return RetrainingPause(
            until: end + rules.coolDownTime, reason: "the cool-down of \(rules.coolDown ?? "") after the last run")
    }

    private static func backoff(_ runs: [Run], _ status: RetrainingStatus) -> RetrainingPause? {
        let failures = failures(runs, status)
        guard failures > 0, let end = newest(runs)?.completionTime else { return nil }
        let pause = min(firstBackoff << Int64(min(failures - 1, 16)), longestBackoff)
        return RetrainingPause(
            until: end + .seconds(pause), reason: "a pause of \(pause) s after \(failures) failed in a row")
    }

    private static func budget(
        _ status: RetrainingStatus, _ rules: RetrainingSpec, now: Timestamp
    ) -> RetrainingPause? {
        let begun = ofToday(status.begun, now: now).sorted()
        guard begun.count >= rules.runsPerDay else { return nil }
        let oldest = begun[begun.count - rules.runsPerDay]
        return RetrainingPause(until: oldest + day, reason: "the \(rules.runsPerDay) runs of maxRunsPerDay are used up")
    }
}
