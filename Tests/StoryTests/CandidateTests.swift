import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Candidates that are tried as real servers, before anybody reaches them.
    ///
    /// The latency that is allowed is far from what the good ones and the slow one have, on whatever machine.
    @Suite struct CandidateTests {
        /// Answers `{"x": [numbers]}` with their multiples. What is wrong with it is its only argument.
        private static let server = """
            import json, math, os, sys, time
            from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
            fault, seen = sys.argv[1], []
            weight = float(open(os.environ["ASSAY_INPUT_MODEL"] + "/weight").read())

            class Handler(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def answer(self, status, body):
                    content = json.dumps(body).encode()
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

                def do_GET(self):
                    self.answer(200, {})

                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    try:
                        if self.headers.get_content_type() != "application/json":
                            raise ValueError("content type")
                        request = json.loads(body)
                        if not isinstance(request, dict) or set(request) != {"x"} or not isinstance(request["x"], list):
                            raise ValueError("x")
                        for value in request["x"]:
                            if type(value) not in (int, float) or not math.isfinite(value):
                                raise ValueError("x")
                    except (ValueError, RecursionError) as error:
                        if fault == "crash":
                            os._exit(1)
                        self.answer(200 if fault == "takes" else 400, {"error": str(error)})
                        return
                    seen.extend(request["x"])
                    if fault == "slow":
                        time.sleep(1.5)
                    mean = sum(seen) / len(seen) if fault == "live" else 0
                    self.answer(200, {"y": [weight * (value - mean) for value in request["x"]]})

                def log_message(self, *arguments):
                    pass

            ThreadingHTTPServer(("", 8080), Handler).serve_forever()
            """

        private static func model(
            fault: String = "none", weight: String = "2", accuracy: String = "0.97", test: String = "true",
            surge: Int = 1
        ) -> String {
            let train = """
                printf \(weight) > $ASSAY_OUTPUT_MODEL/weight
                for x in 1 2 3 4 5; do
                  y=$(awk "BEGIN {print \(weight) * $x}")
                  printf '{"request": {"x": [%s, 0.5]}, "response": {"y": [%s, %s]}}\\n' $x $y $(awk "BEGIN {print \(weight) / 2}")
                done > $ASSAY_OUTPUT_GOLDEN/golden.jsonl
                printf '{"accuracy": \(accuracy)}' > $ASSAY_METRICS_FILE
                """
            func text(_ script: String) -> String { JSONValue.string(script).serialized() }
            return """
                apiVersion: assay.dev/v1alpha1
                kind: MLModel
                metadata: {name: wine}
                spec:
                  training:
                    template:
                      spec:
                        backoffLimit: 0
                        steps:
                        - name: train
                          outputs: [model, golden]
                          template:
                            spec:
                              containers:
                              - {name: main, image: "registry.local/toy:1", command: [sh, -ec, \(text(train))]}
                  validation:
                    thresholds:
                    - {metric: accuracy, direction: Maximize, threshold: 0.93}
                    - {metric: latencyP99Seconds, direction: Minimize, threshold: 1, source: Candidate}
                    golden: {artifact: golden, path: /predict}
                    malformedInput: Reject
                    load: {seconds: 1, concurrency: 2}
                    tests:
                    - name: logic
                      template:
                        spec:
                          containers:
                          - name: main
                            image: registry.local/toy:1
                            command: [sh, -ec, \(text("python3 -c 'import os, urllib.request; urllib.request.urlopen(os.environ[\"ASSAY_CANDIDATE_URL\"])'; \(test)"))]
                  serving:
                    port: 8080
                    surge: \(surge)
                    artifacts: [model]
                    imageFrom: [{container: server, step: train}]
                    progressDeadlineSeconds: 30
                    template:
                      spec:
                        containers:
                        - name: server
                          command: [python3, -c, \(text(server)), \(fault)]
                          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
                """
        }

        private static let refusals = [
            ("live", "golden proof (Candidate): golden.jsonl line 1: y[0] is"),
            ("takes", "malformedInput proof (Candidate): an empty body: was answered with status 200"),
            ("crash", "malformedInput proof (Candidate): an empty body: was not answered"),
            ("slow", "is not ≤ 1; the report is sha256:"),
        ]

        /// Users ask all the time, and hear nothing of any of it.
        @Test(arguments: Backend.all) func badCandidatesAreRefusedEachForItsOwnReason(_ backend: Backend) async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: volume.path)
                    try await world.apply(yaml: Self.model())
                    let serving = try await world.wait("serving", seconds: 120) { $0.phase == "Serving" }
                    let revision = try #require(serving.revision)
                    #expect(
                        serving.condition("Validated")?.message.contains("golden 5 of 5 answered as recorded") == true)
                    #expect(serving.condition("Validated")?.message.contains("test logic passed") == true)
                    let asked = try await Self.asking(world) {
                        for (fault, words) in Self.refusals {
                            try await Self.expectRefused(world, Self.model(fault: fault), words, serving: revision)
                        }
                        try await Self.expectRefused(
                            world, Self.model(fault: "''", test: "echo the logic is wrong; exit 4"),
                            "the logic is wrong", serving: revision)
                        try await Self.expectRefused(
                            world, Self.model(accuracy: "NaN"), "the value is not a number (NaN)", serving: revision)
                    }
                    // Of an object that has much to tell only the first events are.
                    let first = Self.refusals[0].1
                    try await world.eventually("an event says: \(first)") {
                        try await world.client.listAll(.events, namespace: world.namespace).items
                            .contains { $0["type"] == "Warning" && $0["note"]?.string?.contains(first) == true }
                    }
                    #expect(asked.errors == [] && asked.count > 50)
                    try await world.apply(yaml: Self.model(weight: "3"))
                    let second = try await world.wait("serving another", seconds: 120) {
                        $0.isObserved && $0.phase == "Serving" && $0.revision != revision
                    }
                    #expect(second["status", "revisions"]?.array?.last?["proof", "judgement"] == "Passed")
                }
            }
        }

        private static func expectRefused(
            _ world: StoryWorld, _ yaml: String, _ words: String, serving revision: String
        ) async throws {
            try await world.apply(yaml: yaml)
            let refused = try await world.wait("refused: \(words)", seconds: 120) {
                $0.isObserved && $0.isTrue("Stalled")
            }
            #expect(refused.phase == "Refused" && refused.revision == revision)
            let message = refused.condition("Validated")?.message ?? ""
            #expect(message.contains(words), "\(message)")
            try await world.eventually("nothing of the candidate is left") {
                let deployments = try await world.count(.deployments)
                let policies = try await world.count(.networkPolicies)
                let services = try await world.count(.services)
                return deployments == 1 && policies == 0 && services == 1
            }
        }

        /// Asks what serves, again and again while something goes on.
        private static func asking(
            _ world: StoryWorld, while body: @escaping @Sendable () async throws -> Void
        ) async throws -> (count: Int, errors: [String]) {
            let answers = Locked<(count: Int, errors: [String])>((0, []))
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await body()
                    return true
                }
                group.addTask {
                    while !Task.isCancelled {
                        do {
                            let status = try await world.ask().status
                            answers.withLock {
                                $0.count += 1
                                if status != 200 { $0.errors.append("\(status)") }
                            }
                        } catch {
                            if Task.isCancelled { break }
                            answers.withLock { $0.errors.append("\(error)") }
                        }
                    }
                    return false
                }
                while let isDone = try await group.next(), !isDone {}
                group.cancelAll()
            }
            return answers.withLock { $0 }
        }

        @Test func whereThereIsNoRoomForTwoTheOldOneSleepsMeanwhile() async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: .local) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: volume.path)
                    try await world.apply(yaml: Self.model(surge: 0))
                    let first = try await world.wait("serving", seconds: 120) { $0.phase == "Serving" }
                    try await world.apply(yaml: Self.model(fault: "live", surge: 0))
                    _ = try await world.wait("asleep") { $0.isObserved && $0.condition("Ready")?.status == .false }
                    let refused = try await world.wait("awake again", seconds: 120) {
                        $0.isObserved && $0.isTrue("Stalled") && $0.isTrue("Ready")
                    }
                    #expect(refused.revision == first.revision && refused.phase == "Refused")
                }
            }
        }
    }
}
