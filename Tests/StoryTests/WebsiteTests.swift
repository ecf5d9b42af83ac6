import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing
import YAML

extension Stories {
    /// The operator of `examples/website`, as the program that a reader builds.
    @Suite struct WebsiteTests {
        private static let websites = ResourceType(
            group: "example.com", version: "v1", plural: "websites", kind: "Website")

        @Test(arguments: Backend.all) func theExampleKeepsADeploymentForEachWebsiteAndTellsItsStatus(
            _ backend: Backend
        ) async throws {
            try await TestCluster.run(on: backend) { cluster in
                let client = cluster.client
                let namespace = "websites-\(UInt32.random(in: .min ... .max))"
                _ = try await client.create(
                    .namespaces, ["metadata": ["name": .string(namespace)]], fieldManager: "test")
                try await Self.installDefinition(cluster)
                let status = try await Self.withProgram(cluster) {
                    try await Self.tellStory(cluster, ObjectKey(namespace: namespace, name: "hello"))
                }
                #expect(status == .exited(0), "SIGTERM ends it in good order")
                try await client.delete(.namespaces, ObjectKey(namespace: nil, name: namespace))
            }
        }

        private static func tellStory(_ cluster: TestCluster, _ key: ObjectKey) async throws {
            let client = cluster.client
            let container: JSONValue = [
                "name": "web", "image": "registry.local/toy:1", "command": ["serve"],
                "env": [["name": "ASSAY_RUN", "value": "1"]],
            ]
            let site: JSONValue = [
                "metadata": ["namespace": JSONValue(key.namespace) ?? .null, "name": .string(key.name)],
                "spec": ["replicas": 1, "container": container],
            ]
            _ = try await client.create(websites, site, fieldManager: "test")
            try await cluster.eventually("a copy is ready") {
                try await client.get(websites, key)["status"] == ["observedGeneration": 1, "ready": 1]
            }
            let deployment = try await client.get(.deployments, key)
            #expect(deployment["metadata", "ownerReferences"]?.array?.first?["kind"] == "Website")

            _ = try await client.mergePatch(websites, key, ["spec": ["replicas": 2]], fieldManager: "test")
            try await cluster.eventually("both copies are ready") {
                try await client.get(websites, key)["status"] == ["observedGeneration": 2, "ready": 2]
            }
            // Somebody else's change of what it wants is put right.
            _ = try await client.mergePatch(.deployments, key, ["spec": ["replicas": 0]], fieldManager: "test")
            try await cluster.eventually("its Deployment has two copies again") {
                try await client.get(.deployments, key)["spec", "replicas"] == 2
            }
            try await client.delete(websites, key, DeleteOptions(propagation: .background))
            try await cluster.eventually("what it owned is gone with it") {
                do throws(KubernetesError) {
                    _ = try await client.get(.deployments, key)
                    return false
                } catch {
                    guard error.isNotFound else { throw error }
                    return true
                }
            }
        }

        private static func installDefinition(_ cluster: TestCluster) async throws {
            let path = "\(ProgramUnderTest.repository)/examples/website/crd.yaml"
            let definition = try JSONValue(yaml: String(contentsOfFile: path, encoding: .utf8))
            let key = ObjectKey(namespace: nil, name: "websites.example.com")
            _ = try await cluster.client.apply(.customResourceDefinitions, key, definition, fieldManager: "test")
            try await cluster.eventually("Websites are served") {
                do throws(KubernetesError) {
                    _ = try await cluster.client.list(websites)
                    return true
                } catch {
                    guard error.isNotFound else { throw error }
                    return false
                }
            }
        }

        /// Runs the program as the administrator while `body` runs.
        private static func withProgram(
            _ cluster: TestCluster, _ body: @escaping @Sendable () async throws -> Void
        ) async throws -> TerminationStatus {
            let assay = try #require(ProgramUnderTest.assay)
            let program = URL(filePath: assay).deletingLastPathComponent().appending(path: "website").path
            return try await ProgramRun(command: [program], environment: ["KUBECONFIG": cluster.kubeconfigPath])
                .during(endedBy: .terminate, body)
        }
    }
}

@Suite struct WriteAnOperatorTests {
    @Test func theArticleShowsTheExampleLineForLine() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOfFile: "\(ProgramUnderTest.repository)/\(path)", encoding: .utf8)
        }
        let article = try text("Sources/ControllerRuntime/ControllerRuntime.docc/WriteAnOperator.md")
        var shown: [Substring] = []
        var isCode = false
        for line in article.split(separator: "\n") {
            if line.hasPrefix("```") { isCode = line == "```swift" } else if isCode { shown.append(line) }
        }
        let example = try text("examples/website/Sources/website/Website.swift").split(separator: "\n")
        #expect(shown == example)
        #expect(example.count <= 62)
    }
}
