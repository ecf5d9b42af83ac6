import FuzzProperties
import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// From a candidate that runs to one that serves, or is refused for what its server has shown.
@Suite struct ProofTests {
    private static let passed = ProofReport(
        golden: .init(tried: 12, failed: 0), malformedInput: .init(tried: 9, failed: 0),
        metrics: ["latencyP99Seconds": 0.02, "errorRate": 0, "requestsPerSecond": 400],
        digest: World.digest)
    private static let test: JSONValue = [
        "name": "logic", "template": ["spec": ["containers": [["name": "main", "image": "registry.local/wine:1.4"]]]],
    ]

    private func model(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        let training = try Sample.workflow { object in
            object["spec", "steps"] = .array(
                (object["spec", "steps"]?.array ?? []).map {
                    var step = $0
                    if step["name"] == "evaluate" { step["outputs"] = ["golden"] }
                    return step
                })
        }["spec"]
        return try Sample.model { object in
            object["spec", "training", "template", "spec"] = training ?? .null
            object["spec", "serving", "artifacts"] = ["model", "scaler"]
            object["spec", "serving", "replicas"] = 3
            object["spec", "validation", "golden"] = ["artifact": "golden"]
            object["spec", "validation", "malformedInput"] = "Reject"
            object["spec", "validation", "thresholds"] = [
                ["metric": "accuracy", "direction": "Maximize", "threshold": 0.93],
                ["metric": "latencyP99Seconds", "direction": "Minimize", "threshold": 0.05, "source": "Candidate"],
            ]
            change(&object)
        }
    }

    /// Up to where the candidate's only pod is available.
    private func candidate(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.registry = ["registry.local/wine:1.4": World.digest]
        try world.create(.mlModels, try model(change))
        try world.settle()
        try train(&world)
        return world
    }

    private func train(_ world: inout World, salt: String = "") throws {
        for step in ["extract", "prepare", "train"] { try world.finishStep(step, salt: salt) }
        try world.finishStep("evaluate", metrics: #"{"accuracy": 0.97}"#, salt: salt)
        world.makeDeploymentsAvailable()
        try world.settle()
    }

    private func serving(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = try candidate(change)
        try world.endProof(Self.passed)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        return world
    }

    /// Another candidate beside what serves.
    private func second(_ world: inout World) throws {
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        try train(&world, salt: "other")
    }

    // MARK: The way of a good one

    @Test func aCandidateIsProvenBehindItsFenceBeforeAnybodyIsLedToIt() throws {
        var world = try candidate()
        let deployment = try #require(world.all(.deployments).first)
        #expect(deployment["spec", "replicas"] == 1, "one is enough to be tried")
        #expect(world.get(.services, "wine") == nil)
        let policy = try #require(world.all(.networkPolicies).first)
        let pod = try #require(deployment["spec", "template", "metadata", "labels"])
        #expect(Coverage.covers(pod, policy["spec", "podSelector", "matchLabels"] ?? .null))
        let job = try #require(world.proofJob)
        let prover = job["spec", "template", "metadata", "labels"] ?? [:]
        let allowed = policy["spec", "ingress"]?[0]?["from"]?[0]?["podSelector", "matchLabels"] ?? .null
        #expect(Coverage.covers(prover, allowed) && !Coverage.covers(pod, allowed))
        let service = try #require(world.all(.services).first)
        #expect(Coverage.covers(pod, service["spec", "selector"] ?? .null))
        #expect(!Coverage.covers(prover, service["spec", "selector"] ?? .null), "the prover is not what it tries")
        let words = world.arguments(job, ArtifactContainer.prove)
        #expect(words.starts(with: ["assay", "prove"]))
        #expect(words.contains("http://\(service["metadata", "name"]?.string ?? "").ml.svc:8080"))
        #expect(words.contains("--scratch-directory") && words.contains("--report"))
        #expect(words.contains("--malformed-input") && words.contains("--load-seconds"))
        #expect(world.condition("Validated")?["status"] == "Unknown")
        #expect(world.condition("Reconciling")?["reason"] == "Proving")
        #expect(try world.settle() == 0)

        try world.endProof(Self.passed)
        #expect(world.all(.networkPolicies).isEmpty, "users are to reach it")
        #expect(world.all(.deployments).first?["spec", "replicas"] == 3)
        #expect(world.get(.services, "wine") == nil, "its other replicas are not there yet")
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.all(.services).compactMap { $0["metadata", "name"]?.string } == ["wine"])
        let proof = world.status["revisions"]?[0]?["proof"]
        #expect(proof?["judgement"] == "Passed" && proof?["report"]?.string == World.digest)
        #expect(proof?["verdicts"]?.array?.count == 3)
        #expect(proof?["metrics"]?.array?.contains(["name": "latencyP99Seconds", "value": "0.02"]) == true)
        let validated = world.condition("Validated")
        #expect(validated?["status"] == "True")
        #expect(validated?["message"]?.string?.contains("golden 12 of 12 answered as recorded") == true)
        #expect(world.status["verdict"] == "accuracy 0.97 ≥ 0.93")
        #expect(try world.settle() == 0)
    }

    @Test func whatServesIsNotProvenAgainForOtherRules() throws {
        var world = try serving()
        let jobs = world.all(.jobs).count
        world.change { $0["spec", "validation", "golden", "tolerance"] = 0.5 }
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.all(.jobs).filter { $0["metadata", "name"]?.string?.contains("prove") == true }.count == 1)
        #expect(world.all(.jobs).count <= jobs + 1, "its record is written anew")
    }

    // MARK: Bad ones

    struct Bad: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var report: ProofReport
        var words: String

        init(_ name: String, _ words: String, _ change: (inout ProofReport) -> Void) {
            testDescription = name
            self.words = words
            report = ProofTests.passed
            change(&report)
        }
    }

    private static let bad = [
        Bad("another answer", "golden proof (Candidate): golden.jsonl line 3: outputs[0] is 1, and was 2") {
            $0.golden = .init(tried: 12, failed: 1, message: "golden.jsonl line 3: outputs[0] is 1, and was 2")
        },
        Bad("nothing to try", "golden proof (Candidate): there was nothing to try") {
            $0.golden = .init(tried: 0, failed: 0)
        },
        Bad("takes anything", "malformedInput proof (Candidate): NaN: was answered with status 200") {
            $0.malformedInput = .init(tried: 9, failed: 2, message: "NaN: was answered with status 200")
        },
        Bad("malformed input was not tried", "malformedInput proof (Candidate): it was not tried") {
            $0.malformedInput = nil
        },
        Bad("too slow", "latencyP99Seconds threshold (Candidate): 0.3 is not ≤ 0.05") {
            $0.metrics["latencyP99Seconds"] = 0.3
        },
        Bad("not measured", "latencyP99Seconds threshold (Candidate): latencyP99Seconds was not measured") {
            $0.metrics = [:]
        },
    ]

    @Test(arguments: bad)
    func aBadCandidateIsRefusedAndGoes(_ bad: Bad) throws {
        var world = try serving()
        let revision = world.status["revision"]
        try second(&world)
        #expect(world.all(.deployments).count == 2)
        try world.endProof(bad.report)
        #expect(world.status["phase"] == "Refused")
        #expect(world.status["revision"] == revision)
        #expect(world.all(.deployments).count == 1 && world.all(.networkPolicies).isEmpty)
        #expect(world.all(.services).count == 1)
        #expect(world.condition("Ready")?["status"] == "True")
        for type in ["Validated", "Stalled"] {
            let condition = world.condition(type)
            #expect(condition?["reason"] == "Refused")
            #expect(condition?["message"]?.string?.contains(bad.words) == true, "\(condition?["message"] ?? "")")
        }
        #expect(world.condition("Stalled")?["message"]?.string?.contains(World.digest) == true, "the report is told")
        #expect(world.events.contains { $0.severity == .warning && $0.note.contains(bad.words) })
        let jobs = world.all(.jobs).count
        #expect(try world.settle() == 0)
        #expect(world.all(.jobs).count == jobs)
        // Other rules are another proof; a request to reconcile another try.
        world.change { $0["spec", "validation", "golden", "tolerance"] = 0.5 }
        try world.settle()
        #expect(world.status["phase"] == "RollingOut")
        world.makeDeploymentsAvailable()
        try world.settle()
        try world.endProof(Self.passed)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving" && world.status["revision"] != revision)
    }

    @Test func aProverThatCannotWorkProvesNothing() throws {
        var world = try candidate()
        try world.endProof(nil, failing: "the candidate does not answer: refused")
        #expect(world.status["phase"] == "Failed" && world.status["revision"] == nil)
        #expect(
            world.condition("Stalled")?["message"]?.string?
                .contains("nothing is proven: the candidate does not answer") == true)
        #expect(world.all(.deployments).isEmpty && world.all(.networkPolicies).isEmpty)
        world.change { $0["metadata", "annotations", Label.requestedAt] = "now" }
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.proofJob != nil, "by another Job")
    }

    /// What says so is the operator's container with status 0, and nobody else.
    @Test(arguments: [
        #"{"golden": {"tried": 1}}"#, "", "{}", "[]", #"{"golden": {"tried": 1, "failed": 0}, "digest": "x"}"#,
    ])
    func whatIsNoReportProvesNothing(_ message: String) throws {
        var world = try candidate()
        let job = try #require(world.proofJob)
        world.endPod(of: job, phase: "Succeeded", messages: [ArtifactContainer.prove: message])
        world.endJob(job["metadata", "name"]?.string ?? "", "Complete", reason: "")
        try world.settle()
        #expect(world.status["phase"] == "Failed" && world.status["revision"] == nil)
    }

    // MARK: Tests of the user's

    @Test(arguments: [true, false])
    func aTestRunsAfterTheProverAndItsEndCounts(passes: Bool) throws {
        var world = try candidate {
            $0["spec", "validation", "tests"] = [Self.test]
        }
        try world.endProof(Self.passed)
        let job = try #require(world.proofJob)
        let container = job["spec", "template", "spec", "containers"]?[0]
        let variables = container?["env"]?.array ?? []
        #expect(
            variables.contains {
                $0["name"] == "ASSAY_CANDIDATE_URL" && $0["value"]?.string?.hasSuffix(":8080") == true
            })
        #expect(job["spec", "backoffLimit"] == 0)
        // What the prover has found is read when the test has ended, whose deadline is 600 s.
        let lifetimes = world.all(.jobs).filter { $0["metadata", "labels", Label.proof] != nil }
            .compactMap { $0["spec", "ttlSecondsAfterFinished"]?.int }
        #expect(lifetimes == [1200, 1200])
        world.endJob(
            job["metadata", "name"]?.string ?? "", passes ? "Complete" : "Failed", reason: "BackoffLimitExceeded")
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"]?.string == (passes ? "Serving" : "Refused"))
        let verdicts = world.status["revisions"]?[0]?["proof", "verdicts"]?.array ?? []
        #expect(verdicts.map { $0["metric"] } == ["golden", "malformedInput", "test logic", "latencyP99Seconds"])
        #expect(verdicts[2]["passed"] == .bool(passes))
    }

    /// Without golden records, and without a store.
    @Test func testsAloneAreAProof() throws {
        var world = World()
        try world.create(
            .mlModels, try Sample.model { $0["spec", "validation"] = ["tests": [Self.test]] })
        try world.settle()
        world.succeedJob(#"{"accuracy": 0.1}"#)
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        let job = try #require(world.proofJob)
        #expect(world.condition("Validated")?["status"] == "Unknown")
        world.endJob(job["metadata", "name"]?.string ?? "", "Complete", reason: "")
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["verdict"] == "test logic passed")
    }

    // MARK: What happens meanwhile

    /// It is the proof that waits then, and not the record of the run.
    @Test func aJobThatTheServerForbidsKeepsTheCandidateWaiting() throws {
        var world = World()
        world.registry = ["registry.local/wine:1.4": World.digest]
        try world.create(.mlModels, try model())
        try world.settle()
        try train(&world)
        let job = try #require(world.proofJob?["metadata", "name"]?.string)
        world.remove(.jobs, job)
        let failure = ActionFailure(operation: "create jobs.batch ml/\(job)", code: 403, message: "exceeded quota: few")
        let observed = try world.observe(model: try #require(try world.model()), live: true)
        try world.execute(MLModelPlan.statusAfter(failure, observed, now: world.now), for: .mlModels, "wine")
        #expect(world.condition("Reconciling")?["reason"] == "QuotaExceeded")
        #expect(!world.events.contains { $0.reason == "NotSealed" })
        try world.settle()
        #expect(world.proofJob?["metadata", "name"]?.string == job)
    }

    @Test func theReportGoesWithItsRun() throws {
        func report(_ digits: String) -> ProofReport {
            var report = Self.passed
            report.digest = "sha256:" + String(repeating: digits, count: 16)
            return report
        }
        var world = try candidate { $0["spec", "revisionHistoryLimit"] = 1 }
        try world.endProof(report("cd34"))
        world.makeDeploymentsAvailable()
        try world.settle()
        try second(&world)
        try world.endProof(report("ef56"))
        for _ in 0..<3 {
            world.makeDeploymentsAvailable()
            world.now = world.now + .seconds(60)
            try world.settle()
        }
        #expect(world.status["phase"] == "Serving" && world.status["runs"]?.array?.count == 1)
        #expect(Set(world.forgotten.keys).contains(report("cd34").digest ?? ""))
        #expect(!Set(world.forgotten.keys).contains(report("ef56").digest ?? ""))
    }

    @Test func aCandidateThatIsNoneAnyMoreIsNotTriedOn() throws {
        var world = try serving()
        try second(&world)
        #expect(world.proofJob != nil)
        world.change { $0["spec", "training", "template", "spec", "seed"] = 44 }
        try world.settle()
        #expect(world.proofJob == nil, "the Job goes with the candidate")
        #expect(world.all(.networkPolicies).isEmpty && world.all(.services).count == 1)
    }

    @Test func aFenceThatSomebodyOpensIsMadeAnew() throws {
        var world = try candidate()
        let name = try #require(world.all(.networkPolicies).first?["metadata", "name"]?.string)
        world.update(.networkPolicies, name) { $0["spec", "ingress"] = [[:]] }
        try world.settle()
        #expect(world.get(.networkPolicies, name)?["spec", "ingress"]?[0]?["from"] != nil)
        world.remove(.networkPolicies, name)
        try world.settle()
        #expect(world.get(.networkPolicies, name) != nil)
    }

    @Test func aForeignPolicyOfItsNameIsLeftAlone() throws {
        var world = World()
        world.registry = ["registry.local/wine:1.4": World.digest]
        try world.create(.mlModels, try model())
        try world.settle()
        for step in ["extract", "prepare", "train"] { try world.finishStep(step) }
        world.endStep("evaluate", metrics: #"{"accuracy": 0.97}"#)
        // The name follows from the revision's; the plan that makes it says it.
        var peek = world
        try peek.settle()
        let name = try #require(peek.all(.networkPolicies).first?["metadata", "name"]?.string)
        try world.create(.networkPolicies, ["metadata": ["name": .string(name)], "spec": ["podSelector": [:]]])
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "NameTaken")
        #expect(world.all(.deployments).isEmpty && world.all(.networkPolicies).count == 1)
    }

    @Test func withoutRoomWhatServesSleepsMeanwhile() throws {
        var world = try serving { $0["spec", "serving", "surge"] = 0 }
        let first = try #require(world.all(.deployments).first?["metadata", "name"]?.string)
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        for step in ["extract", "prepare", "train"] { try world.finishStep(step, salt: "other") }
        try world.finishStep("evaluate", metrics: #"{"accuracy": 0.97}"#, salt: "other")
        #expect(world.get(.deployments, first)?["spec", "replicas"] == 0)
        #expect(world.all(.deployments).count == 1, "its pods are still there")
        #expect(world.condition("Ready")?["status"] == "False")
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.all(.deployments).count == 2)
        world.makeDeploymentsAvailable()
        try world.settle()
        var report = Self.passed
        report.golden = .init(tried: 12, failed: 12, message: "all")
        try world.endProof(report)
        #expect(world.get(.deployments, first)?["spec", "replicas"] == 3, "it wakes again")
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.condition("Ready")?["status"] == "True" && world.status["phase"] == "Refused")
    }

    /// Whatever write was the last one before a crash, the end is the same, and nothing is tried twice.
    @Test func aCrashAnywhereTriesNothingTwice() throws {
        func end(crashAt crash: Int?) throws -> (World, Int) {
            var world = try candidate()
            // Back to where the candidate is not there yet would be another story: what follows is what proving writes.
            var writes = 0
            func step() throws {
                for _ in 0..<32 {
                    let plan = try world.plan()
                    guard !plan.isEmpty else { return }
                    let count = plan.actions.count + (plan.status == nil ? 0 : 1)
                    if let crash, writes <= crash, crash < writes + count {
                        try world.execute(plan, for: .mlModels, "wine", limit: crash - writes)
                        writes = crash + 1
                    } else {
                        try world.execute(plan, for: .mlModels, "wine")
                        writes += count
                    }
                }
            }
            if let job = world.proofJob {
                world.endPod(
                    of: job, phase: "Succeeded", messages: [ArtifactContainer.prove: Self.passed.json.serialized()])
                world.endJob(job["metadata", "name"]?.string ?? "", "Complete", reason: "")
            }
            try step()
            world.makeDeploymentsAvailable()
            try step()
            try world.settle()
            return (world, writes)
        }
        let (reference, writes) = try end(crashAt: nil)
        #expect(reference.status["phase"] == "Serving" && writes >= 4)
        for write in 0..<writes {
            let (world, _) = try end(crashAt: write)
            #expect(world.status["phase"] == "Serving", "crash at \(write)")
            #expect(world.created.filter { $0.contains("prove") }.count == 1, "crash at \(write)")
            #expect(world.all(.networkPolicies).isEmpty, "crash at \(write)")
        }
    }
}

extension World {
    /// The Job that tries the candidate now.
    var proofJob: JSONValue? { unfinished.first { $0["metadata", "labels", Label.proof] != nil } }

    /// Ends the prover with what it found, or with a failure.
    mutating func endProof(_ report: ProofReport?, failing message: String = "") throws {
        guard let job = proofJob, let name = job["metadata", "name"]?.string else { throw Unsettled() }
        if let report {
            endPod(of: job, phase: "Succeeded", messages: [ArtifactContainer.prove: report.json.serialized()])
            endJob(name, "Complete", reason: "")
        } else {
            endPod(of: job, phase: "Failed", messages: [ArtifactContainer.prove: message])
            let pod = "\(name)-x"
            let statuses = (get(.pods, pod)?["status", "containerStatuses"]?.array ?? []).map {
                var status = $0
                status["state", "terminated", "exitCode"] = 1
                return status
            }
            objects[.pods]?[pod]?["status", "containerStatuses"] = .array(statuses)
            endJob(name, "Failed", reason: "BackoffLimitExceeded")
        }
        try settle()
    }
}
