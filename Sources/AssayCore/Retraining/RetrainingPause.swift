import KubernetesModel

/// Until when a run that is due by itself must wait, and for what.
struct RetrainingPause: Sendable, Hashable {
    var until: Timestamp
    var reason: String

    private static let day: Duration = .seconds(86_400)
    /// After the first failure; it doubles with each one after it.
    private static let firstBackoff: Int64 = 300
    private static let longestBackoff: Int64 = 86_400

    /// The longest of the pauses that stand; nil where a run may begin now.
    static func standing(_ runs: [Run], _ rules: RetrainingSpec, now: Timestamp) -> RetrainingPause? {
        [coolDown(runs, rules), backoff(runs), budget(runs, rules, now: now)].compactMap(\.self)
            .filter { $0.until > now }.max { $0.until < $1.until }
    }

    private static func coolDown(_ runs: [Run], _ rules: RetrainingSpec) -> RetrainingPause? {
        guard let end = runs.compactMap(\.completionTime).max(), rules.coolDownTime > .zero else { return nil }
        return RetrainingPause(
            until: end + rules.coolDownTime, reason: "the cool-down of \(rules.coolDown ?? "") after the last run")
    }

    /// By the runs that have failed one after another until now. A run that the gate has refused has not failed.
    private static func backoff(_ runs: [Run]) -> RetrainingPause? {
        let failures = runs.reversed().filter { $0.phase != .superseded }.prefix { $0.phase == .failed }
        guard let end = failures.first?.completionTime else { return nil }
        let doublings = min(failures.count - 1, 16)
        let pause = min(firstBackoff << Int64(doublings), longestBackoff)
        return RetrainingPause(
            until: end + .seconds(pause), reason: "a pause of \(pause) s after \(failures.count) failed in a row")
    }

    private static func budget(_ runs: [Run], _ rules: RetrainingSpec, now: Timestamp) -> RetrainingPause? {
        let own = runs.filter { $0.trigger.isRetraining && $0.trigger != .requested }.compactMap(\.startTime)
            .filter { now - $0 < day }.sorted()
        guard own.count >= rules.runsPerDay else { return nil }
        let oldest = own[own.count - rules.runsPerDay]
        return RetrainingPause(until: oldest + day, reason: "the \(rules.runsPerDay) runs of maxRunsPerDay are used up")
    }
}
