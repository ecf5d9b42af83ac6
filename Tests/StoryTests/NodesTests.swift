import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Trainings in several pods at once, which exchange gradients.
    @Suite struct NodesTests {
        private static func example() throws -> String {
            let path = "\(ProgramUnderTest.repository)/examples/distributed/line.yaml"
            return try String(contentsOfFile: path, encoding: .utf8)
                .replacing("registry.local/torch:1", with: "registry.local/toy:1")
                // Debian's, for which Debian's torch is.
                .replacing("[python3,", with: "[/usr/bin/python3,")
        }

        /// One of the two processes fails in its epoch 55. Both begin again where the last checkpoint is.
        @Test(arguments: Backend.all) func whatOneProcessLosesBothGoOnFromAndTheyFindTheLineTogether(
            _ backend: Backend
        ) async throws {
            try await StoryWorld.run(on: backend) { world in
                guard world.cluster.features.contains(.indexedJobs) else {
                    try await Self.expectItIsTold(world)
                    return
                }
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.apply(yaml: try Self.example())
                    let done = try await world.wait("done", .trainingJobs, named: "line", seconds: 180) {
                        $0.phase == "Succeeded" || $0.phase == "Failed"
                    }
                    #expect(done.phase == "Succeeded", "\(done["status"]?.serialized() ?? "")")
                    var metrics: [String: Double] = [:]
                    for metric in done["status", "metrics"]?.array ?? [] {
                        metrics[metric["name"]?.string ?? ""] = metric["value"]?.string.flatMap { Double($0) }
                    }
                    // Neither has both points.
                    #expect(abs((metrics["slope"] ?? 0) - 2) < 0.001)
                    #expect(abs((metrics["intercept"] ?? 0) - 1) < 0.001)
                    #expect(metrics["resumedAt"] == 50)
                    let attempts = done["status", "steps"]?[0]?["attempts"]?.array ?? []
                    #expect(attempts.map { $0["outcome"] } == ["Failed", "Succeeded"])
                    let why = attempts.first?["message"]?.string ?? ""
                    #expect(why.hasPrefix("rank 1: spec.steps[0].template.spec.containers[0] (main): exit code 1"))
                    #expect(why.contains("this process fails once"))
                    #expect(done["status", "steps"]?[0]?["outputs"]?[0]?["name"] == "line")

                    // The Service goes with the training, and no other is left.
                    let services = try await world.client.listAll(.services, namespace: world.namespace).items
                    #expect(services.count { $0["metadata", "name"]?.string?.contains("-nodes-") == true } == 1)
                    try await world.client.delete(.trainingJobs, world.key("line"))
                    try await world.eventually("the Service is gone") {
                        try await world.client.listAll(.services, namespace: world.namespace).items
                            .allSatisfy { $0["metadata", "name"]?.string?.contains("-nodes-") != true }
                    }
                }
            }
        }

        /// A server without Indexed Jobs is told of, with the version that is needed.
        private static func expectItIsTold(_ world: StoryWorld) async throws {
            let version = try await world.client.serverVersion()
            try await world.withOperator(image: "assay:0.1.0") {
                try await world.apply(yaml: try example())
                let told = try await world.wait("refused", .trainingJobs, named: "line") { $0.phase == "Invalid" }
                let message = told.condition("Stalled")?.message ?? ""
                #expect(message.contains("spec.steps[0].nodes: the server is Kubernetes \(version), which has no"))
                #expect(message.contains("1.22 or newer is needed"))
                #expect(try await world.count(.services) == 0)
            }
        }
    }
}
