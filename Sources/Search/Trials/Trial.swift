/// A value of the objective that a trial pushed while it ran.
public struct TrialReport: Sendable, Hashable {
    /// How far the training was, in its own unit: epochs, batches. From 1.
    public var step: Int
    /// May be NaN or infinite, when the training diverged.
    public var value: Double

    public init(step: Int, value: Double) {
        self.step = step
        self.value = value
    }
}

/// One training of a search, as it was observed.
public struct Trial: Sendable, Hashable {
    public enum State: Sendable, Hashable {
        /// Created, and no end of it was seen.
        case pending
        /// It ended well; the objective is nil where it was not reported. Only a finite one counts.
        case succeeded(objective: Double?)
        case failed
        /// The search ended it early, for what it had reported did not promise enough.
        case stopped
    }

    /// From 0; no two of a search have the same.
    public var number: Int
    /// What was suggested, by the name of the parameter.
    public var values: [String: String]
    public var state: State
    /// What it pushed, in any order. Those that `SuccessiveHalving.decisive` names are enough.
    public var reports: [TrialReport]

    public init(number: Int, values: [String: String], state: State = .pending, reports: [TrialReport] = []) {
        self.number = number
        self.values = values
        self.state = state
        self.reports = reports
    }

    /// The objective of a trial that succeeded and is a number: only such a trial can be best.
    public var objective: Double? {
        guard case .succeeded(let objective?) = state, objective.isFinite else { return nil }
        return objective
    }

    /// It ended and can never be best: failed, or without an objective that is a finite number.
    public var isFailure: Bool {
        switch state {
        case .failed: true
        case .succeeded: objective == nil
        case .pending, .stopped: false
        }
    }

    /// The first report that is as far as a step; of several at one step the first.
    func report(at step: Int) -> TrialReport? {
        var found: TrialReport?
        for report in reports where report.step >= step {
            if let known = found, known.step <= report.step { continue }
            found = report
        }
        return found
    }
}

/// What is better.
public enum Direction: String, Sendable, Hashable, CaseIterable {
    case maximize = "Maximize"
    case minimize = "Minimize"

    /// Smaller is better.
    func loss(_ value: Double) -> Double { self == .minimize ? value : -value }
}
