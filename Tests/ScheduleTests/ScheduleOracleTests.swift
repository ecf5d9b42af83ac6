import FuzzProperties
import JSON
import KubernetesModel
import Schedule
import Subprocess
import Testing

/// Schedules and zones beside Python's own time zones, which watch a clock minute by minute.
@Suite struct ScheduleOracleTests {
    private static func ask(_ questions: [JSONValue]) async throws -> [JSONValue] {
        let script = String(#filePath.dropLast("ScheduleOracleTests.swift".count)) + "schedule_oracle.py"
        let answer = try await Subprocess.run(
            .name("env"), arguments: ["/usr/bin/python3", script],
            input: .string(questions.map { $0.serialized() + "\n" }.joined()), output: .string(limit: 1 << 26),
            error: .string(limit: 1 << 16))
        #expect(answer.standardError.isEmpty, "\(answer.standardError)")
        let lines = answer.standardOutput.split(separator: "\n")
        try #require(lines.count == questions.count)
        return try lines.map { try JSONValue(parsing: String($0)) }
    }

    private static func moments(_ json: JSONValue?) -> [Int64] { (json?.array ?? []).compactMap(\.integer) }

    private static func zone(_ name: String) throws -> TimeZoneData { try ZoneDirectory().zone(ZoneName(name)) }

    /// All that is due after one moment and up to another, each found from the one before.
    private static func due(_ recurrence: Recurrence, _ start: Timestamp, _ end: Timestamp) -> [Int64] {
        var result: [Int64] = []
        var moment = start
        while let next = recurrence.next(after: moment), next <= end {
            result.append(next.sinceEpoch.components.seconds)
            moment = next
        }
        return result
    }

    private static let schedules = [
        // Within the hours that are skipped and repeated in one of the zones, and around them.
        "30 1 * * *", "30 2 * * *", "15 2 * * SUN", "0 2 * * *", "0 3 * * 1", "59 1 * * *", "45 1 * 4 *", "0 0 * * *",
        "*/5 * * * *", "*/20 1-2 * * *", "7,37 0-4/2 * * *", "0 * * * *", "*/45 2 * * 0",
        // Days.
        "0 12 13 * FRI", "0 0 */2 * MON", "0 0 31 * *", "30 6 1-7 1,JUL ?", "0 9 * feb-APR mon-fri", "10/25 23 */9 * ?",
    ]

    /// Both changes of the year in each: an hour in the north at one and at two, half an hour in the south, and an hour in
    /// the south at midnight.
    @Test(arguments: ["Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Santiago"])
    func aYearIsDueWhenAClockThatIsWatchedShowsIt(_ name: String) async throws {
        let start = try #require(Timestamp("2026-01-01T00:00:00Z"))
        let end = try #require(Timestamp("2027-01-01T00:00:00Z"))
        let answers = try await Self.ask([
            [
                "zone": .string(name), "from": .integer(start.sinceEpoch.components.seconds),
                "to": .integer(end.sinceEpoch.components.seconds),
                "schedules": JSONValue(Self.schedules),
            ]
        ])
        let zone = try Self.zone(name)
        for (text, expected) in zip(Self.schedules, answers[0].array ?? []) {
            let recurrence = Recurrence(try CronSchedule(text), in: zone)
            let due = Self.due(recurrence, start, end)
            #expect(due == Self.moments(expected), "\(text) in \(name)")
            #expect(recurrence.count(after: start, through: end) == due.count, "\(text) in \(name)")
            #expect(!due.isEmpty, "\(text) in \(name)")
        }
    }

    /// Where clocks jumped over a day (Samoa), went back a day in the other direction (Kwajalein skips one too), changed
    /// twice within the month of fasting (Morocco), or had offsets of seconds (Liberia).
    @Test(arguments: [
        ("Pacific/Apia", "2011-12-20T00:00:00Z", "2012-01-10T00:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-10T00:00:00Z", "1993-08-30T00:00:00Z"),
        ("Africa/Casablanca", "2026-02-01T00:00:00Z", "2026-04-10T00:00:00Z"),
        ("Asia/Pyongyang", "2015-08-01T00:00:00Z", "2015-08-30T00:00:00Z"),
        ("Europe/Dublin", "2026-03-20T00:00:00Z", "2026-04-10T00:00:00Z"),
        ("Antarctica/Troll", "2026-03-20T00:00:00Z", "2026-04-10T00:00:00Z"),
        ("Antarctica/Troll", "2026-10-20T00:00:00Z", "2026-11-10T00:00:00Z"),
        ("America/Nuuk", "2040-03-20T00:00:00Z", "2040-04-10T00:00:00Z"),
        ("Europe/London", "2099-10-20T00:00:00Z", "2099-11-10T00:00:00Z"),
    ])
    func rareChangesAreAsAClockShowsThem(_ name: String, _ from: String, _ to: String) async throws {
        let (start, end) = (try #require(Timestamp(from)), try #require(Timestamp(to)))
        let schedules = Self.schedules + ["* * * * *"]
        let answers = try await Self.ask([
            [
                "zone": .string(name), "from": .integer(start.sinceEpoch.components.seconds),
                "to": .integer(end.sinceEpoch.components.seconds),
                "schedules": JSONValue(schedules),
            ]
        ])
        let zone = try Self.zone(name)
        for (text, expected) in zip(schedules, answers[0].array ?? []) {
            let recurrence = Recurrence(try CronSchedule(text), in: zone)
            let due = Self.due(recurrence, start, end)
            #expect(due == Self.moments(expected), "\(text) in \(name)")
            #expect(recurrence.count(after: start, through: end) == due.count, "\(text) in \(name)")
            #expect(recurrence.latest(after: start, through: end)?.sinceEpoch.components.seconds == due.last)
        }
    }

    /// A hundred moments in each zone that is here: from before railways to a century ahead.
    @Test func everyZoneOfTheSystemHasTheOffsetsThatPythonFinds() async throws {
        let names = try await Subprocess.run(
            .name("env"),
            arguments: ["/usr/bin/python3", "-c", "import zoneinfo; print(*sorted(zoneinfo.available_timezones()))"],
            output: .string(limit: 1 << 16), error: .discarded
        ).standardOutput.split { $0 == " " || $0 == "\n" }
        #expect(names.count > 400)
        var random = SplitMix(seed: 20_261_130)
        let questions = names.map { name -> JSONValue in
            // To the second as well as near the beginning of a day, where most changes are.
            let moments = (0..<100).map { _ in Int64.random(in: -4_000_000_000...6_000_000_000, using: &random) }
            return [
                "zone": .string(String(name)), "moments": JSONValue(moments.map { JSONValue.integer($0) }),
            ]
        }
        for (question, answer) in zip(questions, try await Self.ask(questions)) {
            let name = question["zone"]?.string ?? ""
            let zone = try Self.zone(name)
            let found = Self.moments(question["moments"]).map { zone.offset(at: Timestamp(seconds: $0)) }
            #expect(found == Self.moments(answer), "\(name)")
        }
    }
}
