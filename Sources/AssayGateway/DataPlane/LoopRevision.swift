import AssayCore
import Concurrency
import ControllerRuntime
import KubernetesModel
import Logging
import NIOCore
import NIOPosix

/// Carries out, on one event loop, what the pool of a revision decides.
final class LoopRevision {
    typealias Pool = RevisionPool<PodHandler, ClientHandler>

    let shared: SharedRevision
    private let context: LoopContext
    private let modelKey: ObjectKey
    private var state: RevisionState<PodHandler, ClientHandler>
    private let line: SlotLine
    private let budget: HoldBudget
    private var tick: (task: Scheduled<Void>, at: Duration)?

    init(_ route: RevisionRoute, shared: SharedRevision, model: LoopModel, in context: LoopContext) {
        self.shared = shared
        self.context = context
        modelKey = model.shared.key
        line = SlotLine(shared.slots)
        budget = model.shared.budget
        state = RevisionState(
            route, .init(context.limits), budget: budget, line: line, now: context.now)
        let (loop, bound) = (context.loop, NIOLoopBound(self, eventLoop: context.loop))
        line.onCall { loop.execute { bound.value.advance() } }
    }

    var route: RevisionRoute { state.route }
    var name: String { route.share.revision }
    var canTakeRequests: Bool { state.canTakeRequests }

    // MARK: Requests

    /// Gives a request a connection, now or later, or refuses it.
    func connect(_ client: ClientHandler, bytes: Int, avoiding avoided: Pool.EndpointID? = nil) {
        let now = context.now
        if state.needsWaking, let refusal = wake(now: now) {
            client.refused(refusal)
            return
        }
        let acquired = state.acquire(
            client, avoiding: avoided, bytes: bytes, isWaking: shared.wake.withLock { $0.phase != .resting },
            limits: context.limits, now: now)
        switch acquired {
        case .connection(let pod, let dial):
            if let dial { perform([dial]) }
            client.attach(pod)
        case .waiting(let ticket, let dials):
            shared.metrics.held.increment()
            client.held(by: self, ticket)
            perform(dials)
            scheduleTick(now: now)
        case .refused:
            client.refused(GatewayAnswer(503, "too many requests wait for \(modelKey.name)", retryAfter: 5))
        }
    }

    /// A client that waits has gone.
    func cancel(_ ticket: Pool.Ticket) {
        state.pool.cancel(ticket)
        shared.metrics.held.increment(by: -1)
        left()
    }

    /// A request that was held has gone without having been forwarded.
    private func left() {
        if budget.count == 0 { shared.wake.withLock { $0.nobodyWaits() } }
    }

    /// - Returns: what to answer where it cannot be woken.
    private func wake(now: Duration) -> GatewayAnswer? {
        switch shared.wake.withLock({ $0.request(now: now) }) {
        case .start: context.ports.wake(modelKey, route)
        case .hold: break
        case .refuse(let reason, let after):
            return GatewayAnswer(503, reason, retryAfter: Int(after.components.seconds) + 1)
        }
        return nil
    }

    /// An attempt to wake it is over.
    func wakeFinished(_ outcome: WakeOutcome) {
        guard case .failed(let reason) = outcome else { return }
        for client in state.pool.removeWaiting() { refuse(client, GatewayAnswer(503, reason, retryAfter: 2)) }
    }

    private func refuse(_ client: ClientHandler, _ answer: GatewayAnswer) {
        shared.metrics.held.increment(by: -1)
        left()
        client.refused(answer)
    }

    private func give(_ pod: PodHandler, to client: ClientHandler) {
        shared.metrics.held.increment(by: -1)
        client.attach(pod)
        let now = context.now
        if let parts = shared.wake.withLock({ $0.forwarded(now: now) }) { shared.metrics.coldStart(parts) }
    }

    /// Sends those that wait to the revision that takes requests now.
    func sendElsewhere() {
        for client in state.pool.removeWaiting() {
            shared.metrics.held.increment(by: -1)
            shared.wake.withLock { $0.nobodyWaits() }
            client.chooseAgain()
        }
    }

    // MARK: Connections

    /// An exchange is over.
    func release(_ pod: PodHandler, isUsable: Bool) {
        after(state.pool.release(pod, pod.endpointID, isUsable: isUsable, now: context.now), pod)
        if !isUsable, !state.pool.waiting.isEmpty { advance() }
    }

    private func after(_ released: Pool.Released, _ pod: PodHandler) {
        switch released {
        case .reuse(let client): give(pod, to: client)
        case .kept: break
        case .close: pod.close()
        }
    }

    /// A connection broke before a byte of an answer came.
    func noteBreak(_ pod: PodHandler) {
        for idle in state.pool.noteBreak(pod.endpointID, wasKept: !pod.isFresh, now: context.now) {
            idle.close()
        }
    }

    func noteAnswer(_ pod: PodHandler) { state.pool.noteAnswer(pod.endpointID) }

    func idleClosed(_ pod: PodHandler) { state.pool.idleClosed(pod, pod.endpointID) }

    func expireIdle() {
        for pod in state.pool.expireIdle(now: context.now) { pod.close() }
    }

    private func perform(_ dials: [Pool.Dial]) {
        for dial in dials { perform(dial) }
    }

    private func perform(_ dial: Pool.Dial) {
        let pod = PodHandler(dial.id, self)
        do {
            let address = try SocketAddress(ipAddress: dial.endpoint.address, port: dial.endpoint.port)
            let bound = NIOLoopBound(pod, eventLoop: context.loop)
            ClientBootstrap(group: context.loop)
                .channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                // A pod's network may be there before its packets are answered: better another attempt than a long one.
                .connectTimeout(TimeAmount(dial.isProbe ? .milliseconds(250) : context.limits.connectTimeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try bound.value.install(in: channel) }
                }
                .connect(to: address).assumeIsolated().whenComplete { result in
                    switch result {
                    case .success: self.connected(pod, dial)
                    case .failure: self.dialFailed(dial.id)
                    }
                }
        } catch {
            context.ports.logger.error(
                "a pod's address cannot be read",
                metadata: ["address": "\(dial.endpoint.address)", "model": "\(modelKey)", "error": "\(error)"])
            dialFailed(dial.id)
        }
    }

    private func connected(_ pod: PodHandler, _ dial: Pool.Dial) {
        if dial.isProbe, case .get(let path) = dial.endpoint.probe, !dial.endpoint.isReady {
            pod.probe(path, host: dial.endpoint.hostField)
        } else {
            use(pod, dial.id)
        }
    }

    private func use(_ pod: PodHandler, _ id: Pool.EndpointID) {
        opened()
        let released = state.pool.connected(pod, id, now: context.now)
        after(released, pod)
        advance()
    }

    /// A pod was asked whether it is ready.
    func probed(_ pod: PodHandler, isReady: Bool, isUsable: Bool) {
        switch (isReady, isUsable) {
        case (true, true): use(pod, pod.endpointID)
        case (true, false):
            state.pool.probed(pod.endpointID, now: context.now)
            opened()
            advance()
        case (false, _): dialFailed(pod.endpointID)
        }
    }

    private func opened() {
        let now = context.now
        shared.wake.withLock { $0.ready(now: now) }
    }

    private func dialFailed(_ id: Pool.EndpointID) {
        state.pool.dialFailed(id, now: context.now)
        advance()
    }

    /// Gives turns to those that wait, and makes the connections that are due.
    private func advance() {
        let now = context.now
        while let (client, pod) = state.pool.takeTurn() { give(pod, to: client) }
        perform(state.pool.dials(now: now))
        scheduleTick(now: now)
    }

    // MARK: Pods

    /// Takes its route as it is now.
    func update(_ route: RevisionRoute) {
        let change = state.update(route, now: context.now)
        for pod in change.closing { pod.close() }
        for (client, pod) in change.resumed { give(pod, to: client) }
        advance()
    }

    /// It has no route any more.
    func retire() {
        for pod in state.pool.update([], now: context.now) { pod.close() }
        line.leave()
    }

    // MARK: Time

    /// While requests wait, looks at them again in time.
    private func scheduleTick(now: Duration) {
        if state.pool.waiting.isEmpty { return }
        var at = now + .milliseconds(250)
        if let attempt = state.pool.nextAttempt() { at = min(at, max(attempt, now + .milliseconds(1))) }
        if let tick {
            if tick.at <= at { return }
            tick.task.cancel()
        }
        let task = context.loop.assumeIsolated().scheduleTask(in: TimeAmount(at - now)) {
            self.tick = nil
            self.look()
        }
        tick = (task, at)
    }

    private func look() {
        let now = context.now
        let reason =
            state.isBusy
            ? "the pods of \(modelKey.name) had no room in time" : "no pod of \(modelKey.name) became ready in time"
        for client in state.pool.expire(now: now) { refuse(client, GatewayAnswer(503, reason, retryAfter: 5)) }
        if !state.pool.waiting.isEmpty, state.needsWaking, let refusal = wake(now: now) {
            for client in state.pool.removeWaiting() { refuse(client, refusal) }
        }
        advance()
    }
}
