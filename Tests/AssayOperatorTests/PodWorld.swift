import APIServerModel
import Concurrency
import ControllerRuntime
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import Testing
import YAML

@testable import AssayOperator

/// A server on which the operator looks for its own pod, with the rights that its service account has there.
struct PodWorld: Sendable {
    static let pod = ObjectKey(namespace: "assay-system", name: "assay-operator-1")

    let transport = ModelTransport()
    let time = ManualTime()
    let log = Locked<[String]>([])
    let metrics = MetricsRegistry()
    let own: OwnImage

    private var admin: KubernetesClient { KubernetesClient(transport: transport) }

    init(pod: ObjectKey? = PodWorld.pod) {
        let log = log
        let logger = Logger(label: "test") { label in
            StructuredLogHandler(label: label, time: ManualTime()) { line in
                log.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            }
        }
        let client = KubernetesClient(
            transport: transport.asked(by: .serviceAccount(namespace: "assay-system", name: "assay")), time: time)
        own = OwnImage(told: nil, pod: pod, client: client, time: time, logger: logger, metrics: metrics)
    }

    /// The operator's namespace and rights, as they are shipped.
    func install() async throws {
        let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        for file in ["namespace", "rbac"] {
            let path = repository.appending(path: "manifests/cluster/\(file).yaml").path
            let text = try String(contentsOfFile: path, encoding: .utf8)
            for document in try JSONValue.documents(yaml: text) { try await apply(document) }
        }
    }

    private func apply(_ document: JSONValue) async throws {
        let kind = try #require(document["kind"]?.string)
        let version = try #require(document["apiVersion"]?.string).split(separator: "/").map(String.init)
        let namespace = document["metadata", "namespace"]?.string
        let type = ResourceType(
            group: version.count == 2 ? version[0] : "", version: version[version.count - 1],
            plural: kind.lowercased() + "s", kind: kind, isNamespaced: namespace != nil)
        let key = ObjectKey(namespace: namespace, name: try #require(document["metadata", "name"]?.string))
        _ = try await admin.apply(type, key, document, fieldManager: "test")
    }

    func createPod(containers: [JSONValue], pullSecrets: [String] = []) async throws {
        let secrets = pullSecrets.map { ["name": .string($0)] as JSONValue }
        let metadata: JSONValue = ["namespace": "assay-system", "name": .string(Self.pod.name)]
        let spec: JSONValue = [
            "containers": .array(containers), "imagePullSecrets": .array(secrets), "serviceAccountName": "assay",
        ]
        let pod: JSONValue = ["metadata": metadata, "spec": spec]
        _ = try await admin.create(.pods, pod, fieldManager: "test")
    }

    /// The node's word on what the containers run.
    func setStatus(_ imageIDs: [String: String]) async throws {
        let statuses = imageIDs.sorted { $0.key < $1.key }.map { name, imageID -> JSONValue in
            ["name": .string(name), "imageID": .string(imageID), "image": "", "ready": true, "restartCount": 0]
        }
        _ = try await admin.mergePatch(
            .pods, Self.pod, ["status": ["containerStatuses": .array(statuses)]], subresource: "status",
            fieldManager: "test")
    }

    /// The lines of the log that say so.
    func lines(_ text: String) -> [String] { log.withLock { $0.filter { $0.contains(text) } } }

    /// Lets it learn while `body` runs, and ends it then unless it has ended.
    func learning(_ body: () async throws -> Void) async throws {
        let own = own
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await own.learn() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// Gives other tasks their turn until it is so.
    func until(_ isTrue: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while !isTrue() {
            try #require(ContinuousClock.now < end, "waited in vain; the log: \(log.withLock { $0 })")
            await Task.yield()
        }
    }
}
