/// What a load run has measured.
public struct LoadSummary: Sendable, Hashable {
    /// Of the answers that came, in seconds, ascending.
    private let latencies: [Double]
    /// No answer, or one that is not of 2xx.
    public let errors: Int
    public let seconds: Double

    /// - Parameters:
    ///   - latencies: in seconds, in any order, of every request that was answered well.
    ///   - seconds: how long the run took.
    public init(latencies: [Double], errors: Int, seconds: Double) {
        self.latencies = latencies.sorted()
        self.errors = errors
        self.seconds = seconds
    }

    public var requests: Int { latencies.count + errors }

    /// The smallest value that is not exceeded by the given part of the answers (nearest rank); nil without answers.
    /// - Parameter part: above 0, at most 1.
    public func quantile(_ part: Double) -> Double? {
        guard !latencies.isEmpty else { return nil }
        let rank = Int((part * Double(latencies.count)).rounded(.up))
        return latencies[min(max(rank, 1), latencies.count) - 1]
    }

    /// The metrics of a candidate. Without a good answer there is no latency, and nothing that asks for one passes.
    public var metrics: [String: Double] {
        guard requests > 0, seconds > 0 else { return [:] }
        var result = [
            "requestsPerSecond": Double(latencies.count) / seconds,
            "errorRate": Double(errors) / Double(requests),
        ]
        for (name, part) in [("latencyP50Seconds", 0.5), ("latencyP90Seconds", 0.9), ("latencyP99Seconds", 0.99)] {
            result[name] = quantile(part).map { ($0 * 1e6).rounded() / 1e6 }
        }
        return result
    }

    /// What thresholds with `source: Candidate` can ask for.
    public static let names = [
        "errorRate", "latencyP50Seconds", "latencyP90Seconds", "latencyP99Seconds", "requestsPerSecond",
    ]
}
