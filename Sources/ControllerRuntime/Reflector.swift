import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import Logging

#if canImport(Glibc)
import CLinux
#endif

/// Keeps a ``Store`` equal to what the API server holds of a kind: lists, then watches, for as long as it runs.
///
/// Every failure is met with the reflector's own backoff; nothing ends it but cancellation.
public final class Reflector<Object: CachedObject>: Sendable {
    /// The kind that it follows.
    public let type: ResourceType
    /// What it fills.
    public let store: Store<Object>
    /// Objects from which on a list leaves behind what is worth a walk through the whole heap.
    private static var worthTrimming: Int { 500 }
    private let client: KubernetesClient
    private let namespace: String?
    private let labelSelector: String?
    private let fieldSelector: String?
    private let time: any TimeSource
    private let seed: UInt64
    private let freshness: ListFreshness
    private let condition: (@Sendable () async throws(KubernetesError) -> Bool)?
    private let logger: Logger
    private let metrics: ReflectorMetrics
    private let progress: Locked<ReflectorProgress>

    /// - Parameters:
    ///   - client: asks the server.
    ///   - type: the kind to follow.
    ///   - namespace: nil for all.
    ///   - labelSelector: only objects that it selects are kept.
    ///   - fieldSelector: only objects that it selects are kept.
    ///   - freshness: how new a list must be.
    ///   - condition: whether there is anything to follow, for kinds that not every server has. Until it is so, which is
    ///     asked now and then, the store is empty and in sync.
    ///   - store: what is filled.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - seed: determines timeouts and backoff.
    ///   - logger: takes its lines.
    ///   - metrics: shows what is measured; nil where nobody looks.
    public init(
        client: KubernetesClient, type: ResourceType, namespace: String? = nil, labelSelector: String? = nil,
        fieldSelector: String? = nil, freshness: ListFreshness = .newest,
        condition: (@Sendable () async throws(KubernetesError) -> Bool)? = nil, store: Store<Object>,
        time: any TimeSource = SystemTime(),
        seed: UInt64 = .random(in: .min ... .max), logger: Logger, metrics: MetricsRegistry? = nil
    ) {
        self.client = client
        self.type = type
        self.namespace = namespace
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
        self.store = store
        self.time = time
        self.seed = seed
        self.freshness = freshness
        self.condition = condition
        var logger = logger
        logger[metadataKey: "resource"] = "\(type)"
        self.logger = logger
        self.metrics = ReflectorMetrics(type: type, registry: metrics)
        progress = Locked(ReflectorProgress(lastContact: time.monotonicNow()))
        metrics?.beforeExposition { [series = self.metrics, weak store] in
            guard let store else { return }
            series.objects.set(Double(store.count))
            if let version = ResourceVersion.number(store.observedVersion) { series.version.set(Double(version)) }
        }
    }

    /// How the reflector is doing, for health checks and people.
    public var status: ReflectorProgress { progress.withLock { $0 } }

    /// Runs until the task is cancelled.
    public func run() async {
        guard await isThereSomething() else { return }
        var machine = WatchMachine(freshness: freshness, random: SeededGenerator(seed: seed))
        while !Task.isCancelled {
            if machine.delay > .zero {
                do {
                    try await time.sleep(for: machine.delay)
                } catch {
                    return
                }
            }
            switch machine.nextStep {
            case .list(let token, let limit, let version): await list(token, limit, version, &machine)
            case .watch(let version): await watch(version, &machine)
            }
        }
    }

    /// Waits for the condition. False where it was cancelled before.
    private func isThereSomething() async -> Bool {
        guard let condition else { return true }
        while !Task.isCancelled {
            var wait = Duration.seconds(60)
            do throws(KubernetesError) {
                if try await condition() { return true }
                contact(.watching)
                if !store.hasSynced {
                    store.beginList()
                    store.finishList(resourceVersion: "")
                }
            } catch {
                wait = .seconds(2)
                progress.withLock {
                    $0.lastError = "\(error)"
                    $0.isForbidden = error.isForbidden
                    $0.consecutiveFailures += 1
                }
            }
            do { try await time.sleep(for: wait) } catch { return false }
        }
        return false
    }

    // MARK: List

    private func list(_ token: String?, _ limit: Int?, _ version: String?, _ machine: inout WatchMachine) async {
        let started = time.monotonicNow()
        if token == nil { store.beginList() }
        var items = 0
        do throws(KubernetesError) {
            let page = try await client.list(
                type, namespace: namespace,
                ListOptions(
                    labelSelector: labelSelector, fieldSelector: fieldSelector, limit: limit,
                    continueToken: token, resourceVersion: version), fields: Object.fields
            ) { item in
                items += 1
                if let refused = store.stage(item) { report(refused) }
            }
            let isWhole = machine.received(page: page)
            metrics.listed(time.monotonicNow() - started, items: items)
            contact(.listing)
            if isWhole { finishList(page.resourceVersion) }
        } catch {
            failed(error, machine.failed(error), machine)
        }
    }

    private func finishList(_ resourceVersion: String) {
        store.finishList(resourceVersion: resourceVersion)
        contact(.watching)
        progress.withLock { $0.lists += 1 }
        logger.debug(
            "listed", metadata: ["count": "\(store.count)", "resourceVersion": "\(resourceVersion)"])
        #if canImport(Glibc)
        // The pages' documents are garbage by now; glibc keeps their memory unless asked.
        if store.count >= Self.worthTrimming { malloc_trim(0) }
        #endif
    }

    // MARK: Watch

    private func watch(_ version: String, _ machine: inout WatchMachine) async {
        let timeout = machine.watchTimeoutSeconds()
        let opened = time.monotonicNow()
        var received = 0
        var isOpen = false
        do throws(KubernetesError) {
            let stream = try await client.watch(
                type, namespace: namespace,
                WatchOptions(
                    resourceVersion: version, labelSelector: labelSelector, fieldSelector: fieldSelector,
                    timeoutSeconds: timeout, stallTimeout: .seconds(70 + timeout % 21),
                    expectsBookmarks: machine.hasBookmarks, waitsForReader: machine.waitsForReader))
            isOpen = true
            machine.opened()
            metrics.watches.increment()
            contact(.watching)
            while let batch = try await stream.next() {
                received += batch.count
                for event in batch {
                    take(event)
                    machine.received(event)
                }
                contact(.watching, told: !batch.isEmpty)
            }
            let lasted = time.monotonicNow() - opened
            metrics.watched(lasted, events: received)
            machine.ended(after: lasted, receivedAny: received > 0)
            progress.withLock { $0.watchesEnded += 1 }
        } catch {
            let lasted = time.monotonicNow() - opened
            if isOpen { metrics.watched(lasted, events: received) }
            failed(error, machine.failed(error, after: lasted), machine)
        }
    }

    private func take(_ event: WatchEvent) {
        switch event {
        case .added(let object), .modified(let object):
            if let refused = store.apply(object) { report(refused) }
        case .deleted(let object): store.delete(object)
        case .bookmark(let resourceVersion, _): store.bookmark(resourceVersion)
        }
        metrics.events.increment()
    }

    // MARK: Reporting

    private func contact(_ phase: ReflectorProgress.Phase, told: Bool = false) {
        let now = time.monotonicNow()
        progress.withLock { progress in
            progress.phase = phase
            progress.lastContact = now
            if told { progress.lastEvent = now }
            progress.lastError = nil
            progress.isForbidden = false
            progress.consecutiveFailures = 0
        }
    }

    private func failed(_ error: KubernetesError, _ consequence: WatchMachine.Consequence, _ machine: WatchMachine) {
        if Task.isCancelled { return }
        progress.withLock { progress in
            progress.lastError = "\(error)"
            progress.isForbidden = error.isForbidden
            progress.consecutiveFailures = machine.consecutiveFailures
            if consequence == .listAgain { progress.phase = .listing }
        }
        metrics.failures.increment()
        logger.log(
            level: error.isExpired ? .info : .warning, "watching failed",
            metadata: [
                "error": "\(error)", "next": "\(consequence.rawValue)", "delay": "\(machine.delay)",
                "failures": "\(machine.consecutiveFailures)",
            ])
    }

    private func report(_ refused: (key: ObjectKey, why: Quarantine)) {
        metrics.quarantined.increment()
        logger.error(
            "an object cannot be read and is set aside",
            metadata: [
                "key": "\(refused.key)", "resourceVersion": "\(refused.why.resourceVersion)",
                "reason": "\(refused.why.reason)",
            ])
    }
}

/// How a ``Reflector`` is doing.
public struct ReflectorProgress: Sendable, Hashable {
    /// What it does at present.
    public enum Phase: String, Sendable, Hashable {
        case listing
        case watching
    }

    /// What it does at present.
    public var phase: Phase = .listing
    /// When the server last answered, by the monotonic clock.
    public var lastContact: Duration
    /// When the watch last told something, by the monotonic clock; nil before that.
    public var lastEvent: Duration?
    /// Of the latest attempt; nil once one has worked.
    public var lastError: String?
    /// The last error says that a right is missing.
    public var isForbidden = false
    /// Attempts that failed since one worked.
    public var consecutiveFailures = 0

    /// Ready once the store is whole, and for as long as the server lets it be kept up.
    public func health(hasSynced: Bool) -> Health {
        if !hasSynced { return .unhealthy(lastError.map { "not synced yet: \($0)" } ?? "not synced yet") }
        return isForbidden ? .unhealthy(lastError ?? "forbidden") : .healthy
    }

    /// Lists taken in whole.
    public var lists = 0
    /// Watches that the server ended in good order.
    public var watchesEnded = 0
}
