import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Models that are measured apart from their training, on real processes, with artifacts on a volume.
    @Suite struct EvaluationTests {
        private static func step(_ name: String, _ links: [String], _ script: String) -> String {
            let lines =
                ["- name: \(name)"] + links.map { "  \($0)" } + [
                    "  template:", "    spec:", "      containers:", "      - name: main",
                    "        image: registry.local/toy:1",
                    "        command: [sh, -ec, \(JSONValue.string(script).serialized())]",
                ]
            return lines.joined(separator: "\n")
        }

        private static func indented(_ text: String, by count: Int) -> String {
            text.split(separator: "\n").map { String(repeating: " ", count: count) + $0 }.joined(separator: "\n")
        }

        /// 100 numbers, none of which is among those of the training.
        private static func holdout(shift: Int) -> String {
            "(echo x; seq 1 100 | awk '{print $1 + \(shift) + 0.5}') > $ASSAY_OUTPUT_HOLDOUT/unseen.csv"
        }

        /// How far the mean of the training is from the one of the holdout.
        private static let measure = step(
            "measure", ["inputs: [scaler, holdout]"],
            "awk -v fit=$(cat $ASSAY_INPUT_SCALER/mean) 'NR > 1 {s += $1; n++} END {d = s / n - fit; "
                + "printf \"{\\\"error\\\": %s}\", d < 0 ? -d : d}' $ASSAY_INPUT_HOLDOUT/unseen.csv > $ASSAY_METRICS_FILE"
        )

        private static let serving = """
              serving:
                port: 8080
                artifacts: [scaler]
                allowUnpinned: true
                progressDeadlineSeconds: 30
                template:
                  spec:
                    containers:
                    - name: server
                      image: registry.local/toy:1
                      command: [sh, -ec, 'cd $ASSAY_INPUT_SCALER; exec python3 -m http.server 8080']
                      readinessProbe: {httpGet: {path: /mean, port: 8080}, periodSeconds: 1}
            """

        /// Data that drifts by `shift`, of which `bias` too much is learnt.
        private static func trained(shift: Int, bias: Int = 0) -> String {
            let extract = step(
                "extract", ["outputs: [rows, holdout]"],
                "(echo x; seq \(shift + 1) \(shift + 100)) > $ASSAY_OUTPUT_ROWS/rows.csv; \(holdout(shift: shift))")
            let fit = step(
                "fit", ["inputs: [rows]", "outputs: [scaler]"],
                "awk 'NR > 1 {s += $1; n++} END {print s / n + \(bias)}' $ASSAY_INPUT_ROWS/rows.csv "
                    + "> $ASSAY_OUTPUT_SCALER/mean")
            return """
                apiVersion: assay.dev/v1alpha1
                kind: MLModel
                metadata: {name: wine}
                spec:
                  training:
                    template:
                      spec:
                        backoffLimit: 0
                        holdout: holdout
                        steps:
                \(indented(extract, by: 8))
                \(indented(fit, by: 8))
                  evaluation:
                    steps:
                \(indented(measure, by: 4))
                  validation:
                    requireAttested: true
                    thresholds: [{metric: error, direction: Minimize, minAbsoluteChange: 0, whenNoBaseline: Pass}]
                \(serving)
                """
        }

        private static func given(_ name: String, _ digest: String, shift: Int) -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: MLModel
            metadata: {name: \(name)}
            spec:
              artifact: {digest: "\(digest)", name: scaler}
              evaluation:
                holdout: holdout
                steps:
            \(indented(step("collect", ["outputs: [holdout]"], holdout(shift: shift)), by: 4))
            \(indented(measure, by: 4))
              validation:
                thresholds: [{metric: error, direction: Minimize, threshold: 1}]
            \(serving)
            """
        }

        @Test(arguments: Backend.all) func everyModelIsMeasuredAlike(_ backend: Backend) async throws {
            let store = try TemporaryDirectory()
            defer { store.remove() }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: store.path)
                    try await world.apply(yaml: Self.trained(shift: 0))
                    let first = try await world.wait("serving", seconds: 120) { $0.phase == "Serving" }
                    #expect(first["status", "runs"]?[0]?["verdicts"]?[0]?["value"] == "0.5")

                    let scaler = try await Self.drift(world, first)
                    try await world.apply(yaml: Self.given("brought", scaler, shift: 1000))
                    try await world.apply(yaml: Self.given("stale", scaler, shift: 3000))
                    let brought = try await world.wait("serving", named: "brought", seconds: 120) {
                        $0.phase == "Serving"
                    }
                    let verdict = brought["status", "runs"]?[0]?["verdicts"]?[0]
                    #expect(verdict?["value"] == "0.5" && verdict?["evidence"] == "Attested")
                    let stale = try await world.wait("refused", named: "stale", seconds: 120) { $0.phase == "Refused" }
                    #expect(stale["status", "verdict"] == "error 2000.5 > 1")
                }
            }
        }

        /// The data is another: what serves is measured on it before its successor takes its place, and a worse one does not.
        private static func drift(_ world: StoryWorld, _ first: JSONValue) async throws -> String {
            try await world.apply(yaml: trained(shift: 1000))
            let second = try await world.wait("its successor", seconds: 120) {
                $0.phase == "Serving" && $0.revision != first.revision
            }
            let run = second["status", "runs"]?[1]
            #expect(run?["baseline", "phase"] == "Succeeded")
            #expect(run?["baseline", "holdout"] == run?["evaluation", "holdout"])
            let verdict = run?["verdicts"]?[0]
            #expect(
                verdict?["baseline"] == "1000.5" && verdict?["value"] == "0.5" && verdict?["evidence"] == "Attested")
            #expect(verdict?["passed"] == true)

            try await world.apply(yaml: trained(shift: 1000, bias: 100))
            let third = try await world.wait("refused", seconds: 120) { $0.phase == "Refused" }
            #expect(third.revision == second.revision)
            #expect(third["status", "runs"]?[2]?["baseline"] == nil, "on this data what serves was measured before")
            #expect(third["status", "runs"]?[2]?["verdicts"]?[0]?["baseline"] == "0.5")
            return try #require(run?["artifacts"]?.array?.first { $0["name"] == "scaler" }?["digest"]?.string)
        }
    }
}
