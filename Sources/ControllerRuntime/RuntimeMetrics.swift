import KubernetesModel

/// The series of one reflector. Without a registry they are measured and not shown.
struct ReflectorMetrics: Sendable {
    let lists: MetricSeries
    let listDuration: MetricSeries
    let items: MetricSeries
    let watches: MetricSeries
    let shortWatches: MetricSeries
    let watchDuration: MetricSeries
    let itemsPerWatch: MetricSeries
    let version: MetricSeries
    let objects: MetricSeries
    let events: MetricSeries
    let failures: MetricSeries
    let quarantined: MetricSeries

    init(type: ResourceType, registry: MetricsRegistry?) {
        let registry = registry ?? MetricsRegistry()
        let labels = [("resource", type.description)]
        lists = registry.counter("reflector_lists_total", labels)
        listDuration = registry.histogram("reflector_list_duration_seconds", labels)
        items = registry.histogram("reflector_items_per_list", labels)
        watches = registry.counter("reflector_watches_total", labels)
        shortWatches = registry.counter("reflector_short_watches_total", labels)
        watchDuration = registry.histogram("reflector_watch_duration_seconds", labels)
        itemsPerWatch = registry.histogram("reflector_items_per_watch", labels)
        version = registry.gauge("reflector_last_resource_version", labels)
        objects = registry.gauge("reflector_objects", labels)
        events = registry.counter("reflector_watch_events_total", labels)
        failures = registry.counter("reflector_failures_total", labels)
        quarantined = registry.counter("reflector_undecodable_objects_total", labels)
    }

    func listed(_ duration: Duration, items count: Int) {
        lists.increment()
        listDuration.observe(duration)
        items.observe(Double(count))
    }

    /// A watch is over, however it ended. A short one lasted less than a second and told nothing, as client-go has it.
    func watched(_ duration: Duration, events count: Int) {
        watchDuration.observe(duration)
        itemsPerWatch.observe(Double(count))
        if count == 0, duration < .seconds(1) { shortWatches.increment() }
    }
}

/// The series of one work queue, under client-go's names.
struct WorkQueueMetrics: Sendable {
    let depth: MetricSeries
    let adds: MetricSeries
    let retries: MetricSeries
    let queueDuration: MetricSeries
    let workDuration: MetricSeries
    let unfinished: MetricSeries
    let longest: MetricSeries

    init(name: String, registry: MetricsRegistry?) {
        let registry = registry ?? MetricsRegistry()
        let labels = [("name", name)]
        depth = registry.gauge("workqueue_depth", labels)
        adds = registry.counter("workqueue_adds_total", labels)
        retries = registry.counter("workqueue_retries_total", labels)
        queueDuration = registry.histogram("workqueue_queue_duration_seconds", labels)
        workDuration = registry.histogram("workqueue_work_duration_seconds", labels)
        unfinished = registry.gauge("workqueue_unfinished_work_seconds", labels)
        longest = registry.gauge("workqueue_longest_running_processor_seconds", labels)
    }
}

/// The series of one controller, under controller-runtime's names.
struct ControllerMetrics: Sendable {
    let success: MetricSeries
    let requeueAfter: MetricSeries
    let error: MetricSeries
    let terminal: MetricSeries
    let errors: MetricSeries
    let duration: MetricSeries
    let active: MetricSeries

    init(name: String, workers: Int, registry: MetricsRegistry?) {
        let registry = registry ?? MetricsRegistry()
        func total(_ result: String) -> MetricSeries {
            registry.counter("controller_runtime_reconcile_total", [("controller", name), ("result", result)])
        }
        success = total("success")
        requeueAfter = total("requeue_after")
        error = total("error")
        terminal = registry.counter("controller_runtime_terminal_reconcile_errors_total", [("controller", name)])
        errors = registry.counter("controller_runtime_reconcile_errors_total", [("controller", name)])
        duration = registry.histogram("controller_runtime_reconcile_time_seconds", [("controller", name)])
        active = registry.gauge("controller_runtime_active_workers", [("controller", name)])
        registry.gauge("controller_runtime_max_concurrent_reconciles", [("controller", name)]).set(Double(workers))
    }
}
