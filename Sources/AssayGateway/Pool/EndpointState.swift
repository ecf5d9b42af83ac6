/// The waits between attempts to reach a pod that does not answer: 5, 10, 20 … 100 ms while it may be about to, and up to
/// 5 s after a while, for then it is broken.
enum DialBackoff {
    static func delay(after failures: Int) -> Duration {
        switch failures {
        case ...0: .zero
        case 1...5: .milliseconds(min(100, 5 << (failures - 1)))
        case 6...100: .milliseconds(100)
        default: .milliseconds(min(5000, 100 << min(6, (failures - 100) / 10 + 1)))
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

    var endpoint: Endpoint
    var gate: Gate
    /// The last used is at the end, and used first: so that of many the rest can grow old and be closed.
    var idle: [Idle] = []
    var inUse = 0
    var dialing = 0
    /// Connections in a row that broke without an answer.
    var breaks = 0
    /// It is on no list any more; what is under way may end.
    var isLeaving = false

    init(_ endpoint: Endpoint, now: Duration) {
        self.endpoint = endpoint
        gate = Self.gate(of: endpoint, now: now)
    }

    static func gate(of endpoint: Endpoint, now: Duration) -> Gate {
        if endpoint.isReady { return .open }
        return endpoint.probe == .kubelet ? .waiting : .closed(failures: 0, retryAt: now)
    }

    var connections: Int { inUse + idle.count + dialing }
    var isOpen: Bool { gate == .open }

    /// Whether something is left that must be waited for.
    var isSpent: Bool { isLeaving && inUse == 0 && dialing == 0 && idle.isEmpty }
}
