import APIServerModel
import AssayCore
import Concurrency
import ControllerRuntime
import HTTPServer
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import Testing

@testable import AssayOperator

/// A training with a pod, on a server that issues tokens, and the operator's side of a push with the rights that are shipped.
struct PushWorld: Sendable {
    static let training = ObjectKey(namespace: "ml", name: "wine")
    static let path = "/v1/namespaces/ml/trainingjobs/wine/metrics"
    static let operatorUser = UserInfo.serviceAccount(namespace: "assay-system", name: "assay")

    let pods = PodWorld()
    let time = ManualTime(epoch: ModelTransport.start.sinceEpoch)
    let caches = Caches()
    let queue: WorkQueue
    let inbox = PushInbox()
    let reviews: PushReviews
    let leads = Locked(true)
    let log = Locked<[String]>([])
    let complaints: PushComplaints
    let metrics = MetricsRegistry()

    var transport: ModelTransport { pods.transport }
    var admin: KubernetesClient { KubernetesClient(transport: transport) }
    var client: KubernetesClient { KubernetesClient(transport: transport.asked(by: Self.operatorUser), time: time) }

    init() {
        queue = WorkQueue(time: time)
        let log = log
        let logger = Logger(label: "test") { label in
            StructuredLogHandler(label: label, time: ManualTime()) { line in
                log.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            }
        }
        complaints = PushComplaints(logger: logger)
        reviews = PushReviews(
            client: KubernetesClient(transport: pods.transport.asked(by: Self.operatorUser), time: time), time: time,
            complaints: complaints)
        inbox.follow(caches.trainingJobs)
    }

    var server: PushServer {
        PushServer(
            caches: caches, reviews: reviews, inbox: inbox, queue: queue, time: time,
            isLeader: { [leads] in leads.withLock { $0 } }, metrics: PushMetrics(registry: metrics))
    }

    /// The rights, the namespaces, and a training `wine` with the pod `wine-1-abc`; a training `beer` with `beer-1-abc`.
    func install() async throws {
        try await pods.install()
        for namespace in ["ml", "other"] {
            _ = try await admin.create(.namespaces, ["metadata": ["name": .string(namespace)]], fieldManager: "test")
            do throws(KubernetesError) {
                _ = try await admin.create(
                    .serviceAccounts, ["metadata": ["name": "default", "namespace": .string(namespace)]],
                    fieldManager: "test")
            } catch {
                guard error.isAlreadyExists else { throw error }
            }
        }
        var (trainings, jobs, seen): ([JSONValue], [JSONValue], [JSONValue]) = ([], [], [])
        for name in ["wine", "beer"] {
            let uid = try await makePod("\(name)-1-abc", in: "ml")
            trainings.append(Self.training(name))
            jobs.append(Self.job(name))
            seen.append(Self.pod(name, uid: uid))
        }
        fill(caches.trainingJobs, trainings)
        fill(caches.jobs, jobs)
        fill(caches.pods, seen)
    }

    @discardableResult
    func makePod(_ name: String, in namespace: String) async throws -> String {
        let made = try await admin.create(
            .pods,
            [
                "metadata": ["name": .string(name), "namespace": .string(namespace)],
                "spec": ["containers": [["name": "main", "image": "x"]], "serviceAccountName": "default"],
            ], fieldManager: "test")
        return try #require(made["metadata", "uid"]?.string)
    }

    private func fill<Object: StoredObject>(_ store: Store<Object>, _ objects: [JSONValue]) {
        store.beginList()
        #expect(store.stage(objects).isEmpty)
        store.finishList(resourceVersion: "1")
    }

    static func training(_ name: String, phase: String = "Running", outcome: String = "Running") -> JSONValue {
        [
            "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob",
            "metadata": [
                "namespace": "ml", "name": .string(name), "uid": .string("t-\(name)"), "resourceVersion": "1",
                "generation": 1,
            ], "spec": [:],
            "status": [
                "observedGeneration": 1, "phase": .string(phase),
                "attempts": [
                    [
                        "number": 1, "job": .string("\(name)-1"), "jobUID": .string("j-\(name)"),
                        "outcome": .string(outcome),
                    ]
                ],
            ],
        ]
    }

    private static func job(_ name: String) -> JSONValue {
        [
            "metadata": [
                "namespace": "ml", "name": .string("\(name)-1"), "uid": .string("j-\(name)"), "resourceVersion": "1",
                "ownerReferences": [
                    [
                        "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob", "name": .string(name),
                        "uid": .string("t-\(name)"), "controller": true,
                    ]
                ],
            ]
        ]
    }

    static func pod(_ name: String, uid: String) -> JSONValue {
        [
            "metadata": [
                "namespace": "ml", "name": .string("\(name)-1-abc"), "uid": .string(uid), "resourceVersion": "1",
                "labels": ["assay.dev/trainingjob": .string(name)],
                "ownerReferences": [
                    [
                        "apiVersion": "batch/v1", "kind": "Job", "name": .string("\(name)-1"),
                        "uid": .string("j-\(name)"), "controller": true,
                    ]
                ],
            ]
        ]
    }

    /// A token as the node of a pod asks for it.
    func token(
        of pod: String? = "wine-1-abc", in namespace: String = "ml", audience: String? = PushChannel.audience
    ) async throws -> String {
        var spec: JSONValue = ["expirationSeconds": 600]
        if let audience { spec["audiences"] = [.string(audience)] }
        if let pod { spec["boundObjectRef"] = ["apiVersion": "v1", "kind": "Pod", "name": .string(pod)] }
        let answer = try await admin.create(
            .serviceAccounts,
            [
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "metadata": ["name": "default", "namespace": .string(namespace)], "spec": spec,
            ], subresource: "token", fieldManager: "test")
        return try #require(answer["status", "token"]?.string)
    }

    static func request(
        _ token: String?, _ body: String = #"{"loss": 0.5}"#, path: String = PushWorld.path, method: String = "POST",
        type: String? = "application/json"
    ) -> HTTPServerRequest {
        var request = HTTPServerRequest(method: method, target: path, body: Array(body.utf8))
        request.headers["Authorization"] = token.map { "Bearer \($0)" }
        request.headers["Content-Type"] = type
        return request
    }

    /// Lets the time of the operator and of the API server pass.
    func advance(by duration: Duration) {
        transport.advance(by: duration)
        time.advance(by: duration)
    }

    var reviewCount: Int { transport.count("POST", "/apis/authentication.k8s.io/v1/tokenreviews") }
}
