import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

/// A service account of a story's namespace that has certain rights there and no others.
struct LimitedAccount: Sendable {
    private static let name = "limited"

    let world: StoryWorld

    init(in world: StoryWorld) { self.world = world }

    var user: String { "system:serviceaccount:\(world.namespace):\(Self.name)" }

    /// For a client that is this account.
    func configuration() async throws -> ClientConfiguration {
        try await world.cluster.serviceAccount(world.key(Self.name))
    }

    // MARK: Rights

    /// Of what is not in a namespace there is no right in one.
    private static func isOfCluster(_ right: Right) -> Bool { right.resource == ResourceType.tokenReviews.plural }

    /// The cluster's role of this account alone.
    private var clusterRole: ObjectKey { ObjectKey(namespace: nil, name: "\(Self.name)-\(world.namespace)") }

    /// Makes the account, and its role with these rights.
    func install(_ rights: Set<Right>) async throws {
        let (name, namespace) = (JSONValue.string(Self.name), JSONValue.string(world.namespace))
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
                        "kind": "ServiceAccount", "name": .string(Self.name),
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
            Self.roles, world.key(Self.name), ["rules": Right.rules(rights.filter { !Self.isOfCluster($0) })],
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

    // MARK: What it has asked

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
