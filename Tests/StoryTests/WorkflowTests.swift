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
        private static func workflow(_ name: String, rate: String = "0.1", image: String? = nil) -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: \(name)}
            spec:
            \(spec(rate: rate).replacing("registry.local/toy:1", with: image ?? "registry.local/toy:1"))
            """
        }

        private static func spec(rate: String = "0.1") -> String {
            """
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

        /// A server that answers with the mean that the training has found, and never finds one of its own.
        private static func model(rate: String = "0.1") -> String {
            let training = spec(rate: rate).split(separator: "\n").map { "      \($0)" }.joined(separator: "\n")
            return """
                apiVersion: assay.dev/v1alpha1
                kind: MLModel
                metadata: {name: wine}
                spec:
                  training:
                    template:
                      spec:
                \(training)
                  validation:
                    thresholds: [{metric: mean, direction: Maximize, threshold: 50}]
                  serving:
                    port: 8080
                    artifacts: [scaler]
                    imageFrom: [{container: server, step: train}]
                    progressDeadlineSeconds: 20
                    template:
                      spec:
                        containers:
                        - name: server
                          command: [sh, -ec, 'cd $ASSAY_INPUT_SCALER; exec python3 -m http.server 8080']
                          readinessProbe: {httpGet: {path: /mean, port: 8080}, periodSeconds: 1}
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
                try await world.makeVolume(forClaim: "models", at: path)
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

        /// What the steps make, in whatever cluster and whenever.
        private static let digests = [
            "rows": "sha256:99aa6111a9203245c13623b383f33a9d9b496816ca521d327e583c99b2ed032c",
            "holdout": "sha256:362888fb046985bc7edaa6a76ce2ebf9f4e24d20ccb9610d1170177fbc543d5a",
            "features": "sha256:99aa6111a9203245c13623b383f33a9d9b496816ca521d327e583c99b2ed032c",
            "scaler": "sha256:bed05746984618f4be74c1efa7f4d26051ac8d28fe3e2ea5f943220d45657de0",
            "model": "sha256:5416939ffbe4c4df23cab1dbca75a5dfec9a666c679dfa3dde6c0a86a4ba871a",
        ]

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
                    #expect(Self.outputs(first) == Self.digests)
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
                    // Nobody told which image the tag stands for, so nothing was reused, and that is said.
                    let message = second["status", "steps"]?[0]?["message"]?.string
                    #expect(message?.hasPrefix("ReuseUnavailable: image not pinned: registry.local/toy:1") == true)
                }
            }
        }

        /// With images by digest, what another run has made is taken; on the command line of the store it can be seen.
        @Test(arguments: Backend.all) func whatIsTheSameIsNotMadeAgain(_ backend: Backend) async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await Self.makeClaim(world, at: volume.path)
                    func train(_ name: String, rate: String, image: String? = nil) async throws -> JSONValue {
                        try await world.apply(yaml: Self.workflow(name, rate: rate, image: image))
                        return try await world.wait("done", .trainingJobs, named: name, seconds: 120) {
                            $0.phase == "Succeeded" || $0.phase == "Failed"
                        }
                    }
                    func phases(_ training: JSONValue) -> [String] {
                        (training["status", "steps"]?.array ?? []).compactMap { $0["phase"]?.string }
                    }
                    let first = try await train("first", rate: "0.1")
                    let digest = try #require(first["status", "steps"]?[0]?["images"]?[0]?["digest"]?.string)
                    let image = "registry.local/toy@\(digest)"
                    // The first run learned the digest only when it ran: the namespace knows what came of it.
                    let second = try await train("second", rate: "0.2", image: image)
                    #expect(phases(second) == ["Reused", "Reused", "Succeeded", "Succeeded"])
                    #expect(second["status", "steps"]?[0]?["madeBy"] == first["status", "run"])
                    // With its status gone, the store knows what came of the second.
                    for name in ["first", "second"] { try await world.client.delete(.trainingJobs, world.key(name)) }
                    let third = try await train("third", rate: "0.2", image: image)
                    #expect(phases(third) == ["Reused", "Reused", "Reused", "Succeeded"])
                    #expect(Self.outputs(third) == Self.outputs(second))
                    #expect(third["status", "metrics"]?[0]?["value"] == "50.5")
                }
            }
        }

        @Test(arguments: Backend.all) func whatServesIsWhatWasTrainedAndNothingElse(_ backend: Backend) async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await Self.makeClaim(world, at: volume.path)
                    try await world.apply(yaml: Self.model())
                    let serving = try await world.wait("serving", seconds: 120) {
                        $0.isTrue("Ready") && $0.phase == "Serving"
                    }
                    let revision = try #require(serving.revision)
                    #expect(try await world.ask(path: "/mean").body == "50.5\n")
                    let content = serving["status", "revisions"]?[0]?["content"]
                    #expect(content?["artifacts"]?[0]?["name"] == "scaler")

                    // Another rate makes another model, which is not served, and the same scaler, which is.
                    try await world.apply(yaml: Self.model(rate: "0.2"))
                    let again = try await world.wait("serving what the second run made", seconds: 120) {
                        $0.isObserved && $0["status", "runs"]?.array?.count == 2 && !$0.isTrue("Reconciling")
                    }
                    #expect(again.revision == revision)
                    #expect(try await world.count(.deployments) == 1)
                }
            }
        }

        /// Somebody changes an artifact in the store: no pod starts with it, and it is said why.
        @Test func aTamperedArtifactKeepsThePodFromStarting() async throws {
            try await StoryWorld.run(on: .local) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await Self.makeClaim(world, at: "")
                    try await world.apply(yaml: Self.model())
                    let serving = try await world.wait("serving", seconds: 120) { $0.phase == "Serving" }
                    try await Self.tamper(world)
                    let change = "exec python3 -m http.server 8080 --bind 0.0.0.0"
                    let yaml = Self.model().replacing("exec python3 -m http.server 8080", with: change)
                    try await world.apply(yaml: yaml)
                    let refused = try await world.wait("refused", seconds: 120) {
                        $0.isObserved && $0.isTrue("Stalled")
                    }
                    #expect(refused.revision == serving.revision)
                    #expect(refused.isTrue("Ready"))
                    let message = try #require(refused.condition("Stalled")?.message)
                    #expect(message.contains("it was changed, or is broken"), "\(message)")
                    let events = try await world.client.listAll(.events, namespace: world.namespace).items
                    #expect(events.contains { $0["note"]?.string?.contains("it was changed, or is broken") == true })
                }
            }
        }

        /// Writes into every small blob of the claim's store, by a pod.
        private static func tamper(_ world: StoryWorld) async throws {
            let script =
                #"for f in $(find /v/toy/blobs -type f -size -8k); do grep -q 50.5 $f && sed -i s/50.5/99.5/ $f; done; true"#
            let pod: JSONValue = [
                "metadata": ["name": "tamper", "namespace": .string(world.namespace)],
                "spec": [
                    "restartPolicy": "Never",
                    "volumes": [["name": "v", "persistentVolumeClaim": ["claimName": "models"]]],
                    "containers": [
                        [
                            "name": "main", "image": "registry.local/toy:1", "command": ["sh", "-c", .string(script)],
                            "volumeMounts": [["name": "v", "mountPath": "/v"]],
                        ]
                    ],
                ],
            ]
            _ = try await world.client.create(.pods, pod, fieldManager: "somebody")
            try await world.wait("done", .pods, named: "tamper") { $0.phase == "Succeeded" }
        }

        /// Nothing is trained on what is not as it should be, and nothing of it is told but where it is.
        @Test func dataThatIsNotAsExpectedGoesNoFurther() async throws {
            try await StoryWorld.run(on: .local) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.apply(yaml: Self.claim)
                    let expected = """
                        outputs: [rows, holdout]
                            expectations:
                            - {output: rows, format: CSV, columns: [{name: count, type: Integer, max: 99}]}
                        """
                    let yaml = Self.workflow("odd").replacing("outputs: [rows, holdout]", with: expected)
                        .replacing(
                            "seq 1 100 > $ASSAY_OUTPUT_ROWS/rows.txt;",
                            with: "(echo count; seq 1 100) > $ASSAY_OUTPUT_ROWS/rows.csv;")
                    try await world.apply(yaml: yaml)
                    let failed = try await world.wait("failed", .trainingJobs, named: "odd") { $0.phase == "Failed" }
                    let message = try #require(failed.condition("Stalled")?.message)
                    #expect(
                        message.contains(
                            "rows: column count: 1 of 100 values are not 99 or less, first in rows.csv line 101"),
                        "\(message)")
                    let phases = failed["status", "steps"]?.array?.compactMap { $0["phase"]?.string }
                    #expect(phases == ["Failed", "Waiting", "Waiting", "Waiting"])
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
                    // Its own, and those of the look for what it would have made.
                    #expect(try await world.count(.pods) == 2)
                    #expect(try await world.count(.jobs) == 2)
                }
            }
        }
    }
}
