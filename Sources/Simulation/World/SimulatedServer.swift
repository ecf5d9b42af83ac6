import APIServerModel
import AssayCore
import Concurrency
import JSON
import KubernetesModel

/// The API server's model with a clock, with watches that are told, and with what it was before.
final class SimulatedServer: Sendable {
    fileprivate struct State {
        var server: APIServer
        /// Of each write, oldest first: what an old cache would show.
        var past: [APIServer] = []
        var feeds: [WatchID: @Sendable () -> Void] = [:]
        /// A field, for a function that is itself what a lock guards is wrapped once more at each look.
        var observer: (@Sendable (Write?, APIServer) -> Void)?
        var lastWrite: Duration = .zero
        /// But for those of the Lease.
        var writes = 0
        /// Of each kind, by whom, but for the neighbour's.
        var creations: [String: Int] = [:]
        var requests = 0
    }

    /// A write as it was carried out.
    struct Write {
        var request: APIRequest
        var call: APICall
        var actor: String
        /// What it was about, as it was before.
        var before: JSONValue?
        var response: APIResponse
        var isAccepted: Bool { response.status < 300 }
    }

    static let memory = 200

    private let state: Locked<State>
    private let time: SimulatedTime
    private let trace: Trace
    private let keepsPast: Bool
    /// Called after each change, in order.
    private let listeners = Locked<[@Sendable () -> Void]>([])

    init(_ template: APIServer, time: SimulatedTime, trace: Trace, keepsPast: Bool) {
        state = Locked(State(server: template))
        self.time = time
        self.trace = trace
        self.keepsPast = keepsPast
    }

    var now: Timestamp { Timestamp(sinceEpoch: time.wallNow()) }
    var writes: Int { state.withLock { $0.writes } }
    var lastWrite: Duration { state.withLock { $0.lastWrite } }
    var creations: [String: Int] { state.withLock { $0.creations } }
    var requests: Int { state.withLock { $0.requests } }
    /// A copy of all that is stored.
    var snapshot: APIServer { state.withLock { $0.server } }

    func onChange(_ body: @escaping @Sendable () -> Void) { listeners.withLock { $0.append(body) } }
    /// `body` sees each write, and each state of the server.
    func observe(_ body: @escaping @Sendable (Write?, APIServer) -> Void) { state.withLock { $0.observer = body } }

    /// Lets go of those who look on, who hold this server.
    func dismiss() {
        listeners.withLock { $0 = [] }
        state.withLock { state in
            state.feeds = [:]
            state.observer = nil
        }
    }

    func objects(_ type: ResourceType) -> [JSONValue] { state.withLock { $0.server.objects(type) } }
    func object(_ type: ResourceType, _ key: ObjectKey) -> JSONValue? { state.withLock { $0.server.object(type, key) } }

    /// Carries out a request.
    ///
    /// - Parameter behind: a read is answered as it would have been so many writes ago.
    @discardableResult
    func handle(_ request: APIRequest, by actor: String, behind: Int = 0) -> APIResponse {
        let call = APICall(method: request.method, target: request.target)
        let now = now
        if behind > 0, !call.isWrite, !call.isWatch, let old = past(behind) {
            var server = old
            return server.handle(request, now: now)
        }
        guard call.isWrite else { return state.withLock { $0.handle(request, now: now) } }
        return write(request, call, actor, now)
    }

    private func write(_ request: APIRequest, _ call: APICall, _ actor: String, _ now: Timestamp) -> APIResponse {
        let moment = time.monotonicNow()
        let keepsPast = keepsPast
        let (write, hasChanged) = state.withLock { state -> (Write, Bool) in
            let before = Self.target(call, in: state.server)
            let version = state.server.resourceVersion
            if keepsPast { state.remember() }
            let response = state.handle(request, now: now)
            let hasChanged = state.server.resourceVersion != version
            if !call.isLease {
                state.lastWrite = moment
                state.writes += 1
            }
            if response.status == 201, call.namespace != ToyModel.neighbour {
                state.creations["\(actor.prefix(8)) \(call.plural)", default: 0] += 1
            }
            return (Write(request: request, call: call, actor: actor, before: before, response: response), hasChanged)
        }
        trace.add("\(actor): \(call.description) -> \(write.response.status)")
        // Nobody in the cluster looks at Events and Leases, and nothing that is checked depends on them.
        if call.isEvent || call.isLease { wakeFeeds() } else { changed(by: write, hasChanged: hasChanged) }
        return write.response
    }

    private static func target(_ call: APICall, in server: APIServer) -> JSONValue? {
        guard let name = call.name, let type = ResourceType.simulated.first(where: { $0.plural == call.plural }) else {
            return nil
        }
        return server.object(type, ObjectKey(namespace: call.namespace, name: name))
    }

    private func changed(by write: Write?, hasChanged: Bool) {
        if let observe = state.withLock({ $0.observer }) { observe(write, snapshot) }
        guard hasChanged else { return }
        wakeFeeds()
        for listener in listeners.withLock({ $0 }) { listener() }
    }

    /// What happens by itself: the ends of watches, bookmarks, garbage.
    func tick() {
        let now = now
        let hasChanged = state.withLock { state -> Bool in
            let version = state.server.resourceVersion
            state.server.tick(now: now)
            return state.server.resourceVersion != version
        }
        if hasChanged { changed(by: nil, hasChanged: true) } else { wakeFeeds() }
    }

    func compact() { state.withLock { $0.server.compact() } }

    private func past(_ behind: Int) -> APIServer? {
        state.withLock { state in
            state.past.isEmpty ? nil : state.past[max(0, state.past.count - behind)]
        }
    }

    // MARK: Watches

    func takeEvents(_ id: WatchID) -> WatchBatch { state.withLock { $0.server.takeEvents(id) } }

    func setFeed(_ id: WatchID, _ poke: @escaping @Sendable () -> Void) { state.withLock { $0.feeds[id] = poke } }

    func closeWatch(_ id: WatchID) {
        state.withLock { state in
            state.feeds[id] = nil
            state.server.closeWatch(id)
        }
    }

    private func wakeFeeds() {
        let pokes = state.withLock { state in state.server.takeReadyWatches().compactMap { state.feeds[$0] } }
        for poke in pokes { poke() }
    }
}

extension SimulatedServer.State {
    fileprivate mutating func handle(_ request: APIRequest, now: Timestamp) -> APIResponse {
        requests += 1
        return server.handle(request, now: now)
    }

    fileprivate mutating func remember() {
        past.append(server)
        if past.count > SimulatedServer.memory { past.removeFirst() }
    }
}

extension ResourceType {
    /// The kinds that a simulation looks at.
    static let simulated: [ResourceType] = [
        .mlModels, .trainingJobs, .jobs, .deployments, .services, .networkPolicies, .pods, .replicaSets,
        .endpointSlices,
    ]
}
