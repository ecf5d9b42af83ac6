import APIServerModel
import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel

/// Users who send requests to the model's Service now and then, with pauses in which it may fall asleep, and what they get.
///
/// Confined to the simulation's thread.
final class Traffic: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    /// Where the Service leads, as a node knows it.
    private struct Way: Hashable {
        var selector: String?
        var gateways: [String] = []
        var port = 0
    }

    private let time: SimulatedTime
    private let server: SimulatedServer
    private let network: PodNetwork
    private let fleet: GatewayFleet
    private let trace: Trace
    private let hasFaults: Bool
    private let fail: (Violation) -> Void
    private var random: SeededGenerator
    private(set) var counts = Simulation.RequestCounts()
    private(set) var outstanding = 0
    private var ways: [(since: Duration, way: Way?)] = []
    /// Revisions that the status, or the Service where there was no gateway, has ever given requests to.
    private var shared: Set<String> = []
    private var lastState = ""
    private var isOver = false

    init(
        seed: UInt64, time: SimulatedTime, server: SimulatedServer, network: PodNetwork, fleet: GatewayFleet,
        trace: Trace, hasFaults: Bool, fail: @escaping (Violation) -> Void
    ) {
        self.time = time
        self.server = server
        self.network = network
        self.fleet = fleet
        self.trace = trace
        self.hasFaults = hasFaults
        self.fail = fail
        random = SeededGenerator(seed: seed ^ 0x7573_6572)
        fleet.onReport = { [weak self] in self?.reported() }
    }

    // MARK: When requests come

    func start() { busy(for: milliseconds(5000...40_000)) }

    /// No more come by themselves.
    func stop() { isOver = true }

    private func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &random))
    }

    private func busy(for length: Duration) {
        if isOver { return }
        send()
        let wait = milliseconds(20...3000)
        time.alarm(after: wait) { [weak self] in
            guard let self else { return }
            if length > wait { return busy(for: length - wait) }
            pause()
        }
    }

    /// Around the time after which it sleeps, or much longer.
    private func pause() {
        let length = random.next() % 3 == 0 ? milliseconds(60_000...180_000) : milliseconds(25_000...50_000)
        time.alarm(after: length) { [weak self] in
            guard let self else { return }
            busy(for: milliseconds(0...30_000))
        }
    }

    /// Those who want to meet the model at a bad moment come at such.
    private func comeSoon(within length: Int, oneIn chance: UInt64) {
        guard !isOver, random.next() % chance == 0 else { return }
        time.alarm(after: milliseconds(0...length)) { [weak self] in
            guard let self, !isOver else { return }
            send()
        }
    }

    private func reported() { if lastState == TrafficShare.State.draining.rawValue { comeSoon(within: 60, oneIn: 8) } }

    // MARK: What the cluster does

    /// Looks at a state of the server.
    func note(_ write: SimulatedServer.Write?) {
        let way = currentWay()
        if ways.last?.way != way { ways.append((time.monotonicNow(), way)) }
        let traffic = server.object(.mlModels, Person.key)?["status", "traffic"]?.array ?? []
        for share in traffic where (share["weight"]?.int ?? 0) > 0 {
            if let revision = share["revision"]?.string { shared.insert(revision) }
        }
        if let revision = way?.selector { shared.insert(revision) }
        let state = traffic.first?["state"]?.string ?? ""
        if state != lastState, state == TrafficShare.State.draining.rawValue { comeSoon(within: 4000, oneIn: 3) }
        if let write, write.isSleep { comeSoon(within: 3000, oneIn: 2) }
        lastState = state
    }

    private func currentWay() -> Way? {
        guard let service = server.object(.services, Person.key), service.controllerUID != nil, !service.isGoing else {
            return nil
        }
        if let revision = service["spec", "selector", Label.revision]?.string { return Way(selector: revision) }
        var way = Way()
        for slice in server.objects(.endpointSlices) where slice.controllerUID == service.controllerUID {
            way.port = slice["ports"]?[0]?["port"]?.int ?? 0
            way.gateways += (slice["endpoints"]?.array ?? []).filter { $0["conditions", "ready"]?.bool == true }
                .compactMap { $0["addresses"]?[0]?.string }
        }
        return way
    }

    /// Users are led straight to pods, or some may still be.
    var isDirect: Bool {
        let now = time.monotonicNow()
        return ways.indices.contains { index in
            let end = index + 1 < ways.count ? ways[index + 1].since : now
            return ways[index].way?.selector != nil && now - end <= Self.longestLag
        }
    }

    /// So late may a node be with where a Service leads.
    private static let longestLag: Duration = .seconds(2)

    // MARK: Requests

    private func send() { send { _ in } }

    /// - Parameter told: whether a pod has answered; not called where nobody took the request.
    private func send(_ told: @escaping (Bool) -> Void) {
        let seen = time.monotonicNow() - milliseconds(0...2000)
        guard let way = ways.last(where: { $0.since <= seen })?.way else { return }
        counts.all += 1
        let number = counts.all
        let work = random.next() % 10 == 0 ? milliseconds(1000...8000) : milliseconds(5...800)
        let request = SimulatedRequest(number: number, isSafe: random.next() % 2 == 0, work: work) {
            [weak self] request, answer in
            self?.took(request, answer)
            if case .served = answer { told(true) } else { told(false) }
        }
        outstanding += 1
        if let revision = way.selector { return sendDirectly(request, revision) }
        let order = way.gateways.shuffled(using: &random)
        let isTaken = order.contains { fleet.gateway(at: $0)?.take(request, port: way.port) ?? false }
        if !isTaken { unreached(request, "no gateway of \(order) takes it") }
    }

    private func sendDirectly(_ request: SimulatedRequest, _ revision: String) {
        let pods = network.listening.filter { $0.revision == revision }
        guard let pod = pods.randomElement(using: &random) else { return unreached(request, "no pod listens") }
        network.sendDirectly(request, to: pod)
    }

    private func unreached(_ request: SimulatedRequest, _ why: String) {
        outstanding -= 1
        counts.unreached += 1
        trace.add("request \(request.number): \(why)")
    }

    private func took(_ request: SimulatedRequest, _ answer: SimulatedRequest.Answer) {
        outstanding -= 1
        trace.add("request \(request.number): \(text(answer))")
        switch answer {
        case .served(let pod):
            counts.served += 1
            if !shared.contains(pod.revision) {
                breach(request, "is answered by \(pod.revision), which has never had a share")
            }
        case .unavailable(let reason, let after):
            counts.refused += 1
            if after < 1 { breach(request, "gets a 503 without Retry-After: \(reason)") }
            if !hasFaults { breach(request, "gets a 503 though nothing is wrong: \(reason)") }
        case .broken(let pod):
            counts.broken += 1
            if !pod.isKilled { breach(request, "is lost with the pod \(pod.address), which nothing has killed") }
        case .cut(let isFault):
            counts.broken += 1
            if !isFault { breach(request, "is lost with a gateway that nothing has killed") }
        }
    }

    private func text(_ answer: SimulatedRequest.Answer) -> String {
        switch answer {
        case .served(let pod): "200 by \(pod.revision) at \(pod.address)"
        case .unavailable(let reason, let after): "503, \(reason), again in \(after) s"
        case .broken(let pod): "502, \(pod.address) broke"
        case .cut: "cut off"
        }
    }

    private func breach(_ request: SimulatedRequest, _ what: String) {
        fail(Violation(invariant: "I12", detail: "request \(request.number) \(what)"))
    }

    // MARK: The end

    /// When nothing goes wrong any more, a user who does as a 503 says gets an answer.
    func proveService() async throws {
        for _ in 0..<8 {
            let isServed = Locked<Bool?>(nil)
            send { answer in isServed.withLock { $0 = answer } }
            for _ in 0..<200 where isServed.withLock({ $0 }) == nil { try await time.sleep(for: .seconds(1)) }
            if isServed.withLock({ $0 }) == true { return }
            try await time.sleep(for: .seconds(30))
        }
        fail(Violation(invariant: "I14", detail: "in the end no request is answered"))
    }
}

extension SimulatedServer.Write {
    /// Replicas that were there are gone by the scale.
    var isSleep: Bool {
        guard isAccepted, call.plural == "deployments", call.subresource == "scale",
            (before?["spec", "replicas"]?.int ?? 0) > 0
        else { return false }
        return replicasAsked == 0
    }

    /// A gateway has scaled something up.
    var isWaking: Bool {
        isAccepted && actor.hasPrefix("gateway") && call.plural == "deployments" && call.subresource == "scale"
    }

    private var replicasAsked: Int? {
        do { return try JSONValue(parsing: request.body)["spec", "replicas"]?.int } catch { return nil }
    }
}
