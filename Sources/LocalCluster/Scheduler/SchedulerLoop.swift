import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// The scheduler as a client of the API: writes `pods/binding`, or says why it cannot.
public struct SchedulerLoop: Sendable {
    private let client: KubernetesClient
    private let cache = ClusterCache([.pods, .nodes, .persistentVolumeClaims])
    private let queue: WorkQueue
    private let recorder: EventRecorder
    private let time: any TimeSource
    private let logger: Logger
    /// Pods bound by us, by UID, whose binding the cache does not show yet: they take room all the same.
    private let assumed = Locked<[String: String]>([:])

    public init(client: KubernetesClient, time: any TimeSource = SystemTime(), logger: Logger) {
        self.client = client
        self.time = time
        self.logger = logger
        queue = WorkQueue(
            name: Scheduler.name, time: time,
            limits: WorkQueueLimits(firstRetry: .milliseconds(50), longestRetry: .seconds(15), perKeyAndSecond: 0))
        recorder = EventRecorder(
            client: client, controller: Scheduler.name, instance: "assay-local", time: time, logger: logger)
        subscribe()
    }

    private func subscribe() {
        let (cache, queue) = (cache, queue)
        /// Something got free, or came: those that wait may fit now.
        @Sendable func retryWaiting() {
            for pod in cache.all(.pods) {
                let facts = PodFacts(pod)
                if facts.nodeName == nil && facts.isActive { queue.add(pod.key) }
            }
        }
        cache.subscribe(.pods) { change in
            let facts = PodFacts(change.object.json)
            if change.isDeletion || facts.isFinished {
                retryWaiting()
            } else if facts.nodeName == nil {
                queue.add(change.key)
            }
        }
        cache.subscribe(.nodes) { _ in retryWaiting() }
        cache.subscribe(.persistentVolumeClaims) { _ in retryWaiting() }
    }

    /// Runs until cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await cache.run(client: client, time: time, logger: logger) }
            group.addTask { await recorder.run() }
            group.addTask {
                // One worker: a decision must see the one before.
                await Controller(
                    name: Scheduler.name, queue: queue, time: time, logger: logger,
                    waitForCaches: { try await cache.waitForSync() }, reconcile: reconcile
                ).run()
                recorder.stop()
            }
        }
    }

    private func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let pod = cache.get(.pods, key) else { return .done }
        let pods = podsWithAssumed()
        guard let current = pods.first(where: { $0.uid == pod.uid }) else { return .done }
        var claims: [String: JSONValue] = [:]
        for claim in cache.all(.persistentVolumeClaims, in: key.namespace) { claims[claim.name] = claim }
        let decision = Scheduler().decide(pod: current, nodes: cache.all(.nodes), pods: pods, claims: claims)
        do throws(KubernetesError) {
            switch decision {
            case .leave: break
            case .bind(let node): try await bind(pod, to: node)
            case .unschedulable(let message): try await tell(pod, message)
            }
            return .done
        } catch {
            if error.isNotFound || error.isConflict { return .done }
            return .retry(error, after: nil)
        }
    }

    private func podsWithAssumed() -> [JSONValue] {
        let pods = cache.all(.pods)
        let nodes = assumed.withLock { assumed -> [String: String] in
            // Kept only as long as the cache lags behind.
            let waiting = Set(pods.filter { PodFacts($0).nodeName == nil }.map(\.uid))
            assumed = assumed.filter { waiting.contains($0.key) }
            return assumed
        }
        return pods.map { pod in
            guard let node = nodes[pod.uid] else { return pod }
            var pod = pod
            pod["spec", "nodeName"] = .string(node)
            return pod
        }
    }

    private func bind(_ pod: JSONValue, to node: String) async throws(KubernetesError) {
        let binding: JSONValue = [
            "apiVersion": "v1", "kind": "Binding",
            "metadata": [
                "name": .string(pod.name), "namespace": .string(pod.namespace ?? ""), "uid": .string(pod.uid),
            ],
            "target": ["apiVersion": "v1", "kind": "Node", "name": .string(node)],
        ]
        _ = try await client.create(.pods, binding, subresource: "binding", fieldManager: Scheduler.name)
        assumed.withLock { $0[pod.uid] = node }
        event(pod, warning: false, "Scheduled", "Successfully assigned \(pod.key) to \(node)")
    }

    private func tell(_ pod: JSONValue, _ message: String) async throws(KubernetesError) {
        let old = pod.condition("PodScheduled")
        if old?["status"]?.string == "False" && old?["message"]?.string == message { return }
        event(pod, warning: true, "FailedScheduling", message)
        var conditions = ConditionList(pod)
        conditions.set(
            "PodScheduled", "False", reason: "Unschedulable", message: message,
            now: Timestamp(sinceEpoch: time.wallNow()))
        var changed = pod
        changed["status", "conditions"] = .array(conditions.conditions)
        if changed["status", "phase"] == nil { changed["status", "phase"] = "Pending" }
        _ = try await client.replace(.pods, changed, subresource: "status", fieldManager: Scheduler.name)
    }

    private func event(_ pod: JSONValue, warning: Bool, _ reason: String, _ message: String) {
        recorder.record(ClusterEvent(pod, warning: warning, reason: reason, message: message).note)
    }
}
