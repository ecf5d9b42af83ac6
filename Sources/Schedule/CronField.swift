/// One of the five fields of a schedule.
enum CronField: String, CaseIterable {
    case minute
    case hour
    case dayOfMonth = "day of month"
    case month
    case dayOfWeek = "day of week"

    /// From 1, as they stand in the text.
    var number: Int {
        switch self {
        case .minute: 1
        case .hour: 2
        case .dayOfMonth: 3
        case .month: 4
        case .dayOfWeek: 5
        }
    }

    var bounds: ClosedRange<Int> {
        switch self {
        case .minute: 0...59
        case .hour: 0...23
        case .dayOfMonth: 1...31
        case .month: 1...12
        case .dayOfWeek: 0...6
        }
    }

    /// In lower case, in the order of the values from the least on.
    var names: [String] {
        switch self {
        case .month: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        case .dayOfWeek: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
        default: []
        }
    }

    /// What a message says after what is wrong.
    var allowed: String {
        let values =
            switch self {
            case .month: "1 to 12 or JAN to DEC"
            case .dayOfWeek: "0 to 6 or SUN to SAT"
            default: "\(bounds.lowerBound) to \(bounds.upperBound)"
            }
        return "allowed are \(values), *, ranges as in a-b, steps as in */n or a-b/n, and lists of these with commas"
    }
}

/// The values that a field allows, as bits.
struct CronValues: Sendable, Hashable {
    var bits: UInt64 = 0
    /// Whether the field says `*` or `?`, with no step above 1. What counts is what was written: `0-6` is no star.
    var isStar = false

    func contains(_ value: Int) -> Bool { bits >> UInt64(value) & 1 == 1 }
}

/// Reads one field. The grammar is that of robfig/cron v3's standard parser, which Kubernetes uses for CronJobs, but for
/// what that parser takes and ignores: empty entries of a list, and what stands after `*-`.
struct CronFieldReader {
    let field: CronField
    let text: Substring
    /// Of the field, in the bytes of the whole text.
    let offset: Int

    func read() throws(ScheduleError) -> CronValues {
        var result = CronValues()
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard !entry.isEmpty else { throw failure(entry, "a comma has nothing beside it; \(field.allowed)") }
            let values = try self.entry(entry)
            result.bits |= values.bits
            result.isStar = result.isStar || values.isStar
        }
        return result
    }

    private func entry(_ entry: Substring) throws(ScheduleError) -> CronValues {
        let parts = entry.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw failure(entry, "\(quoted(entry)) has more than one /; \(field.allowed)") }
        let step = parts.count == 2 ? try self.step(parts[1]) : 1
        let isStar = parts[0] == "*" || parts[0] == "?"
        let range = isStar ? field.bounds : try self.range(parts[0], toTheEnd: parts.count == 2)
        var result = CronValues(isStar: isStar && step == 1)
        for value in stride(from: range.lowerBound, through: range.upperBound, by: step) {
            result.bits |= 1 << UInt64(value)
        }
        return result
    }

    /// - Parameter toTheEnd: a single value with a step is a range up to the greatest value.
    private func range(_ text: Substring, toTheEnd: Bool) throws(ScheduleError) -> ClosedRange<Int> {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2 else { throw failure(text, "\(quoted(text)) has more than one -; \(field.allowed)") }
        let first = try value(ends[0])
        guard ends.count == 2 else { return first...(toTheEnd ? field.bounds.upperBound : first) }
        let last = try value(ends[1])
        guard first <= last else {
            throw failure(text, "the range \(quoted(text)) ends before it begins; write it as two, with a comma")
        }
        return first...last
    }

    private func value(_ text: Substring) throws(ScheduleError) -> Int {
        if let index = field.names.firstIndex(of: text.lowercased()) { return index + field.bounds.lowerBound }
        guard let value = number(text) else { throw failure(text, "\(quoted(text)) is no value; \(field.allowed)") }
        guard field.bounds.contains(value) else {
            let hint = field == .dayOfWeek && value == 7 ? " (Sunday is 0)" : ""
            let bounds = "\(field.bounds.lowerBound) to \(field.bounds.upperBound)"
            throw failure(text, "\(value) is not within \(bounds)\(hint); \(field.allowed)")
        }
        return value
    }

    private func step(_ text: Substring) throws(ScheduleError) -> Int {
        guard let step = number(text), step > 0 else {
            throw failure(text, "the step \(quoted(text)) is no whole number above 0; \(field.allowed)")
        }
        return step
    }

    /// Digits alone, and no more than any use has.
    private func number(_ text: Substring) -> Int? {
        guard text.utf8.count <= 6, !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private func failure(_ part: Substring, _ reason: String) -> ScheduleError {
        let before = text.utf8.distance(from: text.startIndex, to: part.startIndex)
        return ScheduleError(field: field.rawValue, offset: offset + before, reason: reason)
    }
}
