/// How often one may do something: a bucket that fills with time, and from which each time takes one.
public struct TokenBucket: Sendable, Hashable {
    /// What is in a full one.
    public let size: Double
    /// How long it takes for one more.
    public let interval: Duration
    private var content: Double
    private var filledAt: Duration

    public init(size: Int, interval: Duration, now: Duration) {
        self.size = Double(size)
        self.interval = interval
        content = Double(size)
        filledAt = now
    }

    /// Takes one; where there is none, returns how long to wait for it.
    public mutating func take(now: Duration) -> Duration? {
        content = filled(now)
        filledAt = max(filledAt, now)
        guard content < 1 else {
            content -= 1
            return nil
        }
        return interval * (1 - content)
    }

    /// As good as a new one.
    public func isFull(now: Duration) -> Bool { filled(now) >= size }

    private func filled(_ now: Duration) -> Double {
        now > filledAt ? min(size, content + (now - filledAt) / interval) : content
    }
}
