import Concurrency
import HTTPTransport
import JSON
import KubernetesModel

/// The events of a watch, read by one task.
///
/// Dropping it ends the watch; so does cancelling the task that reads.
public struct WatchStream: Sendable {
    /// The longest event in bytes. etcd stores objects of 1.5 MB unless told otherwise, in a denser form than JSON.
    public static let maximumLineLength = 16 << 20

    private struct State {
        var framer: LineFramer
        var patience: WatchPatience?
        var events = 0
        var bytes = 0
        var end: End?
    }

    private enum End {
        case clean
        case failure(KubernetesError)
    }

    private let body: HTTPBody
    private let operation: String
    private let state: Locked<State>

    init(
        body: HTTPBody, operation: String, maximumLineLength: Int = Self.maximumLineLength,
        patience: WatchPatience? = nil
    ) {
        self.body = body
        self.operation = operation
        state = Locked(State(framer: LineFramer(limit: maximumLineLength), patience: patience))
    }

    /// The events that have arrived, at least one, in order; nil when the server ended the watch in good order.
    ///
    /// An ERROR event is thrown as the server's status, so that a version too old to resume from `isExpired`. What came
    /// before a failure is delivered before it is thrown.
    public func next() async throws(KubernetesError) -> [WatchEvent]? {
        // Only the time spent here counts: a reader who is busy elsewhere is not the server's silence.
        let began = state.withLock { $0.patience }?.time.monotonicNow() ?? .zero
        while true {
            switch state.withLock({ $0.end }) {
            case .clean: return nil
            case .failure(let error): throw error
            case nil: break
            }
            let events = decode(await nextChunk(since: began))
            if !events.isEmpty { return events }
            let patience = state.withLock { $0.patience }
            if let patience, patience.isExhausted(since: began) { giveUp(after: patience.limit) }
        }
    }

    private func giveUp(after limit: Duration) {
        let error = HTTPTransportError(.timeout, detail: "no whole event came for \(limit)")
        let operation = operation
        state.withLock { $0.end = $0.end ?? .failure(KubernetesError(.transport(error), operation: operation)) }
    }

    /// The next bytes, awaited no longer than patience has it.
    private func nextChunk(since began: Duration) async -> Result<[UInt8]?, HTTPTransportError> {
        guard let patience = state.withLock({ $0.patience }), let left = patience.timeLeft(since: began) else {
            return await read()
        }
        return await withTaskGroup(of: Result<[UInt8]?, HTTPTransportError>?.self) { group in
            group.addTask { await read() }
            group.addTask {
                do {
                    try await patience.time.sleep(for: left)
                } catch {
                    return nil
                }
                let limit = patience.withBookmarks ?? patience.limit
                let detail = "nothing came for \(limit) from a server that sends bookmarks"
                return .failure(HTTPTransportError(.timeout, detail: detail))
            }
            // The one that comes second is cancelled; when that is the reading, the transfer ends with it.
            defer { group.cancelAll() }
            for await result in group {
                if let result { return result }
            }
            return .failure(HTTPTransportError(.cancelled))
        }
    }

    private func read() async -> Result<[UInt8]?, HTTPTransportError> {
        do throws(HTTPTransportError) {
            return .success(try await body.next())
        } catch {
            return .failure(error)
        }
    }

    private func decode(_ chunk: Result<[UInt8]?, HTTPTransportError>) -> [WatchEvent] {
        let operation = operation
        return state.withLock { state in
            switch chunk {
            case .success(let chunk?): return Self.decode(chunk, &state, operation)
            case .success(nil): return Self.finish(&state, operation)
            case .failure(let error):
                state.end = .failure(KubernetesError(.transport(error), operation: operation))
                return []
            }
        }
    }

    private static func decode(_ chunk: [UInt8], _ state: inout State, _ operation: String) -> [WatchEvent] {
        state.bytes += chunk.count
        var events: [WatchEvent] = []
        do throws(WatchEvent.LineError) {
            let overflow = try state.framer.push(chunk) { line throws(WatchEvent.LineError) in
                let event = try WatchEvent(line: line)
                if case .bookmark(_, initialEventsEnd: false) = event { state.patience?.hasBookmarks = true }
                events.append(event)
            }
            if let overflow { throw .malformed("an event of more than \(overflow.limit) bytes") }
        } catch {
            state.end = .failure(failure(error, state, events.count, operation))
        }
        state.events += events.count
        return events
    }

    /// A last line without its end is an event where it is whole, and else a stream that was cut.
    private static func finish(_ state: inout State, _ operation: String) -> [WatchEvent] {
        let rest = state.framer.finish()
        state.end = .clean
        if rest.isEmpty { return [] }
        do throws(WatchEvent.LineError) {
            return [try WatchEvent(line: rest[...])]
        } catch {
            state.end = .failure(failure(error, state, 0, operation))
            return []
        }
    }

    private static func failure(
        _ error: WatchEvent.LineError, _ state: State, _ fresh: Int, _ operation: String
    ) -> KubernetesError {
        switch error {
        case .server(let object):
            if let status = KubernetesStatus(json: object) {
                let wait = RetryAfter.parse(seconds: status.retryAfterSeconds)
                return KubernetesError(.status(status), operation: operation, retryAfter: wait)
            }
            return KubernetesError(
                .malformed("an ERROR event without a Status: \(object.serialized().prefix(200))"),
                operation: operation)
        case .malformed(let detail):
            let place = "after \(state.events + fresh) events and \(state.bytes) bytes"
            return KubernetesError(.malformed("\(place): \(detail)"), operation: operation)
        }
    }
}
