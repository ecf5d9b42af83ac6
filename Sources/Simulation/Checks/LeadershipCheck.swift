import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesModel

/// Watches over what an operator sends, at its own end of the wire: no write but the Lease's is begun unless the Lease was
/// won or renewed, by an answer that came, within the deadline (I11). It keeps its own account, from what goes by.
struct LeadershipCheck: HTTPTransport {
    static let lease = ObjectKey(namespace: "assay-system", name: "assay-operator")
    static let times = LeaderElectionTimes.standard

    private let inner: any HTTPTransport
    private let time: SimulatedTime
    private let fail: @Sendable (Violation) -> Void
    private let leadsUntil = Locked<Duration>(.zero)

    init(_ inner: any HTTPTransport, time: SimulatedTime, fail: @escaping @Sendable (Violation) -> Void) {
        self.inner = inner
        self.time = time
        self.fail = fail
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let call = APICall(method: request.method.rawValue, target: request.target)
        let start = time.monotonicNow()
        guard call.isWrite else { return try await inner.send(request) }
        guard call.isLease else {
            if start >= leadsUntil.withLock({ $0 }) {
                fail(Violation(invariant: "I11", detail: "\(call.description) is begun by one that does not lead"))
            }
            return try await inner.send(request)
        }
        let isHeld = Self.names(request.body)
        // What is given back is so from the beginning, whether or not the answer comes.
        if !isHeld { leadsUntil.withLock { $0 = .zero } }
        let response = try await inner.send(request)
        if isHeld, response.status < 300 { leadsUntil.withLock { $0 = start + Self.times.renewDeadline } }
        return response
    }

    /// Whether a Lease has a holder.
    private static func names(_ body: [UInt8]?) -> Bool {
        do {
            return try JSONValue(parsing: body ?? [])["spec", "holderIdentity"]?.string?.isEmpty == false
        } catch {
            return false
        }
    }
}
