import Concurrency
import ControllerRuntime

/// The pods that serve, as those see them who connect to them: each at an address of its own, from when it listens until it goes.
///
/// Confined to the simulation's thread, as all that is called by its alarms and its jobs: see ``World/run()``.
final class PodNetwork: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    private let time: SimulatedTime
    private let random: Locked<SeededGenerator>
    /// By address; those that are gone stay, so that no address comes twice.
    private var pods: [String: ServingPod] = [:]

    init(seed: UInt64, time: SimulatedTime) {
        self.time = time
        random = Locked(SeededGenerator(seed: seed ^ 0x706f_6473))
    }

    func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(random.withLock { Int.random(in: range, using: &$0) })
    }

    // MARK: Pods

    /// A pod has a network, and will listen soon.
    func start(_ uid: String, revision: String, run: String?) -> ServingPod {
        let pod = ServingPod(uid: uid, address: "10.1.0.\(pods.count + 1)", revision: revision, run: run)
        pods[pod.address] = pod
        return pod
    }

    func pod(_ uid: String) -> ServingPod? { pods.values.first { $0.uid == uid } }

    /// Of a revision, how many requests are at its pods.
    func inFlight(_ revision: String) -> Int {
        pods.values.reduce(0) { $0 + ($1.revision == revision ? $1.inFlight : 0) }
    }

    /// Those that listen, in a fixed order.
    var listening: [ServingPod] { pods.values.filter(\.isListening).sorted { $0.address < $1.address } }

    /// One of them.
    var someListening: ServingPod? {
        let all = listening
        return random.withLock { all.randomElement(using: &$0) }
    }

    /// It has been told to end: it takes nothing more, and finishes what it has.
    func terminate(_ pod: ServingPod) {
        guard !pod.isGone else { return }
        pod.isListening = false
        for connection in pod.connections where connection.request == nil { close(connection) }
    }

    /// Its process dies, and its connections break.
    func kill(_ pod: ServingPod) {
        pod.isListening = false
        pod.isGone = true
        for connection in pod.connections { close(connection) }
        for request in pod.direct { request.onBreak() }
        pod.direct = []
    }

    // MARK: Connections

    /// Tells later whether a connection came about.
    func dial(_ address: String, within timeout: Duration, _ told: @escaping @Sendable (PodConnection?) -> Void) {
        // Where nobody has the address nobody answers.
        let isThere = pods[address].map { !$0.isGone } ?? false
        time.alarm(after: isThere ? milliseconds(0...3) : timeout) { [weak self] in
            guard let pod = self?.pods[address], pod.isListening else { return told(nil) }
            let connection = PodConnection(pod)
            pod.connections.append(connection)
            told(connection)
        }
    }

    /// Told when a gateway has given a pod another request.
    var onSend: ((ServingPod) -> Void)?

    /// A request is at its pod from now on; the answer comes when it has done its work.
    func send(_ request: SimulatedRequest, over connection: PodConnection) {
        connection.request = request
        onSend?(connection.pod)
        time.alarm(after: request.work) { [weak self, weak connection] in
            guard let self, let connection, connection.isOpen, connection.request === request else { return }
            connection.request = nil
            connection.onAnswer?(request)
            if !connection.pod.isListening { close(connection) }
        }
    }

    /// A client has gone, or wants the connection no more.
    func hangUp(_ connection: PodConnection) {
        connection.onClose = nil
        close(connection)
    }

    private func close(_ connection: PodConnection) {
        guard connection.isOpen else { return }
        connection.isOpen = false
        connection.pod.connections.removeAll { $0 === connection }
        connection.onClose?(connection.request)
        connection.request = nil
    }

    /// Without a gateway in between.
    func sendDirectly(_ request: SimulatedRequest, to pod: ServingPod) {
        pod.direct.append(request)
        time.alarm(after: request.work) { [weak pod] in
            guard let pod, let index = pod.direct.firstIndex(where: { $0 === request }) else { return }
            pod.direct.remove(at: index)
            request.onAnswer(pod)
        }
    }
}

/// A pod as it is on the network. Confined to the simulation's thread.
final class ServingPod: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    let uid: String
    let address: String
    let revision: String
    /// That it serves the artifact of.
    let run: String?
    var isListening = false
    var isGone = false
    /// Something went wrong with it that nobody asked for.
    var isKilled = false
    var connections: [PodConnection] = []
    /// Requests that came without a gateway.
    var direct: [SimulatedRequest] = []

    init(uid: String, address: String, revision: String, run: String?) {
        self.uid = uid
        self.address = address
        self.revision = revision
        self.run = run
    }

    var inFlight: Int { direct.count + connections.count { $0.request != nil } }
}

/// A connection of a gateway's to a pod. Confined to the simulation's thread.
final class PodConnection: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    let pod: ServingPod
    /// In the pool that has it.
    var endpoint = 0
    var isOpen = true
    /// It has carried an exchange to its end.
    var hasAnswered = false
    var request: SimulatedRequest?
    var onAnswer: ((SimulatedRequest) -> Void)?
    /// With the request that was under way.
    var onClose: ((SimulatedRequest?) -> Void)?

    init(_ pod: ServingPod) { self.pod = pod }
}
