import AssayCore
import AssayOperator
import Concurrency
import ControllerRuntime
import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import TestCluster
import Testing

/// An operator of one namespace, under an account of its own that has certain rights there and no others.
struct LimitedOperator: Sendable {
    private static let account = "limited"

    let world: StoryWorld
    private let lines = Locked<[String]>([])
    private let port = Locked<Int?>(nil)

    /// Of the program, where the story's pods run it; else learned from the pod of ``RightsStory/ownPodName``.
    private let image: String?

    init(_ world: StoryWorld, image: String? = nil) {
        self.world = world
        self.image = image
    }

    var user: String { "system:serviceaccount:\(world.namespace):\(Self.account)" }

    // MARK: Rights

    /// Of what is not in a namespace there is no right in one.
    private static func isOfCluster(_ right: Right) -> Bool { right.resource == ResourceType.tokenReviews.plural }

    /// The cluster's role of this operator alone.
    private var clusterRole: ObjectKey { ObjectKey(namespace: nil, name: "\(Self.account)-\(world.namespace)") }

    /// Makes the account, and its role with these rights.
    func install(_ rights: Set<Right>) async throws {
        let (name, namespace) = (JSONValue.string(Self.account), JSONValue.string(world.namespace))
        let metadata: JSONValue = ["name": name, "namespace": namespace]
        _ = try await world.client.create(.serviceAccounts, ["metadata": metadata], fieldManager: "story")
        _ = try await world.client.create(
            Self.roles, ["metadata": metadata, "rules": Right.rules(rights.filter { !Self.isOfCluster($0) })],
            fieldManager: "story")
        _ = try await world.client.create(
            Self.bindings,
            [
                "metadata": metadata,
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name],
                "subjects": [["kind": "ServiceAccount", "name": name, "namespace": namespace]],
            ], fieldManager: "story")
        try await installInCluster(rights.filter(Self.isOfCluster))
        if let last = rights.max() { try await waitUntilGranted(last) }
    }

    private func installInCluster(_ rights: Set<Right>) async throws {
        let metadata: JSONValue = ["name": .string(clusterRole.name)]
        _ = try await world.client.create(
            Self.clusterRoles, ["metadata": metadata, "rules": Right.rules(rights)], fieldManager: "story")
        _ = try await world.client.create(
            Self.clusterBindings,
            [
                "metadata": metadata,
                "roleRef": [
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(clusterRole.name),
                ],
                "subjects": [
                    [
                        "kind": "ServiceAccount", "name": .string(Self.account),
                        "namespace": .string(world.namespace),
                    ]
                ],
            ], fieldManager: "story")
    }

    /// Its rights in the cluster outlive its namespace, unless they are taken away.
    func uninstall() async throws {
        try await world.client.delete(Self.clusterBindings, clusterRole)
        try await world.client.delete(Self.clusterRoles, clusterRole)
    }

    /// Gives these rights instead of those before.
    func grant(_ rights: Set<Right>, among them: Right) async throws {
        _ = try await world.client.mergePatch(
            Self.roles, world.key(Self.account), ["rules": Right.rules(rights.filter { !Self.isOfCluster($0) })],
            fieldManager: "story")
        _ = try await world.client.mergePatch(
            Self.clusterRoles, clusterRole, ["rules": Right.rules(rights.filter(Self.isOfCluster))],
            fieldManager: "story")
        try await waitUntilGranted(them)
    }

    /// An API server learns of a role as others do, a little later.
    private func waitUntilGranted(_ right: Right) async throws {
        try await world.eventually("\(user) may \(right)") {
            let parts = right.resource.split(separator: "/").map(String.init)
            let review: JSONValue = [
                "spec": [
                    "user": .string(user),
                    "resourceAttributes": [
                        "verb": .string(right.verb), "group": .string(right.group), "resource": .string(parts[0]),
                        "subresource": .string(parts.count > 1 ? parts[1] : ""), "namespace": .string(world.namespace),
                    ],
                ]
            ]
            return try await world.client.create(Self.reviews, review, fieldManager: "story")["status", "allowed"]
                == true
        }
    }

    private static func rbac(_ plural: String, _ kind: String, isNamespaced: Bool = true) -> ResourceType {
        ResourceType(
            group: "rbac.authorization.k8s.io", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
    }
    private static let clusterRoles = rbac("clusterroles", "ClusterRole", isNamespaced: false)
    private static let clusterBindings = rbac("clusterrolebindings", "ClusterRoleBinding", isNamespaced: false)
    private static let roles = rbac("roles", "Role")
    private static let bindings = rbac("rolebindings", "RoleBinding")
    private static let reviews = ResourceType(
        group: "authorization.k8s.io", version: "v1", plural: "subjectaccessreviews", kind: "SubjectAccessReview",
        isNamespaced: false)

    // MARK: The operator

    /// Runs it while `body` runs.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let account = try await world.cluster.serviceAccount(world.key(Self.account))
        let transport = try CurlTransport(account.transport)
        defer { transport.shutdown() }
        let configuration = OperatorConfiguration(
            namespace: world.namespace, pod: world.key(RightsStory.ownPodName), image: image,
            health: .init(host: "127.0.0.1", port: 0),
            push: .init(
                address: .init(host: "0.0.0.0", port: 0), service: world.key("assay-push"),
                endpoint: try await world.nodeAddress()), election: .init(lease: world.key("assay-operator")))
        let (lines, port) = (lines, port)
        let logger = Logger(label: "operator") { label in
            StructuredLogHandler(label: label) { line in
                lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    let daemon = AssayOperator(
                        configuration: configuration, cluster: account, transport: transport, logger: logger,
                        onListening: { listening in port.withLock { $0 = listening } })
                    do {
                        return try await daemon.run()
                    } catch is LeadershipLost {
                        // Started anew, as the kubelet would.
                    }
                }
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// What it has logged so far.
    var log: [String] { lines.withLock { $0 } }

    /// What it answers at `/readyz`; nil while it does not listen.
    func readiness() async throws -> (isReady: Bool, text: String)? {
        guard let port = port.withLock({ $0 }) else { return nil }
        let transport = try CurlTransport(TransportConfiguration(server: "http://127.0.0.1:\(port)"))
        defer { transport.shutdown() }
        do throws(HTTPTransportError) {
            let response = try await transport.send(
                HTTPRequest(.get, "/readyz", delivery: .unary(timeout: .seconds(5))))
            return (response.status == 200, String(decoding: try await response.body.collect(), as: UTF8.self))
        } catch {
            // It is started anew.
            guard error.code != .cancelled else { throw error }
            return nil
        }
    }

    // MARK: What it asked

    /// Its requests, by right, and how many of each were refused.
    func requests() async throws -> [String: (count: Int, refused: Int)] {
        var result: [String: (count: Int, refused: Int)] = [:]
        for (request, count) in try await world.cluster.requests() where request.user == user {
            let right = "\(request.verb) \(request.resource)"
            result[right, default: (0, 0)].count += count
            if request.code == 403 { result[right, default: (0, 0)].refused += count }
        }
        return result
    }
}
