import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import YAML

extension TestCluster {
    /// The operator's own service account.
    public static let operatorAccount = ObjectKey(namespace: "assay-system", name: "assay")

    /// Posts our kinds, the operator's namespace and its rights, and waits until the kinds are served.
    public func install() async throws {
        for file in ["manifests/cluster/namespace.yaml", "manifests/cluster/rbac.yaml"] {
            try await Self.post(file, client)
        }
        try await Self.installKinds(client)
    }

    /// Posts our kinds, and waits until they are served.
    public static func installKinds(_ client: KubernetesClient) async throws {
        for file in ["crds/assay.dev_trainingjobs.yaml", "crds/assay.dev_mlmodels.yaml"] {
            try await post(file, client)
        }
        for type in [ResourceType.trainingJobs, .mlModels] {
            try await eventually("\(type) are served") { () throws(KubernetesError) in
                do throws(KubernetesError) {
                    _ = try await client.list(type)
                    return true
                } catch {
                    guard error.isNotFound else { throw error }
                    return false
                }
            }
        }
    }

    /// Posts every document of a file of the repository, as it stands.
    private static func post(_ file: String, _ client: KubernetesClient) async throws {
        let text = try String(contentsOfFile: "\(ProgramUnderTest.repository)/\(file)", encoding: .utf8)
        for document in try JSONValue.documents(yaml: text) {
            let kind = document["kind"]?.string ?? ""
            guard let type = installed.first(where: { $0.kind == kind }) else {
                throw TestClusterError("\(file) holds a \(kind), which tests do not install")
            }
            let metadata = document["metadata"]
            let key = ObjectKey(
                namespace: metadata?["namespace"]?.string, name: metadata?["name"]?.string ?? "")
            do throws(KubernetesError) {
                // Posted, not applied: server-side apply refuses fields that an old server's schema does not know.
                _ = try await client.create(type, document, fieldManager: "install")
            } catch {
                // A cluster that there was before may have it already.
                guard error.isAlreadyExists else { throw error }
                _ = try await client.mergePatch(type, key, document, fieldManager: "install")
            }
        }
    }

    private static let installed: [ResourceType] = {
        func rbac(_ plural: String, _ kind: String, isNamespaced: Bool = false) -> ResourceType {
            ResourceType(
                group: "rbac.authorization.k8s.io", version: "v1", plural: plural, kind: kind,
                isNamespaced: isNamespaced)
        }
        return [
            .customResourceDefinitions, .namespaces, .serviceAccounts, rbac("clusterroles", "ClusterRole"),
            rbac("clusterrolebindings", "ClusterRoleBinding"), rbac("roles", "Role", isNamespaced: true),
            rbac("rolebindings", "RoleBinding", isNamespaced: true),
        ]
    }()

    /// Asks again and again, for a minute, until the answer is yes.
    public func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        try await Self.eventually(what, isTrue)
    }

    /// Asks again and again, for a minute, until the answer is yes.
    public static func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        for _ in 0..<600 {
            if try await isTrue() { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw TestClusterError("it never came to be that \(what)")
    }
}
