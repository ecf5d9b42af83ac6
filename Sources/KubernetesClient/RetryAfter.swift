import KubernetesModel

/// `Retry-After` (RFC 9110 §10.2.3): seconds or a date, followed for at most 60 s.
///
/// No time at all says nothing: who came back at once, every time, would ask as often as the network allows. Our own
/// backoff counts then.
enum RetryAfter {
    /// - Parameter wallNow: since the Unix epoch; a date is relative to it.
    static func parse(_ value: String, wallNow: Duration) -> Duration? {
        let text = value.trimmingASCIISpace
        let wait: Duration
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // Too many digits are a long time as well.
            wait = Int64(text).map { .seconds(min($0, 3600)) } ?? RetryPolicy.maximumRetryAfter
        } else if let date = httpDate(text) {
            wait = date.sinceEpoch - wallNow
        } else {
            return nil
        }
        return followed(wait)
    }

    /// What a Status says in its details.
    static func parse(seconds: Int?) -> Duration? { seconds.flatMap { followed(.seconds(min($0, 3600))) } }

    private static func followed(_ wait: Duration) -> Duration? {
        wait > .zero ? min(wait, RetryPolicy.maximumRetryAfter) : nil
    }

    /// An IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`: the one form that servers may send (RFC 9110 §5.6.7).
    private static func httpDate(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[0].hasSuffix(","), parts[5] == "GMT", parts[1].utf8.count == 2,
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        return Timestamp("\(parts[3])-\(month < 9 ? "0" : "")\(month + 1)-\(parts[1])T\(parts[4])Z")
    }
}
