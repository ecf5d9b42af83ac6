/// A trial, and where its values lie.
struct Observed: Sendable {
    var trial: Trial
    var point: [Coordinate]
}

extension SearchRandom.Use {
    static let values = SearchRandom.Use(number: 0)
    static let strata = SearchRandom.Use(number: 1)
}

extension SearchSettings {
    /// The values of a trial: a pure function of these settings, the trial's number and the trials with lower numbers. Their order in
    /// the list does not matter.
    /// - Parameters:
    ///   - number: not negative.
    ///   - trials: as they are known now; those with higher numbers are not looked at.
    /// - Returns: nil when the grid has no such point.
    public func suggestion(number: Int, trials: [Trial]) -> Suggestion? {
        let lower = telling(trials.filter { $0.number < number })
        guard let values = values(number: number, lower: lower) else { return nil }
        return Suggestion(number: number, values: values, seen: SeenTrials(lower))
    }

    /// Computes a suggestion once more of what it saw, whatever has happened since.
    /// - Parameter trials: of the same search, as they are now.
    /// - Returns: the values, which are those of the suggestion if everything is as it was; nil when a trial that it saw is missing or
    ///   has changed.
    public func recomputed(_ suggestion: Suggestion, trials: [Trial]) -> [String: String]? {
        guard let lower = suggestion.seen.picked(from: telling(trials)) else { return nil }
        return values(number: suggestion.number, lower: lower)
    }

    /// By rising number, with the reports that suggestions are computed of, and no others.
    private func telling(_ trials: [Trial]) -> [Trial] {
        trials.sorted { $0.number < $1.number }.map { trial in
            var trial = trial
            trial.reports = earlyStopping?.decisive(trial.reports) ?? []
            return trial
        }
    }

    private func values(number: Int, lower: [Trial]) -> [String: String]? {
        let geometry = Geometry(space)
        if case .grid = algorithm { return geometry.gridPoint(number).map(geometry.values) }
        // A trial whose values somebody else wrote has no place in the space.
        let history = lower.compactMap { trial in
            geometry.point(trial.values).map { Observed(trial: trial, point: $0) }
        }
        let taken = Set(history.map(\.point))
        // Where everything has been tried, it is tried again.
        let isTaken: ([Coordinate]) -> Bool = taken.count == space.count ? { _ in false } : taken.contains
        var random = SearchRandom(seed: seed, stream: number, use: .values)
        var point: [Coordinate]
        if case .tpe(let startupTrials) = algorithm {
            let estimator = TreeParzen(
                geometry: geometry, startupTrials: startupTrials, seed: seed, direction: objective.direction,
                rungs: earlyStopping?.rungs ?? [])
            point = estimator.point(number: number, history: history, isTaken: isTaken, &random)
        } else {
            point = geometry.randomPoint(&random)
        }
        for _ in 0..<Self.attempts where isTaken(point) { point = geometry.randomPoint(&random) }
        // Of more than twice as many as a search has trials, so many attempts find one that is free.
        if isTaken(point), let count = space.count, count <= 2 * Self.mostTrials {
            let free = (0..<count).compactMap(geometry.gridPoint).filter { !isTaken($0) }
            point = free[random.below(free.count)]
        }
        return geometry.values(point)
    }

    /// So many values of chance are looked at for one that was not tried yet, before the free ones are listed.
    private static let attempts = 64
}

extension Geometry {
    /// The points of a grid in the order of a counter, of which the last parameter is the last digit.
    func gridPoint(_ number: Int) -> [Coordinate]? {
        var rest = number
        var point: [Coordinate] = []
        for axis in axes.reversed() {
            let count: Int
            switch axis.kind {
            case .continuous: return nil
            case .ordered(let values): count = values
            case .categories(let values): count = values
            }
            point.append(axis.coordinate(index: rest % count))
            rest /= count
        }
        return rest == 0 ? point.reversed() : nil
    }
}
