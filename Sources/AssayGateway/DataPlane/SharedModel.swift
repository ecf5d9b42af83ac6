import AssayCore
import Concurrency
import ControllerRuntime
import KubernetesModel

/// What all event loops share of a model. It is touched only where a request chooses a revision, is held, or ends.
package final class SharedModel: Sendable {
    let key: ObjectKey
    package let budget: HoldBudget
    package let meter = LoadMeter()
    /// By which generation of the traffic each loop routes.
    private let generations = Locked<[ObjectIdentifier: Int64]>([:])
    private let loops: Int
    private let rotation = Locked(WeightedRotation([]))
    private let revisions = Locked<[String: SharedRevision]>([:])
    private let isAnalysed = Locked(false)
    private let metrics: GatewayMetrics

    /// - Parameter loops: how many event loops there are.
    package init(_ key: ObjectKey, loops: Int, limits: GatewayLimits, metrics: GatewayMetrics) {
        self.loops = loops
        self.key = key
        self.metrics = metrics
        budget = HoldBudget(requests: limits.heldRequests, bytes: limits.heldBytes)
    }

    /// Takes a new route: the rotation begins anew only where the weights have changed.
    package func update(_ route: ModelRoute) {
        let weights = route.revisions.map { $0.share.takesRequests ? $0.share.weight : 0 }
        rotation.withLock { if $0.parts != weights { $0 = WeightedRotation(weights) } }
        isAnalysed.withLock { $0 = route.isAnalysed }
        let names = Set(route.revisions.map(\.share.revision))
        revisions.withLock { revisions in
            // What goes may come back while its pods still have requests.
            revisions = revisions.filter { names.contains($0.key) || $0.value.slots.isInUse }
            for name in names where revisions[name] == nil {
                revisions[name] = SharedRevision(RevisionMetrics(metrics, model: key, revision: name))
            }
            for route in route.revisions {
                revisions[route.share.revision]?.slots.update(
                    limit: route.concurrency, pods: Set(route.endpoints.map(\.pod)))
            }
        }
    }

    /// A loop routes by this generation from now on.
    package func applied(_ generation: Int64, by loop: ObjectIdentifier) {
        generations.withLock { $0[loop] = generation }
    }

    /// What there is to do, by the oldest generation that any loop still routes by.
    package func load(now: Duration) -> GatewayLoad.Model {
        // First, so that nothing of an older generation can begin after the rest was read.
        let generation = generations.withLock { $0.count < loops ? 0 : $0.values.min() ?? 0 }
        let reading = meter.read(now: now)
        let held = min(budget.count, reading.active)
        return GatewayLoad.Model(
            generation: generation, inFlight: reading.active - held, held: held, requests: reading.requests,
            busySeconds: reading.busySeconds, concurrency: concurrency, revisions: counts)
    }

    private var concurrency: Int? { revisions.withLock { Array($0.values) }.compactMap(\.slots.most).max() }

    /// Of each revision, where there are several, or where what serves is judged by it: else nobody asks for the only one.
    private var counts: [String: RevisionLoad] {
        let isAnalysed = isAnalysed.withLock { $0 }
        let known = revisions.withLock { $0.count > 1 || isAnalysed ? $0 : [:] }
        return known.mapValues { $0.count.withLock { $0 } }
    }

    /// A request was not let in.
    func countDenied(status: Int) {
        metrics.registry.counter(
            "assay_gateway_denied_requests_total",
            [("namespace", key.namespace ?? ""), ("model", key.name), ("code", String(status))]
        ).increment()
    }

    package func revision(_ name: String) -> SharedRevision? { revisions.withLock { $0[name] } }

    /// The next revision's index in the route.
    package func next(where isAllowed: (Int) -> Bool) -> Int? { rotation.withLock { $0.next(where: isAllowed) } }
}

/// What all event loops share of a revision.
package final class SharedRevision: Sendable {
    let metrics: RevisionMetrics
    package let wake = Locked(WakeState())
    /// Its pods', where each may have only so many requests.
    package let slots = PodSlots()
    /// Since it began to have requests.
    let count = Locked(RevisionLoad())

    init(_ metrics: RevisionMetrics) { self.metrics = metrics }

    /// A request has ended, or an attempt at one.
    func count(isError: Bool, _ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        count.withLock { $0.count(isError: isError, seconds: Double(seconds) + Double(attoseconds) * 1e-18) }
    }
}
