import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// A training of several steps.
@Suite struct WorkflowPlanTests {
    private func workflow(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        try world.create(.trainingJobs, try Sample.workflow(change))
        try world.settle()
        return world
    }

    // MARK: Order

    @Test func whatReadsNothingBeginsAndTheRestWaitsForWhatItReads() throws {
        var world = try workflow()
        #expect(world.runningSteps == ["extract"])
        #expect(
            world.phases == ["extract": "Pending", "prepare": "Waiting", "train": "Waiting", "evaluate": "Waiting"])
        #expect(world.trainingJob["status", "phase"] == "Pending")
        try world.finishStep("extract")
        #expect(world.runningSteps == ["prepare"])
        try world.finishStep("prepare")
        #expect(world.runningSteps == ["train"])
        try world.finishStep("train")
        #expect(world.runningSteps == ["evaluate"])
        try world.finishStep("evaluate", metrics: #"{"accuracy": 0.97}"#)
        let status = world.trainingJob["status"]
        #expect(status?["phase"] == "Succeeded")
        #expect(status?["metrics"]?[0]?["value"] == "0.97")
        #expect(status?["metrics"]?[0]?["step"] == "evaluate")
        #expect(status?["run"]?.string?.hasPrefix("wine-") == true)
        #expect(world.stepJobs.count == 4)
        let prepare = status?["steps"]?.array?.first { $0["name"] == "prepare" }
        #expect(prepare?["outputs"]?.array?.compactMap { $0["name"]?.string } == ["features", "scaler"])
        #expect(prepare?["images"]?[0]?["digest"]?.string == World.digest)
        #expect(KStatus.compute(world.trainingJob).phase == .current)
        #expect(try world.settle() == 0)
    }

    @Test func stepsThatReadNothingOfEachOtherRunSideBySide() throws {
        var world = try workflow { spec in
            spec["spec", "steps"] = .array(
                ["a", "b", "c"].map {
                    Sample.step($0, inputs: $0 == "c" ? ["of-a", "of-b"] : [], outputs: ["of-\($0)"])
                })
        }
        #expect(world.runningSteps == ["a", "b"])
        try world.finishStep("b")
        #expect(world.runningSteps == ["a"])
        try world.finishStep("a")
        #expect(world.runningSteps == ["c"])
    }

    @Test func onAVolumeOfOneNodeOneStepRunsAtATime() throws {
        var world = World()
        world.claim = .ofOneNode
        try world.create(
            .trainingJobs,
            try Sample.workflow { spec in
                spec["spec", "steps"] = .array(["a", "b", "c"].map { Sample.step($0, outputs: ["of-\($0)"]) })
            })
        var order: [[String]] = []
        for name in ["a", "b", "c"] {
            try world.settle()
            order.append(world.runningSteps)
            try world.finishStep(name)
        }
        #expect(order == [["a"], ["b"], ["c"]])
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
    }

    @Test func aClaimThatIsNotThereIsAskedFor() throws {
        var world = World()
        world.claim = .missing("models")
        try world.create(.trainingJobs, try Sample.workflow())
        try world.settle()
        #expect(world.all(.jobs).isEmpty)
        #expect(
            world.condition("Reconciling", of: .trainingJobs)?["message"]?.string
                == "step extract: spec.artifactStore.uri: the namespace has no PersistentVolumeClaim models; create it")
        world.claim = .ofManyNodes
        try world.settle()
        #expect(world.runningSteps == ["extract"])
    }

    @Test func withoutTheOperatorsImageNothingIsBegun() throws {
        var world = World()
        world.operatorImage = nil
        try world.create(.trainingJobs, try Sample.workflow())
        try world.settle()
        #expect(world.all(.jobs).isEmpty)
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "OperatorImageUnknown")
    }

    // MARK: What goes wrong

    @Test func aFailedStepEndsTheTrainingWhenTheOthersHaveEnded() throws {
        var world = try workflow { spec in
            spec["spec", "steps"] = .array(
                [
                    Sample.step("a", outputs: ["of-a"]), Sample.step("b", outputs: ["of-b"]),
                    Sample.step("c", inputs: ["of-b"]),
                ])
        }
        try world.failStep("a", message: "no such column")
        #expect(world.trainingJob["status", "phase"] == "Running")
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "StepFailed")
        try world.finishStep("b")
        #expect(world.runningSteps == [])
        #expect(world.trainingJob["status", "phase"] == "Failed")
        let stalled = world.condition("Stalled", of: .trainingJobs)
        #expect(stalled?["reason"] == "ExitCode")
        let message = try #require(stalled?["message"]?.string)
        #expect(
            message.hasPrefix("step a: spec.steps[0].template.spec.containers[0] (main): exit code 1"), "\(message)")
        #expect(message.contains("no such column"))
        #expect(world.phases == ["a": "Failed", "b": "Succeeded", "c": "Waiting"])
        #expect(try world.settle() == 0)
    }

    @Test func outputsThatNobodyHasSeenAreMadeAgain() throws {
        var world = try workflow()
        let name = try #require(world.jobName(of: "extract"))
        world.endJob(name, "Complete", reason: "")
        try world.settle()
        let extract = world.trainingJob["status", "steps"]?.array?.first { $0["name"] == "extract" }
        #expect(extract?["attempts"]?[0]?["outcome"] == "Lost")
        #expect(extract?["attempts"]?[0]?["reason"] == "ResultLost")
        #expect(world.runningSteps == ["extract"])
        try world.finishStep("extract")
        #expect(world.runningSteps == ["prepare"])
    }

    @Test(arguments: [
        "", "garbage", #"{"outputs": []}"#,
        #"{"outputs": [{"name": "rows", "digest": "sha256:12", "size": 1}, {"name": "holdout", "digest": "x", "size": 1}]}"#,
    ]) func aReportThatIsNoneFailsTheStep(_ report: String) throws {
        var world = try workflow()
        try world.finishStep("extract", report: report)
        #expect(world.trainingJob["status", "phase"] == "Failed")
        #expect(world.condition("Stalled", of: .trainingJobs)?["reason"] == "SealUnreadable")
    }

    @Test func whatTwoStepsReportDifferentlyIsNoValue() throws {
        var world = try workflow { spec in
            spec["spec", "steps"] = .array(["a", "b"].map { Sample.step($0) })
        }
        try world.finishStep("a", metrics: #"{"accuracy": 0.99, "rows": 10}"#)
        try world.finishStep("b", metrics: #"{"accuracy": 0.91, "rows": 10}"#)
        let status = try TrainingJob(json: world.trainingJob).status.value
        let accuracy = status?.metrics["accuracy", .holdout]
        #expect(accuracy?.value == .unparsable("0.99 and 0.91"))
        #expect(status?.metrics["rows", .holdout]?.value == .finite(10))
        #expect(status?.metricsMessage == "accuracy is reported twice")
    }

    @Test func aHeldTrainingBeginsNoStepAndHoldsTheOneThatRuns() throws {
        var world = try workflow()
        world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = true }
        try world.settle()
        #expect(world.all(.jobs)[0]["spec", "suspend"] == true)
        #expect(world.trainingJob["status", "phase"] == "Suspended")
        #expect(world.phases["extract"] == "Suspended")
        world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(world.all(.jobs)[0]["spec", "suspend"] == false)
        try world.finishStep("extract")
        #expect(world.runningSteps == ["prepare"])
    }

    @Test func theSpecIsImmutable() throws {
        var world = try workflow()
        world.update(.trainingJobs, "wine") { $0["spec", "artifactStore", "uri"] = "pvc://others" }
        try world.settle()
        try world.finishStep("extract")
        #expect(world.runningSteps == [])
        #expect(world.condition("Stalled", of: .trainingJobs)?["reason"] == "SpecChanged")
    }

    @Test func finishedJobsGoOnlyAfterTheWholeTrainingHasAResult() throws {
        var world = try workflow { spec in
            spec["spec", "ttlSecondsAfterFinished"] = 60
            spec["spec", "steps"] = .array([
                Sample.step("a", outputs: ["of-a"]), Sample.step("b", inputs: ["of-a"]),
            ])
        }
        try world.finishStep("a")
        #expect(world.all(.jobs).allSatisfy { $0["spec", "ttlSecondsAfterFinished"] == nil })
        try world.finishStep("b")
        #expect(world.all(.jobs).map { $0["spec", "ttlSecondsAfterFinished"] } == [60, 60, 60])
    }

    /// An operator that dies before any of its writes, and another that begins with what is there, come to the same.
    @Test func aCrashBeforeAnyWriteChangesNothingOfTheEnd() throws {
        func end(crashAt: Int?) throws -> (world: World, writes: Int) {
            var world = World()
            try world.create(.trainingJobs, try Sample.workflow())
            var writes = 0
            for name in ["extract", "prepare", "train", "evaluate", ""] {
                for _ in 0..<16 {
                    let plan = try world.plan(trainingJob: "wine")
                    if plan.isEmpty {
                        if world.answerLookups() { continue }
                        break
                    }
                    let count = plan.actions.count + (plan.status == nil ? 0 : 1)
                    let limit = crashAt.map { (writes..<writes + count).contains($0) ? $0 - writes : Int.max } ?? .max
                    try world.execute(plan, for: .trainingJobs, "wine", limit: limit)
                    writes += count
                }
                if !name.isEmpty { world.endStep(name) }
            }
            return (world, writes)
        }
        let (reference, writes) = try end(crashAt: nil)
        #expect(reference.trainingJob["status", "phase"] == "Succeeded")
        #expect(writes >= 8)
        for write in 0..<writes {
            let (world, _) = try end(crashAt: write)
            #expect(world.created == reference.created, "crash at \(write)")
            #expect(world.trainingJob["status", "phase"] == "Succeeded", "crash at \(write)")
        }
    }
}

extension Sample {
    static func step(
        _ name: String, inputs: [String] = [], outputs: [String] = [], parameters: [String] = []
    ) -> JSONValue {
        var result: JSONValue = [
            "name": .string(name),
            "template": [
                "spec": ["containers": [["name": "main", "image": "registry.local/wine:1.4", "command": ["run"]]]]
            ],
        ]
        if !inputs.isEmpty { result["inputs"] = JSONValue(inputs) }
        if !outputs.isEmpty { result["outputs"] = JSONValue(outputs) }
        if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
        return result
    }

    static func workflow(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        var object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob", "metadata": ["name": "wine"],
            "spec": [
                "parameters": ["learningRate": "0.1"], "seed": 42, "artifactStore": ["uri": "pvc://models/wine"],
                "steps": [
                    // Not in their order: that follows from who reads what.
                    step("train", inputs: ["features"], outputs: ["model"], parameters: ["learningRate"]),
                    step("evaluate", inputs: ["model", "scaler", "holdout"]),
                    step("prepare", inputs: ["rows"], outputs: ["features", "scaler"]),
                    step("extract", outputs: ["rows", "holdout"]),
                ],
            ],
        ]
        change(&object)
        return object
    }
}

extension World {
    var trainingJob: JSONValue { self.get(.trainingJobs, "wine") ?? [:] }

    var phases: [String: String] { phases(of: "wine") }

    var unfinished: [JSONValue] { all(.jobs).filter { $0["status", "conditions"] == nil } }

    /// The Jobs of steps, without those that look for results.
    var stepJobs: [JSONValue] { all(.jobs).filter { $0["metadata", "labels", Label.step] != nil } }

    func arguments(_ job: JSONValue, _ container: String) -> [String] {
        (job["spec", "template", "spec", "containers"]?.array ?? [])
            .first { $0["name"]?.string == container }?["command"]?.array?.compactMap(\.string) ?? []
    }

    /// Ends every look for results with what registry and store have. False where there is none.
    mutating func answerLookups() -> Bool {
        var isAny = false
        for job in unfinished {
            let words = arguments(job, ArtifactContainer.resolve)
            guard let index = words.firstIndex(of: "--request"),
                let json = try? JSONValue(parsing: words[index + 1]),
                let request = try? LookupRequest(json: JSONCursor(json))
            else { continue }
            var lookup = Lookup(request, digests: registry.filter { request.images.contains($0.key) })
            while let (key, step) = lookup.next() {
                if let record = store[key] ?? step.candidate {
                    lookup.found(record, of: step, key: key)
                } else {
                    lookup.missed()
                }
            }
            if let key = lookup.runKey, let judged = judgement(key) { lookup.found(judged) }
            endPod(
                of: job, phase: "Succeeded",
                messages: [
                    ArtifactContainer.resolve: lookup.report.json.serialized()
                ])
            endJob(job["metadata", "name"]?.string ?? "", "Complete", reason: "")
            isAny = true
        }
        return isAny
    }

    /// A pod whose containers have all ended well, with these termination messages.
    mutating func endPod(of job: JSONValue, phase: String, messages: [String: String]) {
        let name = job["metadata", "name"]?.string ?? ""
        let spec = job["spec", "template", "spec"]
        func ended(_ container: JSONValue) -> JSONValue {
            let name = container["name"]?.string ?? ""
            return [
                "name": .string(name), "imageID": .string("registry.local/wine@\(Self.digest)"),
                "state": [
                    "terminated": [
                        "exitCode": 0, "message": .string(messages[name] ?? ""), "finishedAt": .string(now.description),
                    ]
                ],
            ]
        }
        objects[.pods, default: [:]]["\(name)-x"] = [
            "metadata": [
                "name": .string("\(name)-x"), "uid": .string("pod-\(name)"),
                "ownerReferences": [
                    [
                        "apiVersion": "batch/v1", "kind": "Job", "name": .string(name), "controller": true,
                        "uid": job["metadata", "uid"] ?? "",
                    ]
                ],
            ],
            "status": [
                "phase": .string(phase),
                "initContainerStatuses": .array((spec?["initContainers"]?.array ?? []).map(ended)),
                "containerStatuses": .array((spec?["containers"]?.array ?? []).map(ended)),
            ],
        ]
    }

    /// The steps whose Jobs have no end yet.
    var runningSteps: [String] { unfinished.compactMap { $0["metadata", "labels", Label.step]?.string }.sorted() }

    func jobName(of step: String) -> String? {
        unfinished.first { $0["metadata", "labels", Label.step]?.string == step }?["metadata", "name"]?.string
    }

    /// The step's container and ours end well.
    mutating func endStep(_ step: String, metrics: String = "", report: String? = nil, salt: String = "") {
        guard let name = jobName(of: step), let job = get(.jobs, name) else { return }
        let owner = job["metadata", "labels", Label.trainingJob]?.string ?? ""
        let outputs = (self.get(.trainingJobs, owner)?["spec", "steps"]?.array ?? []).first {
            $0["name"]?.string == step
        }?["outputs"]
        let sealed = (outputs?.array ?? []).compactMap(\.string).map {
            SealedArtifact(
                name: $0, digest: "sha256:" + ContentHash(of: [$0] + (salt.isEmpty ? [] : [salt])).hex, size: 1024)
        }
        let seal = arguments(job, ArtifactContainer.seal)
        func option(_ name: String) -> String? { seal.firstIndex(of: name).map { seal[$0 + 1] } }
        let record = StepRecord(
            outputs: sealed, metrics: metrics.isEmpty ? nil : metrics, run: option("--run"))
        if let key = option("--key") { store[key] = record }
        endPod(
            of: job, phase: "Succeeded",
            messages: ["main": metrics, ArtifactContainer.seal: report ?? record.json.serialized()])
        endJob(name, "Complete", reason: "")
    }

    mutating func finishStep(_ step: String, metrics: String = "", report: String? = nil, salt: String = "") throws {
        endStep(step, metrics: metrics, report: report, salt: salt)
        try settle()
    }

    mutating func failStep(_ step: String, message: String) throws {
        guard let name = jobName(of: step), let job = get(.jobs, name) else { return }
        objects[.pods, default: [:]]["\(name)-x"] = [
            "metadata": [
                "name": .string("\(name)-x"), "uid": .string("pod-\(name)"),
                "ownerReferences": [
                    [
                        "apiVersion": "batch/v1", "kind": "Job", "name": .string(name), "controller": true,
                        "uid": job["metadata", "uid"] ?? "",
                    ]
                ],
            ],
            "status": [
                "phase": "Failed",
                "initContainerStatuses": [
                    [
                        "name": "main", "imageID": "",
                        "state": ["terminated": ["exitCode": 1, "reason": "Error", "message": .string(message)]],
                    ]
                ],
            ],
        ]
        endJob(name, "Failed", reason: "BackoffLimitExceeded")
        try settle()
    }
}
