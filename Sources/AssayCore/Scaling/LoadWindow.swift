/// What a model's load was in each of the last seconds, over all gateways.
public struct LoadWindow: Sendable, Hashable {
    public struct Second: Sendable, Hashable {
        /// Requests at a time, on average.
        public var concurrency: Double
        public var requests: Double

        public init(concurrency: Double = 0, requests: Double = 0) {
            self.concurrency = concurrency
            self.requests = requests
        }

        var isIdle: Bool { concurrency == 0 && requests == 0 }
    }

    private static let length = Int(Autoscaler.stableWindow.components.seconds)

    /// The oldest first.
    private var seconds: [Second] = []
    /// When there was a request last, or when looking began; by the monotonic clock.
    public private(set) var lastActive: Duration
    private var isComplete = false

    /// - Parameter now: when looking begins.
    public init(now: Duration) { lastActive = now }

    /// - Parameters:
    ///   - second: what all gateways that were heard say of it together.
    ///   - isComplete: every gateway was heard.
    public mutating func add(_ second: Second, isComplete: Bool, now: Duration) {
        seconds.append(second)
        if seconds.count > Self.length { seconds.removeFirst(seconds.count - Self.length) }
        // Who was not heard may have had a request.
        if !second.isIdle || !isComplete { lastActive = now }
        self.isComplete = isComplete
    }

    public func load(in metric: Autoscaling.Metric) -> Autoscaler.Load {
        func average(_ count: Int) -> Double {
            let part = seconds.suffix(count)
            guard !part.isEmpty else { return 0 }
            let sum = part.reduce(0) { $0 + (metric == .concurrency ? $1.concurrency : $1.requests) }
            return sum / Double(part.count)
        }
        return Autoscaler.Load(
            stable: average(Self.length), panic: average(Int(Autoscaler.panicWindow.components.seconds)),
            span: .seconds(seconds.count), isComplete: isComplete)
    }
}
