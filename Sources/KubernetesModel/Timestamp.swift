import JSON

/// A moment in UTC with the resolution of a nanosecond, written as Kubernetes writes `metav1.Time` (RFC 3339).
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Since 1970-01-01T00:00:00Z.
    public var sinceEpoch: Duration

    /// A moment this long after 1970-01-01T00:00:00Z, or before.
    public init(sinceEpoch: Duration) { self.sinceEpoch = sinceEpoch }
    /// A moment of whole seconds since 1970-01-01T00:00:00Z.
    public init(seconds: Int64) { sinceEpoch = .seconds(seconds) }

    /// Whether the first is earlier.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.sinceEpoch < right.sinceEpoch }
    /// The moment that much later.
    public static func + (left: Timestamp, right: Duration) -> Timestamp { .init(sinceEpoch: left.sinceEpoch + right) }
    /// How much later the first is than the second; negative when it is earlier.
    public static func - (left: Timestamp, right: Timestamp) -> Duration { left.sinceEpoch - right.sinceEpoch }

    /// The start of the second: what is left after a round trip through `metav1.Time`.
    public var truncatedToSeconds: Timestamp { Timestamp(seconds: floored.seconds) }

    /// Seconds, and what is above them, which is never negative: also before the epoch.
    private var floored: (seconds: Int64, attoseconds: Int64) {
        let (seconds, attoseconds) = sinceEpoch.components
        return attoseconds < 0 ? (seconds - 1, attoseconds + 1_000_000_000_000_000_000) : (seconds, attoseconds)
    }

    /// `2026-11-22T21:36:08Z`
    public var description: String {
        let days = CivilDate.floorDivide(floored.seconds, 86_400)
        let second = floored.seconds - days * 86_400
        let date = CivilDate(daysSinceEpoch: days)
        func pad(_ value: Int64, _ width: Int = 2) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return
            "\(pad(date.year, 4))-\(pad(date.month))-\(pad(date.day))T\(pad(second / 3600)):\(pad(second / 60 % 60)):\(pad(second % 60))Z"
    }

    /// `2026-11-22T21:36:08.123456Z`, as `metav1.MicroTime` is written.
    public var microTime: String {
        let micros = String(floored.attoseconds / 1_000_000_000_000)
        return description.dropLast() + "." + String(repeating: "0", count: 6 - micros.count) + micros + "Z"
    }

    /// Parses RFC 3339, with any fraction and any offset.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var result: Int64 = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                result = result * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return result
        }
        func isByte(_ index: Int, _ expected: Unicode.Scalar) -> Bool {
            index < bytes.count && (bytes[index] | 0x20) == (UInt8(ascii: expected) | 0x20)
        }
        guard let year = number(0..<4), isByte(4, "-"), let month = number(5..<7), isByte(7, "-"),
            let day = number(8..<10), isByte(10, "T"), let hour = number(11..<13), isByte(13, ":"),
            let minute = number(14..<16), isByte(16, ":"), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var index = 19
        var nanoseconds: Int64 = 0
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            let start = index
            var scale: Int64 = 100_000_000
            while index < bytes.count, let digit = number(index..<(index + 1)) {
                nanoseconds += digit * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        var offset: Int64 = 0
        if isByte(index, "Z") {
            guard index + 1 == bytes.count else { return nil }
        } else {
            guard index + 6 == bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-"),
                let hours = number((index + 1)..<(index + 3)), bytes[index + 3] == UInt8(ascii: ":"),
                let minutes = number((index + 4)..<(index + 6)), hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 3600 + minutes * 60) * (bytes[index] == UInt8(ascii: "-") ? -1 : 1)
        }
        let date = CivilDate(year: year, month: month, day: day)
        let days = date.daysSinceEpoch
        guard CivilDate(daysSinceEpoch: days) == date else { return nil }
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        sinceEpoch = .seconds(seconds) + .nanoseconds(nanoseconds)
    }
}

extension JSONCursor {
    /// The time in a string as in RFC 3339; nil when absent or null.
    public func optionalTimestamp() throws(JSONShapeError) -> Timestamp? {
        guard let text = try optionalString() else { return nil }
        guard let result = Timestamp(text) else { throw failure("must be a time as in RFC 3339, not \"\(text)\"") }
        return result
    }
}
