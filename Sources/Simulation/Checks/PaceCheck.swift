import Concurrency
import HTTPTransport

/// Watches over how often an operator writes to an object (I15). It may have five reconciles in a second, and each may try
/// three times: after a cached look, after a live one, and to tell what went wrong. Reads are not counted, for the client
/// repeats those that break.
struct PaceCheck: HTTPTransport {
    /// Of five reconciles, and one that began before.
    private static let most = 18

    private let inner: any HTTPTransport
    private let time: SimulatedTime
    private let fail: @Sendable (Violation) -> Void
    /// When each write was begun, in the last second.
    private let recent = Locked<[String: [Duration]]>([:])

    init(_ inner: any HTTPTransport, time: SimulatedTime, fail: @escaping @Sendable (Violation) -> Void) {
        self.inner = inner
        self.time = time
        self.fail = fail
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let call = APICall(method: request.method.rawValue, target: request.target)
        if call.isWrite, call.name != nil, !call.isEvent, !call.isLease {
            let now = time.monotonicNow()
            let count = recent.withLock { recent -> Int in
                let name = "\(request.method.rawValue) \(request.target)"
                let times = (recent[name] ?? []).filter { now - $0 < .seconds(1) } + [now]
                recent[name] = times
                return times.count
            }
            if count > Self.most {
                fail(Violation(invariant: "I15", detail: "\(call.description) \(count) times in a second"))
            }
        }
        return try await inner.send(request)
    }
}
