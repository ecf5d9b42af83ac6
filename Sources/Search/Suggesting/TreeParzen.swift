/// The tree-structured Parzen estimator (Bergstra et al. 2011, 2013), with kernels over all parameters together (Falkner et al. 2018,
/// Watanabe 2023).
struct TreeParzen: Sendable {
    /// Of the trials observed, so many are the good ones, and at most `mostGood`.
    private static let goodShare = 0.12
    private static let mostGood = 25
    private static let candidates = 64
    /// Kernels of good trials keep so much for all categories, lest what was found first be the only one that is tried.
    private static let goodSpread = 0.4
    private static let goodLeastPower = 1.2

    let geometry: Geometry
    let startupTrials: Int
    let seed: Int
    let direction: Direction

    /// - Parameter history: by rising number.
    func point(
        number: Int, history: [Observed], isTaken: ([Coordinate]) -> Bool, _ random: inout SearchRandom
    ) -> [Coordinate] {
        let (good, bad, isKnown) = split(history)
        guard isKnown else { return startupPoint(number, &random) }
        let promising = ParzenMixture(
            good, geometry.axes, spread: .share(Self.goodSpread), leastPower: Self.goodLeastPower)
        let others = ParzenMixture(bad, geometry.axes, spread: .byCount, leastPower: 1)
        let candidates = (0..<Self.candidates).map { index in
            promising.point(geometry.axes, crossing: index % 2 == 1, &random)
        }
        let scores = zip(promising.logDensities(candidates), others.logDensities(candidates)).map { $0 - $1 }
        // What was tried already teaches nothing; of the rest the best, and of equals the first.
        let fresh = candidates.indices.filter { !isTaken(candidates[$0]) }
        var best = fresh.first
        for index in fresh where scores[index] > scores[best ?? index] { best = index }
        return best.map { candidates[$0] } ?? geometry.randomPoint(&random)
    }

    /// A Latin hypercube (McKay et al. 1979): of each axis, every trial at the beginning gets a part of its own.
    private func startupPoint(_ number: Int, _ random: inout SearchRandom) -> [Coordinate] {
        guard number < startupTrials else { return geometry.randomPoint(&random) }
        return geometry.axes.enumerated().map { index, axis in
            var shuffle = SearchRandom(seed: seed, stream: index, use: .strata)
            let part = shuffle.permutation(startupTrials)[number]
            return axis.coordinate(at: (Double(part) + random.unit()) / Double(startupTrials))
        }
    }

    /// The good, and all others: the bad, those that failed, and, as if they were bad (a constant liar, Ginsbourger et al. 2010),
    /// those that are running, so that the next ones keep away from them.
    private func split(_ history: [Observed]) -> (good: [[Coordinate]], bad: [[Coordinate]], isKnown: Bool) {
        var ranked: [(isStopped: Bool, steps: Int, loss: Double, place: Int)] = []
        for (place, item) in history.enumerated() {
            if let objective = item.trial.objective {
                ranked.append((false, 0, direction.loss(objective), place))
            } else if item.trial.state == .stopped, let report = item.trial.lastReport, report.value.isFinite {
                ranked.append((true, report.step, direction.loss(report.value), place))
            }
        }
        // Those that were stopped come after all that were not, and the later the sooner.
        ranked.sort { left, right in
            guard left.isStopped == right.isStopped else { return right.isStopped }
            return (-left.steps, left.loss, left.place) < (-right.steps, right.loss, right.place)
        }
        let count = min(Int((Self.goodShare * Double(ranked.count)).rounded(.up)), Self.mostGood)
        let good = Set(ranked.prefix(count).map(\.place))
        return (
            history.indices.filter(good.contains).map { history[$0].point },
            history.indices.filter { !good.contains($0) }.map { history[$0].point },
            ranked.count >= startupTrials
        )
    }
}
