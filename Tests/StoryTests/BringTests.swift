import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// Models that come back, and that go elsewhere: on real processes, with artifacts on a volume.
    @Suite struct BringTests {
        /// What is trained is a mean; the server answers with it.
        private static func model(image: String, threshold: String = "50") -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: MLModel
            metadata: {name: wine}
            spec:
              training:
                template:
                  spec:
                    backoffLimit: 0
                    steps:
                    - name: fit
                      outputs: [rows, scaler]
                      template:
                        spec:
                          containers:
                          - name: main
                            image: \(image)
                            command:
                            - sh
                            - -ec
                            - |
                              seq 1 100 > $ASSAY_OUTPUT_ROWS/rows.txt
                              awk '{s += $1} END {print s / NR}' $ASSAY_OUTPUT_ROWS/rows.txt > $ASSAY_OUTPUT_SCALER/mean
                    - name: evaluate
                      inputs: [scaler]
                      template:
                        spec:
                          containers:
                          - name: main
                            image: \(image)
                            command: [sh, -ec, 'printf "{\\"mean\\": %s}" $(cat $ASSAY_INPUT_SCALER/mean) > $ASSAY_METRICS_FILE']
              validation:
                thresholds: [{metric: mean, direction: Maximize, threshold: \(threshold)}]
            \(serving("imageFrom: [{container: server, step: fit}]", image: nil))
            """
        }

        private static func serving(_ more: String, image: String?) -> String {
            """
              serving:
                port: 8080
                artifacts: [scaler]
                progressDeadlineSeconds: 30
                \(more)
                template:
                  spec:
                    containers:
                    - name: server
            \(image.map { "          image: \($0)" } ?? "          # From the training.")
                      command: [sh, -ec, 'cd $ASSAY_INPUT_SCALER; exec python3 -m http.server 8080']
                      readinessProbe: {httpGet: {path: /mean, port: 8080}, periodSeconds: 1}
            """
        }

        /// One that was made elsewhere.
        private static func given(
            _ name: String, _ artifact: String, image: String, validation: String = "gate: None"
        ) -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: MLModel
            metadata: {name: \(name)}
            spec:
              artifact: {\(artifact)}
              validation: {\(validation)}
            \(serving("replicas: 1", image: image))
            """
        }

        /// The toy image by its digest, as the node has it.
        private static func image(_ world: StoryWorld) async throws -> String {
            let pod: JSONValue = [
                "metadata": ["name": "probe", "namespace": .string(world.namespace)],
                "spec": [
                    "restartPolicy": "Never",
                    "containers": [["name": "main", "image": "registry.local/toy:1", "command": ["true"]]],
                ],
            ]
            _ = try await world.client.create(.pods, pod, fieldManager: "story")
            let ended = try await world.wait("done", .pods, named: "probe") { $0.phase == "Succeeded" }
            let id = try #require(ended["status", "containerStatuses"]?[0]?["imageID"]?.string)
            return "registry.local/toy@" + id.suffix(71)
        }

        private static func run(_ arguments: [String]) async throws -> (
            status: TerminationStatus, out: String, err: String
        ) {
            let program = try #require(ProgramUnderTest.assay)
            let result = try await Subprocess.run(
                .name("env"), arguments: Arguments([program] + arguments), input: .none,
                output: .string(limit: 1 << 20),
                error: .string(limit: 1 << 20))
            return (result.terminationStatus, result.standardOutput, result.standardError)
        }

        private static func stepJobs(_ world: StoryWorld) async throws -> Int {
            try await world.client.listAll(.jobs, namespace: world.namespace).items
                .filter { $0["metadata", "labels", Label.step] != nil }.count
        }

        private static func isSealed(_ model: JSONValue) -> Bool {
            model["status", "runs"]?.array?.last?["record", "digest"] != nil && model.phase == "Serving"
                && model.isTrue("Ready")
        }

        /// What is trained in one cluster comes back there when all that told of it is gone, and serves in another one.
        @Test(arguments: Backend.all) func aModelComesBackAndGoesElsewhere(_ backend: Backend) async throws {
            let (here, there) = (try TemporaryDirectory(), try TemporaryDirectory())
            defer {
                here.remove()
                there.remove()
            }
            let (manifest, served, image) = try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: here.path)
                    let image = try await Self.image(world)
                    try await world.apply(yaml: Self.model(image: image))
                    let first = try await world.wait("sealed", seconds: 120, Self.isSealed)
                    #expect(try await Self.stepJobs(world) == 2)
                    let comeBack = try await Self.restore(world, image: image, first)
                    let manifest = try await Self.export(world, from: here.path, to: there.path)
                    return (manifest, comeBack["status", "revisions"]?[0]?["content", "artifacts"], image)
                }
            }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: there.path)
                    try await world.apply(yaml: manifest)
                    let lifted = try await world.wait("serving", seconds: 120) {
                        $0.phase == "Serving" && $0.isTrue("Ready")
                    }
                    #expect(lifted["status", "revisions"]?[0]?["content", "artifacts"] == served)
                    #expect(try await world.ask(path: "/mean").body == "50.5\n")
                    #expect(try await Self.stepJobs(world) == 0)
                    let digest = try #require(served?[0]?["digest"]?.string)
                    try await Self.bring(world, manifest: manifest, digest: digest, image: image)
                }
            }
        }

        /// The model is deleted with all that it made, and applied again.
        private static func restore(_ world: StoryWorld, image: String, _ first: JSONValue) async throws -> JSONValue {
            try await world.client.delete(.mlModels, world.key("wine"))
            try await world.eventually("all of it is gone") {
                let (trainings, jobs) = (try await world.count(.trainingJobs), try await world.count(.jobs))
                return trainings + jobs == 0
            }
            try await world.apply(yaml: model(image: image))
            let again = try await world.wait("back", seconds: 120, isSealed)
            #expect(try await stepJobs(world) == 0, "nothing is trained again")
            let (before, after) = (first["status", "runs"]?[0], again["status", "runs"]?[0])
            for field in ["metrics", "artifacts", "images", "judgement", "validationHash"] {
                #expect(after?[field] == before?[field], "\(field)")
            }
            #expect(after?["record", "digest"] == before?["record", "digest"])
            #expect(again.revision == first.revision)
            #expect(try await world.ask(path: "/mean").body == "50.5\n")
            return again
        }

        /// From a claim, it is copied first, as the refusal says.
        private static func export(_ world: StoryWorld, from: String, to: String) async throws -> String {
            let export = ["export", "wine", "-n", world.namespace, "--kubeconfig", world.cluster.kubeconfigPath]
            let refused = try await run(export)
            #expect(refused.status == .exited(1) && refused.out.isEmpty)
            let commands = refused.err.split(separator: "\n").filter { $0.hasPrefix("  assay artifact copy ") }
            #expect(commands.count == 2, "\(refused.err)")
            for command in commands {
                let words = command.split(separator: " ").dropFirst().map(String.init).map {
                    $0.replacing("file:///MOUNT", with: "file://\(from)")
                        .replacing("oci://HOST/REPOSITORY", with: "file://\(to)/toy")
                }
                let copied = try await run(words)
                #expect(copied.status == .exited(0), "\(copied.err)")
            }
            let told = try await run(export + ["--copied"])
            #expect(told.status == .exited(0), "\(told.err)")
            for word in ["pvc://", "namespace", "status", "uid", "managedFields", "training"] {
                #expect(!told.out.contains(word), "\(told.out)")
            }
            return told.out
        }

        /// What was made elsewhere goes through the same gate.
        private static func bring(_ world: StoryWorld, manifest: String, digest: String, image: String) async throws {
            let threshold = "validation: {thresholds: [{metric: mean, direction: Maximize, threshold: 50}]}"
            let strict = manifest.replacing("name: wine", with: "name: strict")
                .replacing("threshold: 50", with: "threshold: 51")
            try await world.apply(yaml: strict)
            let refused = try await world.wait("refused", named: "strict") { $0.phase == "Refused" }
            #expect(refused["status", "verdict"] == "mean 50.5 < 51", "\(refused["status", "verdict"] ?? .null)")

            try await world.apply(yaml: given("plain", "digest: \"\(digest)\", name: scaler", image: image))
            try await world.wait("serving", named: "plain", seconds: 90) { $0.phase == "Serving" && $0.isTrue("Ready") }
            #expect(try await world.ask("plain", path: "/mean").body == "50.5\n")

            let gated = given("gated", "digest: \"\(digest)\", name: scaler", image: image)
                .replacing("validation: {gate: None}", with: threshold)
            try await world.apply(yaml: gated)
            let closed = try await world.wait("refused", named: "gated") { $0.phase == "Refused" }
            #expect(closed.condition("Validated")?.message.contains("brings no metrics") == true)

            let wrong = "sha256:" + String(repeating: "ab12", count: 16)
            try await world.apply(yaml: given("wrong", "digest: \"\(wrong)\"", image: image))
            let failed = try await world.wait("failed", named: "wrong", seconds: 90) { $0.phase == "Failed" }
            #expect(failed.condition("Stalled")?.message.contains(wrong) == true, "\(failed["status"] ?? .null)")
        }
    }
}
