import JSON

/// What a gateway has counted of a revision since it began to send it requests.
public struct RevisionLoad: Sendable, Hashable {
    /// Upper bounds of the buckets of latencies, in seconds: they tell a fast model from a slow one.
    public static let latencyBounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// No count is larger, so that sums of them stay whole.
    private static let largest: Int64 = 1 << 53

    public private(set) var requests: Int64 = 0
    /// Of them those that ended in a status of 500 or more, or in a broken answer.
    public private(set) var errors: Int64 = 0
    /// How many took as long as each bound at most and longer than the one before; the last, how many took longer than all.
    public private(set) var latencies = [Int64](repeating: 0, count: latencyBounds.count + 1)

    public init() {}

    /// A request has ended.
    /// - Parameter seconds: from its head to the end of its answer.
    public mutating func count(isError: Bool, seconds: Double) {
        requests += 1
        if isError { errors += 1 }
        latencies[Self.latencyBounds.firstIndex { seconds <= $0 } ?? Self.latencyBounds.count] += 1
    }

    // MARK: Sums

    /// What came since an earlier count; nil where this one is not its continuation.
    public func since(_ earlier: RevisionLoad) -> RevisionLoad? {
        guard requests >= earlier.requests, errors >= earlier.errors,
            zip(latencies, earlier.latencies).allSatisfy({ $0 >= $1 })
        else { return nil }
        var result = self
        result.requests -= earlier.requests
        result.errors -= earlier.errors
        for index in result.latencies.indices { result.latencies[index] -= earlier.latencies[index] }
        return result
    }

    public mutating func add(_ other: RevisionLoad) {
        requests = min(requests + other.requests, Self.largest)
        errors = min(errors + other.errors, Self.largest)
        for index in latencies.indices {
            latencies[index] = min(latencies[index] + other.latencies[index], Self.largest)
        }
    }

    // MARK: What they say

    /// The part of the requests that failed, if there were at least so many and all that are missing went well; nil without any.
    public func errorRate(ofAtLeast least: Int64 = 0) -> Double? {
        let count = max(requests, least)
        return count > 0 ? Double(errors) / Double(count) : nil
    }

    /// The smallest bound that is not exceeded by the given part of the requests: no less than the quantile itself, and infinite
    /// where that is beyond all bounds; nil without any.
    ///
    /// - Parameters:
    ///   - part: above 0, at most 1.
    ///   - least: if there were at least so many, and all that are missing were fast.
    public func latency(_ part: Double, ofAtLeast least: Int64 = 0) -> Double? {
        let count = latencies.reduce(0, +)
        let all = max(count, least)
        guard all > 0 else { return nil }
        let rank = max(1, Int64((part * Double(all)).rounded(.up)))
        var seen = all - count
        for (bound, bucket) in zip(Self.latencyBounds, latencies) {
            seen += bucket
            if seen >= rank { return bound }
        }
        return .infinity
    }

    // MARK: JSON

    /// Nil for what no gateway of this version says: that counts as nothing measured.
    public init?(json: JSONValue) {
        guard let requests = json["requests"]?.integer, let errors = json["errors"]?.integer,
            let counts = json["latencies"]?.array?.compactMap(\.integer), counts.count == latencies.count,
            (0...Self.largest).contains(requests), (0...requests).contains(errors),
            counts.allSatisfy({ (0...requests).contains($0) })
        else { return nil }
        (self.requests, self.errors, latencies) = (requests, errors, counts)
    }

    public var json: JSONValue {
        [
            "requests": .integer(requests), "errors": .integer(errors),
            "latencies": .array(latencies.map(JSONValue.integer)),
        ]
    }
}
