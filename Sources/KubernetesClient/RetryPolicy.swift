import HTTPTransport
import KubernetesModel

/// When a call is made again, and after how long.
///
/// Reads are tried again on failures to connect, broken connections, 429 and 5xx. Writes only where the server certainly
/// did nothing: it was never reached, or it answered 429 with a time to come back. A time-out is never tried again.
public struct RetryPolicy: Sendable {
    /// All tries together; 1 means none but the first.
    public var maximumAttempts: Int
    /// The longest wait before the second try; it doubles with each further one, and the wait is a random part of it.
    public var base: Duration
    /// No delay is longer, but for a Retry-After.
    public var maximumBackoff: Duration

    /// How often, and after what delays.
    public init(
        maximumAttempts: Int = 4, base: Duration = .milliseconds(100), maximumBackoff: Duration = .seconds(5)
    ) {
        self.maximumAttempts = maximumAttempts
        self.base = base
        self.maximumBackoff = maximumBackoff
    }

    /// For programs that run for long.
    public static let standard = RetryPolicy()
    /// Every failure is the caller's.
    public static let never = RetryPolicy(maximumAttempts: 1)

    /// The longest that a server's `Retry-After` is followed.
    static let maximumRetryAfter: Duration = .seconds(60)

    /// The wait before the next try; nil where the error is final.
    ///
    /// - Parameters:
    ///   - attempt: how many tries were made so far.
    ///   - random: in 0..<1.
    func delay(after error: KubernetesError, attempt: Int, isWrite: Bool, random: Double) -> Duration? {
        guard attempt < maximumAttempts, isRetryable(error, isWrite: isWrite) else { return nil }
        // A tenth on top, so that those who were sent away together do not come back together.
        if let wait = error.retryAfter { return wait + wait * (random / 10) }
        var ceiling = base
        for _ in 1..<max(attempt, 1) where ceiling < maximumBackoff { ceiling *= 2 }
        return min(ceiling, maximumBackoff) * random
    }

    private func isRetryable(_ error: KubernetesError, isWrite: Bool) -> Bool {
        switch error.code {
        case .transport(let error):
            return error.code == .connect || (!isWrite && error.code == .broken)
        case .status(let status):
            if status.code == 429 { return !isWrite || error.retryAfter != nil }
            return !isWrite && [500, 502, 503, 504].contains(status.code)
        case .malformed, .configuration, .withheld:
            return false
        }
    }
}
