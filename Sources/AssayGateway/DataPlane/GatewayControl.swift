import AssayCore
import Concurrency
import KubernetesModel
import NIOCore

/// An event loop and what is confined to it.
struct GatewayThread: Sendable {
    let loop: any EventLoop
    let box: NIOLoopBoundBox<LoopContext>

    init(_ loop: any EventLoop, limits: GatewayLimits, ports: GatewayPorts) {
        self.loop = loop
        let context = LoopContext(loop: loop, limits: limits, ports: ports)
        box = .makeBoxSendingValue(context, eventLoop: loop)
    }

    /// Runs something on the loop.
    func run(_ body: @escaping @Sendable (LoopContext) -> Void) {
        loop.execute { body(box.value) }
    }
}

/// Turns what the watches tell into routes, and tells them to every loop. Confined to one event loop, so that what is
/// told about one model arrives in its order.
final class GatewayControl {
    private let loop: any EventLoop
    private let threads: [GatewayThread]
    private let limits: GatewayLimits
    private let metrics: GatewayMetrics
    /// Those that are opened beside the models' own, and the one of them that is to be opened only when it can speak TLS.
    private var sharedPorts: Set<Int>
    private let tlsPort: Int?
    let listeners: Listeners
    private(set) var table: RoutingTable
    private var shared: [ObjectKey: SharedModel] = [:]
    private var changed: Set<ObjectKey> = []
    private var ownersChanged = true
    private var isFlushing = false
    private var knowsAll = false

    init(
        loop: any EventLoop, threads: [GatewayThread], limits: GatewayLimits, metrics: GatewayMetrics, sharedPort: Int?,
        tlsPort: Int?, instance: String?, listeners: Listeners
    ) {
        table = RoutingTable(instance: instance)
        self.loop = loop
        self.threads = threads
        self.limits = limits
        self.metrics = metrics
        sharedPorts = Set([sharedPort].compactMap(\.self))
        self.tlsPort = tlsPort
        self.listeners = listeners
    }

    /// Changes the table, and has the loops told once all changes that are under way are in.
    ///
    /// - Parameter ofModel: ports and names may have other owners now.
    func change(ofModel: Bool, _ body: (inout RoutingTable) -> ObjectKey?) {
        let key = body(&table)
        if let key { changed.insert(key) }
        if ofModel { ownersChanged = true }
        if isFlushing || (key == nil && !ofModel) { return }
        isFlushing = true
        loop.assumeIsolated().execute { self.flush() }
    }

    /// All models and pods of the beginning have been told.
    func completeBeginning() {
        knowsAll = true
        // Otherwise what they change is on its way to the loops.
        if !isFlushing { listeners.completeBeginning() }
    }

    private func flush() {
        isFlushing = false
        for key in changed { tell(key) }
        changed.removeAll()
        defer { if knowsAll { listeners.completeBeginning() } }
        guard ownersChanged else { return }
        ownersChanged = false
        let (ports, hosts) = (table.portOwners, table.hostOwners)
        for thread in threads { thread.run { $0.assign(ports: ports, hosts: hosts) } }
        // No model's port is the one that is for TLS, which is opened for nothing else.
        listeners.update(Set(ports.keys.filter { $0 != tlsPort }).union(sharedPorts))
    }

    /// There is what the port speaks TLS by.
    func openTLS() {
        guard let tlsPort, sharedPorts.insert(tlsPort).inserted else { return }
        change(ofModel: true) { _ in nil }
    }

    private func tell(_ key: ObjectKey) {
        guard let route = table.routes[key] else {
            shared[key] = nil
            for thread in threads { thread.run { $0.remove(key) } }
            return
        }
        let model = shared[key] ?? SharedModel(key, loops: threads.count, limits: limits, metrics: metrics)
        shared[key] = model
        model.update(route)
        for thread in threads { thread.run { $0.update(route, shared: model) } }
    }

    /// What there is to do for each model.
    func load(now: Duration) -> [ObjectKey: GatewayLoad.Model] { shared.mapValues { $0.load(now: now) } }

    /// An attempt to wake a revision is over.
    func wakeFinished(_ key: ObjectKey, _ revision: String, _ outcome: WakeOutcome, now: Duration) {
        if let revision = shared[key]?.revision(revision) {
            let counts = revision.wake.withLock { $0.finished(outcome, now: now) }
            if counts { revision.metrics.coldStart(outcome) }
        }
        for thread in threads {
            thread.run { context in
                context.model(key)?.revisions.first { $0.name == revision }?.wakeFinished(outcome)
            }
        }
    }

    // MARK: Cold starts

    /// A pod is there, and so far.
    func saw(_ pod: PodRecord, now: Duration) {
        guard !pod.hasEnded, !pod.metadata.isBeingDeleted else { return lost(pod) }
        let progress = table.progress(of: pod)
        revision(of: pod)?.wake.withLock { $0.saw(pod.metadata.uid, progress, now: now) }
    }

    func lost(_ pod: PodRecord) { revision(of: pod)?.wake.withLock { $0.lost(pod.metadata.uid) } }

    private func revision(of pod: PodRecord) -> SharedRevision? {
        guard let model = pod.model, let name = pod.revision else { return nil }
        return shared[model]?.revision(name)
    }
}
