import JSON
import KubernetesModel

/// How far an attempt is, by its own word while it ran. Nothing is decided by it.
public struct PushedProgress: Sendable, Hashable {
    /// Of a metric's history: enough for a plot.
    public static let mostPoints = 64
    /// Metrics with a history: those that were pushed first. Of all others the latest value stands.
    public static let mostHistories = 8

    public struct Point: Sendable, Hashable {
        /// Since the first push.
        public var second: Int64
        public var value: MetricValue

        public init(second: Int64, value: MetricValue) {
            self.second = second
            self.value = value
        }
    }

    public struct History: Sendable, Hashable {
        public var name: String
        public var split: Split
        public internal(set) var points: [Point] = []
    }

    /// Nil in the short form.
    public var step: String?
    public var attempt: Int
    public var percentage: Int?
    public var remainingSeconds: Int64?
    /// The latest value of each.
    public var metrics: [Metric] = []
    public var history: [History] = []
    /// Of the first push.
    public var startTime: Timestamp
    public var lastUpdated: Timestamp

    public init(step: String? = nil, attempt: Int, now: Timestamp) {
        self.step = step
        self.attempt = attempt
        startTime = now.truncatedToSeconds
        lastUpdated = now.truncatedToSeconds
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        step = try cursor["step"].optionalString()
        attempt = try cursor["attempt"].int()
        percentage = try cursor["percentage"].optionalInt()
        remainingSeconds = try cursor["estimatedRemainingSeconds"].optionalInteger()
        metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
        history = try cursor["history"].map { element throws(JSONShapeError) in
            History(
                name: try element["name"].string(), split: try element["split"].requiredEnum(),
                points: try element["points"].map { point throws(JSONShapeError) in
                    Point(
                        second: try point["second"].optionalInteger() ?? 0,
                        value: MetricValue(text: try point["value"].string()))
                })
        }
        startTime = try cursor["startTime"].optionalTimestamp() ?? Timestamp(seconds: 0)
        lastUpdated = try cursor["lastUpdated"].optionalTimestamp() ?? Timestamp(seconds: 0)
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "attempt": JSONValue(attempt), "startTime": .string(startTime.description),
            "lastUpdated": .string(lastUpdated.description),
        ]
        result["step"] = JSONValue(step)
        if let percentage { result["percentage"] = JSONValue(percentage) }
        if let remainingSeconds { result["estimatedRemainingSeconds"] = .integer(remainingSeconds) }
        if !metrics.isEmpty { result["metrics"] = JSONValue(metrics.map(\.json)) }
        if !history.isEmpty { result["history"] = JSONValue(history.map(\.json)) }
        return result
    }

    /// Takes in a push. What it does not speak of stays as it was said before.
    public mutating func take(_ body: PushBody, now: Timestamp) {
        lastUpdated = max(lastUpdated, now.truncatedToSeconds)
        if let percentage = body.percentage { self.percentage = percentage }
        if let seconds = body.remainingSeconds { remainingSeconds = seconds }
        let second = (lastUpdated - startTime).components.seconds
        for metric in body.metrics {
            if let index = metrics.firstIndex(where: { $0.name == metric.name && $0.split == metric.split }) {
                metrics[index].value = metric.value
            } else if metrics.count < MetricsReading.mostMetrics {
                metrics.append(metric)
            }
            note(Point(second: second, value: metric.value), of: metric)
        }
    }

    private mutating func note(_ point: Point, of metric: Metric) {
        if let index = history.firstIndex(where: { $0.name == metric.name && $0.split == metric.split }) {
            history[index].append(point)
        } else if history.count < Self.mostHistories {
            history.append(History(name: metric.name, split: metric.split, points: [point]))
        }
    }
}

extension PushedProgress.History {
    /// Keeps the first point and the last, and of those between them an even choice: where there are too many, the one goes
    /// whose neighbours are nearest to each other. So what is kept depends on the points alone, and goes on from a status
    /// that another replica has written.
    mutating func append(_ point: PushedProgress.Point) {
        points.append(point)
        guard points.count > PushedProgress.mostPoints else { return }
        var least = 1
        for index in 1..<points.count - 1 where gap(at: index) < gap(at: least) { least = index }
        points.remove(at: least)
    }

    private func gap(at index: Int) -> Int64 { points[index + 1].second - points[index - 1].second }

    var json: JSONValue {
        [
            "name": .string(name), "split": .string(split.rawValue),
            "points": JSONValue(
                points.map { ["second": .integer($0.second), "value": .string($0.value.description)] as JSONValue }),
        ]
    }
}
