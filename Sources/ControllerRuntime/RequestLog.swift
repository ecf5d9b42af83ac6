import Concurrency
import DequeModule
import HTTPTransport
import KubernetesModel

/// The latest writes of a client and how many requests wait for their answer, for people. Neither queries nor bodies are
/// kept, nor are the writes of Leases, which come every few seconds and would soon be all there is.
public final class RequestLog: Sendable {
    /// A write that was answered, or failed.
    public struct Write: Sendable, Hashable {
        /// When it was sent, by the wall clock.
        public var at: Timestamp
        /// `DELETE`
        public var method: String
        /// Without its query.
        public var path: String
        /// The status, or what kept it from being answered.
        public var result: String
        /// Until the head of the answer, or the failure.
        public var took: Duration
    }

    private struct State {
        var waiting: [String: Int] = [:]
        var writes = Deque<Write>()
    }

    private let state = Locked(State())
    private let limit: Int
    private static let leases = "/apis/coordination.k8s.io/"

    /// - Parameter limit: how many writes are kept.
    public init(limit: Int = 20) { self.limit = limit }

    /// The latest writes, the newest first.
    public var writes: [Write] { state.withLock { $0.writes.reversed() } }

    /// How many requests wait for the head of their answer, by method.
    public var waiting: [String: Int] { state.withLock { $0.waiting } }

    func began(_ method: String) { state.withLock { $0.waiting[method, default: 0] += 1 } }

    func ended(_ request: HTTPRequest, result: String, at: Duration, took: Duration) {
        let method = request.method.rawValue
        state.withLock { state in
            let left = state.waiting[method, default: 1] - 1
            state.waiting[method] = left > 0 ? left : nil
            if request.method == .get || limit == 0 || request.target.hasPrefix(Self.leases) { return }
            if state.writes.count >= limit { state.writes.removeFirst() }
            state.writes.append(
                Write(
                    at: Timestamp(sinceEpoch: at), method: method,
                    path: String(request.target.prefix { $0 != "?" }).truncated(toUTF8: 300), result: result,
                    took: took))
        }
    }
}
