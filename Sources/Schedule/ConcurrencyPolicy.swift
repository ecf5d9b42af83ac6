/// What becomes of a scheduled time that comes while an earlier run is still going, by the names of a Kubernetes CronJob. There is
/// no `Allow`: of what is scheduled here one run goes at a time.
public enum ConcurrencyPolicy: String, Sendable, Hashable, CaseIterable {
    /// The later one waits. Its time is not recorded as handled: when the other run is over, `Recurrence.due` names the last time
    /// that has passed, so that what came meanwhile is remembered once, and the starting deadline still counts.
    case forbid = "Forbid"
    /// The earlier one is given up.
    case replace = "Replace"
}
