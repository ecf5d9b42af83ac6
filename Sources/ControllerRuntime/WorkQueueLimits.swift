/// How fast a ``WorkQueue`` lets work come back.
public struct WorkQueueLimits: Sendable {
    /// After the first failure of a key; it doubles with each further one.
    public var firstRetry: Duration
    /// No delay of a key grows beyond it.
    public var longestRetry: Duration
    /// Retries of all keys together: a bucket of `burst` that refills at `perSecond`.
    public var perSecond: Double
    /// How many retries of all keys may come at once.
    public var burst: Int
    /// No key is worked on more often than this within any second; 0 means no limit.
    public var perKeyAndSecond: Int

    /// client-go's defaults, and five times a second for each key.
    public init(
        firstRetry: Duration = .milliseconds(5), longestRetry: Duration = .seconds(1000), perSecond: Double = 10,
        burst: Int = 100, perKeyAndSecond: Int = 5
    ) {
        self.firstRetry = firstRetry
        self.longestRetry = longestRetry
        self.perSecond = perSecond
        self.burst = burst
        self.perKeyAndSecond = perKeyAndSecond
    }

    /// The delay after the given number of failures in a row of one key, the first being 1.
    public func delay(afterFailure failures: Int) -> Duration {
        var delay = firstRetry
        for _ in 1..<min(max(failures, 1), 64) where delay < longestRetry { delay *= 2 }
        return min(delay, longestRetry)
    }
}

/// A bucket of tokens from which one may take ahead of time, and then waits (Go's `rate.Limiter.Reserve`).
struct TokenBucket: Sendable {
    private let perSecond: Double
    private let burst: Double
    private var tokens: Double
    private var last: Duration?

    init(perSecond: Double, burst: Int) {
        self.perSecond = perSecond
        self.burst = Double(burst)
        tokens = Double(burst)
    }

    /// Takes a token; returns how long to wait for it.
    mutating func reserve(now: Duration) -> Duration {
        refill(now)
        tokens -= 1
        return tokens >= 0 || perSecond <= 0 ? .zero : .seconds(-tokens / perSecond)
    }

    /// Takes a token if there is one.
    mutating func tryTake(now: Duration) -> Bool {
        refill(now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    var isFull: Bool { tokens >= burst }

    mutating func refill(_ now: Duration) {
        if let last, now > last { tokens = min(burst, tokens + (now - last).inSeconds * perSecond) }
        last = max(last ?? now, now)
    }
}
