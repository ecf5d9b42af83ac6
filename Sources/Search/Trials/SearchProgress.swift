/// What has come of a search so far.
public struct SearchProgress: Sendable, Hashable {
    /// Of an objective that no trial before had reached.
    public struct Improvement: Sendable, Hashable {
        public var number: Int
        public var objective: Double

        public init(number: Int, objective: Double) {
            self.number = number
            self.objective = objective
        }
    }

    public private(set) var pending = 0
    /// With an objective that is a number.
    public private(set) var succeeded = 0
    /// With those that ended well but for an objective that is no finite number.
    public private(set) var failed = 0
    /// Early.
    public private(set) var stopped = 0
    /// The best so far, by the number of the trial: its last is the best of all. Of equals the one with the lowest number is best.
    public private(set) var improvements: [Improvement] = []

    /// - Parameter trials: in any order.
    public init(_ trials: [Trial], direction: Direction) {
        for trial in trials.sorted(by: { $0.number < $1.number }) {
            switch trial.state {
            case .pending: pending += 1
            case .stopped: stopped += 1
            case .failed, .succeeded: if trial.isFailure { failed += 1 } else { succeeded += 1 }
            }
            guard let objective = trial.objective else { continue }
            if let best, direction.loss(objective) >= direction.loss(best.objective) { continue }
            improvements.append(Improvement(number: trial.number, objective: objective))
        }
    }

    /// Of the trials that succeeded with a finite objective; nil where there is none.
    public var best: Improvement? { improvements.last }

    public var total: Int { pending + succeeded + failed + stopped }
}
