import APIServerModel
import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging

@testable import Simulation

/// Candidates for one Lease on the API server's model, in simulated time and in an order that a seed gives.
final class ElectionWorld: Sendable {
    enum Fault: Sendable {
        case refuse(Int, String)
        /// Carried out, and the answer lost.
        case loseAnswer
        /// Carried out later; whoever asked hears nothing.
        case late(Duration)
        case silence
    }

    static let lease = ObjectKey(namespace: "assay-system", name: "assay-operator")
    static let latency: Duration = .milliseconds(10)

    let time = SimulatedTime()
    let executor: SeededExecutor
    private let server: Locked<APIServer>
    private let events = Locked<[(at: Duration, what: String)]>([])
    private let log = Locked<[String]>([])
    private let electors = Locked<[LeaderElector]>([])
    private let mostLeaders = Locked(0)

    init(seed: UInt64 = 1) {
        executor = SeededExecutor(seed: seed)
        let time = time
        server = Locked(APIServer(options: APIServerOptions(), now: Timestamp(sinceEpoch: time.wallNow())))
        administer("POST", "/api/v1/namespaces", ["metadata": ["name": "assay-system"]])
    }

    // MARK: What happened

    /// `a leads`, `a lost`, in order.
    var story: [String] { events.withLock { $0.map(\.what) } }
    /// When it happened first.
    func moment(_ what: String) -> Duration? { events.withLock { $0.first { $0.what == what }?.at } }
    func lines(_ text: String) -> [String] { log.withLock { $0.filter { $0.contains(text) } } }
    /// How many led at once, at most.
    var leaders: Int { mostLeaders.withLock { $0 } }

    var holder: String? { stored?["spec", "holderIdentity"]?.string }
    var stored: JSONValue? { server.withLock { $0.object(.leases, Self.lease) } }

    func note(_ what: String) {
        let now = time.monotonicNow()
        events.withLock { $0.append((now, what)) }
    }

    // MARK: Running

    /// Runs `live` for so long, and ends then whatever has not ended.
    func run(for duration: Duration, _ live: @escaping @Sendable (inout TaskGroup<Void>) async -> Void) async {
        let hasEnded = Locked(false)
        await withTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: executor) {
                await withTaskGroup(of: Void.self) { await live(&$0) }
                hasEnded.withLock { $0 = true }
            }
            drive { hasEnded.withLock { $0 } || self.time.monotonicNow() >= duration }
            group.cancelAll()
            drive { hasEnded.withLock { $0 } }
        }
    }

    private func drive(until isOver: () -> Bool) {
        executor.runReady()
        while !isOver(), time.advance() {
            executor.runReady()
            let leaders = electors.withLock { $0.filter(\.isLeader).count }
            mostLeaders.withLock { $0 = max($0, leaders) }
        }
    }

    // MARK: Those who live in it

    /// The administrator's.
    var client: KubernetesClient {
        let clock = CandidateTime(base: time, suspended: nil)
        return KubernetesClient(transport: CandidateTransport(world: self, time: clock) { _, _ in nil }, time: clock)
    }

    /// - Parameters:
    ///   - suspended: while its machine sleeps.
    ///   - fault: what becomes of a request at a moment.
    func elector(
        _ name: String, suspended: Range<Duration>? = nil,
        fault: @escaping @Sendable (Duration, HTTPRequest) -> Fault? = { _, _ in nil }
    ) -> LeaderElector {
        let clock = CandidateTime(base: time, suspended: suspended)
        let client = KubernetesClient(
            transport: CandidateTransport(world: self, time: clock, fault: fault), time: clock, random: { 0.5 })
        let logger = Logger(label: name) { [log] label in
            StructuredLogHandler(label: label, time: clock) { line in
                log.withLock { $0.append("\(name): \(String(decoding: line, as: UTF8.self))") }
            }
        }
        let elector = LeaderElector(
            client: client, configuration: .init(lease: Self.lease), identity: name, time: clock, seed: 7,
            logger: logger)
        electors.withLock { $0.append(elector) }
        return elector
    }

    /// Takes part from `start` on, and leads for as long as `lead` lasts.
    func takePart(
        _ elector: LeaderElector, from start: Duration = .zero,
        lead: @escaping @Sendable () async throws -> Void = ElectionWorld.untilCancelled
    ) async {
        let name = elector.identity
        do {
            try await time.sleep(for: start)
            try await elector.run {
                self.note("\(name) leads")
                try await lead()
            }
            note("\(name) stopped")
        } catch is LeadershipLost {
            note("\(name) lost")
        } catch {
            note("\(name) cancelled")
        }
    }

    /// Until that moment, or the end.
    func wait(until moment: Duration) async {
        do {
            try await time.sleep(for: moment - time.monotonicNow())
        } catch {
            return
        }
    }

    static let untilCancelled: @Sendable () async throws -> Void = {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        for await _ in stream {}
        continuation.finish()
        try Task.checkCancellation()
    }

    func administer(_ method: String, _ path: String, _ body: JSONValue? = nil, type: String = "application/json") {
        let request = APIRequest(
            method: method, target: path, headers: ["content-type": type], body: body?.serializedBytes() ?? [],
            user: .admin)
        let response = handle(request)
        if response.status >= 300 { note("\(method) \(path): \(response.status)") }
    }

    func handle(_ request: APIRequest) -> APIResponse {
        let now = Timestamp(sinceEpoch: time.wallNow())
        return server.withLock { $0.handle(request, now: now) }
    }
}

/// A machine's clock that goes on while the machine sleeps, and nothing else does.
private struct CandidateTime: TimeSource {
    let base: SimulatedTime
    let suspended: Range<Duration>?

    func monotonicNow() -> Duration { base.monotonicNow() }
    func wallNow() -> Duration { base.wallNow() }

    func sleep(for duration: Duration) async throws {
        try await base.sleep(for: duration)
        let now = base.monotonicNow()
        if let suspended, suspended.contains(now) { try await base.sleep(for: suspended.upperBound - now) }
    }
}

private struct CandidateTransport: HTTPTransport {
    let world: ElectionWorld
    let time: CandidateTime
    let fault: @Sendable (Duration, HTTPRequest) -> ElectionWorld.Fault?

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let call = APIRequest(request, user: .admin)
        let fault = fault(time.monotonicNow(), request)
        if case .late(let delay) = fault { world.time.alarm(after: delay) { [world] in _ = world.handle(call) } }
        try await travel(ElectionWorld.latency)
        let response: (status: Int, body: [UInt8])
        switch fault {
        case nil: response = answer(world.handle(call))
        case .refuse(let code, let reason)?:
            response = (code, KubernetesStatus(code: code, reason: reason, message: "no").json.serializedBytes())
        case .loseAnswer?:
            _ = world.handle(call)
            throw HTTPTransportError(.broken, detail: "the connection broke")
        case .late?, .silence?:
            try await travel(.seconds(1000))
            throw HTTPTransportError(.timeout)
        }
        try await travel(ElectionWorld.latency)
        let rest = Locked<[UInt8]?>(response.body)
        return HTTPResponse(
            status: response.status,
            body: HTTPBody { () async throws(HTTPTransportError) in
                rest.withLock { rest in
                    defer { rest = nil }
                    return rest
                }
            })
    }

    private func travel(_ duration: Duration) async throws(HTTPTransportError) {
        do {
            try await time.sleep(for: duration)
        } catch {
            throw HTTPTransportError(.cancelled)
        }
    }

    private func answer(_ response: APIResponse) -> (status: Int, body: [UInt8]) {
        guard case .bytes(let bytes) = response.content else { return (response.status, []) }
        return (response.status, bytes)
    }
}
