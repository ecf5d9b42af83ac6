import AssayCore
import AssayGateway
import Concurrency
import ControllerRuntime
import KubernetesModel

/// A process of the gateway, without its network: what it knows, chooses, holds and reports is the gateway's own code.
/// Confined to the simulation's thread.
final class SimulatedGateway: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    private static let loopCount = 2

    /// A revision that is to be woken.
    struct WakeRequest: Sendable {
        var revision: String
        var deployment: ObjectKey
    }

    let address: String
    private let time: SimulatedTime
    private let network: PodNetwork
    private let metrics = GatewayMetrics(MetricsRegistry(descriptions: GatewayMetrics.descriptions))
    private var table: RoutingTable
    private var shared: SharedModel?
    private var loops: [SimulatedLoop] = []
    private var isFlushing = false
    private let wakes: (stream: AsyncStream<WakeRequest>, continuation: AsyncStream<WakeRequest>.Continuation)
    /// It has been told to stop.
    private(set) var isEnding = false
    private(set) var isListening = true
    private(set) var isOver = false

    init(name: String, address: String, time: SimulatedTime, network: PodNetwork, planted: PlantedBug?) {
        self.address = address
        table = RoutingTable(instance: name)
        self.time = time
        self.network = network
        wakes = AsyncStream.makeStream()
        loops = (0..<Self.loopCount).map { _ in
            SimulatedLoop(
                self, time: time, network: network, forwardsWhileDraining: planted?.quirk == .forwardsWhileDraining)
        }
        sweep()
    }

    private func sweep() {
        time.alarm(after: .seconds(5)) { [weak self] in
            guard let self, !isOver else { return }
            for loop in loops { loop.expireIdle() }
            sweep()
        }
    }

    // MARK: What the watches tell

    func take(_ change: StoreChange<ModelRecord>) {
        switch change {
        case .added(let model), .modified(_, let model): table.apply(model)
        case .deleted(let model): table.remove(model: model.metadata.key)
        }
        flushSoon()
    }

    func take(_ change: StoreChange<PodRecord>) {
        switch change {
        case .added(let pod), .modified(_, let pod): table.apply(pod)
        case .deleted(let pod): table.remove(pod)
        }
        flushSoon()
    }

    private func flushSoon() {
        if isFlushing { return }
        isFlushing = true
        time.alarm(after: network.milliseconds(0...1)) { [weak self] in
            guard let self else { return }
            isFlushing = false
            if !isOver { flush() }
        }
    }

    private func flush() {
        guard let route = table.routes[Person.key] else {
            shared = nil
            for loop in loops { loop.tell(nil, shared: nil) }
            return
        }
        let model =
            shared ?? SharedModel(Person.key, loops: loops.count, limits: GatewayLimits(), metrics: metrics)
        shared = model
        model.update(route)
        for loop in loops { loop.tell(route, shared: model) }
    }

    /// What there is to do, as whoever leads is told.
    var load: GatewayLoad {
        let now = time.monotonicNow()
        return GatewayLoad(
            time: now / .seconds(1), isEnding: isEnding,
            models: shared.map { [Person.key: $0.load(now: now)] } ?? [:])
    }

    // MARK: Requests

    /// False where nobody listens at the port.
    func take(_ request: SimulatedRequest, port: Int) -> Bool {
        guard isListening, !isOver, table.model(port: port) == Person.key else { return false }
        return loops[request.number % loops.count].take(request)
    }

    // MARK: Waking

    func askToWake(_ revision: RevisionRoute) {
        let deployment = ObjectKey(namespace: Person.key.namespace, name: revision.deployment)
        wakes.continuation.yield(WakeRequest(revision: revision.share.revision, deployment: deployment))
    }

    func wakeWhatSleeps(by waker: any Waker) async {
        await withDiscardingTaskGroup { tasks in
            for await request in wakes.stream {
                tasks.addTask {
                    let outcome = await waker.wake(request.deployment)
                    if !self.isOver { self.wakeFinished(request.revision, outcome) }
                }
            }
            tasks.cancelAll()
        }
    }

    private func wakeFinished(_ revision: String, _ outcome: WakeOutcome) {
        _ = shared?.revision(revision)?.wake.withLock { $0.finished(outcome, now: time.monotonicNow()) }
        for loop in loops { loop.wakeFinished(revision, outcome) }
    }

    // MARK: The end

    var hasRequests: Bool { loops.contains { !$0.requests.isEmpty } }

    func beginEnding() { isEnding = true }
    func stopListening() { isListening = false }

    func end(isFault: Bool) {
        guard !isOver else { return }
        isOver = true
        isListening = false
        wakes.continuation.finish()
        for loop in loops { loop.end(isFault: isFault) }
    }
}
