/// Asynchronous successive halving (Li et al. 2020), by which trials that promise little are ended early.
///
/// A trial that has got to a rung goes on only while it is among the best of all that have got to it so far: the best one, and one more
/// for every η of them. It is judged at the highest rung that it has got to, again and again, by what is known at the time: the answer is
/// a function of the reports, not of the order in which they came. That is stricter than to judge once, and the one more makes up for it.
public struct SuccessiveHalving: Sendable, Hashable {
    /// The steps at which trials are compared, rising.
    public let rungs: [Int]
    /// η: of so many, about one goes on.
    public let reductionFactor: Int

    /// - Parameters:
    ///   - minResource: the step of the first rung. Before it no trial is stopped.
    ///   - maxResource: the steps of a whole training; there is no rung at it, or after it.
    ///   - reductionFactor: each rung is so many times as far as the one before.
    /// - Throws: `SearchProblems` with paths below `earlyStopping.asha`.
    public init(minResource: Int, maxResource: Int, reductionFactor: Int = 3) throws(SearchProblems) {
        let path = "earlyStopping.asha"
        var problems: [SearchProblem] = []
        if minResource < 1 { problems.append(.init("\(path).minResource", "must be at least 1")) }
        if maxResource <= minResource {
            problems.append(.init("\(path).maxResource", "must be more than minResource, or nothing is ever stopped"))
        }
        if !(2...100).contains(reductionFactor) {
            problems.append(.init("\(path).reductionFactor", "must be between 2 and 100"))
        }
        guard problems.isEmpty else { throw SearchProblems(problems) }
        self.reductionFactor = reductionFactor
        var rungs: [Int] = []
        var next = minResource
        while next < maxResource {
            rungs.append(next)
            let (product, overflow) = next.multipliedReportingOverflow(by: reductionFactor)
            if overflow { break }
            next = product
        }
        self.rungs = rungs
    }

    /// Of each rung the first report that is as far, all that a decision needs: what else was reported may be forgotten.
    public func decisive(_ reports: [TrialReport]) -> [TrialReport] {
        let trial = Trial(number: 0, values: [:], reports: reports)
        var decisive: [TrialReport] = []
        for rung in rungs {
            guard let report = trial.report(at: rung) else { break }
            if decisive.last?.step != report.step { decisive.append(report) }
        }
        return decisive
    }

    /// The numbers of the running trials that should be ended, rising.
    public func stopped(_ trials: [Trial], direction: Direction) -> [Int] {
        // A rung's report by number of the trial, for all that have got to it, whatever became of them.
        let reached = rungs.map { rung in
            trials.compactMap { trial in
                trial.report(at: rung).map { (number: trial.number, value: $0.value) }
            }
        }
        return trials.filter { trial in
            guard trial.state == .pending else { return false }
            guard let rung = reached.last(where: { $0.contains { $0.number == trial.number } }) else { return false }
            return !goesOn(trial.number, rung, direction)
        }.map(\.number).sorted()
    }

    private func goesOn(_ number: Int, _ rung: [(number: Int, value: Double)], _ direction: Direction) -> Bool {
        // What is no number has diverged, and is worse than any that is one.
        let finite = rung.filter(\.value.isFinite).sorted {
            (direction.loss($0.value), $0.number) < (direction.loss($1.value), $1.number)
        }
        return finite.prefix(1 + rung.count / reductionFactor).contains { $0.number == number }
    }
}
