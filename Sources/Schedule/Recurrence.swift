import KubernetesModel

/// A schedule on the clocks of a place: the moments at which it is due.
///
/// A minute of the local clock that is repeated is due the first time alone. Minutes that are skipped are due at the first
/// minute after the gap, once, however many they are and also where that minute is due itself.
public struct Recurrence: Sendable, Hashable {
    public var schedule: CronSchedule
    public var zone: TimeZoneData

    public init(_ schedule: CronSchedule, in zone: TimeZoneData = .utc) {
        self.schedule = schedule
        self.zone = zone
    }

    /// Far enough for most schedules, in seconds; and for all, since nothing that is ever due is further apart than 29
    /// February is across a century without a leap day.
    private static let horizons: [Int64] = [8 * 86_400, 9 * 366 * 86_400]

    /// The first moment after this one at which the schedule is due; nil beyond the year 9999.
    public func next(after moment: Timestamp) -> Timestamp? {
        let after = TimeZoneData.clamped(moment)
        for horizon in Self.horizons {
            let through = TimeZoneData.clamped(Timestamp(seconds: after + horizon))
            for stretch in zone.stretches(after: after, through: through) {
                guard let due = first(in: stretch, after: after) else { continue }
                if due <= through { return Timestamp(seconds: due) }
                break
            }
        }
        return nil
    }

    /// The last moment at which the schedule was due, of those after the first and not after the second.
    public func latest(after start: Timestamp, through end: Timestamp) -> Timestamp? {
        let (after, through) = (TimeZoneData.clamped(start), TimeZoneData.clamped(end))
        guard after < through else { return nil }
        for stretch in zone.stretches(after: after, through: through).reversed() {
            if let due = last(in: stretch, after: after, through: through) { return Timestamp(seconds: due) }
        }
        return nil
    }

    /// How often the schedule was due after the first moment and not after the second. The cost is in the months between.
    public func count(after start: Timestamp, through end: Timestamp) -> Int {
        let (after, through) = (TimeZoneData.clamped(start), TimeZoneData.clamped(end))
        guard after < through else { return 0 }
        return zone.stretches(after: after, through: through).reduce(0) { count, stretch in
            let window = stretch.minute(after: after)..<stretch.minute(after: through)
            let fresh = stretch.fresh.clamped(to: window)
            let isMadeUp = window.contains(stretch.minutes.lowerBound) && makesUp(stretch)
            let isDueItself = isMadeUp && schedule.first(in: stretch.firstMinute) != nil
            return count + schedule.count(in: fresh) + (isMadeUp && !isDueItself ? 1 : 0)
        }
    }

    /// Whether what was skipped before the stretch is due at its first minute.
    private func makesUp(_ stretch: Stretch) -> Bool { schedule.first(in: stretch.skipped) != nil }

    private func first(in stretch: Stretch, after: Int64) -> Int64? {
        let earliest = stretch.minute(after: after)
        let firstMinute = stretch.minutes.lowerBound
        if firstMinute >= earliest, makesUp(stretch) { return stretch.moment(of: firstMinute) }
        let window = min(earliest, stretch.fresh.upperBound)..<stretch.fresh.upperBound
        return schedule.first(in: stretch.fresh.clamped(to: window)).map(stretch.moment(of:))
    }

    private func last(in stretch: Stretch, after: Int64, through: Int64) -> Int64? {
        let window = stretch.minute(after: after)..<stretch.minute(after: through)
        if let minute = schedule.last(in: stretch.fresh.clamped(to: window)) { return stretch.moment(of: minute) }
        let firstMinute = stretch.minutes.lowerBound
        return window.contains(firstMinute) && makesUp(stretch) ? stretch.moment(of: firstMinute) : nil
    }
}

extension Stretch {
    fileprivate var firstMinute: Range<Int64> { minutes.lowerBound..<(minutes.lowerBound + 1) }
}
