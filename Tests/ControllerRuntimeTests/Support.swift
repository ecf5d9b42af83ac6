import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// Values from one task to another, in order.
final class Channel<Element: Sendable>: Sendable {
    private struct State {
        var items: [Element] = []
        var waiters: [CheckedContinuation<Element, Never>] = []
    }

    private let state = Locked(State())

    func send(_ element: Element) {
        let waiter = state.withLock { state -> CheckedContinuation<Element, Never>? in
            if !state.waiters.isEmpty { return state.waiters.removeFirst() }
            state.items.append(element)
            return nil
        }
        waiter?.resume(returning: element)
    }

    func receive() async -> Element {
        await withCheckedContinuation { continuation in
            let element = state.withLock { state -> Element? in
                if !state.items.isEmpty { return state.items.removeFirst() }
                state.waiters.append(continuation)
                return nil
            }
            if let element { continuation.resume(returning: element) }
        }
    }

    /// What has come and was not received.
    var waiting: [Element] { state.withLock { $0.items } }
}

/// A value that is set once and awaited by one task; cancellation sets it to `whenCancelled`.
private final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiter: CheckedContinuation<Value, Never>?
    }

    private let state = Locked(State())

    func set(_ value: Value) {
        let waiter = state.withLock { state -> CheckedContinuation<Value, Never>? in
            if state.value == nil { state.value = value }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: value)
    }

    func wait(whenCancelled: Value) async -> Value {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let value = state.withLock { state -> Value? in
                    if state.value == nil { state.waiter = continuation }
                    return state.value
                }
                if let value { continuation.resume(returning: value) }
            }
        } onCancel: {
            set(whenCancelled)
        }
    }
}

/// A request that the code under test sent, and that the test answers.
final class ServerCall: Sendable {
    let request: HTTPRequest
    private let reply = OneShot<Result<HTTPResponse, HTTPTransportError>>()

    init(_ request: HTTPRequest) { self.request = request }

    var path: String { String(request.target.prefix { $0 != "?" }) }
    var isWatch: Bool { query("watch") == "true" }
    /// The body as JSON; null where it is none.
    var body: JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: request.body ?? [])
        } catch {
            return .null
        }
    }

    func query(_ name: String) -> String? {
        let parts = request.target.split(separator: "?", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        for pair in parts[1].split(separator: "&") where pair.hasPrefix("\(name)=") {
            return String(pair.dropFirst(name.utf8.count + 1))
        }
        return nil
    }

    func answer(_ json: JSONValue, status: Int = 200) {
        let bytes = Locked<[UInt8]?>(json.serializedBytes())
        let body = HTTPBody { () async throws(HTTPTransportError) in
            bytes.withLock { bytes in
                defer { bytes = nil }
                return bytes
            }
        }
        reply.set(.success(HTTPResponse(status: status, body: body)))
    }

    /// Answers with a page of a list.
    func answer(list items: [JSONValue], version: String, token: String? = nil) {
        var metadata: JSONValue = ["resourceVersion": .string(version)]
        metadata["continue"] = JSONValue(token)
        answer(["kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": .array(items)])
    }

    func refuse(_ code: Int, reason: String = "", message: String = "no", causes: [KubernetesStatus.Cause] = []) {
        answer(
            KubernetesStatus(code: code, reason: reason, message: message, causes: causes).json, status: code)
    }

    func fail(_ code: HTTPTransportError.Code) { reply.set(.failure(HTTPTransportError(code))) }

    func openWatch() -> WatchPipe {
        let pipe = WatchPipe()
        reply.set(.success(HTTPResponse(status: 200, body: pipe.body)))
        return pipe
    }

    fileprivate func response() async throws(HTTPTransportError) -> HTTPResponse {
        try await reply.wait(whenCancelled: .failure(HTTPTransportError(.cancelled))).get()
    }
}

/// A transport whose every request the test answers by hand.
final class ScriptedServer: HTTPTransport {
    let calls = Channel<ServerCall>()
    /// Answers given before the test sees the request; nil leaves it to the test.
    private let automatic: @Sendable (ServerCall) -> Bool

    init(automatic: @escaping @Sendable (ServerCall) -> Bool = { _ in false }) { self.automatic = automatic }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let call = ServerCall(request)
        if !automatic(call) { calls.send(call) }
        return try await call.response()
    }

    func next() async -> ServerCall { await calls.receive() }
}

/// The body of a watch that the test writes.
final class WatchPipe: Sendable {
    private enum Item: Sendable {
        case bytes([UInt8])
        case end
        case failure(HTTPTransportError)
    }

    private struct State {
        var items: [Item] = []
        var waiter: OneShot<Item>?
    }

    private let state = Locked(State())

    private func put(_ item: Item) {
        let waiter = state.withLock { state -> OneShot<Item>? in
            defer { state.waiter = nil }
            if state.waiter == nil { state.items.append(item) }
            return state.waiter
        }
        waiter?.set(item)
    }

    func send(_ type: String, _ object: JSONValue) { send([(type, object)]) }

    /// Sends events in one piece.
    func send(_ events: [(String, JSONValue)]) {
        var bytes: [UInt8] = []
        for (type, object) in events {
            (["type": .string(type), "object": object] as JSONValue).write(to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        put(.bytes(bytes))
    }

    func send(text: String) { put(.bytes(Array(text.utf8))) }

    func bookmark(_ version: String) {
        send("BOOKMARK", ["kind": "Pod", "metadata": ["resourceVersion": .string(version)]])
    }

    func error(_ code: Int, _ reason: String) {
        send("ERROR", KubernetesStatus(code: code, reason: reason, message: "too old").json)
    }

    func end() { put(.end) }
    func fail(_ code: HTTPTransportError.Code) { put(.failure(HTTPTransportError(code))) }

    var body: HTTPBody {
        HTTPBody { [self] () async throws(HTTPTransportError) in
            let waiter = OneShot<Item>()
            let ready = state.withLock { state -> Item? in
                if !state.items.isEmpty { return state.items.removeFirst() }
                state.waiter = waiter
                return nil
            }
            let item: Item
            if let ready {
                item = ready
            } else {
                item = await waiter.wait(whenCancelled: .failure(HTTPTransportError(.cancelled)))
            }
            switch item {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .failure(let error): throw error
            }
        }
    }
}

/// The changes that a store tells, as short texts: `+a@1`, `~a@1>2`, `-a@2`.
final class ChangeLog<Object: CachedObject>: Sendable {
    private let channel = Channel<String>()

    init(_ store: Store<Object>) {
        store.subscribe { [channel] change in
            switch change {
            case .added(let new): channel.send("+\(new.metadata.name)@\(new.metadata.resourceVersion)")
            case .modified(let old, let new):
                channel.send(
                    "~\(new.metadata.name)@\(old.metadata.resourceVersion)>\(new.metadata.resourceVersion)")
            case .deleted(let old): channel.send("-\(old.metadata.name)@\(old.metadata.resourceVersion)")
            }
        }
    }

    func next() async -> String { await channel.receive() }

    func next(_ count: Int) async -> [String] {
        var result: [String] = []
        for _ in 0..<count { result.append(await next()) }
        return result
    }

    var waiting: [String] { channel.waiting }
}

/// A pod of few fields; `uid` is `u-NAME` unless told.
func pod(_ name: String, _ version: String, uid: String? = nil, owner: String? = nil, namespace: String = "ml")
    -> JSONValue
{
    var object: JSONValue = [
        "apiVersion": "v1", "kind": "Pod",
        "metadata": [
            "name": .string(name), "namespace": .string(namespace), "uid": .string(uid ?? "u-\(name)"),
            "resourceVersion": .string(version),
        ],
    ]
    if let owner {
        object["metadata", "ownerReferences"] = [
            OwnerReference(apiVersion: "batch/v1", kind: "Job", name: "j", uid: owner, controller: true).json
        ]
    }
    return object
}

func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "ml", name: name) }

/// A projection that refuses pods without `spec.nodeName` where they carry the label `strict`.
struct TestPod: StoredObject {
    static let resourceType = ResourceType.pods
    let metadata: ObjectMeta

    init(json: JSONValue) throws(JSONShapeError) {
        let cursor = JSONCursor(json)
        metadata = try ObjectMeta(json: cursor["metadata"])
        if metadata.labels["strict"] != nil { _ = try cursor["spec"]["nodeName"].string() }
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
