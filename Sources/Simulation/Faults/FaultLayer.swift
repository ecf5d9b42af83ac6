import Concurrency
import HTTPTransport

/// Carries out a plan of faults: decides about each request of the operator, and about its watches.
final class FaultLayer: Sendable {
    /// What becomes of a request.
    enum Verdict: Sendable {
        case pass
        case refuse(code: Int, retryAfter: String?)
        case loseAnswer
        case drop
        case late(Duration)
        case crash(after: Bool, down: Duration, behind: Int)
        /// The watch that was asked for begins at a version that is too old.
        case gone(asEvent: Bool)
    }

    /// Whose watches break: nil stands for all.
    struct Cut: Sendable {
        var plural: String?
        var replica: Int?

        func concerns(_ plural: String, of replica: Int) -> Bool {
            (self.plural ?? plural) == plural && (self.replica ?? replica) == replica
        }
    }

    fileprivate struct Refusal {
        var code: Int
        var retryAfter: String?
        var left: Int
        var method: String
        var plural: String
        var until: Duration
    }

    fileprivate struct State {
        var waiting: [Fault]
        var isOver = false
        var calls = 0
        var writes = 0
        var scales = 0
        var events = 0
        var refusals: [Refusal] = []
        var lags: [String: (lag: Duration, until: Duration)] = [:]
        var collapsing: [String: Duration] = [:]
        var gone: [String: Bool] = [:]
        /// Kinds whose next list is too old at its second page.
        var expired: Set<String> = []
        var outages: [String: Duration] = [:]
        var pauses: [Int: Duration] = [:]
        var cuts: [Int: Duration] = [:]
        var skews: [Int: Duration] = [:]
        /// Nobody reaches the server until then.
        var awayUntil: Duration = .zero
        var late: [Int: (lag: Duration, until: Duration)] = [:]
        var refusedWakes: (code: Int, left: Int) = (0, 0)
        var gatewayHandlers: [@Sendable (Int, Fault.GatewayFault) -> Void] = []
        var podHandlers: [@Sendable () -> Void] = []
        var fired: [String: Int] = [:]
        var watchHandlers: [@Sendable (Cut) -> Void] = []
    }

    /// However often a refusal is repeated, it is no longer than this, so that stories go on.
    private static let longestRefusal: Duration = .seconds(90)

    private let state: Locked<State>
    private let time: SimulatedTime
    private let trace: Trace

    init(_ plan: [Fault], time: SimulatedTime, trace: Trace) {
        state = Locked(State(waiting: plan))
        self.time = time
        self.trace = trace
    }

    /// How often each perturbation came to pass.
    var fired: [String: Int] { state.withLock { $0.fired } }
    var writes: Int { state.withLock { $0.writes } }
    var events: Int { state.withLock { $0.events } }

    /// From here on nothing goes wrong.
    func stop() {
        state.withLock { state in
            state.isOver = true
            state.refusals = []
            state.lags = [:]
            state.collapsing = [:]
            state.gone = [:]
            state.expired = []
            state.outages = [:]
            state.pauses = [:]
            state.cuts = [:]
            state.skews = [:]
            state.awayUntil = .zero
            state.late = [:]
            state.refusedWakes = (0, 0)
        }
    }

    /// Sets an alarm for each fault that has its time.
    func start(_ server: SimulatedServer) {
        for fault in state.withLock({ $0.waiting }) {
            guard case .time(let milliseconds) = fault.trigger else { continue }
            time.alarm(after: .milliseconds(milliseconds)) { [weak self] in self?.strike(fault, server) }
        }
    }

    /// Sets an alarm for each fault that follows this act.
    func follow(act: Int, _ server: SimulatedServer) {
        for fault in state.withLock({ $0.waiting }) {
            guard case .act(act, let milliseconds) = fault.trigger else { continue }
            time.alarm(after: .milliseconds(milliseconds)) { [weak self] in self?.strike(fault, server) }
        }
    }

    func onWatchFault(_ body: @escaping @Sendable (Cut) -> Void) { state.withLock { $0.watchHandlers.append(body) } }

    func onGatewayFault(_ body: @escaping @Sendable (Int, Fault.GatewayFault) -> Void) {
        state.withLock { $0.gatewayHandlers.append(body) }
    }

    func onPodFault(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.podHandlers.append(body) } }

    // MARK: Requests

    /// What becomes of a request of the gateway's.
    func judge(_ call: APICall, ofGateway replica: Int) -> Verdict {
        let now = time.monotonicNow()
        return state.withLock { state in
            if state.isOver { return .pass }
            if now < state.awayUntil { return .drop }
            if call.isWatch {
                if let end = state.outages[call.plural], now < end { return .refuse(code: 503, retryAfter: nil) }
                return .pass
            }
            guard call.isWrite, state.refusedWakes.left > 0 else { return .pass }
            state.refusedWakes.left -= 1
            return .refuse(code: state.refusedWakes.code, retryAfter: nil)
        }
    }

    func judge(_ call: APICall, by replica: Int) -> Verdict {
        let now = time.monotonicNow()
        let (verdict, fault) = state.withLock { state -> (Verdict, Fault?) in
            if state.isOver { return (.pass, nil) }
            if now < state.awayUntil { return (.drop, nil) }
            if let end = state.cuts[replica], now < end { return (.drop, nil) }
            if call.isWatch {
                if let end = state.outages[call.plural], now < end { return (.refuse(code: 503, retryAfter: nil), nil) }
                return (state.gone.removeValue(forKey: call.plural).map { .gone(asEvent: $0) } ?? .pass, nil)
            }
            if call.isContinuation, state.expired.remove(call.plural) != nil { return (.gone(asEvent: false), nil) }
            state.calls += 1
            if call.isWrite, !call.isLease {
                if call.isEvent { state.events += 1 } else { state.writes += 1 }
                if call.subresource == "scale" { state.scales += 1 }
            }
            if let fault = state.due(call) {
                state.fired[fault.perturbation, default: 0] += 1
                return (state.verdict(fault, call, until: now + Self.longestRefusal), fault)
            }
            return (state.standingRefusal(call, now) ?? .pass, nil)
        }
        if let fault { trace.add("fault \(fault)") }
        return verdict
    }

    /// What the server never saw is told by those who kept it back.
    func note(_ what: String) { trace.add(what) }

    // MARK: Watches and pauses

    func lag(_ plural: String, of replica: Int) -> Duration {
        let now = time.monotonicNow()
        return state.withLock { state in
            [state.lags[plural], state.late[replica]].compactMap(\.self).filter { now < $0.until }.map(\.lag).max()
                ?? .zero
        }
    }

    func collapses(_ plural: String) -> Bool {
        let now = time.monotonicNow()
        return state.withLock { $0.collapsing[plural].map { now < $0 } ?? false }
    }

    /// How far a replica's wall clock is ahead.
    func skew(_ replica: Int) -> Duration { state.withLock { $0.skews[replica] ?? .zero } }

    /// How long a replica still stands still.
    func pause(_ replica: Int) -> Duration {
        let now = time.monotonicNow()
        return state.withLock { max(.zero, ($0.pauses[replica] ?? .zero) - now) }
    }

    private func strike(_ fault: Fault, _ server: SimulatedServer) {
        let now = time.monotonicNow()
        let isOver = state.withLock { state -> Bool in
            if !state.isOver { state.fired[fault.perturbation, default: 0] += 1 }
            return state.isOver
        }
        if isOver { return }
        trace.add("fault \(fault)")
        switch fault.effect {
        case .lag(let plural, let lag, let lasting):
            let until = now + .milliseconds(lasting)
            state.withLock { $0.lags[plural] = (.milliseconds(lag), until) }
        case .collapse(let plural, let lasting):
            let until = now + .milliseconds(lasting)
            state.withLock { $0.collapsing[plural] = until }
        case .close(let plural): closeWatches(Cut(plural: plural))
        case .outage(let plural, let lasting, let isGone):
            let until = now + .milliseconds(lasting)
            state.withLock { state in
                state.outages[plural] = until
                if isGone { state.gone[plural] = false }
            }
            closeWatches(Cut(plural: plural))
        case .gone(let plural, let asEvent):
            state.withLock { state in
                state.gone[plural] = asEvent
                state.expired.insert(plural)
            }
            closeWatches(Cut(plural: plural))
        case .compact: server.compact()
        case .pause(let replica, let milliseconds):
            let until = now + .milliseconds(milliseconds)
            state.withLock { $0.pauses[replica] = until }
        case .cutOff(let replica, let milliseconds):
            let until = now + .milliseconds(milliseconds)
            state.withLock { $0.cuts[replica] = until }
            closeWatches(Cut(replica: replica))
        case .clockSet(let replica, let milliseconds):
            state.withLock { $0.skews[replica] = .milliseconds(milliseconds) }
        case .serverAway, .killPod, .refuseWake, .gateway: strikeGateway(fault.effect, now)
        case .crash, .refuse, .loseAnswer, .drop, .late: break
        }
    }

    private func strikeGateway(_ effect: Fault.Effect, _ now: Duration) {
        switch effect {
        case .serverAway(let milliseconds):
            state.withLock { $0.awayUntil = now + .milliseconds(milliseconds) }
            closeWatches(Cut())
        case .killPod: for handler in state.withLock({ $0.podHandlers }) { handler() }
        case .refuseWake(let code, let count): state.withLock { $0.refusedWakes = (code, count) }
        case .gateway(let slot, .late(let lag, let lasting)):
            let until = now + .milliseconds(lasting)
            state.withLock { $0.late[GatewayFleet.replica(slot)] = (.milliseconds(lag), until) }
        case .gateway(let slot, let fault):
            for handler in state.withLock({ $0.gatewayHandlers }) { handler(slot, fault) }
        default: break
        }
    }

    private func closeWatches(_ cut: Cut) {
        for handler in state.withLock({ $0.watchHandlers }) { handler(cut) }
    }
}

extension FaultLayer.State {
    fileprivate mutating func due(_ call: APICall) -> Fault? {
        let index = waiting.firstIndex {
            switch $0.trigger {
            case .write(let number): call.isWrite && !call.isEvent && !call.isLease && number == writes
            case .scale(let number): call.isWrite && call.subresource == "scale" && number == scales
            case .event(let number): call.isWrite && call.isEvent && number == events
            case .call(let number): number == calls
            case .time, .act: false
            }
        }
        return index.map { waiting.remove(at: $0) }
    }

    fileprivate mutating func verdict(_ fault: Fault, _ call: APICall, until: Duration) -> FaultLayer.Verdict {
        switch fault.effect {
        case .crash(let after, let down, let behind):
            return .crash(after: after, down: .milliseconds(down), behind: behind)
        case .refuse(let code, let retryAfter, let count):
            refusals.append(
                FaultLayer.Refusal(
                    code: code, retryAfter: retryAfter, left: count - 1, method: call.method, plural: call.plural,
                    until: until))
            return .refuse(code: code, retryAfter: retryAfter)
        case .loseAnswer: return .loseAnswer
        case .drop: return .drop
        case .late(let milliseconds): return call.isWrite ? .late(.milliseconds(milliseconds)) : .drop
        case .lag, .collapse, .close, .outage, .gone, .compact, .pause, .cutOff, .clockSet, .serverAway, .killPod,
            .refuseWake, .gateway:
            return .pass
        }
    }

    fileprivate mutating func standingRefusal(_ call: APICall, _ now: Duration) -> FaultLayer.Verdict? {
        let index = refusals.firstIndex {
            $0.left > 0 && now < $0.until && $0.method == call.method && $0.plural == call.plural
        }
        guard let index else { return nil }
        refusals[index].left -= 1
        return .refuse(code: refusals[index].code, retryAfter: refusals[index].retryAfter)
    }
}
