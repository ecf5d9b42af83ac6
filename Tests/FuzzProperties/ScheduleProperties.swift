import KubernetesModel
import Schedule

/// The text of a schedule.
enum CronProperties {
    static func check(_ input: [UInt8]) throws {
        guard let text = String(validating: input, as: UTF8.self) else { return }
        let schedule: CronSchedule
        do {
            schedule = try CronSchedule(text)
        } catch {
            try hold("an error lies within the text", (0...input.count).contains(error.offset), [text, error])
            try hold("an error is a short line", error.description.utf8.count < 512, [text, error])
            return
        }
        try hold("a schedule is shown as it was given", schedule.description == text, [text, schedule])
        let spaced = text.split { $0 == " " || $0 == "\t" }.joined(separator: "  ").lowercased()
        try RecurrenceProperties.check(Recurrence(schedule))
        let again = Recurrence(try CronSchedule(spaced))
        let start = Timestamp(seconds: 1_767_225_600)
        try hold(
            "space and the case of letters mean nothing",
            again.next(after: start) == Recurrence(schedule).next(after: start),
            [text, spaced])
    }
}

/// The bytes of a time zone.
enum TZifProperties {
    static func check(_ input: [UInt8]) throws {
        let zone: TimeZoneData
        do {
            zone = try TimeZoneData(tzif: input)
        } catch {
            try hold("an error is a short line", error.description.utf8.count < 512, [error])
            return
        }
        for second in [Int64.min, -4_000_000_000, 0, 1_774_746_000, 33_000_000_000, .max] {
            let offset = zone.offset(at: Timestamp(seconds: second))
            // 25 and 26 hours, less a second.
            try hold("an offset is of a day", (-89_999...93_599).contains(offset), [second, offset])
        }
        for text in ["*/20 * * * *", "30 2 * * *", "0 0 29 2 *"] {
            try RecurrenceProperties.check(Recurrence(try CronSchedule(text), in: zone))
        }
    }
}

enum RecurrenceProperties {
    /// From some moments on, what is due next, and what was due last, agree.
    static func check(_ recurrence: Recurrence) throws {
        for start in [-1_000_000_000, 1_743_206_400, 5_000_000_000] as [Int64] {
            let start = Timestamp(seconds: start)
            var (moment, count) = (start, 0)
            while count < 4, let next = recurrence.next(after: moment) {
                try hold("what is due next is later", next > moment, [recurrence.schedule, moment, next])
                try hold(
                    "what is due next is what was due last then",
                    recurrence.latest(after: moment, through: next) == next,
                    [recurrence.schedule, moment, next])
                moment = next
                count += 1
            }
            try hold("there is always a next", count == 4, [recurrence.schedule, moment])
            let counted = recurrence.count(after: start, through: moment)
            try hold(
                "as many are counted as are found", counted == count, [recurrence.schedule, start, moment, counted])
            let due = recurrence.due(handled: start, now: moment)
            try hold(
                "one run is due, the last", due.run == moment && due.missed == count - 1, [recurrence.schedule, due])
        }
    }
}
