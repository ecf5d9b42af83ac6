import KubernetesModel
import Schedule
import Testing

@Suite struct CronScheduleTests {
    private static func due(_ text: String, after start: String, _ count: Int = 3) throws -> [String] {
        let recurrence = Recurrence(try CronSchedule(text))
        var moment = try #require(Timestamp(start))
        return try (0..<count).map { _ in
            moment = try #require(recurrence.next(after: moment))
            return moment.description
        }
    }

    @Test(arguments: [
        ("* * * * *", ["2026-01-01T00:01", "2026-01-01T00:02", "2026-01-01T00:03"]),
        ("*/20 * * * *", ["2026-01-01T00:20", "2026-01-01T00:40", "2026-01-01T01:00"]),
        ("10-50/20 5 * * *", ["2026-01-01T05:10", "2026-01-01T05:30", "2026-01-01T05:50"]),
        // From a value on, to the end.
        ("50/5 5 * * *", ["2026-01-01T05:50", "2026-01-01T05:55", "2026-01-02T05:50"]),
        ("58,1-2 5 * * *", ["2026-01-01T05:01", "2026-01-01T05:02", "2026-01-01T05:58"]),
        ("0 3 * * 1", ["2026-01-05T03:00", "2026-01-12T03:00", "2026-01-19T03:00"]),
        ("0 3 * * Mon", ["2026-01-05T03:00", "2026-01-12T03:00", "2026-01-19T03:00"]),
        ("0 3 ? * SUN", ["2026-01-04T03:00", "2026-01-11T03:00", "2026-01-18T03:00"]),
        ("0 0 1 JAN-mar *", ["2026-02-01T00:00", "2026-03-01T00:00", "2027-01-01T00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("0 0 31 * *", ["2026-01-31T00:00", "2026-03-31T00:00", "2026-05-31T00:00"]),
        // Both restricted: either is enough.
        ("0 0 13 * FRI", ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00"]),
        // A star with a step restricts, one with a step of 1 does not.
        ("0 0 */10 * MON", ["2026-01-05T00:00", "2026-01-11T00:00", "2026-01-12T00:00"]),
        ("0 0 */1 * MON", ["2026-01-05T00:00", "2026-01-12T00:00", "2026-01-19T00:00"]),
        ("0 0 1-31 * MON", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        // A step beyond the range leaves its beginning.
        ("*/90 * * * *", ["2026-01-01T01:00", "2026-01-01T02:00", "2026-01-01T03:00"]),
        ("  0\t3 *  * * ", ["2026-01-01T03:00", "2026-01-02T03:00", "2026-01-03T03:00"]),
        ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00", "2026-01-01T03:00"]),
        ("@daily", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("@midnight", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("@weekly", ["2026-01-04T00:00", "2026-01-11T00:00", "2026-01-18T00:00"]),
        ("@monthly", ["2026-02-01T00:00", "2026-03-01T00:00", "2026-04-01T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
        ("@annually", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
    ])
    func aScheduleMeansWhatItMeansToACronJob(_ text: String, _ expected: [String]) throws {
        #expect(try Self.due(text, after: "2026-01-01T00:00:00Z") == expected.map { $0 + ":00Z" })
        #expect(try CronSchedule(text).description == text)
    }

    /// Each error names the field, the place and what is allowed.
    @Test(arguments: [
        ("60 * * * *", "minute", 0, "60 is not within 0 to 59"),
        ("0 24 * * *", "hour", 2, "24 is not within 0 to 23"),
        ("0 0 0 * *", "day of month", 4, "0 is not within 1 to 31"),
        ("0 0 * 13 *", "month", 6, "allowed are 1 to 12 or JAN to DEC, *"),
        ("0 0 * * 7", "day of week", 8, "7 is not within 0 to 6 (Sunday is 0)"),
        ("0 0 * * MON,FUN", "day of week", 12, "\"FUN\" is no value; allowed are 0 to 6 or SUN to SAT"),
        ("0 0 * MON *", "month", 6, "\"MON\" is no value"),
        ("JAN * * * *", "minute", 0, "\"JAN\" is no value"),
        ("5-1 * * * *", "minute", 0, "ends before it begins"),
        ("0 0 * * FRI-MON", "day of week", 8, "ends before it begins"),
        ("1,,2 * * * *", "minute", 2, "a comma has nothing beside it"),
        ("1, * * * *", "minute", 2, "a comma has nothing beside it"),
        ("*/0 * * * *", "minute", 2, "the step \"0\" is no whole number above 0"),
        ("*/ * * * *", "minute", 2, "the step \"\" is no whole number above 0"),
        ("*/5/5 * * * *", "minute", 0, "more than one /"),
        ("1-2-3 * * * *", "minute", 0, "more than one -"),
        ("*-5 * * * *", "minute", 0, "\"*\" is no value"),
        ("-5 * * * *", "minute", 0, "\"\" is no value"),
        ("+5 * * * *", "minute", 0, "\"+5\" is no value"),
        ("1.5 * * * *", "minute", 0, "\"1.5\" is no value"),
        ("99999999999999999999 * * * *", "minute", 0, "is no value"),
        ("٣ * * * *", "minute", 0, "is no value"),
        ("0 0 L * *", "day of month", 4, "\"L\" is no value"),
        ("0 0 30 2 *", "day of month", 4, "would never be due"),
        ("0 0 31 FEB,APR,JUN,SEP,NOV *", "day of month", 4, "would never be due"),
    ])
    func aWrongFieldIsNamed(_ text: String, _ field: String, _ offset: Int, _ reason: String) {
        let error = #expect(throws: ScheduleError.self) { try CronSchedule(text) }
        #expect(error?.field == field)
        #expect(error?.offset == offset)
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func anErrorIsOneLine() {
        let error = #expect(throws: ScheduleError.self) { try CronSchedule("0 24 * * *") }
        #expect(
            error?.description == """
                hour (field 2 of 5, at character 3): 24 is not within 0 to 23; allowed are 0 to 23, *, ranges as in a-b, \
                steps as in */n or a-b/n, and lists of these with commas
                """)
    }

    @Test(arguments: [
        ("", "has 0 fields; five are wanted"),
        ("* * * *", "has 4 fields"),
        ("0 * * * * *", "has 6 fields"),
        ("@every 1h", "counts from the last run and not by the clock"),
        ("@reboot", "is no name of a schedule; there are @annually, @daily"),
        ("@daily 5", "is no name of a schedule"),
        ("@Daily", "is no name of a schedule"),
        ("TZ=Europe/London 0 3 * * *", "name the zone in the field timeZone"),
        ("CRON_TZ=UTC 0 3 * * *", "name the zone in the field timeZone"),
        (String(repeating: "1,", count: 200) + "1 * * * *", "longer than 256 characters"),
    ])
    func whatIsNoScheduleIsRefused(_ text: String, _ reason: String) {
        let error = #expect(throws: ScheduleError.self) { try CronSchedule(text) }
        #expect(error?.field == nil)
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    /// What stands in a message may go to a terminal.
    @Test func controlCharactersAreNotQuoted() {
        let error = #expect(throws: ScheduleError.self) { try CronSchedule("\u{1B}[2J\u{9B}\n * * * *") }
        #expect(error?.description.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x9B } == false)
    }

    /// A day of the week, or another month, makes due what a day of the month alone would not.
    @Test(arguments: ["0 0 30 2 MON", "0 0 30 2,3 *", "0 0 29 2 *", "0 0 31 */2 *"])
    func whatIsRarelyDueIsAllowed(_ text: String) throws {
        #expect(Recurrence(try CronSchedule(text)).next(after: Timestamp(seconds: 0)) != nil)
    }

    @Test func theLeapDayIsFoundAcrossACenturyWithoutOne() throws {
        #expect(try Self.due("0 0 29 2 *", after: "2096-02-29T00:00:00Z", 1) == ["2104-02-29T00:00:00Z"])
        let recurrence = Recurrence(try CronSchedule("0 0 29 2 *"))
        let start = try #require(Timestamp("2090-01-01T00:00:00Z"))
        let end = try #require(Timestamp("2104-02-28T00:00:00Z"))
        #expect(recurrence.latest(after: start, through: end)?.description == "2096-02-29T00:00:00Z")
    }
}
