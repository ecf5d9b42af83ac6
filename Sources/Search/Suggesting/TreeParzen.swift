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
    /// The steps at which trials are compared that may be ended early, rising.
    let rungs: [Int]

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
        let ranked = ranking(history)
        let count = min(Int((Self.goodShare * Double(ranked.count)).rounded(.up)), Self.mostGood)
        let good = Set(ranked.prefix(count))
        return (
            history.indices.filter(good.contains).map { history[$0].point },
            history.indices.filter { !good.contains($0) }.map { history[$0].point },
            !ranked.isEmpty
        )
    }

    /// The places of the trials that have shown something, the best first; empty where too few have.
    ///
    /// Where trials are ended early, they are compared at the furthest step that enough of them have got to (as in BOHB, Falkner et
    /// al. 2018), since those that were let run to the end at the beginning need not be good. Others come after these, and the sooner
    /// they were ended the later.
    private func ranking(_ history: [Observed]) -> [Int] {
        var levels: [[(place: Int, loss: Double)]] = [[]]
        for rung in rungs { levels.append(losses(history) { $0.report(at: rung)?.value }) }
        levels.append(losses(history, \.objective))
        guard let level = levels.last(where: { $0.count >= startupTrials }) else { return [] }
        let compared = level.sorted { ($0.loss, $0.place) < ($1.loss, $1.place) }.map(\.place)
        let known = Set(compared)
        let rest = levels.reversed().flatMap { $0.sorted { ($0.loss, $0.place) < ($1.loss, $1.place) } }.map(\.place)
        var seen = known
        return compared + rest.filter { seen.insert($0).inserted }
    }

    private func losses(_ history: [Observed], _ value: (Trial) -> Double?) -> [(place: Int, loss: Double)] {
        history.enumerated().compactMap { place, item in
            guard item.trial.state == .stopped || item.trial.objective != nil else { return nil }
            guard let value = value(item.trial), value.isFinite else { return nil }
            return (place, direction.loss(value))
        }
    }
}
