/// Reads a footer of a TZif file (RFC 9636, section 3.3): `std offset [dst [offset],start[/time],end[/time]]`.
struct PosixZoneReader {
    private var rest: Substring.UTF8View
    /// Whether hours of a rule may go from -167 to 167, as they may from version 3 on.
    private let isExtended: Bool

    private init(_ text: String, isExtended: Bool) {
        rest = text[...].utf8
        self.isExtended = isExtended
    }

    static func read(_ text: String, isExtended: Bool) throws(TZifError) -> PosixZone {
        var reader = PosixZoneReader(text, isExtended: isExtended)
        return try reader.zone(text)
    }

    private mutating func zone(_ text: String) throws(TZifError) -> PosixZone {
        try name()
        // The sign is that of what is added to local time to get UTC.
        let standard = -(try time(hours: 24))
        guard !rest.isEmpty else { return PosixZone(standard: standard) }
        try name()
        let offset = rest.first == UInt8(ascii: ",") ? standard + 3600 : -(try time(hours: 24))
        let start = try yearlyMoment()
        let end = try yearlyMoment()
        guard rest.isEmpty else { throw TZifError("the footer \(quoted(text)) has more than a rule") }
        return PosixZone(standard: standard, summer: .init(offset: offset, start: start, end: end))
    }

    /// Three letters or more, or anything of letters, digits and signs in angle brackets. What it is does not matter.
    private mutating func name() throws(TZifError) {
        if take("<") {
            let length = rest.prefix { $0 != UInt8(ascii: ">") }.count
            let isName = rest.prefix(length).allSatisfy {
                Self.isLetter($0) || Self.isDigit($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-")
            }
            rest = rest.dropFirst(length)
            guard length >= 3, isName, take(">") else { throw unexpected("a name in angle brackets") }
        } else {
            let length = rest.prefix(while: Self.isLetter).count
            guard length >= 3 else { throw unexpected("a name of three letters") }
            rest = rest.dropFirst(length)
        }
    }

    /// `[+-]hh[:mm[:ss]]`, in seconds.
    private mutating func time(hours: Int64) throws(TZifError) -> Int64 {
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        var seconds = try number(0...hours) * 3600
        if take(":") {
            seconds += try number(0...59) * 60
            if take(":") { seconds += try number(0...59) }
        }
        guard seconds <= hours * 3600 else { throw unexpected("a time of at most \(hours) hours") }
        return isNegative ? -seconds : seconds
    }

    private mutating func yearlyMoment() throws(TZifError) -> PosixZone.YearlyMoment {
        guard take(",") else { throw unexpected("a comma and a rule") }
        let day: PosixZone.YearlyMoment.Day
        if take("J") {
            day = .julian(try number(1...365))
        } else if take("M") {
            let month = try number(1...12)
            guard take(".") else { throw unexpected("a week of a month") }
            let week = try number(1...5)
            guard take(".") else { throw unexpected("a day of a week") }
            day = .weekday(month: month, week: week, day: try number(0...6))
        } else {
            day = .ordinal(try number(0...365))
        }
        guard take("/") else { return .init(day: day, time: 2 * 3600) }
        let time = try time(hours: isExtended ? 167 : 24)
        guard isExtended || time >= 0 else {
            throw TZifError("the footer has a time before midnight, which needs version 3")
        }
        return .init(day: day, time: time)
    }

    private mutating func number(_ bounds: ClosedRange<Int64>) throws(TZifError) -> Int64 {
        // More digits than any of the bounds has would only lead to an overflow.
        let digits = rest.prefix(while: Self.isDigit)
        guard (1...3).contains(digits.count) else { throw unexpected("a number of one to three digits") }
        let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
        guard bounds.contains(value) else {
            throw TZifError("the footer has \(value) where \(bounds.lowerBound) to \(bounds.upperBound) is expected")
        }
        rest = rest.dropFirst(digits.count)
        return value
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private func unexpected(_ wanted: String) -> TZifError {
        TZifError("the footer has \(quoted(Substring(rest))) where \(wanted) is expected")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
