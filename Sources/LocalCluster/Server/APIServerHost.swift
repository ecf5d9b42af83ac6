import APIServerModel
import Concurrency
import HTTPServer
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import OpenSSL

/// Owns the API server's state: knows users, passes the time, wakes watches and carries out faults.
actor APIServerHost {
    private var server: APIServer
    private var watchSignals: [WatchID: AsyncStream<Void>.Continuation] = [:]
    private var faults: [ClusterFault] = []
    private var logSources: [String: any PodLogSource] = [:]
    private var isStopping = false
    private let time: any TimeSource
    private var users: [String: UserInfo]

    /// - Parameter users: by bearer token.
    init(options: APIServerOptions, users: [String: UserInfo], time: any TimeSource) {
        self.time = time
        self.users = users
        server = APIServer(options: options, now: Timestamp(sinceEpoch: time.wallNow()))
    }

    private var now: Timestamp { Timestamp(sinceEpoch: time.wallNow()) }

    // MARK: Requests

    /// Who sent a request; a certificate counts before a token.
    func user(certificate: ClientCertificate?, authorization: String?) -> UserInfo? {
        if let certificate {
            return UserInfo(
                name: certificate.commonName, groups: certificate.organizations + ["system:authenticated"])
        }
        guard let authorization, authorization.lowercased().hasPrefix("bearer ") else { return nil }
        let token = String(authorization.dropFirst(7).drop { $0 == " " })
        return users[token] ?? server.user(ofToken: token, now: now)
    }

    /// The user's one token from now on.
    func setToken(_ token: Secret, of user: UserInfo) {
        users = users.filter { $0.value.name != user.name }
        users[token.revealed] = user
    }

    func handle(_ request: APIRequest) -> APIResponse {
        let response = server.handle(request, now: now)
        if request.method != "GET" { server.collectGarbage(now: now) }
        wakeWatches()
        return response
    }

    /// Signals whenever the watch has something to take.
    func signals(_ id: WatchID) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        continuation.yield()
        if isStopping { continuation.finish() }
        watchSignals[id] = continuation
        return stream
    }

    func takeEvents(_ id: WatchID) -> WatchBatch { server.takeEvents(id) }

    func closeWatch(_ id: WatchID) {
        watchSignals.removeValue(forKey: id)?.finish()
        server.closeWatch(id)
    }

    private func wakeWatches() {
        for id in server.takeReadyWatches() { watchSignals[id]?.yield() }
    }

    // MARK: Time

    func tick() {
        server.tick(now: now)
        wakeWatches()
    }

    /// Ends all watches, so that their connections close.
    func stop() {
        isStopping = true
        for signal in watchSignals.values { signal.finish() }
    }

    // MARK: Logs

    func setLogSource(_ source: (any PodLogSource)?, node: String) { logSources[node] = source }

    func logSource(node: String) -> (any PodLogSource)? { logSources[node] }

    // MARK: For tests

    func inject(_ fault: ClusterFault) { faults.append(fault) }

    func clearFaults() { faults = [] }

    /// Those who watch may begin again.
    func endWatches() {
        for signal in watchSignals.values { signal.finish() }
        watchSignals = [:]
    }

    func takeFault(_ request: APIRequest) -> ClusterFault.Effect? {
        guard let index = faults.firstIndex(where: { $0.matches(request) }) else { return nil }
        faults[index].count -= 1
        let effect = faults[index].effect
        if faults[index].count <= 0 { faults.remove(at: index) }
        return effect
    }

    func compactHistory() { server.compact() }

    func writeCount(user: String, verb: String?) -> Int { server.writeCount(user: user, verb: verb) }

    var writes: [WriteCount.Key: Int] { server.writes }
    var requests: [RequestKind: Int] { server.requests }
    var resourceVersion: UInt64 { server.resourceVersion }
    var openWatchCount: Int { server.openWatchCount }
    var snapshot: APIServer { server }
}
