import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

/// A namespace of its own on a cluster, and requests to it as they are: refusals are answers like any other.
struct ConformanceWorld: Sendable {
    let cluster: TestCluster
    let namespace: String
    private let raw: KubernetesClient

    var client: KubernetesClient { cluster.client }

    static func run(
        on backend: Backend, _ body: @escaping @Sendable (ConformanceWorld) async throws -> Void
    ) async throws {
        try await TestCluster.run(on: backend) { cluster in
            let configuration = try cluster.adminConfiguration()
            let transport = try CurlTransport(configuration.transport)
            defer { transport.shutdown() }
            let world = ConformanceWorld(
                cluster: cluster, namespace: "conformance-\(UInt32.random(in: .min ... .max))",
                raw: KubernetesClient(
                    transport: AllAnswers(transport: transport), credentials: configuration.credentials))
            try await world.makeNamespace()
            do {
                try await body(world)
                try await world.send(.delete, "/api/v1/namespaces/{ns}")
            } catch let failure {
                do {
                    try await world.send(.delete, "/api/v1/namespaces/{ns}")
                } catch {
                    // What the test died of says more.
                }
                throw failure
            }
        }
    }

    private func makeNamespace() async throws {
        try await send(
            .post, "/api/v1/namespaces",
            ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]])
        // Both come from controllers, and would stand in lists and watches.
        for path in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
            try await eventually("the namespace has \(path)") { try await send(.get, Path.core + path).status == 200 }
        }
    }

    /// - Parameter path: with `{ns}` where the world's namespace goes.
    @discardableResult
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil, type: MediaType = .json,
        accept: String? = nil
    ) async throws -> Answer {
        try await send(method, path, bytes: body?.serializedBytes(), type: type.rawValue, accept: accept)
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, bytes: [UInt8]?, type: String, accept: String? = nil
    ) async throws -> Answer {
        try await send(method, path, bytes: bytes, type: type, accept: accept, by: raw)
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, bytes: [UInt8]?, type: String, accept: String?,
        by client: KubernetesClient
    ) async throws -> Answer {
        var request = HTTPRequest(method, path.replacing("{ns}", with: namespace), body: bytes)
        if bytes != nil { request.headers["Content-Type"] = type }
        request.headers["Accept"] = accept
        var patience = 30
        while true {
            let answer = try await Answer(try await client.send(request))
            // "Later": as for pods of a service account that has no token yet.
            guard answer.json["reason"] == "ServerTimeout", patience > 0 else { return answer }
            patience -= 1
            try await Task.sleep(for: .seconds(answer.json["details", "retryAfterSeconds"]?.int ?? 1))
        }
    }

    /// Server-side apply to a path.
    @discardableResult
    func apply(
        _ path: String, _ object: JSONValue, by manager: String, force: Bool = false
    ) async throws -> Answer {
        try await send(.patch, "\(path)?fieldManager=\(manager)&force=\(force)", object, type: .apply)
    }

    /// Sends requests as another user while `body` runs.
    func asUser(
        _ name: String, _ body: (ConformanceWorld) async throws -> Void
    ) async throws {
        let configuration = try cluster.configuration(user: name)
        let transport = try CurlTransport(configuration.transport)
        defer { transport.shutdown() }
        try await body(
            ConformanceWorld(
                cluster: cluster, namespace: namespace,
                raw: KubernetesClient(
                    transport: AllAnswers(transport: transport), credentials: configuration.credentials)))
    }

    /// Asks again and again, for 20 s.
    func eventually(
        _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ isTrue: () async throws -> Bool
    ) async throws {
        for _ in 0..<200 {
            if try await isTrue() { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("it never came to be that \(what)", sourceLocation: sourceLocation)
    }

    /// What a watch says until the server ends it, after a second.
    func watch(_ path: String, accept: String? = nil) async throws -> [JSONValue] {
        let mark = path.contains("?") ? "&" : "?"
        let answer = try await send(.get, "\(path)\(mark)watch=true&timeoutSeconds=1", accept: accept)
        guard answer.status == 200 else { return [answer.json] }
        return try answer.text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }
}

enum MediaType: String, Sendable {
    case json = "application/json"
    case merge = "application/merge-patch+json"
    case jsonPatch = "application/json-patch+json"
    case strategic = "application/strategic-merge-patch+json"
    case apply = "application/apply-patch+yaml"
}

enum Path {
    static let core = "/api/v1/namespaces/{ns}/"
    static let maps = core + "configmaps"
    static let pods = core + "pods"
    static let services = core + "services"
    static let deployments = "/apis/apps/v1/namespaces/{ns}/deployments"
    static let replicaSets = "/apis/apps/v1/namespaces/{ns}/replicasets"
    static let jobs = "/apis/batch/v1/namespaces/{ns}/jobs"
    static let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
}

/// What a server said, whatever it was.
struct Answer: Sendable, CustomStringConvertible {
    let status: Int
    let text: String
    /// Null where it is none.
    let json: JSONValue

    init(_ response: HTTPResponse) async throws {
        let bytes = try await response.body.collect()
        status = response.headers[AllAnswers.header].flatMap { Int($0) } ?? response.status
        text = String(decoding: bytes, as: UTF8.self)
        do {
            json = try JSONValue(parsing: bytes)
        } catch {
            json = .null
        }
    }

    var reason: String { json["reason"]?.string ?? "" }
    var message: String { json["message"]?.string ?? "" }
    var kind: String { json["kind"]?.string ?? "" }
    var version: String { json["metadata", "resourceVersion"]?.string ?? "" }
    var generation: Int? { json["metadata", "generation"]?.int }
    var isBeingDeleted: Bool { json["metadata", "deletionTimestamp"] != nil }
    var finalizers: [String] { (json["metadata", "finalizers"]?.array ?? []).compactMap(\.string) }
    /// The fields that a refusal is about, each once, in order.
    var fields: [String] {
        Set((json["details", "causes"]?.array ?? []).compactMap { $0["field"]?.string }).sorted()
    }
    var items: [JSONValue] { json["items"]?.array ?? [] }
    /// Of a list, without what controllers put into every namespace.
    var names: [String] {
        items.compactMap { $0["metadata", "name"]?.string }.filter { $0 != "kube-root-ca.crt" }.sorted()
    }
    /// Who manages what: `manager operation`, and the fields.
    var managers: [String: JSONValue] {
        let entries = (json["metadata", "managedFields"]?.array ?? []).map { entry in
            ("\(entry["manager"]?.string ?? "") \(entry["operation"]?.string ?? "")", entry["fieldsV1"] ?? .null)
        }
        return Dictionary(entries) { first, _ in first }
    }

    var description: String { "\(status) \(text.prefix(700))" }
}

/// Passes on refusals, which the client would throw, with their own status in a header.
private struct AllAnswers: HTTPTransport {
    static let header = "x-answered"
    let transport: CurlTransport

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        var response = try await transport.send(request)
        response.headers[Self.header] = String(response.status)
        response.status = 200
        return response
    }
}

/// A request, and how it is answered.
struct Exchange: Sendable {
    var what: String
    var method: HTTPRequest.Method
    var path: String
    var body: JSONValue?
    var type = MediaType.json
    var status: Int
    var reason = ""
    /// What the refusal is about; the beginnings of the fields.
    var fields: [String] = []

    init(
        _ what: String, _ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil,
        type: MediaType = .json, is status: Int, _ reason: String = "", _ fields: [String] = []
    ) {
        (self.what, self.method, self.path, self.body, self.type) = (what, method, path, body, type)
        (self.status, self.reason, self.fields) = (status, reason, fields)
    }
}

extension ConformanceWorld {
    func expect(_ exchanges: [Exchange], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for exchange in exchanges {
            let answer = try await send(exchange.method, exchange.path, exchange.body, type: exchange.type)
            let fits =
                answer.status == exchange.status && (exchange.reason.isEmpty || answer.reason == exchange.reason)
                && exchange.fields.allSatisfy { field in answer.fields.contains { $0.hasPrefix(field) } }
            #expect(fits, "\(exchange.what): \(answer)", sourceLocation: sourceLocation)
        }
    }
}

enum Sample {
    static func map(_ name: String, _ data: [String: String] = [:], _ metadata: JSONValue = [:]) -> JSONValue {
        var json: JSONValue = [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": (["name": .string(name)] as JSONValue).merging(patch: metadata),
        ]
        if !data.isEmpty { json["data"] = JSONValue(data) }
        return json
    }

    /// Pods that no node takes, so that tests can play the node.
    static func template(_ labels: JSONValue, restart: String = "Always") -> JSONValue {
        [
            "metadata": ["labels": labels],
            "spec": [
                "containers": [["name": "main", "image": "none"]], "restartPolicy": .string(restart),
                "nodeSelector": ["conformance": "none"],
            ],
        ]
    }

    static func pod(_ name: String, _ spec: JSONValue = [:]) -> JSONValue {
        var pod = template(["app": "a"])
        pod["apiVersion"] = "v1"
        pod["kind"] = "Pod"
        pod["metadata", "name"] = .string(name)
        pod["spec"] = (pod["spec"] ?? [:]).merging(patch: spec)
        return pod
    }

    static func deployment(_ name: String, _ spec: JSONValue = [:]) -> JSONValue {
        let base: JSONValue = [
            "replicas": 0, "selector": ["matchLabels": ["app": .string(name)]],
            "template": template(["app": .string(name)]),
        ]
        return [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": .string(name)],
            "spec": base.merging(patch: spec),
        ]
    }

    static func job(_ name: String, _ spec: JSONValue = [:]) -> JSONValue {
        let base: JSONValue = ["template": template([:], restart: "Never")]
        return [
            "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name)],
            "spec": base.merging(patch: spec),
        ]
    }
}
