import FuzzProperties
import KubernetesModel
import Testing

@testable import Schedule

@Suite struct RecurrenceTests {
    private static func recurrence(_ text: String, _ zone: String) throws -> Recurrence {
        Recurrence(try CronSchedule(text), in: try ZoneDirectory().zone(ZoneName(zone)))
    }

    /// What is due around the changes of 2026: in London at one in the morning, on Lord Howe by half an hour at two.
    @Test(arguments: [
        // A skipped time runs at the first minute after the gap.
        ("30 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["03-29T01:00", "03-30T00:30"]),
        // Several skipped times, and that first minute itself, run once.
        ("*/15 1-2 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["03-29T01:00", "03-29T01:15", "03-29T01:30"]),
        ("0 2 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["03-29T01:00", "03-30T01:00"]),
        // A skipped time of another day is none.
        ("30 1 * * MON", "Europe/London", "2026-03-28T12:00:00Z", ["03-30T00:30"]),
        // A repeated time runs the first time alone, by whatever field it is named.
        ("30 1 * * *", "Europe/London", "2026-10-24T12:00:00Z", ["10-25T00:30", "10-26T01:30"]),
        ("*/30 * * * *", "Europe/London", "2026-10-25T00:00:00Z", ["10-25T00:30", "10-25T02:00", "10-25T02:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", ["10-03T15:30", "10-04T15:15"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", ["04-04T14:45", "04-05T15:15"]),
        // Midnight is skipped.
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", ["09-06T04:00", "09-07T03:00"]),
        ("59 23 * * *", "America/Santiago", "2026-04-04T00:00:00Z", ["04-04T02:59", "04-05T02:59", "04-06T03:59"]),
    ])
    func aChangeOfClocksSkipsAndRepeatsNoRun(
        _ text: String, _ zone: String, _ start: String, _ expected: [String]
    ) throws {
        let recurrence = try Self.recurrence(text, zone)
        var moment = try #require(Timestamp(start))
        for due in expected {
            moment = try #require(recurrence.next(after: moment))
            #expect(moment.description == "2026-\(due):00Z")
        }
    }

    @Test func aDayThatAZoneNeverHadIsMadeUpForOnTheNext() throws {
        // Samoa had no 30 December 2011.
        let recurrence = try Self.recurrence("0 3 * * *", "Pacific/Apia")
        var moment = try #require(Timestamp("2011-12-29T13:00:00Z"))
        for due in ["2011-12-30T10:00:00Z", "2011-12-30T13:00:00Z", "2011-12-31T13:00:00Z"] {
            moment = try #require(recurrence.next(after: moment))
            #expect(moment.description == due)
        }
    }

    @Test func fractionsOfASecondAreBetweenMinutes() throws {
        let recurrence = Recurrence(try CronSchedule("0 3 * * *"))
        let due = try #require(Timestamp("2026-05-01T03:00:00Z"))
        #expect(recurrence.next(after: due + .nanoseconds(-1)) == due)
        #expect(recurrence.next(after: due) == due + .seconds(86_400))
        #expect(recurrence.next(after: due + .nanoseconds(1)) == due + .seconds(86_400))
        #expect(recurrence.latest(after: due + .nanoseconds(-1), through: due) == due)
        #expect(recurrence.latest(after: due, through: due + .seconds(86_399)) == nil)
    }

    @Test(arguments: [Int64.min, -1 << 62, 1 << 62, Int64.max])
    func momentsBeyondAllCalendarsAreTaken(_ second: Int64) throws {
        let moment = Timestamp(seconds: second)
        for zone in ["UTC", "Europe/London", "Africa/Casablanca"] {
            let recurrence = try Self.recurrence("0 0 29 2 *", zone)
            let next = recurrence.next(after: moment)
            #expect((next == nil) == (second > 0))
            #expect(recurrence.due(handled: moment, now: moment).run == nil)
            let all = recurrence.count(after: Timestamp(seconds: .min), through: Timestamp(seconds: .max))
            #expect(all == 2425)
        }
    }

    // MARK: Zones that no place has

    /// A clock that is watched second by second: when it shows a minute for the first time, and what it passed to get
    /// there.
    private static func watch(_ zone: TimeZoneData, _ seconds: ClosedRange<Int64>) -> [(Int64, ClosedRange<Int64>)] {
        var shown: Int64?
        var offset = zone.initialOffset
        var ahead = zone.changes[...]
        var result: [(Int64, ClosedRange<Int64>)] = []
        for second in seconds {
            while let change = ahead.first, change.moment <= second {
                offset = change.offset
                ahead.removeFirst()
            }
            guard (second + offset) % 60 == 0 else { continue }
            let minute = (second + offset) / 60
            if let before = shown, minute <= before { continue }
            result.append((second, (shown ?? minute - 1) + 1...minute))
            shown = minute
        }
        return result
    }

    /// Changes of any size, minutes or seconds apart, of which some undo others.
    @Test(arguments: 0..<50) func anyChangesAreAsAClockShowsThem(_ seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let start: Int64 = 1_767_225_600
        var moment = start
        let changes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
            moment += Int64.random(in: 1...[40, 3600, 40_000].randomElement(using: &random)!, using: &random)
            let offset = Int64.random(in: -600...600, using: &random) * [1, 60, 90].randomElement(using: &random)!
            return TimeZoneData.Change(moment: moment, offset: offset)
        }
        let zone = TimeZoneData(initialOffset: Int64.random(in: -3600...3600, using: &random), changes: changes)
        let end = moment + 100_000
        // From before the first change, so that the watch begins where nothing is repeated.
        let shown = Self.watch(zone, (start - 20_000)...end)
        for text in ["*/7 * * * *", "30 */3 * * *", "0 0 * * *", "13 5,17 1 1 *"] {
            let recurrence = Recurrence(try CronSchedule(text), in: zone)
            let expected = shown.filter { _, passed in
                passed.contains { recurrence.schedule.first(in: $0..<($0 + 1)) != nil }
            }.map(\.0)
            var found: [Int64] = []
            var after = Timestamp(seconds: start - 20_000 - 1)
            while let next = recurrence.next(after: after), next <= Timestamp(seconds: end) {
                found.append(next.sinceEpoch.components.seconds)
                after = next
            }
            #expect(found == expected, "\(text) in \(zone)")
            for _ in 0..<20 {
                let first = Int64.random(in: (start - 20_000)...end, using: &random)
                let last = Int64.random(in: first...end, using: &random)
                let between = expected.filter { $0 > first && $0 <= last }
                let (after, through) = (Timestamp(seconds: first), Timestamp(seconds: last))
                #expect(recurrence.latest(after: after, through: through) == between.last.map(Timestamp.init(seconds:)))
                #expect(recurrence.count(after: after, through: through) == between.count)
                if let next = between.first { #expect(recurrence.next(after: after) == Timestamp(seconds: next)) }
            }
        }
    }
}
