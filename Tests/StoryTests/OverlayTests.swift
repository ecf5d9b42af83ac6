import AssayCore
import JSON
import KubernetesModel
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// The kustomizations that we ship beside the installation, applied with kubectl.
    @Suite struct OverlayTests {
        private static let manifests = "\(ProgramUnderTest.repository)/manifests"

        @Test(arguments: Backend.all) func anOperatorWithRolesAloneServesTheModelsOfItsNamespace(
            _ backend: Backend
        ) async throws {
            try await StoryWorld.run(on: backend) { world in
                let repository = try UserRepository()
                defer { repository.remove() }
                let overlay = try repository.write(
                    "team",
                    ["kustomization.yaml": "namespace: \(world.namespace)\nbases: [../manifests/namespaced]\n"])
                try await Administrator.of(world.cluster) { kubectl in
                    try await kubectl("apply", "-k", overlay)
                    try await kubectl(
                        "-n", world.namespace, "rollout", "status", "deployment/assay-operator", "--timeout=120s")
                    try await world.apply(yaml: ToyModel().yaml)
                    try await world.wait("serving", seconds: 120) { $0.isTrue("Ready") && $0.phase == "Serving" }
                    #expect(try await world.ask().status == 200)
                    let account = "--as=system:serviceaccount:\(world.namespace):assay"
                    #expect(try await kubectl("get", "namespace", world.namespace, account).contains("Active"))
                    for namespace in ["default", "assay-system"] {
                        let rights = try await kubectl("auth", "can-i", "--list", "-n", namespace, account)
                        #expect(!rights.contains("assay.dev") && !rights.contains("pods"), "\(rights)")
                    }
                    // A story is over when its operator is: it would go on in a namespace that goes.
                    try await kubectl("-n", world.namespace, "delete", "deployment", "assay-operator")
                }
            }
        }

        @Test(arguments: Backend.all) func theSamplesTrainAndServe(_ backend: Backend) async throws {
            try await Self.buildImage()
            try await StoryWorld.run(on: backend) { world in
                let directory = try TemporaryDirectory()
                defer { directory.remove() }
                try await world.withOperator(image: "assay:0.1.0") {
                    try await Administrator.of(world.cluster) { kubectl in
                        if world.cluster.local == nil {
                            let volume = Self.volume(world.namespace, directory.path)
                            try await kubectl("apply", "-f", "-", input: volume)
                        }
                        try await kubectl("-n", world.namespace, "apply", "-k", "\(Self.manifests)/samples")
                        let once = try await world.wait("complete", .trainingJobs, named: "wine-once", seconds: 180) {
                            ["Succeeded", "Failed"].contains($0.phase)
                        }
                        #expect(once.phase == "Succeeded", "\(once["status"]?.serialized() ?? "")")
                        let wine = try await world.wait("serving", seconds: 180) {
                            $0.phase == "Serving" || $0.isTrue("Stalled")
                        }
                        #expect(wine.isTrue("Ready"), "\(wine["status"]?.serialized() ?? "")")
                        #expect(try await world.ask(path: "/v2/health/ready").status == 200)
                        if world.cluster.local == nil {
                            try await kubectl("-n", world.namespace, "delete", "-k", "\(Self.manifests)/samples")
                            try await kubectl("delete", "persistentvolume", world.namespace)
                        }
                    }
                }
            }
        }

        /// A directory for the samples' claim, where nothing provisions volumes.
        private static func volume(_ namespace: String, _ path: String) -> String {
            """
            apiVersion: v1
            kind: PersistentVolume
            metadata: {name: \(namespace)}
            spec:
              capacity: {storage: 1Gi}
              accessModes: [ReadWriteMany]
              hostPath: {path: \(path)}
              claimRef: {apiVersion: v1, kind: PersistentVolumeClaim, namespace: \(namespace), name: models}
            """
        }

        /// The image of the example, where the nodes of tests look for it.
        private static func buildImage() async throws {
            let result = try await Subprocess.run(
                .name("env"), arguments: ["\(ProgramUnderTest.repository)/scripts/example-image"], input: .none,
                output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
            try #require(result.terminationStatus.isSuccess, "example-image: \(result.standardError)")
        }
    }
}
