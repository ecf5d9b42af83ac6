import AssayGateway

/// A user's request. Confined to the simulation's thread.
final class SimulatedRequest: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    /// What its client gets.
    enum Answer {
        /// Of a pod.
        case served(ServingPod)
        /// 503.
        case unavailable(String, retryAfter: Int)
        /// 502: the pod went while it had the request.
        case broken(ServingPod)
        /// The connection to the gateway, or to the pod where there was none in between, broke.
        case cut(isFault: Bool)
    }

    let number: Int
    /// GET, or what may be sent a second time.
    let isSafe: Bool
    /// How long a pod takes.
    let work: Duration
    /// Tells the client.
    private let told: (SimulatedRequest, Answer) -> Void
    private(set) var isOver = false

    /// The model of the gateway that has it.
    var model: SharedModel?
    /// That was chosen last.
    var revision: SimulatedRevision?
    var ticket: Int?
    var connection: PodConnection?
    var retries = 0

    init(number: Int, isSafe: Bool, work: Duration, told: @escaping (SimulatedRequest, Answer) -> Void) {
        self.number = number
        self.isSafe = isSafe
        self.work = work
        self.told = told
    }

    func answer(_ answer: Answer) {
        guard !isOver else { return }
        isOver = true
        (revision, connection, model) = (nil, nil, nil)
        told(self, answer)
    }

    // MARK: Without a gateway

    func onAnswer(_ pod: ServingPod) { answer(.served(pod)) }
    func onBreak() { answer(.cut(isFault: true)) }
}
