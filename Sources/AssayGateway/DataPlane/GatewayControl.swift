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
    private let sharedPort: Int?
    let listeners: Listeners
    private(set) var table = RoutingTable()
    private var shared: [ObjectKey: SharedModel] = [:]
    private var changed: Set<ObjectKey> = []
    private var ownersChanged = true
    private var isFlushing = false
    private var knowsAll = false

    init(
        loop: any EventLoop, threads: [GatewayThread], limits: GatewayLimits, metrics: GatewayMetrics, sharedPort: Int?,
        listeners: Listeners
    ) {
        self.loop = loop
        self.threads = threads
        self.limits = limits
        self.metrics = metrics
        self.sharedPort = sharedPort
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
        listeners.update(Set(ports.keys).union(sharedPort.map { [$0] } ?? []))
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
        shared[key]?.revision(revision)?.wake.withLock { $0.finished(outcome, now: now) }
        for thread in threads {
            thread.run { context in
                context.model(key)?.revisions.first { $0.name == revision }?.wakeFinished(outcome)
            }
        }
    }

    func metrics(of key: ObjectKey, _ revision: String) -> RevisionMetrics? {
        shared[key]?.revision(revision)?.metrics
    }
}
