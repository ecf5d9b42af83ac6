import KubernetesModel

/// Searches on the local clock, in minutes since its 1970-01-01 00:00: what no zone is needed for. Each goes month by
/// month, so its cost is in the months that it passes.
extension CronSchedule {
    private static let minutesPerDay: Int64 = 1440
    /// 29 February is eight years apart where a century has no leap day; nothing that is ever due is further.
    private static let mostMonths = 9 * 12

    /// The first minute that is due of those in the range.
    func first(in range: Range<Int64>) -> Int64? {
        guard !range.isEmpty else { return nil }
        var day = CivilDate.floorDivide(range.lowerBound, Self.minutesPerDay)
        var minute = Int(range.lowerBound - day * Self.minutesPerDay)
        var month = Month(containing: day)
        for _ in 0..<Self.mostMonths where month.firstDay * Self.minutesPerDay < range.upperBound {
            var days = self.days(month) & (UInt32.max << UInt32(max(0, day - month.firstDay) + 1))
            while days != 0 {
                let candidate = month.firstDay + Int64(days.trailingZeroBitCount) - 1
                if let time = firstTime(from: candidate == day ? minute : 0) {
                    let found = candidate * Self.minutesPerDay + Int64(time)
                    return found < range.upperBound ? found : nil
                }
                days &= days - 1
            }
            month = month.next
            (day, minute) = (month.firstDay, 0)
        }
        return nil
    }

    /// The last minute that is due of those in the range.
    func last(in range: Range<Int64>) -> Int64? {
        guard !range.isEmpty else { return nil }
        var day = CivilDate.floorDivide(range.upperBound - 1, Self.minutesPerDay)
        var minute = Int(range.upperBound - 1 - day * Self.minutesPerDay)
        var month = Month(containing: day)
        for _ in 0..<Self.mostMonths where (month.next.firstDay * Self.minutesPerDay) > range.lowerBound {
            var days = self.days(month) & ~(UInt32.max << UInt32(day - month.firstDay + 2))
            while days != 0 {
                let highest = 31 - days.leadingZeroBitCount
                let candidate = month.firstDay + Int64(highest) - 1
                if let time = lastTime(through: candidate == day ? minute : Int(Self.minutesPerDay) - 1) {
                    let found = candidate * Self.minutesPerDay + Int64(time)
                    return found >= range.lowerBound ? found : nil
                }
                days &= ~(1 << UInt32(highest))
            }
            day = month.firstDay - 1
            minute = Int(Self.minutesPerDay) - 1
            month = Month(containing: day)
        }
        return nil
    }

    /// How many minutes of the range are due.
    func count(in range: Range<Int64>) -> Int {
        guard !range.isEmpty else { return 0 }
        let firstDay = CivilDate.floorDivide(range.lowerBound, Self.minutesPerDay)
        let lastDay = CivilDate.floorDivide(range.upperBound, Self.minutesPerDay)
        var days = 0
        var month = Month(containing: firstDay)
        while month.firstDay < lastDay {
            var due = self.days(month) & (UInt32.max << UInt32(max(0, firstDay - month.firstDay) + 1))
            // Days from the last one on are left out.
            if lastDay - month.firstDay < 31 { due &= ~(UInt32.max << UInt32(lastDay - month.firstDay + 1)) }
            days += due.nonzeroBitCount
            month = month.next
        }
        /// Of a day, before this minute in the local clock.
        func before(_ minute: Int64, on day: Int64) -> Int {
            let month = Month(containing: day)
            guard self.days(month) >> UInt32(day - month.firstDay + 1) & 1 == 1 else { return 0 }
            return times(before: Int(minute - day * Self.minutesPerDay))
        }
        return days * times(before: Int(Self.minutesPerDay)) - before(range.lowerBound, on: firstDay)
            + before(range.upperBound, on: lastDay)
    }

    // MARK: Times of a day

    private func firstTime(from minute: Int) -> Int? {
        let hour = minute / 60
        let rest = minutes.bits & (UInt64.max << UInt64(minute % 60))
        if hours.contains(hour), rest != 0 { return hour * 60 + rest.trailingZeroBitCount }
        let later = hours.bits & (UInt64.max << UInt64(hour + 1))
        return later == 0 ? nil : later.trailingZeroBitCount * 60 + minutes.bits.trailingZeroBitCount
    }

    private func lastTime(through minute: Int) -> Int? {
        let hour = minute / 60
        let rest = minutes.bits & ~(UInt64.max << UInt64(minute % 60 + 1))
        if hours.contains(hour), rest != 0 { return hour * 60 + 63 - rest.leadingZeroBitCount }
        let earlier = hours.bits & ~(UInt64.max << UInt64(hour))
        return earlier == 0 ? nil : (63 - earlier.leadingZeroBitCount) * 60 + 63 - minutes.bits.leadingZeroBitCount
    }

    private func times(before minute: Int) -> Int {
        let hour = minute / 60
        let whole = (hours.bits & ~(UInt64.max << UInt64(hour))).nonzeroBitCount * minutes.bits.nonzeroBitCount
        guard hour < 24, hours.contains(hour) else { return whole }
        return whole + (minutes.bits & ~(UInt64.max << UInt64(minute % 60))).nonzeroBitCount
    }

    // MARK: Days of a month

    private func days(_ month: Month) -> UInt32 { days(year: month.year, month: month.month) }

    /// The days of a month that are due, bit 1 for the first. Where both the day of the month and that of the week are
    /// restricted, either is enough, as for Kubernetes.
    func days(year: Int64, month: Int64) -> UInt32 {
        guard months.contains(Int(month)) else { return 0 }
        let month = Month(year: year, month: month)
        let there = ~(UInt32.max << UInt32(month.next.firstDay - month.firstDay + 1)) & ~1
        let byDate = UInt32(truncatingIfNeeded: daysOfMonth.bits) & there
        if daysOfWeek.isStar { return byDate }
        // 1970-01-01, day 0, was a Thursday.
        let weekday = Int(month.firstDay + 4 - CivilDate.floorDivide(month.firstDay + 4, 7) * 7)
        var byWeekday: UInt32 = 0
        for day in 1...31 where daysOfWeek.contains((weekday + day - 1) % 7) { byWeekday |= 1 << UInt32(day) }
        return daysOfMonth.isStar ? byWeekday & there : byDate | byWeekday & there
    }
}

/// A month of a year, and where it begins.
private struct Month {
    let year: Int64
    let month: Int64
    /// Since 1970-01-01.
    let firstDay: Int64

    init(year: Int64, month: Int64) {
        self.year = year
        self.month = month
        firstDay = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
    }

    init(containing day: Int64) {
        let date = CivilDate(daysSinceEpoch: day)
        self.init(year: date.year, month: date.month)
    }

    var next: Month { month == 12 ? Month(year: year + 1, month: 1) : Month(year: year, month: month + 1) }
}
