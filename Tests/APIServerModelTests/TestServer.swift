import JSON
import KubernetesModel

@testable import APIServerModel

/// A server with a clock that the test moves, and requests in short.
struct TestServer {
    var server: APIServer
    var now = Timestamp(seconds: 1_800_000_000)
    var user: UserInfo? = .admin

    init(_ change: (inout APIServerOptions) -> Void = { _ in }) {
        var options = APIServerOptions()
        change(&options)
        server = APIServer(options: options, now: now)
    }

    struct Answer {
        var status: Int
        var json: JSONValue
        var response: APIResponse

        var message: String { json["message"]?.string ?? "" }
        var reason: String { json["reason"]?.string ?? "" }
        var resourceVersion: String { json["metadata", "resourceVersion"]?.string ?? "" }
        var names: [String] {
            (json["items"]?.array ?? []).compactMap { $0["metadata", "name"]?.string }
        }
        func header(_ name: String) -> [String] { response.headers.filter { $0.name == name }.map(\.value) }
    }

    @discardableResult
    mutating func send(
        _ method: String, _ target: String, _ body: JSONValue? = nil, type: String = "application/json",
        accept: String? = nil
    ) -> Answer {
        var headers = ["content-type": type, "user-agent": "test/1"]
        headers["accept"] = accept
        let response = server.handle(
            APIRequest(
                method: method, target: target, headers: headers, body: body?.serializedBytes() ?? [], user: user),
            now: now)
        return Answer(status: response.status, json: Self.parse(response.body), response: response)
    }

    static func parse(_ bytes: [UInt8]) -> JSONValue {
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            return .string(String(decoding: bytes, as: UTF8.self))
        }
    }

    mutating func get(_ target: String) -> Answer { send("GET", target) }
    @discardableResult mutating func post(_ target: String, _ body: JSONValue) -> Answer { send("POST", target, body) }
    @discardableResult mutating func put(_ target: String, _ body: JSONValue) -> Answer { send("PUT", target, body) }
    @discardableResult mutating func merge(_ target: String, _ body: JSONValue) -> Answer {
        send("PATCH", target, body, type: "application/merge-patch+json")
    }
    @discardableResult mutating func delete(_ target: String, _ body: JSONValue? = nil) -> Answer {
        send("DELETE", target, body)
    }

    /// Opens a watch and fails the test by an impossible identifier when there is none.
    mutating func watch(_ target: String, accept: String? = nil) -> WatchID {
        let answer = send("GET", target, accept: accept)
        if case .watch(let id) = answer.response.content { return id }
        return WatchID(rawValue: -1)
    }

    /// What is pending, as `ADDED a`, `BOOKMARK 17`.
    mutating func events(_ id: WatchID) -> [String] {
        server.takeEvents(id).lines.map { line in
            let json = Self.parse(line)
            let type = json["type"]?.string ?? "?"
            let object = json["object"] ?? [:]
            switch type {
            case "BOOKMARK": return type
            case "ERROR": return "\(type) \(object["code"]?.int ?? 0)"
            default: return "\(type) \(object["metadata", "name"]?.string ?? "?")"
            }
        }
    }

    mutating func pass(_ seconds: Int64) {
        now = now + .seconds(seconds)
        server.tick(now: now)
    }
}

/// Documents that tests send.
enum Sample {
    static let maps = "/api/v1/namespaces/default/configmaps"
    static let pods = "/api/v1/namespaces/default/pods"
    static let jobs = "/apis/batch/v1/namespaces/default/jobs"
    static let deployments = "/apis/apps/v1/namespaces/default/deployments"
    static let widgets = "/apis/example.dev/v1/namespaces/default/widgets"

    static func map(_ name: String, _ data: [String: String] = [:], labels: [String: String] = [:]) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": .string(name), "labels": JSONValue(labels)], "data": JSONValue(data),
        ]
    }

    static let podSpec: JSONValue = [
        "containers": [["name": "main", "image": "busybox:1"]], "restartPolicy": "Never",
    ]

    static func pod(_ name: String, owner: JSONValue? = nil) -> JSONValue {
        var json: JSONValue = [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name)], "spec": podSpec,
        ]
        if let owner { json["metadata", "ownerReferences"] = [owner] }
        return json
    }

    static func job(_ name: String) -> JSONValue {
        [
            "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name)],
            "spec": ["template": ["spec": podSpec]],
        ]
    }

    static func deployment(_ name: String, replicas: Int = 1) -> JSONValue {
        [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": .string(name)],
            "spec": [
                "replicas": JSONValue(replicas), "selector": ["matchLabels": ["app": .string(name)]],
                "template": [
                    "metadata": ["labels": ["app": .string(name)]],
                    "spec": ["containers": [["name": "main", "image": "busybox:1"]]],
                ],
            ],
        ]
    }

    static func widget(_ name: String, _ spec: JSONValue = ["size": 1]) -> JSONValue {
        [
            "apiVersion": "example.dev/v1", "kind": "Widget", "metadata": ["name": .string(name)], "spec": spec,
        ]
    }

    static let definition: JSONValue = [
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": ["name": "widgets.example.dev"],
        "spec": [
            "group": "example.dev", "scope": "Namespaced",
            "names": ["plural": "widgets", "kind": "Widget", "shortNames": ["wd"]],
            "versions": [
                [
                    "name": "v1", "served": true, "storage": true,
                    "subresources": [
                        "status": [:],
                        "scale": [
                            "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        ],
                    ],
                    "additionalPrinterColumns": [
                        ["name": "Size", "type": "integer", "jsonPath": ".spec.size"]
                    ],
                    "schema": [
                        "openAPIV3Schema": [
                            "type": "object", "required": ["spec"],
                            "properties": [
                                "spec": [
                                    "type": "object", "required": ["size"],
                                    "properties": [
                                        "size": ["type": "integer", "minimum": 1],
                                        "color": ["type": "string", "default": "red"],
                                        "replicas": ["type": "integer"],
                                    ],
                                ],
                                "status": [
                                    "type": "object",
                                    "properties": [
                                        "replicas": ["type": "integer"], "selector": ["type": "string"],
                                        "phase": ["type": "string"],
                                    ],
                                ],
                            ],
                        ]
                    ],
                ]
            ],
        ],
    ]

    static let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
}
