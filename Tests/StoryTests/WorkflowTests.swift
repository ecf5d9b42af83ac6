import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Trainings of several steps, on real processes, with artifacts on a volume.
    @Suite struct WorkflowTests {
        /// Sums of numbers: what one step writes the next one reads.
        private static func workflow(_ name: String, rate: String = "0.1") -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: \(name)}
            spec:
              parameters: {learningRate: "\(rate)"}
              seed: 42
              backoffLimit: 0
              artifactStore: {uri: pvc://models/toy}
              steps:
              - name: extract
                outputs: [rows, holdout]
                template:
            \(pod(#"seq 1 100 > $ASSAY_OUTPUT_ROWS/rows.txt; seq 101 120 > $ASSAY_OUTPUT_HOLDOUT/rows.txt"#))
              - name: prepare
                inputs: [rows]
                outputs: [features, scaler]
                template:
            \(pod(#"awk '{s += $1} END {print s / NR}' $ASSAY_INPUT_ROWS/rows.txt > $ASSAY_OUTPUT_SCALER/mean;"#
                + #" cp $ASSAY_INPUT_ROWS/rows.txt $ASSAY_OUTPUT_FEATURES/rows.txt"#))
              - name: train
                inputs: [features]
                outputs: [model]
                parameters: [learningRate]
                template:
            \(pod(#"cat $ASSAY_PARAMETERS_FILE > $ASSAY_OUTPUT_MODEL/weights;"#
                + #" echo $ASSAY_SEED $ASSAY_PARAM_LEARNINGRATE >> $ASSAY_OUTPUT_MODEL/weights"#))
              - name: evaluate
                inputs: [model, scaler, holdout]
                template:
            \(pod(#"test -s $ASSAY_INPUT_MODEL/weights && test -s $ASSAY_INPUT_HOLDOUT/rows.txt;"#
                + #" printf '{"mean": %s}' $(cat $ASSAY_INPUT_SCALER/mean) > $ASSAY_METRICS_FILE"#))
            """
        }

        private static func pod(_ script: String) -> String {
            let quoted = script.replacing("'", with: "''")
            return """
                      spec:
                        containers:
                        - {name: main, image: "registry.local/toy:1", command: [sh, -ec, '\(quoted)']}
                """
        }

        private static let claim = """
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: {name: models}
            spec:
              accessModes: [ReadWriteOnce]
              resources: {requests: {storage: 1Gi}}
            """

        private static func makeClaim(_ world: StoryWorld, at path: String) async throws {
            if world.cluster.local == nil {
                // Nothing provisions volumes there.
                let volume: JSONValue = [
                    "metadata": ["name": .string(world.namespace)],
                    "spec": [
                        "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"],
                        "hostPath": ["path": .string(path)],
                        "claimRef": [
                            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "models",
                            "namespace": .string(world.namespace),
                        ],
                    ],
                ]
                _ = try await world.client.create(.persistentVolumes, volume, fieldManager: "story")
            }
            try await world.apply(yaml: claim)
        }

        private static func outputs(_ training: JSONValue) -> [String: String] {
            var result: [String: String] = [:]
            for step in training["status", "steps"]?.array ?? [] {
                for output in step["outputs"]?.array ?? [] {
                    result[output["name"]?.string ?? ""] = output["digest"]?.string
                }
            }
            return result
        }

        @Test(arguments: Backend.all) func whatOneStepMakesTheNextOneReads(_ backend: Backend) async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await Self.makeClaim(world, at: volume.path)
                    try await world.apply(yaml: Self.workflow("first"))
                    let first = try await world.wait("done", .trainingJobs, named: "first", seconds: 120) {
                        $0.phase == "Succeeded" || $0.phase == "Failed"
                    }
                    #expect(first.phase == "Succeeded", "\(first["status"]?.serialized() ?? "")")
                    #expect(first["status", "metrics"]?[0]?["name"] == "mean")
                    #expect(first["status", "metrics"]?[0]?["value"] == "50.5")
                    let steps = first["status", "steps"]?.array ?? []
                    #expect(steps.compactMap { $0["name"]?.string } == ["extract", "prepare", "train", "evaluate"])
                    #expect(steps.allSatisfy { $0["phase"] == "Succeeded" && $0["startTime"] != nil })
                    #expect(steps.allSatisfy { $0["images"]?[0]?["digest"] != nil })
                    #expect(Set(Self.outputs(first).keys) == ["rows", "holdout", "features", "scaler", "model"])
                    #expect(KStatus.compute(first).phase == .current)

                    // Equal content has equal digests, whenever it was made; another parameter makes another model alone.
                    try await world.apply(yaml: Self.workflow("second", rate: "0.2"))
                    let second = try await world.wait("done", .trainingJobs, named: "second", seconds: 120) {
                        $0.phase == "Succeeded" || $0.phase == "Failed"
                    }
                    #expect(second.phase == "Succeeded")
                    let (one, other) = (Self.outputs(first), Self.outputs(second))
                    #expect(one["model"] != other["model"])
                    for name in ["rows", "holdout", "features", "scaler"] { #expect(one[name] == other[name]) }
                }
            }
        }

        /// What cannot be sealed now cannot be sealed by training once more.
        @Test func aStepThatLeavesNothingFailsAtOnceAndSaysSo() async throws {
            try await StoryWorld.run(on: .local) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.apply(yaml: Self.claim)
                    let yaml = Self.workflow("empty").replacing("backoffLimit: 0", with: "backoffLimit: 3")
                        .replacing("seq 1 100 > $ASSAY_OUTPUT_ROWS/rows.txt;", with: "true;")
                    try await world.apply(yaml: yaml)
                    let failed = try await world.wait("failed", .trainingJobs, named: "empty") { $0.phase == "Failed" }
                    let message = try #require(failed.condition("Stalled")?.message)
                    #expect(message.hasPrefix("step extract: container assay-seal: exit code 3"), "\(message)")
                    #expect(message.contains("/assay/outputs/rows is empty: there is nothing to seal"), "\(message)")
                    #expect(try await world.count(.pods) == 1)
                    #expect(try await world.count(.jobs) == 1)
                }
            }
        }
    }
}
