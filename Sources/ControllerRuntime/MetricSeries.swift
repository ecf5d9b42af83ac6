import Concurrency
import CoreMetrics

enum MetricKind: String, Sendable {
    case counter
    case gauge
    case histogram
}

struct MetricLabel: Sendable, Hashable, Comparable {
    var name: String
    var value: String

    static func < (left: MetricLabel, right: MetricLabel) -> Bool {
        (left.name, left.value) < (right.name, right.value)
    }
}

/// The measurements of one name and one set of labels.
public final class MetricSeries: Sendable {
    struct Values {
        var value = 0.0
        var count: UInt64 = 0
        /// How many observations fell into each bucket and no earlier one; the last is +Inf.
        var buckets: [UInt64]
    }

    let kind: MetricKind
    let bounds: [Double]
    private let values: Locked<Values>

    init(_ kind: MetricKind, buckets: [Double]) {
        self.kind = kind
        bounds = kind == .histogram ? buckets : []
        values = Locked(Values(buckets: kind == .histogram ? Array(repeating: 0, count: buckets.count + 1) : []))
    }

    /// Of a counter or gauge; of a histogram, the sum.
    public var value: Double { values.withLock { $0.value } }
    /// Of a histogram, how many observations it has.
    public var count: UInt64 { values.withLock { $0.count } }

    /// Adds to a counter or gauge. A counter takes no negative amount.
    public func increment(by amount: Double = 1) {
        if kind == .counter, !(amount >= 0) { return }
        values.withLock { $0.value += amount }
    }

    /// Sets a gauge, or a counter that is counted elsewhere.
    public func set(_ value: Double) { values.withLock { $0.value = value } }

    /// Takes an observation into a histogram.
    public func observe(_ value: Double) {
        if value.isNaN { return }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        values.withLock { values in
            values.value += value
            values.count += 1
            if values.buckets.indices.contains(index) { values.buckets[index] += 1 }
        }
    }

    /// Takes a duration into a histogram, in seconds.
    public func observe(_ duration: Duration) { observe(duration.inSeconds) }

    var snapshot: Values { values.withLock { $0 } }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

/// The handlers of swift-metrics over a series. `reset` is ignored: a Prometheus counter starts over with its process.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
    private let series: MetricSeries
    init(_ series: MetricSeries) { self.series = series }
    func increment(by amount: Int64) { series.increment(by: Double(amount)) }
    func increment(by amount: Double) { series.increment(by: amount) }
    func reset() {}
}

final class GaugeSeries: MeterHandler, RecorderHandler {
    private let series: MetricSeries
    init(_ series: MetricSeries) { self.series = series }
    func set(_ value: Int64) { series.set(Double(value)) }
    func set(_ value: Double) { series.set(value) }
    func increment(by amount: Double) { series.increment(by: amount) }
    func decrement(by amount: Double) { series.increment(by: -amount) }
    func record(_ value: Int64) { series.set(Double(value)) }
    func record(_ value: Double) { series.set(value) }
}

final class HistogramSeries: RecorderHandler, TimerHandler {
    private let series: MetricSeries
    init(_ series: MetricSeries) { self.series = series }
    func record(_ value: Int64) { series.observe(Double(value)) }
    func record(_ value: Double) { series.observe(value) }
    func recordNanoseconds(_ duration: Int64) { series.observe(Double(duration) / 1e9) }
}
