/// What becomes of a scheduled time that comes while an earlier run is still going, by the names of a Kubernetes CronJob.
public enum ConcurrencyPolicy: String, Sendable, Hashable, CaseIterable {
    /// Both go on.
    case allow = "Allow"
    /// The later one waits.
    case forbid = "Forbid"
    /// The earlier one is given up.
    case replace = "Replace"

    /// What is to be done about a run that is due.
    public enum Decision: Sendable, Hashable {
        /// Start it now.
        case start
        /// Leave it, and do not record its time as handled. When the other run is over, `Recurrence.due` names the last
        /// time that has passed, so that what came meanwhile is remembered once, and the starting deadline still counts.
        case wait
        /// Stop the runs that are going, then start it.
        case replace
    }

    /// - Parameter isRunActive: whether a run that this policy counts has begun and not ended.
    public func decide(isRunActive: Bool) -> Decision {
        guard isRunActive else { return .start }
        switch self {
        case .allow: return .start
        case .forbid: return .wait
        case .replace: return .replace
        }
    }
}
