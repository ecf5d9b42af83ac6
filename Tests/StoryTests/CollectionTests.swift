import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// `assay artifact gc` and `rm`, as a person uses them beside a cluster.
    @Suite struct CollectionTests {
        private struct Answer {
            var status: TerminationStatus
            var output: String
            var error: String
        }

        private static func assay(
            _ arguments: [String], kubeconfig: String, in directory: String
        ) async throws -> Answer {
            let program = try #require(ProgramUnderTest.assay)
            let result = try await Subprocess.run(
                .name("env"),
                arguments: Arguments(["-C", directory, "KUBECONFIG=\(kubeconfig)", program, "artifact"] + arguments),
                input: .none, output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
            return Answer(
                status: result.terminationStatus, output: result.standardOutput, error: result.standardError)
        }

        private static let training = """
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: first}
            spec:
              template: {spec: {containers: [{name: main, image: "registry.local/toy:1"}]}}
            """

        @Test(arguments: Backend.all) func whatAClusterRefersToStays(_ backend: Backend) async throws {
            let directory = try TemporaryDirectory()
            defer { directory.remove() }
            try await StoryWorld.run(on: backend) { world in
                let store = "file://\(directory.path)/store"
                func run(_ arguments: String..., kubeconfig: String? = nil) async throws -> Answer {
                    try await Self.assay(
                        arguments, kubeconfig: kubeconfig ?? world.cluster.kubeconfigPath, in: directory.path)
                }
                var digests: [String] = []
                for (number, tag) in ["", ":step-\(String(repeating: "0", count: 32)).model", "", ":best"].enumerated()
                {
                    let model = "\(directory.path)/\(number)"
                    try FileManager.default.createDirectory(atPath: model, withIntermediateDirectories: false)
                    try "\(number)".write(toFile: model + "/weights", atomically: false, encoding: .utf8)
                    let push = try await run("push", model, store + tag)
                    #expect(push.status == .exited(0), "\(push.error)")
                    digests.append(String(push.output.dropLast().drop { $0 != "@" }.dropFirst()))
                }
                try await world.apply(yaml: Self.training)
                let status: JSONValue = [
                    "observedGeneration": 1, "phase": "Succeeded",
                    "conditions": [
                        [
                            "type": "Ready", "status": "True", "observedGeneration": 1, "reason": "Succeeded",
                            "message": "done", "lastTransitionTime": "2026-01-01T00:00:00Z",
                        ]
                    ],
                    "steps": [
                        [
                            "name": "train", "phase": "Succeeded",
                            "outputs": [["name": "model", "digest": .string(digests[0]), "size": 2048]],
                        ]
                    ],
                ]
                _ = try await world.client.mergePatch(
                    .trainingJobs, world.key("first"), ["status": status], subresource: "status",
                    fieldManager: "story")

                let lately = try await run("gc", store)
                #expect(lately.status == .exited(0), "\(lately.error)")
                #expect(!lately.output.contains("removed") && lately.output.contains("left \(digests[1])"))
                // Where a cluster cannot be asked, or one of several, nobody knows what it refers to.
                for broken in [["--context", "nowhere"], ["--kubeconfig", "/nowhere"]] {
                    let answer = try await Self.assay(
                        ["gc", store, "--older-than", "0"] + broken, kubeconfig: world.cluster.kubeconfigPath,
                        in: directory.path)
                    #expect(answer.status != .exited(0))
                }
                let dry = try await run("gc", store, "--older-than", "0", "--dry-run")
                #expect(dry.output.contains("would remove \(digests[1]) (step-"), "\(dry.output)\(dry.error)")
                #expect(!dry.output.contains(digests[0]) && !dry.output.contains(digests[3]))
                for digest in digests { #expect(try await run("check", "\(store)@\(digest)").status == .exited(0)) }

                let gone = try await run("gc", store, "--older-than", "0", "--keep", digests[2])
                #expect(gone.status == .exited(0), "\(gone.error)")
                #expect(gone.output.contains("removed \(digests[1])") && gone.output.contains("bytes are free"))
                for (number, digest) in digests.enumerated() {
                    let isThere = try await run("check", "\(store)@\(digest)").status == .exited(0)
                    #expect(isThere == (number != 1), "\(number)")
                }
                let named = try await run("rm", "\(store):best", "\(store)@\(digests[0])", "--older-than", "0")
                #expect(named.status == .exited(0), "\(named.error)")
                #expect(named.output.contains("removed \(digests[3]) (best)"))
                #expect(try await run("ls", store).output.isEmpty)
                #expect(try await run("check", "\(store)@\(digests[2])").status == .exited(0))
                #expect(try await run("rm", "\(store):best").status == .exited(1), "there is no such tag")
            }
        }
    }
}
