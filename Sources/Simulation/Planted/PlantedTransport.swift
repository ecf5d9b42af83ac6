import Concurrency
import HTTPTransport
import JSON

/// The wire of one life of an operator that has a ``PlantedBug``.
struct PlantedTransport: HTTPTransport {
    let bug: PlantedBug
    let inner: any HTTPTransport
    /// The process was started anew after a crash.
    let isRestarted: Bool
    private let memory = Locked(Memory())

    /// What the process has seen and done.
    private struct Memory {
        var view = PlantedView()
        var watches = 0
        var writesUnderWay = 0
    }

    init(_ bug: PlantedBug, around inner: any HTTPTransport, isRestarted: Bool) {
        self.bug = bug
        self.inner = inner
        self.isRestarted = isRestarted
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let call = APICall(method: request.method.rawValue, target: request.target)
        if bug.quirk == .isDeafWhileItWrites, call.isWrite {
            memory.withLock { $0.writesUnderWay += 1 }
            defer { memory.withLock { $0.writesUnderWay -= 1 } }
            return try await inner.send(request)
        }
        guard call.plural == bug.plural else { return try await inner.send(request) }
        if call.isWatch { return try await watch(request) }
        if !call.isWrite { return try await read(request, call) }
        return try await write(request, call)
    }

    // MARK: What is sent

    private func write(_ request: HTTPRequest, _ call: APICall) async throws(HTTPTransportError) -> HTTPResponse {
        if bug.quirk == .assumesDoneAfterRestart(method: call.method), isRestarted { return Self.done(request, call) }
        let response = try await inner.send(changed(request, call))
        if bug.quirk == .swallowsError(method: call.method), [409, 429, 500, 503].contains(response.status) {
            return Self.done(request, call)
        }
        return response
    }

    private func changed(_ request: HTTPRequest, _ call: APICall) -> HTTPRequest {
        guard var body = Self.json(request.body) else { return request }
        var request = request
        switch bug.quirk {
        case .forgets(uidOf: "DELETE") where call.method == "DELETE": body["preconditions"] = nil
        case .forgets(uidOf: call.method): body["metadata", "uid"] = nil
        case .forgetsScaleVersion where call.subresource == "scale": body["metadata", "resourceVersion"] = nil
        case .forgetsVersion where call.subresource == "status": body["metadata", "resourceVersion"] = nil
        default: return request
        }
        request.body = body.serializedBytes()
        return request
    }

    /// What the operator believes to have been answered.
    private static func done(_ request: HTTPRequest, _ call: APICall) -> HTTPResponse {
        var object = json(request.body) ?? [:]
        object["metadata", "name"] = object["metadata", "name"] ?? JSONValue(call.name)
        object["metadata", "namespace"] = JSONValue(call.namespace)
        object["metadata", "uid"] = object["metadata", "uid"] ?? "planted"
        // No version: there is no write that the cache could wait for, or miss.
        object["metadata", "resourceVersion"] = object["metadata", "resourceVersion"] ?? ""
        return response(call.method == "POST" ? 201 : 200, object)
    }

    // MARK: What is seen

    private func read(_ request: HTTPRequest, _ call: APICall) async throws(HTTPTransportError) -> HTTPResponse {
        let answer = try await inner.send(request)
        if call.isCacheList, answer.status == 200, let list = Self.json(try await answer.body.collect()) {
            return Self.response(200, listed(list, isFirstPage: !request.target.contains("continue=")))
        }
        guard bug.quirk == .readsCache, answer.status == 200 || answer.status == 404 else { return answer }
        let view = memory.withLock { $0.view }
        guard let name = call.name else { return Self.response(200, view.list(request.target)) }
        let path = [call.namespace ?? "", name]
        if let object = view.objects[path] { return Self.response(200, object) }
        return Self.response(404, ["kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404])
    }

    /// A reflector's list, as it is understood.
    private func listed(_ list: JSONValue, isFirstPage: Bool) -> JSONValue {
        let keeps = bug.quirk == .listNeverRemoves
        return memory.withLock { memory in
            var list = list
            let old = memory.view.objects
            if isFirstPage, !keeps { memory.view.objects = [:] }
            for item in list["items"]?.array ?? [] { memory.view.put(item) }
            if keeps {
                let there = Set((list["items"]?.array ?? []).map(PlantedView.path))
                let kept = old.filter { !there.contains($0.key) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
                list["items"] = .array((list["items"]?.array ?? []) + kept.map(\.value))
            }
            memory.view.frame = list
            return list
        }
    }

    private func watch(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let isAgain = memory.withLock { memory in
            memory.watches += 1
            return memory.watches > 1
        }
        var request = request
        if isAgain, bug.quirk == .resumesAtPresent { try await moveToPresent(&request) }
        var response = try await inner.send(request)
        guard response.status == 200 else { return response }
        let body = response.body
        response.body = HTTPBody { () async throws(HTTPTransportError) in
            while let chunk = try await body.next() {
                let seen = self.seen(chunk)
                if !seen.isEmpty { return seen }
            }
            return nil
        }
        return response
    }

    private func moveToPresent(_ request: inout HTTPRequest) async throws(HTTPTransportError) {
        let path = String(request.target.prefix { $0 != "?" })
        let answer = try await inner.send(HTTPRequest(.get, path, headers: request.headers))
        guard answer.status == 200, let list = Self.json(try await answer.body.collect()),
            let version = list["metadata", "resourceVersion"]?.string
        else { return }
        let query = request.target.dropFirst(path.count + 1).split(separator: "&")
            .map { $0.hasPrefix("resourceVersion=") ? "resourceVersion=\(version)" : String($0) }
        request.target = path + "?" + query.joined(separator: "&")
    }

    /// The lines of a watch that the operator heeds.
    private func seen(_ chunk: [UInt8]) -> [UInt8] {
        if bug.quirk == .isDeafWhileItWrites, memory.withLock({ $0.writesUnderWay > 0 }) { return [] }
        var heeded: [UInt8] = []
        var objects: Set<String> = []
        for line in chunk.split(separator: UInt8(ascii: "\n")) {
            let event = Self.json(Array(line))
            let uid = event?["object", "metadata", "uid"]?.string
            if bug.quirk == .missesDeletions, event?["type"] == "DELETED" { continue }
            if bug.quirk == .readsFirstOfBatch, let uid, !objects.insert(uid).inserted { continue }
            if let event, uid != nil { memory.withLock { $0.view.take(event) } }
            heeded += line + [UInt8(ascii: "\n")]
        }
        return heeded
    }

    // MARK: JSON

    private static func json(_ bytes: [UInt8]?) -> JSONValue? {
        guard let bytes, !bytes.isEmpty else { return nil }
        do { return try JSONValue(parsing: bytes) } catch { return nil }
    }

    private static func response(_ status: Int, _ value: JSONValue) -> HTTPResponse {
        let rest = Locked<[UInt8]?>(value.serializedBytes())
        let body = HTTPBody { () async throws(HTTPTransportError) in
            rest.withLock { rest in
                defer { rest = nil }
                return rest
            }
        }
        return HTTPResponse(status: status, headers: ["Content-Type": "application/json"], body: body)
    }
}
