internal import Concurrency
internal import HTTPTransport
internal import NIOHTTP1

/// The bytes before a response's body.
struct ResponseHead {
    private(set) var bytes: [UInt8]

    /// Header fields about framing that a handler set are left out: framing is the server's business.
    private static let ours = ["connection", "content-length", "date", "keep-alive", "transfer-encoding"]

    init(_ response: HTTPServerResponse, keepsAlive: Bool, now: Duration = SystemTime().wallNow()) {
        let status = HTTPResponseStatus(statusCode: response.status)
        bytes = []
        bytes.reserveCapacity(512)
        bytes += "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n".utf8
        for field in response.headers.fields where !Self.ours.contains(where: { Fields.isSame($0, field.name) }) {
            add(field.name, field.value)
        }
        add("Date", HTTPDate.latest(now))
        if !keepsAlive { add("Connection", "close") }
    }

    mutating func add(_ name: String, _ value: String) {
        bytes += name.utf8
        bytes += ": ".utf8
        bytes += value.utf8
        bytes += "\r\n".utf8
    }

    consuming func finished() -> [UInt8] {
        bytes += "\r\n".utf8
        return bytes
    }

    /// Informational answers, 204 and 304 have no body and no length (RFC 9112 §6.3).
    static func allowsBody(_ status: Int) -> Bool { status >= 200 && status != 204 && status != 304 }

    /// Why a response must not be sent: above all, a line break in a header would begin another one.
    static func fault(in response: HTTPServerResponse) -> String? {
        guard (200...599).contains(response.status) else { return "status \(response.status)" }
        for field in response.headers.fields {
            if field.name.isEmpty || !field.name.utf8.allSatisfy(isTokenByte) {
                return "header name `\(field.name)`"
            }
            if field.value.utf8.contains(where: { $0 < 32 && $0 != 9 || $0 == 127 }) {
                return "value of header `\(field.name)`"
            }
        }
        return nil
    }

    /// RFC 9110 §5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

/// IMF-fixdate (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static let last = Locked((second: Int64(-1), text: ""))

    /// As `string`, which it asks once a second.
    static func latest(_ time: Duration) -> String {
        let second = time.components.seconds
        return last.withLock { last in
            if last.second != second { last = (second, string(time)) }
            return last.text
        }
    }

    /// - Parameter time: Since the Unix epoch; not before it.
    static func string(_ time: Duration) -> String {
        let seconds = Int(max(0, time.components.seconds))
        let (days, second) = (seconds / 86400, seconds % 86400)
        // Days to a date by Howard Hinnant's algorithm, in a calendar whose years begin in March.
        let shifted = days + 719_468
        let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
        return "\(weekdays[days % 7]), \(two(day)) \(months[month - 1]) \(year) \(clock) GMT"
    }
}
