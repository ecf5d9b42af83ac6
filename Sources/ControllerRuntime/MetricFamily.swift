/// What is known of a name beforehand.
public struct MetricDescription: Sendable {
    /// One line for people.
    public var help: String
    /// Upper bounds of a histogram's buckets, rising; +Inf is added.
    public var buckets: [Double]?

    /// A help text, and bounds where it is a histogram.
    public init(_ help: String, buckets: [Double]? = nil) {
        self.help = help
        self.buckets = buckets
    }

    /// Prometheus' own default, for durations in seconds.
    public static let standardBuckets: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// client-go's for work queues: 10 ns to 1000 s by tens.
    static let queueBuckets: [Double] = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000]
    /// controller-runtime's for reconciles.
    static let reconcileBuckets: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
        1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
    ]

    /// The names of client-go and controller-runtime that the runtime uses, and its own.
    static let known: [String: MetricDescription] = [
        "leader_election_master_status": .init(
            "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master"),
        "workqueue_depth": .init("Current depth of workqueue"),
        "workqueue_adds_total": .init("Total number of adds handled by workqueue"),
        "workqueue_retries_total": .init("Total number of retries handled by workqueue"),
        "workqueue_queue_duration_seconds": .init(
            "How long in seconds an item stays in workqueue before being requested", buckets: queueBuckets),
        "workqueue_work_duration_seconds": .init(
            "How long in seconds processing an item from workqueue takes", buckets: queueBuckets),
        "workqueue_unfinished_work_seconds": .init(
            "How many seconds of work has been done that is in progress and has not been observed by work_duration"),
        "workqueue_longest_running_processor_seconds": .init(
            "How many seconds the longest running processor for workqueue has been running"),
        "controller_runtime_reconcile_total": .init("Total number of reconciliations per controller"),
        "controller_runtime_reconcile_errors_total": .init("Total number of reconciliation errors per controller"),
        "controller_runtime_terminal_reconcile_errors_total": .init(
            "Total number of terminal reconciliation errors per controller"),
        "controller_runtime_reconcile_time_seconds": .init(
            "Length of time per reconciliation per controller", buckets: reconcileBuckets),
        "controller_runtime_max_concurrent_reconciles": .init(
            "Maximum number of concurrent reconciles per controller"),
        "controller_runtime_active_workers": .init("Number of currently used workers per controller"),
        "rest_client_requests_total": .init(
            "Number of HTTP requests, partitioned by status code, method, and host"),
        "rest_client_request_duration_seconds": .init(
            "Request latency in seconds, until the head of the answer. Broken down by verb, and host",
            buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0]),
        "reflector_lists_total": .init("Total number of API lists done by the reflectors"),
        "reflector_list_duration_seconds": .init(
            "How long an API list takes to return and decode for the reflectors", buckets: standardBuckets),
        "reflector_items_per_list": .init(
            "How many items an API list returns to the reflectors", buckets: [1, 10, 50, 100, 250, 500]),
        "reflector_watches_total": .init("Total number of API watches done by the reflectors"),
        "reflector_watch_events_total": .init("Total number of watch events taken by the reflectors"),
        "reflector_short_watches_total": .init("Total number of short API watches done by the reflectors"),
        "reflector_watch_duration_seconds": .init(
            "How long an API watch takes to return and decode for the reflectors",
            buckets: [1, 10, 60, 120, 300, 360, 420, 480, 540, 600, 1200]),
        "reflector_items_per_watch": .init(
            "How many items an API watch returns to the reflectors", buckets: [0, 1, 10, 100, 1000, 10_000]),
        "reflector_last_resource_version": .init("Last resource version seen for the reflectors"),
        "reflector_objects": .init("How many objects the reflectors keep"),
        "reflector_failures_total": .init("Total number of lists and watches that failed"),
        "reflector_undecodable_objects_total": .init("Total number of object versions that could not be read"),
        "process_resident_memory_bytes": .init("Resident memory size in bytes"),
        "process_virtual_memory_bytes": .init("Virtual memory size in bytes"),
        "process_cpu_seconds_total": .init("Total user and system CPU time spent in seconds"),
        "process_open_fds": .init("Number of open file descriptors"),
        "process_max_fds": .init("Maximum number of open file descriptors"),
        "process_virtual_memory_max_bytes": .init("Maximum amount of virtual memory available in bytes"),
        "process_start_time_seconds": .init("Start time of the process since unix epoch in seconds"),
        "metrics_series_overflow_total": .init(
            "Total number of new series refused because their family had too many"),
        "events_recorded_total": .init("Total number of Kubernetes events by what became of them"),
    ]
}

/// The series of one name.
struct MetricFamily: Sendable {
    let name: String
    let kind: MetricKind
    let help: String?
    let buckets: [Double]
    var series: [[MetricLabel]: MetricSeries] = [:]

    init(name: String, kind: MetricKind, help: String?, buckets: [Double]?) {
        self.name = name
        self.kind = kind
        self.help = help
        self.buckets = buckets ?? MetricDescription.standardBuckets
    }

    func write(_ format: MetricsFormat, to output: inout String) {
        let (family, type) = heading(format)
        if let help { output += "# HELP \(family) \(MetricText.help(help, format))\n" }
        output += "# TYPE \(family) \(type)\n"
        for (labels, series) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let values = series.snapshot
            if kind == .histogram {
                write(values, bounds: series.bounds, labels, format, to: &output)
            } else {
                output += "\(name)\(MetricText.labels(labels)) \(MetricText.number(values.value))\n"
            }
        }
    }

    /// OpenMetrics names a counter without the `_total` of its samples; a counter without it is no counter there.
    private func heading(_ format: MetricsFormat) -> (name: String, type: String) {
        guard format == .openMetrics, kind == .counter else { return (name, kind.rawValue) }
        return name.hasSuffix("_total") ? (String(name.dropLast("_total".count)), "counter") : (name, "unknown")
    }

    private func write(
        _ values: MetricSeries.Values, bounds: [Double], _ labels: [MetricLabel], _ format: MetricsFormat,
        to output: inout String
    ) {
        var cumulative: UInt64 = 0
        for (count, bound) in zip(values.buckets, bounds + [.infinity]) {
            cumulative += count
            let le = MetricText.labels(labels + [MetricLabel(name: "le", value: MetricText.bound(bound, format))])
            output += "\(name)_bucket\(le) \(cumulative)\n"
        }
        let text = MetricText.labels(labels)
        output += "\(name)_sum\(text) \(MetricText.number(values.value))\n"
        output += "\(name)_count\(text) \(values.count)\n"
    }
}

/// The lexical rules of the exposition format.
enum MetricText {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`; anything else becomes an underscore.
    static func name(_ text: String) -> String { sanitized(text, colon: true) }
    static func labelName(_ text: String) -> String { sanitized(text, colon: false) }

    private static func sanitized(_ text: String, colon: Bool) -> String {
        if isClean(text, colon: colon) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
            let isDigit = ("0"..."9").contains(scalar)
            if isDigit, result.isEmpty { result = "_" }
            let isAllowed = isLetter || isDigit || (colon && scalar == ":")
            result.unicodeScalars.append(isAllowed ? scalar : "_")
        }
        return result.isEmpty ? "_" : result
    }

    /// As nearly every name is: it is looked at with each measurement.
    private static func isClean(_ text: String, colon: Bool) -> Bool {
        func isAllowed(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: ":"): colon
            default: false
            }
        }
        guard let first = text.utf8.first, isAllowed(first) else { return false }
        return text.utf8.allSatisfy { isAllowed($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    static func labels(_ labels: [MetricLabel]) -> String {
        if labels.isEmpty { return "" }
        return "{" + labels.map { "\($0.name)=\"\(value($0.value))\"" }.joined(separator: ",") + "}"
    }

    static func value(_ text: String) -> String { escaped(text, quote: true) }
    /// OpenMetrics escapes quotes in help texts too.
    static func help(_ text: String, _ format: MetricsFormat) -> String {
        escaped(text, quote: format == .openMetrics)
    }
    /// OpenMetrics writes bounds as floating-point numbers, `1.0`.
    static func bound(_ bound: Double, _ format: MetricsFormat) -> String {
        format == .openMetrics && bound.isFinite ? bound.description : number(bound)
    }

    private static func escaped(_ text: String, quote: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quote: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let integer = Int64(exactly: value), abs(value) < 1e15 { return String(integer) }
        return value.description
    }
}
