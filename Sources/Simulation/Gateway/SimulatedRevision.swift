import AssayCore
import AssayGateway
import Concurrency

/// Carries out, on one loop of a simulated gateway, what the pool of a revision decides: as the gateway's own does with
/// real connections. Confined to the simulation's thread.
final class SimulatedRevision: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    private var state: RevisionState<PodConnection, SimulatedRequest>
    let shared: SharedRevision
    private let line: SlotLine
    private unowned let loop: SimulatedLoop
    private var tick: (number: Int, at: Duration)?
    private var ticks = 0

    init(_ route: RevisionRoute, shared: SharedRevision, model: SharedModel, in loop: SimulatedLoop) {
        self.shared = shared
        self.loop = loop
        line = SlotLine(shared.slots)
        state = RevisionState(route, .init(loop.limits), budget: model.budget, line: line, now: loop.now)
        line.onCall { [weak self, time = loop.time] in
            time.alarm(after: .zero) { [weak self] in
                guard let self, !self.loop.isOver else { return }
                self.advance()
            }
        }
    }

    var route: RevisionRoute { state.route }
    var name: String { route.share.revision }
    var canTakeRequests: Bool { state.canTakeRequests }

    // MARK: Requests

    func connect(_ request: SimulatedRequest, avoiding avoided: Int?) {
        let now = loop.now
        if state.needsWaking, let refusal = wake(now: now) { return loop.answer(request, refusal) }
        let acquired = state.acquire(
            request, avoiding: avoided, bytes: 0, isWaking: shared.wake.withLock { $0.phase != .resting },
            limits: loop.limits, now: now)
        switch acquired {
        case .connection(let connection, let dial):
            if let dial { perform(dial) }
            give(connection, to: request)
        case .waiting(let ticket, let dials):
            request.ticket = ticket
            for dial in dials { perform(dial) }
            scheduleTick()
        case .refused: loop.answer(request, .unavailable("too many wait", retryAfter: 5))
        }
    }

    private func wake(now: Duration) -> SimulatedRequest.Answer? {
        switch shared.wake.withLock({ $0.request(now: now) }) {
        case .start: loop.askToWake(route)
        case .hold: break
        case .refuse(let reason, let after):
            return .unavailable(reason, retryAfter: Int(after.components.seconds) + 1)
        }
        return nil
    }

    func wakeFinished(_ outcome: WakeOutcome) {
        guard case .failed(let reason) = outcome else { return }
        for request in state.pool.removeWaiting() { loop.answer(request, .unavailable(reason, retryAfter: 2)) }
    }

    func sendElsewhere() {
        for request in state.pool.removeWaiting() { loop.choose(request, avoiding: nil) }
    }

    private func give(_ connection: PodConnection, to request: SimulatedRequest) {
        request.ticket = nil
        request.connection = connection
        loop.network.send(request, over: connection)
    }

    // MARK: Connections

    private func perform(_ dial: RevisionPool<PodConnection, SimulatedRequest>.Dial) {
        let timeout: Duration = dial.isProbe ? .milliseconds(250) : loop.limits.connectTimeout
        loop.network.dial(dial.endpoint.address, within: timeout) { [weak self, weak loop = self.loop] connection in
            guard let self, let loop, !loop.isOver else {
                if let connection { connection.pod.connections.removeAll { $0 === connection } }
                return
            }
            if let connection { connected(connection, dial.id) } else { dialFailed(dial.id) }
        }
    }

    private func connected(_ connection: PodConnection, _ id: Int) {
        connection.endpoint = id
        connection.onAnswer = { [weak self, unowned connection] in self?.answered($0, connection) }
        connection.onClose = { [weak self, unowned connection] in self?.closed(connection, $0) }
        let released = state.pool.connected(connection, id, now: loop.now)
        shared.wake.withLock { $0.ready(now: loop.now) }
        after(released, connection)
        advance()
    }

    private func dialFailed(_ id: Int) {
        state.pool.dialFailed(id, now: loop.now)
        advance()
    }

    private func answered(_ request: SimulatedRequest, _ connection: PodConnection) {
        request.connection = nil
        connection.hasAnswered = true
        state.pool.noteAnswer(connection.endpoint)
        release(connection, isUsable: connection.pod.isListening)
        loop.answer(request, .served(connection.pod))
    }

    private func closed(_ connection: PodConnection, _ request: SimulatedRequest?) {
        guard let request else { return state.pool.idleClosed(connection, connection.endpoint) }
        let untrusted = state.pool.noteBreak(
            connection.endpoint, wasKept: connection.hasAnswered, now: loop.now)
        for idle in untrusted { loop.network.hangUp(idle) }
        let retry = RetryDecision(
            isSafe: request.isSafe, isIdempotent: loop.isIdempotent, wasSent: true, canReplay: true,
            answerHasBegun: false, retries: request.retries)
        request.connection = nil
        release(connection, isUsable: false)
        guard retry.isAllowed else { return loop.answer(request, .broken(connection.pod)) }
        request.retries += 1
        loop.choose(request, avoiding: connection.endpoint)
    }

    private func release(_ connection: PodConnection, isUsable: Bool) {
        after(
            state.pool.release(connection, connection.endpoint, isUsable: isUsable, now: loop.now), connection)
        if !isUsable, !state.pool.waiting.isEmpty { advance() }
    }

    private func after(
        _ released: RevisionPool<PodConnection, SimulatedRequest>.Released, _ connection: PodConnection
    ) {
        switch released {
        case .reuse(let request): give(connection, to: request)
        case .kept: break
        case .close: loop.network.hangUp(connection)
        }
    }

    func expireIdle() {
        for connection in state.pool.expireIdle(now: loop.now) { loop.network.hangUp(connection) }
    }

    private func advance() {
        while let (request, connection) = state.pool.takeTurn() { give(connection, to: request) }
        for dial in state.pool.dials(now: loop.now) { perform(dial) }
        scheduleTick()
    }

    // MARK: Pods

    func update(_ route: RevisionRoute) {
        let change = state.update(route, now: loop.now)
        for connection in change.closing { loop.network.hangUp(connection) }
        for (request, connection) in change.resumed { give(connection, to: request) }
        if loop.forwardsWhileDraining { state.pool.isHolding = false }
        advance()
    }

    func retire() {
        for connection in state.pool.update([], now: loop.now) { loop.network.hangUp(connection) }
        line.leave()
    }

    // MARK: Time

    private func scheduleTick() {
        if state.pool.waiting.isEmpty { return }
        let now = loop.now
        var at = now + .milliseconds(250)
        if let attempt = state.pool.nextAttempt() { at = min(at, max(attempt, now + .milliseconds(1))) }
        if let tick, tick.at <= at { return }
        ticks += 1
        let number = ticks
        tick = (number, at)
        loop.time.alarm(after: at - now) { [weak self] in
            guard let self, tick?.number == number else { return }
            tick = nil
            if !loop.isOver { look() }
        }
    }

    private func look() {
        let now = loop.now
        for request in state.pool.expire(now: now) {
            loop.answer(request, .unavailable("no pod became ready in time", retryAfter: 5))
        }
        if !state.pool.waiting.isEmpty, state.needsWaking, let refusal = wake(now: now) {
            for request in state.pool.removeWaiting() { loop.answer(request, refusal) }
        }
        advance()
    }
}
