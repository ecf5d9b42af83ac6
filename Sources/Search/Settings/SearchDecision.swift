/// What is to be done next.
public struct SearchDecision: Sendable, Hashable {
    /// Why no more trials are started.
    public enum End: String, Sendable, Hashable {
        case goalReached = "GoalReached"
        case maxFailedTrialsExceeded = "MaxFailedTrialsExceeded"
        /// As many as were asked for, or as the grid has points.
        case allTrialsStarted = "AllTrialsStarted"
    }

    /// To be created, in this order.
    public var start: [Suggestion]
    /// The numbers of running trials to be ended: they promise little, or the search is over.
    public var stop: [Int]
    /// nil while more will be started than `start` has.
    public var end: End?
    public var progress: SearchProgress

    /// The search is over: nothing is to be started, and nothing runs any more.
    public var isComplete: Bool { end != nil && start.isEmpty && progress.pending == 0 }
}

extension SearchSettings {
    /// What follows from the trials that were observed, and from nothing else: after a restart it is the same.
    /// - Parameter trials: all of the search, in any order.
    public func decision(_ trials: [Trial]) -> SearchDecision {
        let progress = SearchProgress(trials, direction: objective.direction)
        let running = trials.filter { $0.state == .pending }.map(\.number).sorted()
        if let end = verdict(progress) {
            return SearchDecision(start: [], stop: running, end: end, progress: progress)
        }
        let stop = earlyStopping?.stopped(trials, direction: objective.direction) ?? []
        let limit = algorithm == .grid ? min(numTrials, space.count ?? 0) : numTrials
        let first = (trials.map(\.number).max() ?? -1) + 1
        let free = parallelTrials - (running.count - stop.count)
        var known = trials
        var start: [Suggestion] = []
        for number in first..<max(first, min(first + free, limit)) {
            guard let suggestion = suggestion(number: number, trials: known) else { break }
            // The next one takes it for running.
            known.append(Trial(number: number, values: suggestion.values))
            start.append(suggestion)
        }
        let isLast = first + start.count >= limit
        return SearchDecision(start: start, stop: stop, end: isLast ? .allTrialsStarted : nil, progress: progress)
    }

    private func verdict(_ progress: SearchProgress) -> SearchDecision.End? {
        if let best = progress.best, objective.reaches(best.objective) { return .goalReached }
        if let maxFailedTrials, progress.failed > maxFailedTrials { return .maxFailedTrialsExceeded }
        return nil
    }
}
