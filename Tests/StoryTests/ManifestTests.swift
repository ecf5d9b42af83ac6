import AssayCore
import FoundationEssentials
import JSON
import KubernetesModel
import TestCluster
import Testing
import YAML

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// What `manifests/` says, and that every kubectl reads it alike.
@Suite struct ManifestTests {
    private static let manifests = "\(ProgramUnderTest.repository)/manifests"
    private static let installed = "\(manifests)/install.yaml"

    private static func documents(_ file: String) throws -> [JSONValue] {
        try JSONValue.documents(yaml: try String(contentsOfFile: "\(manifests)/\(file)", encoding: .utf8))
    }

    @Test(arguments: Rendering.all) func installYAMLIsWhatKustomizeRenders(_ rendering: Rendering) async throws {
        let text = try await rendering.install()
        let kept = try Self.documents("install.yaml")
        let isEqual = try JSONValue.documents(yaml: text) == kept
        #expect(isEqual, "run scripts/render > manifests/install.yaml, or the test with UPDATE_GOLDEN=1")
        if !isEqual, getenv("UPDATE_GOLDEN") != nil { try Data(text.utf8).write(to: URL(filePath: Self.installed)) }
    }

    @Test func thereIsAKubectlToRenderWith() {
        #expect(!Rendering.all.isEmpty, "apt-get install kubernetes-client, or name some in KUBECTLS")
    }

    @Test func theNamespaceAndTheDefinitionsComeBeforeWhatNeedsThem() throws {
        let kinds = try Self.documents("install.yaml").compactMap { $0["kind"]?.string }
        #expect(
            kinds == [
                "Namespace", "CustomResourceDefinition", "CustomResourceDefinition", "ServiceAccount", "Role",
                "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Service", "Service", "Deployment", "NetworkPolicy",
            ])
    }

    @Test func theOperatorsPodSatisfiesTheLevelOfItsNamespace() throws {
        let documents = try Self.documents("install.yaml")
        let label = "pod-security.kubernetes.io/enforce"
        #expect(try documents.first(kind: "Namespace")["metadata", "labels", label]?.string == "restricted")
        let deployment = try documents.first(kind: "Deployment")
        var template = try #require(deployment["spec", "template"])
        // Its service account is its own; whether others may use it is asked of users' templates only.
        #expect(template["spec", "serviceAccountName"]?.string == "assay")
        template["spec", "serviceAccountName"] = nil
        #expect(PodCheck.problems(in: template, at: "template", policy: PodPolicy(operatorLevel: .restricted)) == [])
        let container = try #require(template["spec", "containers"]?.array?.first)
        #expect(container["securityContext", "readOnlyRootFilesystem"] == true)
        for field in ["livenessProbe", "readinessProbe"] { #expect(container[field] != nil, "\(field)") }
        for resource in ["cpu", "memory"] { #expect(container["resources", "requests"]?[resource] != nil) }
    }

    @Test func theServiceAndThePolicySelectTheOperatorsPod() throws {
        let documents = try Self.documents("install.yaml")
        let deployment = try documents.first(kind: "Deployment")
        #expect(
            deployment["spec", "strategy"] == [
                "type": "RollingUpdate", "rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0],
            ])
        let labels = try #require(deployment["spec", "template", "metadata", "labels"])
        let port = try #require(deployment["spec", "template", "spec", "containers"]?[0]?["ports"]?[0]?["name"])
        let service = try documents.first(kind: "Service")
        #expect(service["spec", "selector"] == labels)
        #expect(service["spec", "ports"]?[0]?["targetPort"] == port)
        let policy = try documents.first(kind: "NetworkPolicy")
        #expect(policy["spec", "podSelector", "matchLabels"] == labels)
        #expect(policy["spec", "ingress"]?[0]?["ports"]?[0]?["port"] == port)
        #expect(policy["spec", "policyTypes"] == ["Ingress", "Egress"])
    }

    /// Whoever leads writes the endpoints, so the Service selects nothing; and the pod knows its own address.
    @Test func theServiceForPushesLeadsWhereTheOperatorListens() throws {
        let documents = try Self.documents("install.yaml")
        let service = try #require(
            documents.first { $0["kind"] == "Service" && $0["metadata", "name"] == "assay-push" })
        #expect(service["spec", "selector"] == nil)
        #expect(service["spec", "ports"]?[0]?["port"] == 443)
        let container = try documents.first(kind: "Deployment")["spec", "template", "spec", "containers"]?[0]
        let port = container?["ports"]?.array?.first { $0["name"] == "push" }
        #expect(port?["containerPort"] == 8443 && service["spec", "ports"]?[0]?["targetPort"] == 8443)
        #expect(service["spec", "ports"]?[0]?["name"] == "push")
        let address = container?["env"]?.array?.first { $0["name"] == "POD_IP" }
        #expect(address?["valueFrom", "fieldRef", "fieldPath"] == "status.podIP")
        let policy = try documents.first(kind: "NetworkPolicy")
        #expect(policy["spec", "ingress"]?[0]?["ports"]?.array?.contains { $0["port"] == "push" } == true)
    }

    // MARK: Two replicas

    @Test(arguments: Rendering.all) func theHighlyAvailableInstallationIsTheOtherWithASecondReplicaAndABudget(
        _ rendering: Rendering
    ) async throws {
        var documents = try await rendering.documents("\(Self.manifests)/highly-available")
        let budget = try documents.first(kind: "PodDisruptionBudget")
        var deployment = try documents.first(kind: "Deployment")
        #expect(budget["spec", "maxUnavailable"] == 1)
        #expect(budget["spec", "selector"] == deployment["spec", "selector"])
        #expect(budget["metadata", "namespace"] == deployment["metadata", "namespace"])
        #expect(deployment["spec", "replicas"] == 2)
        let template = deployment["spec", "template"]
        #expect(template?["spec", "affinity", "podAntiAffinity"] != nil)
        var spec = template?["spec"]
        spec?["affinity"] = nil
        deployment["spec", "replicas"] = 1
        deployment["spec", "template"]?["spec"] = spec
        documents.removeAll { ["PodDisruptionBudget", "Deployment"].contains($0["kind"]?.string) }
        #expect(Set(documents + [deployment]) == Set(try Self.documents("install.yaml")))
    }

    // MARK: One namespace

    @Test(arguments: Rendering.all) func theNamespacedInstallationHasNothingOutsideItsNamespace(
        _ rendering: Rendering
    ) async throws {
        let documents = try await rendering.documents("\(Self.manifests)/namespaced")
        let kinds = documents.compactMap { $0["kind"]?.string }.sorted()
        #expect(kinds == ["Deployment", "NetworkPolicy", "Role", "RoleBinding", "Service", "ServiceAccount"])
        #expect(documents.allSatisfy { $0["metadata", "namespace"]?.string == "ml" })
        #expect(try documents.first(kind: "RoleBinding")["subjects"]?[0]?["namespace"]?.string == "ml")
        let container = try documents.first(kind: "Deployment")["spec", "template", "spec", "containers"]?[0]
        let arguments = (container?["args"]?.array ?? []).compactMap(\.string)
        #expect(arguments.suffix(4) == ["--namespace", "$(POD_NAMESPACE)", "--push-address", "none"])
        let wide = try Self.documents("install.yaml").first(kind: "Deployment")
        let others = wide["spec", "template", "spec", "containers"]?[0]?["args"]?.array?.compactMap(\.string)
        #expect(Array(arguments.dropLast(4)) == others)
    }

    @Test func aNamespacesRoleGrantsWhatTheClusterRoleAndTheOwnPodsRoleGrant() throws {
        let wide = try Self.documents("cluster/rbac.yaml")
        let narrow = try Self.documents("namespaced/rbac.yaml").first(kind: "Role")
        let expected = Self.rights(try wide.first(kind: "ClusterRole")).union(Self.rights(try wide.first(kind: "Role")))
        // Whose a token is, no Role lets anybody ask; so nothing is pushed there.
        let pushes: Set = [
            "create tokenreviews authentication.k8s.io", "create configmaps ", "patch configmaps ", "create secrets ",
            "get secrets ", "update secrets ", "create endpoints ", "patch endpoints ",
        ]
        #expect(expected.isSuperset(of: pushes))
        #expect(Self.rights(narrow) == expected.subtracting(pushes))
        #expect(!expected.isEmpty)
    }

    /// A line for each right: `patch deployments/scale.apps`.
    private static func rights(_ role: JSONValue) -> Set<String> {
        var result: Set<String> = []
        for rule in role["rules"]?.array ?? [] {
            for group in rule["apiGroups"]?.array ?? [] {
                for resource in rule["resources"]?.array ?? [] {
                    for verb in rule["verbs"]?.array ?? [] {
                        result.insert([verb, resource, group].compactMap(\.string).joined(separator: " "))
                    }
                }
            }
        }
        return result
    }

    @Test(arguments: Rendering.all) func anotherNamespaceAndImageReachEveryObject(_ rendering: Rendering) async throws {
        let repository = try UserRepository()
        defer { repository.remove() }
        let team = try repository.write(
            "team",
            [
                "kustomization.yaml": """
                namespace: team
                bases: [../manifests/namespaced]
                images: [{name: assay, newName: registry.example/assay, newTag: "9"}]
                """
            ])
        let documents = try await rendering.documents(team)
        #expect(documents.allSatisfy { $0["metadata", "namespace"]?.string == "team" })
        #expect(try documents.first(kind: "RoleBinding")["subjects"]?[0]?["namespace"]?.string == "team")
        let container = try documents.first(kind: "Deployment")["spec", "template", "spec", "containers"]?[0]
        #expect(container?["image"]?.string == "registry.example/assay:9")
    }
}
