import Concurrency
import CoreMetrics

/// Collects measurements and writes them as Prometheus reads them.
///
/// It is a factory for swift-metrics. Handlers of equal name and labels share one series. A family holds at most
/// `seriesLimit` series; what comes later is counted in a series whose labels all say `other`, so that no input from
/// outside makes the process grow.
public final class MetricsRegistry: MetricsFactory {
    struct State {
        var families: [String: MetricFamily] = [:]
        var collectors: [@Sendable () -> Void] = []
        var overflows: Int64 = 0
    }

    private let state = Locked(State())
    private let seriesLimit: Int
    private let descriptions: [String: MetricDescription]

    /// - Parameters:
    ///   - descriptions: help texts and buckets by name, beside those of the names that the runtime uses.
    ///   - seriesLimit: how many series a family holds.
    public init(descriptions: [String: MetricDescription] = [:], seriesLimit: Int = 500) {
        self.descriptions = MetricDescription.known.merging(descriptions) { $1 }
        self.seriesLimit = seriesLimit
    }

    /// Calls `body` before each exposition, to set gauges that are only worth reading then.
    public func beforeExposition(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.collectors.append(body) }
    }

    /// The text of all families, sorted by name.
    public func exposition(_ format: MetricsFormat = .text) -> String {
        for collector in state.withLock({ $0.collectors }) { collector() }
        var (families, overflows) = state.withLock { ($0.families, $0.overflows) }
        if overflows > 0 {
            let name = "metrics_series_overflow_total"
            let series = MetricSeries(.counter, buckets: [])
            series.set(Double(overflows))
            var family = MetricFamily(name: name, kind: .counter, help: descriptions[name]?.help, buckets: nil)
            family.series[[]] = series
            families[name] = family
        }
        var output = ""
        for (_, family) in families.sorted(by: { $0.key < $1.key }) { family.write(format, to: &output) }
        return format == .openMetrics ? output + "# EOF\n" : output
    }

    /// The names that something is told of beforehand: all that the runtime uses, and those given to the initializer.
    public var describedNames: [String] { Array(descriptions.keys) }

    /// The names that have a series now.
    public var families: [String] { Array(state.withLock { $0.families }.keys) }

    // MARK: Series

    private func series(_ label: String, _ dimensions: [(String, String)], _ kind: MetricKind) -> MetricSeries {
        let name = MetricText.name(label)
        let labels = dimensions.map { MetricLabel(name: MetricText.labelName($0.0), value: $0.1) }.sorted()
        let description = descriptions[name]
        let limit = seriesLimit
        return state.withLock { state in
            var family =
                state.families[name]
                ?? MetricFamily(name: name, kind: kind, help: description?.help, buckets: description?.buckets)
            // A second kind under the name would make the exposition invalid: it is measured and not shown.
            guard family.kind == kind else { return MetricSeries(kind, buckets: family.buckets) }
            if let known = family.series[labels] { return known }
            var labels = labels
            if family.series.count >= limit {
                state.overflows += 1
                labels = labels.map { MetricLabel(name: $0.name, value: "other") }
                if let known = family.series[labels] { return known }
            }
            let series = MetricSeries(kind, buckets: family.buckets)
            family.series[labels] = series
            state.families[name] = family
            return series
        }
    }

    /// A counter that only rises.
    public func counter(_ name: String, _ labels: [(String, String)] = []) -> MetricSeries {
        series(name, labels, .counter)
    }

    /// A value that rises and falls.
    public func gauge(_ name: String, _ labels: [(String, String)] = []) -> MetricSeries {
        series(name, labels, .gauge)
    }

    /// A histogram; durations are observed in seconds.
    public func histogram(_ name: String, _ labels: [(String, String)] = []) -> MetricSeries {
        series(name, labels, .histogram)
    }

    // MARK: MetricsFactory

    /// For swift-metrics.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        CounterSeries(counter(label, dimensions))
    }

    /// For swift-metrics.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        CounterSeries(counter(label, dimensions))
    }

    /// For swift-metrics.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        GaugeSeries(gauge(label, dimensions))
    }

    /// For swift-metrics.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate { return HistogramSeries(histogram(label, dimensions)) }
        return GaugeSeries(gauge(label, dimensions))
    }

    /// For swift-metrics.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        HistogramSeries(histogram(label, dimensions))
    }

    // A series outlives its handlers: a counter that vanished and came back from zero would read as a reset.
    /// Keeps the series.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Keeps the series.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Keeps the series.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Keeps the series.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Keeps the series.
    public func destroyTimer(_ handler: any TimerHandler) {}
}
