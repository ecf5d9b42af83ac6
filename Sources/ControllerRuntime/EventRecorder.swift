import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// The object that an event is about.
public struct ObjectReference: Sendable, Hashable {
    /// `batch/v1`
    public var apiVersion: String
    /// `Job`
    public var kind: String
    /// Nil for an object of the cluster.
    public var namespace: String?
    /// The object's.
    public var name: String
    /// Empty where it is not known.
    public var uid: String
    /// Of the version that the event is about; empty for any.
    public var resourceVersion: String

    /// By its parts.
    public init(
        apiVersion: String, kind: String, namespace: String?, name: String, uid: String = "",
        resourceVersion: String = ""
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.resourceVersion = resourceVersion
    }

    /// To an object as it was read.
    public init(_ type: ResourceType, _ metadata: ObjectMeta) {
        self.init(
            apiVersion: type.apiVersion, kind: type.kind, namespace: metadata.namespace, name: metadata.name,
            uid: metadata.uid, resourceVersion: metadata.resourceVersion)
    }

    var json: JSONValue {
        var result: JSONValue = ["apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name)]
        result["namespace"] = JSONValue(namespace)
        if !uid.isEmpty { result["uid"] = .string(uid) }
        if !resourceVersion.isEmpty { result["resourceVersion"] = .string(resourceVersion) }
        return result
    }
}

/// Something a person may want to know about an object.
public struct EventNote: Sendable, Hashable {
    /// How much it matters.
    public enum Kind: String, Sendable, Hashable {
        case normal = "Normal"
        case warning = "Warning"
    }

    /// What the event is about, and in whose namespace it is written.
    public var regarding: ObjectReference
    /// Another object that took part.
    public var related: ObjectReference?
    /// How much it matters.
    public var type: Kind
    /// Why, in CamelCase.
    public var reason: String
    /// What was done, in CamelCase.
    public var action: String
    /// For people; cut to 1,024 bytes, the API's limit.
    public var note: String

    /// What is to be said, about what.
    public init(
        regarding: ObjectReference, related: ObjectReference? = nil, type: Kind, reason: String,
        action: String = "Reconcile", note: String
    ) {
        self.regarding = regarding
        self.related = related
        self.type = type
        self.reason = reason
        self.action = action
        self.note = note
    }
}

/// Writes `events.k8s.io/v1` Events, equal ones as one with a count.
///
/// ``record(_:)`` never waits: a queue of bounded length takes the event, and ``run()`` sends it. What does not fit, what
/// an object has too many of, and what the server refuses is dropped and counted; events are a courtesy.
public struct EventRecorder: Sendable {
    /// Where events wait to be sent.
    private final class Mailbox: Sendable {
        struct State {
            var aggregator: EventAggregator
            var isStopping = false
            /// The server has said that the right to write them is missing, and has not taken one since.
            var isForbidden = false
            var signal = Gate()
        }

        let state: Locked<State>
        init(_ aggregator: EventAggregator) { state = Locked(State(aggregator: aggregator)) }
    }

    private let client: KubernetesClient
    private let fieldManager: String
    private let time: any TimeSource
    private let logger: Logger
    private let mailbox: Mailbox
    private let sent: MetricSeries
    private let dropped: MetricSeries
    private let refused: MetricSeries

    /// - Parameters:
    ///   - client: writes the events.
    ///   - controller: a qualified name, `example.com/operator`.
    ///   - instance: which copy of the controller, for example the pod's name.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - logger: takes its lines.
    ///   - metrics: shows what is measured; nil where nobody looks.
    public init(
        client: KubernetesClient, controller: String, instance: String, time: any TimeSource = SystemTime(),
        logger: Logger, metrics: MetricsRegistry? = nil
    ) {
        self.client = client
        self.time = time
        self.logger = logger
        fieldManager = String(controller.prefix { $0 != "/" })
        mailbox = Mailbox(EventAggregator(controller: controller, instance: instance))
        let registry = metrics ?? MetricsRegistry()
        sent = registry.counter("events_recorded_total", [("result", "sent")])
        dropped = registry.counter("events_recorded_total", [("result", "dropped")])
        refused = registry.counter("events_recorded_total", [("result", "refused")])
    }

    /// Takes an event to be sent soon.
    public func record(_ note: EventNote) {
        let now = time.monotonicNow()
        let wall = Timestamp(sinceEpoch: time.wallNow())
        let (verdict, signal) = mailbox.state.withLock { state in
            (state.aggregator.record(note, now: now, wall: wall), state.signal)
        }
        switch verdict {
        case .dropped: dropped.increment()
        case .queued: signal.open()
        case .suppressed: break
        }
    }

    /// How many writes wait to be sent.
    public var pendingCount: Int { mailbox.state.withLock { $0.aggregator.pendingCount } }

    /// Sends events until ``stop()``, and then what is left; or until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            let (write, isStopping, signal) = mailbox.state.withLock {
                state -> (EventAggregator.Write?, Bool, Gate) in
                if state.isStopping { state.aggregator.flush() }
                let write = state.aggregator.next()
                if write == nil, state.signal.isOpen { state.signal = Gate() }
                return (write, state.isStopping, state.signal)
            }
            if let write {
                await send(write, isStopping: isStopping)
                continue
            }
            if isStopping { return }
            do {
                try await signal.wait()
            } catch {
                return
            }
        }
    }

    /// No further event is taken; ``run()`` sends what waits, with the counts that were held back, and returns.
    public func stop() {
        let signal = mailbox.state.withLock { state in
            state.isStopping = true
            state.aggregator.close()
            return state.signal
        }
        signal.open()
    }

    private func send(_ write: EventAggregator.Write, isStopping: Bool) async {
        var backoff: Duration = .milliseconds(500)
        for attempt in 1...5 {
            do throws(KubernetesError) {
                switch write {
                case .create(let event): _ = try await client.create(.events, event, fieldManager: fieldManager)
                case .patch(let key, let patch):
                    _ = try await client.mergePatch(.events, key, patch, fieldManager: fieldManager)
                }
                mailbox.state.withLock { $0.isForbidden = false }
                sent.increment()
                return
            } catch {
                // A create whose answer was lost meets its own name again.
                if error.isAlreadyExists { return sent.increment() }
                let mayPass = error.isTooManyRequests || error.isServerError || error.transportCode != nil
                if attempt == 5 || isStopping || !mayPass || error.isCancelled {
                    refused.increment()
                    report(error)
                    return
                }
                do {
                    try await time.sleep(for: max(backoff, error.retryAfter ?? .zero))
                } catch {
                    return
                }
                backoff *= 2
            }
        }
    }

    /// A missing right is said once, for it is the administrator's to give.
    private func report(_ error: KubernetesError) {
        let isNews = mailbox.state.withLock { state in
            defer { state.isForbidden = state.isForbidden || error.isForbidden }
            return error.isForbidden && !state.isForbidden
        }
        logger.log(
            level: isNews ? .warning : .debug, "an event was not written", metadata: ["error": "\(error)"])
    }
}
