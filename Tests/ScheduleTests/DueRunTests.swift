import FuzzProperties
import KubernetesModel
import Schedule
import Testing

@Suite struct DueRunTests {
    private static func moment(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }
    private static func daily() throws -> Recurrence { Recurrence(try CronSchedule("0 3 * * *")) }

    @Test func nothingIsDueBeforeTheFirstTime() throws {
        let due = try Self.daily().due(
            handled: Self.moment("2026-05-01T10:00:00Z"), now: Self.moment("2026-05-02T02:59:59Z"))
        #expect(due == DueRun(next: try Self.moment("2026-05-02T03:00:00Z")))
    }

    @Test func aTimeIsDueFromItsSecondOn() throws {
        let time = try Self.moment("2026-05-02T03:00:00Z")
        let due = try Self.daily().due(handled: Self.moment("2026-05-01T03:00:00Z"), now: time)
        #expect(due == DueRun(run: time, missed: 0, next: try Self.moment("2026-05-03T03:00:00Z")))
        // Once it is handled, it is not due again.
        #expect(try Self.daily().due(handled: time, now: time + .seconds(5)).run == nil)
    }

    @Test func anOutageGivesOneRunHoweverManyTimesPassed() throws {
        let due = try Self.daily().due(
            handled: Self.moment("2026-05-01T03:00:00Z"), now: Self.moment("2026-05-11T09:00:00Z"))
        #expect(due.run == (try Self.moment("2026-05-11T03:00:00Z")))
        #expect(due.missed == 9)
        #expect(due.tooLate == nil)
        #expect(due.next == (try Self.moment("2026-05-12T03:00:00Z")))
    }

    @Test func whatIsPastItsDeadlineDoesNotRun() throws {
        let (handled, time) = (try Self.moment("2026-05-01T03:00:00Z"), try Self.moment("2026-05-02T03:00:00Z"))
        let deadline = Duration.seconds(600)
        func due(_ late: Duration) throws -> DueRun {
            try Self.daily().due(handled: handled, now: time + late, startingDeadline: deadline)
        }
        #expect(try due(.seconds(600)).run == time)
        let late = try due(.seconds(600) + .nanoseconds(1))
        #expect(late == DueRun(tooLate: time, missed: 1, next: time + .seconds(86_400)))
        #expect(try Self.daily().due(handled: handled, now: time, startingDeadline: .zero).run == time)
    }

    /// Kubernetes gives up beyond a hundred missed times; a century of minutes is nothing to count here.
    @Test func manyMissedTimesAreCounted() throws {
        let recurrence = Recurrence(try CronSchedule("* * * * *"), in: try ZoneDirectory().zone(ZoneName("Asia/Tokyo")))
        let now = try Self.moment("2026-01-01T00:00:00Z")
        let due = recurrence.due(handled: try Self.moment("1976-01-01T00:00:00Z"), now: now)
        #expect(due.run == now)
        #expect(due.missed == (50 * 365 + 13) * 1440 - 1)
    }

    @Test func aClockThatWentBackRunsNothingTwice() throws {
        let handled = try Self.moment("2026-05-02T03:00:00Z")
        let due = try Self.daily().due(handled: handled, now: handled + .seconds(-1800))
        #expect(due == DueRun(next: try Self.moment("2026-05-03T03:00:00Z")))
    }

    @Test func aHandledTimeFarAheadDoesNotSilenceTheSchedule() throws {
        let now = try Self.moment("2026-05-02T02:00:00Z")
        let due = try Self.daily().due(handled: Self.moment("2036-05-02T03:00:00Z"), now: now)
        #expect(due == DueRun(next: try Self.moment("2026-05-02T03:00:00Z")))
    }

    /// A planner that sleeps until it is to look again, and is away at times, runs each time once and none twice.
    @Test(arguments: 0..<20) func whoLooksAtAnyTimesRunsAsOftenAsOneWhoWatches(_ seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let zone = try ZoneDirectory().zone(ZoneName("Europe/London"))
        let text = try #require(["30 1 * * *", "*/20 * * * *", "0 0-6 * * SUN"].randomElement(using: &random))
        let recurrence = Recurrence(try CronSchedule(text), in: zone)
        let start = try Self.moment("2026-03-20T00:00:00Z")
        let deadline = Bool.random(using: &random) ? Duration.seconds(Int64.random(in: 0...7200, using: &random)) : nil
        var (handled, now, run, passed) = (start, start, 0, 0)
        while now < start + .seconds(20 * 86_400) {
            let due = recurrence.due(handled: handled, now: now, startingDeadline: deadline)
            if let time = due.run {
                #expect(time > handled && time <= now && (deadline.map { now - time <= $0 } ?? true))
                run += 1
            }
            passed += due.missed
            handled = due.run ?? due.tooLate ?? handled
            let next = try #require(due.next)
            #expect(next > now)
            now =
                Int.random(in: 0..<4, using: &random) == 0
                ? now + .seconds(Int64.random(in: 1...90_000, using: &random)) : next
        }
        #expect(run + passed == recurrence.count(after: start, through: handled))
        #expect(run > 0)
    }

    /// Three times pass during a long run: afterwards the last of them runs, once.
    @Test func whatComesDuringARunIsRememberedOnce() throws {
        let recurrence = Recurrence(try CronSchedule("0 * * * *"))
        let handled = try Self.moment("2026-05-02T03:00:00Z")
        for minutes in [60, 130, 190] {
            let due = recurrence.due(handled: handled, now: handled + .seconds(minutes * 60))
            #expect(due.run != nil)
        }
        let after = handled + .seconds(200 * 60)
        let due = recurrence.due(handled: handled, now: after)
        #expect(due.run == (try Self.moment("2026-05-02T06:00:00Z")))
        #expect(recurrence.due(handled: try #require(due.run), now: after).run == nil)
        let late = recurrence.due(handled: handled, now: after, startingDeadline: .seconds(600))
        #expect(late.run == nil && late.tooLate == due.run)
    }
}
