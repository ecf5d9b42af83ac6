import KubernetesModel

/// What a schedule asks for at some moment: at most one run, however many times have passed.
public struct DueRun: Sendable, Hashable {
    /// The scheduled time whose run is to be started now. It is the last one that has passed, and is recorded as handled
    /// when its run is.
    public var run: Timestamp?
    /// The last scheduled time that has passed, where it is further back than the starting deadline and so gets no run. It
    /// is to be recorded as handled too, and said.
    public var tooLate: Timestamp?
    /// Scheduled times that have passed unhandled and get no run of their own: those before `run`, or all up to `tooLate`.
    public var missed: Int
    /// When the schedule is due next, after now: the moment to look again. Nil beyond the year 9999.
    public var next: Timestamp?

    public init(run: Timestamp? = nil, tooLate: Timestamp? = nil, missed: Int = 0, next: Timestamp?) {
        self.run = run
        self.tooLate = tooLate
        self.missed = missed
        self.next = next
    }
}

extension Recurrence {
    /// How far ahead of the clock a handled time may be and still be believed, in seconds.
    ///
    /// The clock may have gone back a little since, and then what was handled is not due again. A time that is further
    /// ahead was written by a wrong clock; it would silence the schedule until then.
    public static let mostAhead: Int64 = 86_400

    /// What is due now.
    ///
    /// - Parameters:
    ///   - handled: the last scheduled time that was run or passed over; before the first, when the schedule was written.
    ///   - deadline: how late a run may start. Nil: however late.
    public func due(handled: Timestamp, now: Timestamp, startingDeadline deadline: Duration? = nil) -> DueRun {
        let isAhead = handled > now
        if isAhead, handled - now <= .seconds(Self.mostAhead) {
            return DueRun(next: next(after: handled))
        }
        let since = isAhead ? now : handled
        let next = next(after: now)
        guard let last = latest(after: since, through: now) else { return DueRun(next: next) }
        let passed = count(after: since, through: now)
        if let deadline, now - last > deadline {
            return DueRun(tooLate: last, missed: passed, next: next)
        }
        return DueRun(run: last, missed: passed - 1, next: next)
    }
}
