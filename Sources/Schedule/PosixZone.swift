import KubernetesModel

/// What a TZif file's footer says of all later years, in the form of POSIX's `TZ` variable.
struct PosixZone: Sendable, Hashable {
    struct Summer: Sendable, Hashable {
        /// Ahead of UTC, in seconds.
        var offset: Int64
        var start: YearlyMoment
        var end: YearlyMoment
    }

    /// A moment of each year on the local clock that is valid just before it.
    struct YearlyMoment: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// `J60`: from 1 to 365; 29 February is never counted.
            case julian(Int64)
            /// `59`: from 0 to 365; 29 February is counted.
            case ordinal(Int64)
            /// `M3.5.0`: the month, which one of its weekdays (5 is the last), the day of the week from 0 for Sunday.
            case weekday(month: Int64, week: Int64, day: Int64)
        }

        var day: Day
        /// Seconds after midnight, or before.
        var time: Int64

        /// On a local clock, in seconds since its 1970-01-01 00:00.
        func localSecond(in year: Int64) -> Int64 { dayNumber(in: year) * 86_400 + time }

        private func dayNumber(in year: Int64) -> Int64 {
            let newYear = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
            switch day {
            case .ordinal(let day): return newYear + day
            case .julian(let day):
                let march = CivilDate(year: year, month: 3, day: 1).daysSinceEpoch
                return day < 60 ? newYear + day - 1 : march + day - 60
            case .weekday(let month, let week, let weekday):
                let first = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
                let next = CivilDate(year: month == 12 ? year + 1 : year, month: month % 12 + 1, day: 1).daysSinceEpoch
                // Day 0 was a Thursday.
                let ahead = weekday - (first + 4)
                let day = first + ahead - CivilDate.floorDivide(ahead, 7) * 7 + (week - 1) * 7
                return day < next ? day : day - 7
            }
        }
    }

    /// Ahead of UTC, in seconds.
    var standard: Int64
    var summer: Summer?

    /// What changes in a year: nothing, or the beginning and the end of summer time.
    func changes(in year: Int64) -> [TimeZoneData.Change] {
        guard let summer else { return [] }
        return [
            .init(moment: summer.start.localSecond(in: year) - standard, offset: summer.offset),
            .init(moment: summer.end.localSecond(in: year) - summer.offset, offset: standard),
        ]
    }
}
