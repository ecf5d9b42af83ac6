import Concurrency
import HTTPTransport
import JSON

/// An API server of models, pods and scales, which a test changes, and which can go away.
final class TestServer: HTTPTransport {
    private struct State {
        var version = 100
        var objects: [String: [String: JSONValue]] = ["mlmodels": [:], "pods": [:]]
        var watchers: [String: [AsyncThrowingStream<[UInt8], any Error>.Continuation]] = [:]
        var replicas: Int? = 0
        var isAway = false
        var failures: [(Int, String)] = []
        var patches: [JSONValue] = []
        var scaleReads = 0
        var onPatch: (@Sendable () -> Void)?
    }

    private let state = Locked(State())

    /// Answers of the next calls of the scale, in their place.
    func failScale(_ failures: [(Int, String)]) { state.withLock { $0.failures = failures } }
    func setReplicas(_ count: Int?) { state.withLock { $0.replicas = count } }
    func onPatch(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onPatch = body } }
    var patches: [JSONValue] { state.withLock { $0.patches } }
    var scaleReads: Int { state.withLock { $0.scaleReads } }

    func put(_ plural: String, _ object: JSONValue) {
        let (line, watchers) = state.withLock { state in
            state.version += 1
            var object = object
            object["metadata", "resourceVersion"] = .string(String(state.version))
            let name = object["metadata", "name"]?.string ?? ""
            let isNew = state.objects[plural]?.updateValue(object, forKey: name) == nil
            let event: JSONValue = ["type": isNew ? "ADDED" : "MODIFIED", "object": object]
            return (Array((event.serialized() + "\n").utf8), state.watchers[plural] ?? [])
        }
        for watcher in watchers { watcher.yield(line) }
    }

    /// Its watches break, and no call gets an answer.
    func goAway() {
        let watchers = state.withLock { state in
            state.isAway = true
            defer { state.watchers = [:] }
            return state.watchers.values.flatMap { $0 }
        }
        for watcher in watchers { watcher.finish(throwing: HTTPTransportError(.broken)) }
    }

    func comeBack() { state.withLock { $0.isAway = false } }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        if state.withLock({ $0.isAway }) { throw HTTPTransportError(.connect, detail: "refused") }
        let path = String(request.target.prefix { $0 != "?" })
        if path.hasSuffix("/scale") { return scale(request) }
        let plural = path.split(separator: "/").last.map(String.init) ?? ""
        return request.target.contains("watch=true") ? watch(plural) : list(plural)
    }

    private func list(_ plural: String) -> HTTPResponse {
        let (items, version) = state.withLock { (Array(($0.objects[plural] ?? [:]).values), $0.version) }
        return Self.answer([
            "kind": "List", "apiVersion": "v1", "metadata": ["resourceVersion": .string(String(version))],
            "items": .array(items),
        ])
    }

    private func watch(_ plural: String) -> HTTPResponse {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: [UInt8].self)
        state.withLock { $0.watchers[plural, default: []].append(continuation) }
        let iterator = Locked(stream.makeAsyncIterator())
        return HTTPResponse(
            status: 200, headers: ["Content-Type": "application/json"],
            body: HTTPBody { () async throws(HTTPTransportError) in
                var next = iterator.withLock { $0 }
                do {
                    return try await next.next()
                } catch {
                    throw HTTPTransportError(.broken)
                }
            })
    }

    private func scale(_ request: HTTPRequest) -> HTTPResponse {
        let (answer, notify) = state.withLock { state -> (HTTPResponse, (@Sendable () -> Void)?) in
            if request.method == .get { state.scaleReads += 1 }
            if !state.failures.isEmpty {
                let (code, reason) = state.failures.removeFirst()
                if code > 0 { return (Self.failure(code, reason), nil) }
            }
            var scale: JSONValue = ["metadata": ["resourceVersion": "7"], "spec": [:]]
            guard request.method == .patch else {
                if let count = state.replicas { scale["spec", "replicas"] = JSONValue(count) }
                return (Self.answer(scale), nil)
            }
            do throws(JSONError) {
                state.patches.append(try JSONValue(parsing: request.body ?? []))
            } catch {
                return (Self.failure(400, "BadRequest"), nil)
            }
            state.replicas = 1
            return (Self.answer(scale), state.onPatch)
        }
        notify?()
        return answer
    }

    private static func answer(_ json: JSONValue, status: Int = 200) -> HTTPResponse {
        let bytes = Locked<[UInt8]?>(json.serializedBytes())
        return HTTPResponse(
            status: status, headers: ["Content-Type": "application/json"],
            body: HTTPBody { () async throws(HTTPTransportError) in
                bytes.withLock { bytes in
                    defer { bytes = nil }
                    return bytes
                }
            })
    }

    private static func failure(_ code: Int, _ reason: String) -> HTTPResponse {
        answer(
            [
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": JSONValue(code),
                "reason": .string(reason), "message": .string("no"),
            ], status: code)
    }
}
