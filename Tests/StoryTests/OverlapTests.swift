import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// Trainings that have read of what they are measured on, on real processes.
    @Suite struct OverlapTests {
        /// Rows that nobody is to read in a status.
        private static let word = "topsecret"

        /// 100 rows to train with, and those from `first` to 120 held out, with the columns the other way round.
        private static func model(first: Int, validation: String = "") -> String {
            func step(_ name: String, _ links: [String], _ script: String) -> String {
                let lines =
                    ["- name: \(name)"] + links.map { "  \($0)" } + [
                        "  template:", "    spec:", "      containers:",
                        #"      - {name: main, image: "registry.local/toy:1", command: [sh, -ec, '\#(script)']}"#,
                    ]
                return lines.map { "        \($0)" }.joined(separator: "\n")
            }
            return """
                apiVersion: assay.dev/v1alpha1
                kind: MLModel
                metadata: {name: wine}
                spec:
                  training:
                    template:
                      spec:
                        backoffLimit: 0
                        artifactStore: {uri: pvc://models/toy}
                        holdout: holdout
                        steps:
                \(step(
                    "extract", ["outputs: [rows, holdout]"],
                    "(echo id,word; seq 1 100 | sed s/$/,\(word)/) > $ASSAY_OUTPUT_ROWS/rows.csv;"
                        + " (echo word,id; seq \(first) 120 | sed s/^/\(word),/) > $ASSAY_OUTPUT_HOLDOUT/unseen.csv"))
                \(step(
                    "train", ["inputs: [rows]", "outputs: [model]"],
                    "wc -l < $ASSAY_INPUT_ROWS/rows.csv > $ASSAY_OUTPUT_MODEL/weights"))
                \(step(
                    "evaluate", ["inputs: [model, holdout]"],
                    #"test -s $ASSAY_INPUT_HOLDOUT/unseen.csv; echo "{\"accuracy\": 0.9}" > $ASSAY_METRICS_FILE"#))
                  validation:
                    requireAttested: true
                \(validation)
                    thresholds: [{metric: accuracy, direction: Maximize, threshold: 0.8}]
                  serving:
                    port: 8080
                    artifacts: [model]
                    imageFrom: [{container: server, step: train}]
                    progressDeadlineSeconds: 20
                    template:
                      spec:
                        containers:
                        - name: server
                          command: [sh, -ec, 'cd $ASSAY_INPUT_MODEL; exec python3 -m http.server 8080']
                          readinessProbe: {httpGet: {path: /weights, port: 8080}, periodSeconds: 1}
                """
        }

        @Test(arguments: Backend.all) func whatTrainingHasReadIsNoHoldout(_ backend: Backend) async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: volume.path)
                    try await world.apply(yaml: Self.model(first: 99))
                    let refused = try await world.wait("judged", seconds: 120) {
                        $0.phase == "Refused" || $0.phase == "Serving" || $0.phase == "Failed"
                    }
                    #expect(refused.phase == "Refused", "\(refused["status"]?.serialized() ?? "")")
                    let run = refused["status", "runs"]?[0]
                    #expect(run?["independence", "method"] == "Rows")
                    #expect(run?["independence", "rows"] == 22 && run?["independence", "overlapping"] == 2)
                    let verdict = run?["verdicts"]?.array?.last
                    #expect(verdict?["rule"] == "maxOverlap" && verdict?["evidence"] == "Attested")
                    #expect(
                        verdict?["why"]?.string
                            == "2 of 22 rows of the holdout are among what training has read, first holdout/unseen.csv line 2 is "
                            + "rows/rows.csv line 100, holdout/unseen.csv line 3 is rows/rows.csv line 101")
                    #expect(refused.condition("Validated")?.message.contains("2 of 22 rows of the holdout") == true)
                    #expect(try await world.count(.deployments) == 0)
                    try await Self.expectNothingOfTheData(world)

                    // Two of 22 may be borne by who says so, and nothing is trained for it.
                    try await world.apply(yaml: Self.model(first: 99, validation: "    maxOverlap: 0.1"))
                    let borne = try await world.wait("borne", seconds: 60) { $0.isObserved && $0.phase == "Serving" }
                    #expect(borne["status", "runs"]?.array?.count == 1)
                    try await world.apply(yaml: Self.model(first: 99))
                    try await world.wait("refused again", seconds: 60) {
                        $0.isObserved && $0.condition("Validated")?.status == .false && $0.phase == "Serving"
                    }

                    // Data that it has not read.
                    try await world.apply(yaml: Self.model(first: 101))
                    let serving = try await world.wait("serving", seconds: 120) {
                        $0.isObserved && $0["status", "runs"]?.array?.count == 2 && $0.isTrue("Validated")
                            && $0.phase == "Serving"
                    }
                    let independent = serving["status", "runs"]?[1]?["verdicts"]?.array?.last
                    #expect(independent?["passed"] == true && independent?["value"] == "0")
                    #expect(
                        independent?["why"]?.string
                            == "none of 20 rows of the holdout is among what training has read, compared row by row")
                    try await Self.expectNothingOfTheData(world)
                }
            }
        }

        private static func expectNothingOfTheData(_ world: StoryWorld) async throws {
            for type in [ResourceType.mlModels, .trainingJobs, .pods, .jobs] {
                for object in try await world.client.listAll(type, namespace: world.namespace).items {
                    #expect(object["status"]?.serialized().contains(word) != true, "\(type)")
                }
            }
            for event in try await world.client.listAll(.events, namespace: world.namespace).items {
                #expect(event["note"]?.string?.contains(word) != true)
            }
        }

        /// Without rows that anybody could compare, nothing is proven.
        @Test func whatCannotBeComparedIsNotAttested() async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: .local) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: volume.path)
                    let yaml = Self.model(first: 101).replacing("rows.csv", with: "rows.bin")
                    try await world.apply(yaml: yaml)
                    let refused = try await world.wait("refused", seconds: 120) { $0.phase == "Refused" }
                    let verdict = refused["status", "runs"]?[0]?["verdicts"]?.array?.last
                    #expect(
                        verdict?["why"]?.string
                            == "IndependenceUnproven, which requireAttested refuses: what train has read is not known: there "
                            + "are no rows in rows; without rows that could be compared: rows")
                    #expect(refused["status", "verdict"] == "independence unproven")
                    try await world.apply(yaml: yaml.replacing("requireAttested: true", with: "requireAttested: false"))
                    let serving = try await world.wait("serving", seconds: 60) { $0.phase == "Serving" }
                    #expect(serving["status", "runs"]?.array?.count == 1)
                }
            }
        }
    }
}

/// `assay artifact overlap` as a person uses it.
@Suite struct OverlapCommandTests {
    private static func assay(_ arguments: String..., in directory: String) async throws -> (Int32, String, String) {
        let program = try #require(ProgramUnderTest.assay)
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments(["-C", directory, program, "artifact"] + arguments), input: .none,
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        guard case .exited(let status) = result.terminationStatus else {
            Issue.record("\(result.terminationStatus)")
            return (-1, "", "")
        }
        return (status, result.standardOutput, result.standardError)
    }

    @Test func itCountsAndTellsWhere() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let store = "file://\(directory.path)/store"
        for (name, file, text) in [
            ("rows", "rows.csv", "a,b\n1,x\n2,y\n3,z\n"), ("holdout", "some.csv", "b,a\nz,3\nw,4\n"),
            ("other", "other.csv", "a,b\n5,v\n"), ("model", "model.bin", "weights"),
        ] {
            let path = "\(directory.path)/\(name)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            try text.write(toFile: "\(path)/\(file)", atomically: false, encoding: .utf8)
            let push = try await Self.assay("push", name, "\(store):\(name)", in: directory.path)
            #expect(push.0 == 0, "\(push.2)")
        }
        func overlap(_ more: String...) async throws -> (Int32, String, String) {
            let program = try #require(ProgramUnderTest.assay)
            let arguments = ["artifact", "overlap", "--holdout", "\(store):holdout"] + more
            let result = try await Subprocess.run(
                .name("env"), arguments: Arguments([program] + arguments), input: .none,
                output: .string(limit: 1 << 20),
                error: .string(limit: 1 << 20))
            guard case .exited(let status) = result.terminationStatus else { return (-1, "", "") }
            return (status, result.standardOutput, result.standardError)
        }
        let words =
            "1 of 2 rows of the holdout are among what training has read, first \(store):holdout/some.csv line 2 is "
            + "\(store):rows/rows.csv line 4\n"
        let found = try await overlap("--training", "\(store):rows", "--training", "\(store):other")
        #expect((found.0, found.1) == (1, words), "\(found.2)")
        let borne = try await overlap("--training", "\(store):rows", "--max-overlap", "0.5")
        #expect((borne.0, borne.1) == (0, words))
        let none = try await overlap("--training", "\(store):other", "--json")
        #expect(none.0 == 0)
        let report = try JSONValue(parsing: none.1)
        #expect(report["method"] == "Rows" && report["rows"] == 2 && report["overlapping"] == 0)
        let unknown = try await overlap("--training", "\(store):model")
        #expect(unknown.0 == 2)
        #expect(unknown.1.hasPrefix("unproven: what \(store):model has read is not known"), "\(unknown.1)")
        #expect(try await overlap().0 == 64)
        #expect(try await overlap("--training", "\(store):rows", "--max-overlap", "1.5").0 == 64)
        let absent = try await overlap("--training", "\(store):nothing")
        #expect(absent.0 == 2 && absent.2.contains("nothing"), "\(absent.2)")
    }
}
