/// The minutes of a local clock at which something is due, as the five fields of cron say it.
///
/// The text means what it means to a Kubernetes CronJob, but `@every`, which no clock shows, and times that no calendar
/// has are refused.
public struct CronSchedule: Sendable, Hashable, CustomStringConvertible {
    /// As it was given.
    public let description: String
    let minutes: CronValues
    let hours: CronValues
    let daysOfMonth: CronValues
    let months: CronValues
    let daysOfWeek: CronValues

    /// In bytes.
    public static let longestText = 256

    /// What the names of `@` stand for.
    private static let names = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    /// Reads `MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK`, or a name such as `@daily`.
    public init(_ text: String) throws(ScheduleError) {
        guard text.utf8.count <= Self.longestText else {
            throw ScheduleError(offset: 0, reason: "the schedule is longer than \(Self.longestText) characters")
        }
        try Self.refuseZone(text)
        let given = text.split { $0 == " " || $0 == "\t" }
        if let name = given.first, name.hasPrefix("@") {
            self = try CronSchedule(name: name, alone: given.count == 1, text)
            return
        }
        guard given.count == CronField.allCases.count else {
            throw ScheduleError(
                offset: 0,
                reason: """
                    \(quoted(text)) has \(given.count) fields; five are wanted: minute, hour, day of month, month, \
                    day of week, as in "0 3 * * 1", or a name such as @daily
                    """)
        }
        func values(_ field: CronField) throws(ScheduleError) -> CronValues {
            let part = given[field.number - 1]
            let offset = text.utf8.distance(from: text.startIndex, to: part.startIndex)
            return try CronFieldReader(field: field, text: part, offset: offset).read()
        }
        description = text
        minutes = try values(.minute)
        hours = try values(.hour)
        daysOfMonth = try values(.dayOfMonth)
        months = try values(.month)
        daysOfWeek = try values(.dayOfWeek)
        try refuseNever(dayOffset: text.utf8.distance(from: text.startIndex, to: given[2].startIndex))
    }

    private init(name: Substring, alone: Bool, _ text: String) throws(ScheduleError) {
        if name == "@every" {
            throw ScheduleError(
                offset: 0,
                reason: "@every counts from the last run and not by the clock; write the times, as in \"*/15 * * * *\"")
        }
        guard alone, let fields = Self.names[String(name)] else {
            throw ScheduleError(
                offset: 0,
                reason:
                    "\(quoted(text)) is no name of a schedule; there are \(Self.names.keys.sorted().joined(separator: ", "))"
            )
        }
        let meaning = try CronSchedule(fields)
        description = text
        minutes = meaning.minutes
        hours = meaning.hours
        daysOfMonth = meaning.daysOfMonth
        months = meaning.months
        daysOfWeek = meaning.daysOfWeek
    }

    private static func refuseZone(_ text: String) throws(ScheduleError) {
        guard text.utf8.indices.contains(where: { text.utf8[$0...].starts(with: "TZ".utf8) }) else { return }
        throw ScheduleError(
            offset: 0, reason: "TZ and CRON_TZ are not allowed in a schedule; name the zone in the field timeZone")
    }

    /// The days of a month that are due are either some days of the week, of which every month has one, or some of its
    /// days, which must then be in one of the months.
    private func refuseNever(dayOffset: Int) throws(ScheduleError) {
        guard daysOfWeek.isStar else { return }
        // A leap year has every day that there is.
        guard !(1...12).contains(where: { days(year: 2024, month: $0) != 0 }) else { return }
        throw ScheduleError(
            field: CronField.dayOfMonth.rawValue, offset: dayOffset,
            reason: "none of the months has such a day, so the schedule would never be due; days of February go to 29")
    }
}
