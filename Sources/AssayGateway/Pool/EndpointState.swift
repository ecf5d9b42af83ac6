/// The waits between attempts to reach a pod that does not answer.
enum DialBackoff {
    /// A connection that is refused costs next to nothing: 5 ms for some 2 s and 10 ms for some 3 s more, so that a pod that
    /// begins to listen has its first request a few milliseconds later; then 20, 40 … 100 ms, and up to 5 s once it has been so
    /// for long.
    /// A pod that is asked by a request, which it has to answer while it starts, gets 5, 10, 20 … 100 ms at once.
    static func delay(after failures: Int, isRequest: Bool) -> Duration {
        var count = failures
        if !isRequest { count = failures <= 400 ? min(failures, 1) : max(2, failures - 700) }
        switch count {
        case ...0: return .zero
        case 1...5: return .milliseconds(min(100, 5 << (count - 1)))
        case 6...100: return .milliseconds(100)
        default: return .milliseconds(min(5000, 100 << min(6, (count - 100) / 10 + 1)))
        }
    }
}

/// What a pool knows of one pod.
struct EndpointState<Connection: AnyObject> {
    struct Idle {
        var connection: Connection
        var since: Duration
    }

    enum Gate: Hashable {
        /// It takes connections.
        case open
        /// It did not take the last one, or has not been asked: one attempt at a time, from this moment on.
        case closed(failures: Int, retryAt: Duration)
        /// Only the kubelet can say when.
        case waiting
    }

    /// Not given twice in a pool.
    let id: Int
    var endpoint: Endpoint
    var gate: Gate
    /// The last used is at the end, and used first: so that of many the rest can grow old and be closed.
    var idle: [Idle] = []
    var inUse = 0
    private(set) var dialing = 0
    /// Since when nothing has become of the connections that are being made.
    private var dialingSince = Duration.zero
    /// Connections in a row that broke without an answer.
    var breaks = 0
    /// It is on no list any more; what is under way may end.
    var isLeaving = false

    init(_ id: Int, _ endpoint: Endpoint, now: Duration) {
        self.id = id
        self.endpoint = endpoint
        gate = Self.gate(of: endpoint, now: now)
    }

    static func gate(of endpoint: Endpoint, now: Duration) -> Gate {
        if endpoint.isReady { return .open }
        return endpoint.probe == .kubelet ? .waiting : .closed(failures: 0, retryAt: now)
    }

    mutating func beginDial(now: Duration) {
        if dialing == 0 { dialingSince = now }
        dialing += 1
    }

    mutating func endDial(now: Duration) {
        dialing -= 1
        dialingSince = now
    }

    /// It says neither yes nor no, as a machine does that is gone: who waits is better served elsewhere.
    func isMute(now: Duration) -> Bool { dialing > 0 && now - dialingSince >= Self.patience }

    private static var patience: Duration { .milliseconds(250) }

    /// How long it is left alone after that many failures.
    func delay(after failures: Int) -> Duration {
        var isRequest = false
        if case .get = endpoint.probe, !endpoint.isReady { isRequest = true }
        return DialBackoff.delay(after: failures, isRequest: isRequest)
    }

    var connections: Int { inUse + idle.count + dialing }
    var isOpen: Bool { gate == .open }

    /// Whether it takes connections, has none but those in use, and less of these than another pod.
    func isUntouched(and others: Int) -> Bool {
        isOpen && !isLeaving && idle.isEmpty && dialing == 0 && inUse < others
    }

    /// Whether something is left that must be waited for.
    var isSpent: Bool { isLeaving && inUse == 0 && dialing == 0 && idle.isEmpty }
}
