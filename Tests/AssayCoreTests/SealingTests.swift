import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// Models that were made elsewhere, and judged runs that are found again.
@Suite struct SealingTests {
    private static let tag = "registry.local/wine:1.4"
    private static let digest = "sha256:" + String(repeating: "ef56", count: 16)

    private func model(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        try Sample.model { object in
            let training = try? Sample.workflow()["spec"]
            object["spec", "training", "template", "spec"] = training ?? .null
            object["spec", "serving", "artifacts"] = ["model", "scaler"]
            change(&object)
        }
    }

    /// One that was made elsewhere.
    private func given(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        try model { object in
            object["spec", "training"] = nil
            object["spec", "artifact"] = ["uri": .string("oci://registry.local/team/wine@\(Self.digest)")]
            object["spec", "serving", "artifacts"] = ["model"]
            object["spec", "serving", "template", "spec", "containers"] = [
                ["name": "server", "image": .string("registry.local/server@\(World.digest)")]
            ]
            change(&object)
        }
    }

    private func serving(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.registry = [Self.tag: World.digest]
        try world.create(.mlModels, try model(change))
        try world.settle()
        try world.finishWorkflow()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        return world
    }

    private var sealed: ImportReport {
        get throws {
            let world = try serving()
            let record = try #require(world.records.values.first)
            return ImportReport(record, digest: Self.digest, artifacts: record.artifacts)
        }
    }

    // MARK: Sealing

    @Test func aJudgedRunIsSealedOnce() throws {
        var world = try serving()
        let record = world.status["runs"]?[0]?["record"]
        let digest = try #require(record?["digest"]?.string)
        let kept = try #require(world.records.values.first)
        #expect(World.digest(of: kept) == digest)
        #expect(kept.artifacts.map(\.name).sorted() == ["features", "holdout", "model", "rows", "scaler"])
        #expect(kept.metrics.first?.value == .finite(0.97))
        #expect(kept.judgement == .passed)
        #expect(kept.verdicts.map(\.passed) == [true])
        #expect(kept.parameters == ["learningRate": "0.1"])
        #expect(kept.images.allSatisfy { $0.digest == World.digest })
        #expect(try world.settle() == 0)
        #expect(world.created.filter { $0.contains("record-1") }.count == 1)
        // Its Job is gone; nothing is written again.
        for job in world.all(.jobs) { world.remove(.jobs, job["metadata", "name"]?.string ?? "") }
        #expect(try world.settle() == 0)
    }

    @Test func anotherJudgementIsSealedToo() throws {
        var world = try serving()
        let before = world.status["runs"]?[0]?["record", "digest"]
        world.change {
            $0["spec", "validation", "thresholds"] = [
                ["metric": "accuracy", "direction": "Maximize", "threshold": 0.99]
            ]
        }
        try world.settle()
        let record = world.status["runs"]?[0]?["record"]
        #expect(record?["digest"] != before)
        #expect(record?["validationHash"] == world.status["runs"]?[0]?["validationHash"])
        #expect(world.records.count == 1, "the tag is the run's")
        #expect(world.records.values.first?.judgement == .refused)
    }

    /// Another training is asked for while the record of the last one is being written.
    @Test func aRecordIsKnownWhateverIsAskedForMeanwhile() throws {
        var world = World()
        world.registry = [Self.tag: World.digest]
        world.answersSealing = false
        try world.create(.mlModels, try model())
        try world.settle()
        try world.finishWorkflow()
        world.makeDeploymentsAvailable()
        try world.settle()
        world.change { $0["spec", "training", "template", "spec", "parameters", "learningRate"] = "0.2" }
        try world.settle()
        world.answersSealing = true
        try world.settle()
        #expect(world.status["runs"]?.array?.count == 2)
        #expect(world.status["runs"]?[0]?["record", "digest"] != nil)
    }

    @Test func whatCannotBeSealedServesAndIsTold() throws {
        var world = World()
        world.registry = [Self.tag: World.digest]
        world.answersSealing = false
        try world.create(.mlModels, try model())
        try world.settle()
        try world.finishWorkflow()
        world.makeDeploymentsAvailable()
        try world.settle()
        let job = try #require(
            world.all(.jobs).compactMap { $0["metadata", "name"]?.string }.first { $0.contains("record-1") })
        world.endJob(job, "Failed", reason: "BackoffLimitExceeded")
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[0]?["record", "message"] != nil)
        #expect(world.events.contains { $0.reason == "NotSealed" })
        // Asked to, it tries again.
        world.answersSealing = true
        world.change { $0["metadata", "annotations", Label.requestedAt] = "now" }
        try world.settle()
        #expect(world.status["runs"]?[0]?["record", "digest"] != nil)
    }

    @Test func aRecordThatIsTooLongIsToldAndOneThatJustFitsLeavesOutWhatIsThere() throws {
        let world = try serving()
        var run = try #require(try world.model()?.status.value?.runs.first)
        let name = try #require(world.all(.trainingJobs).first?["metadata", "name"]?.string)
        var training = try #require(try world.trainingJob(name)?.status.value)
        let whole = RecordRequest(run, training: training)
        #expect(whole.steps.count == 4)
        for index in training.steps.indices {
            training.steps[index].outputs = (0..<400).map {
                SealedArtifact(name: "a\($0)", digest: Self.digest, size: 1)
            }
        }
        let cut = RecordRequest(run, training: training)
        #expect(cut.steps.isEmpty && cut.tag == whole.tag && cut.size <= RecordRequest.longest)
        run.parameters = Dictionary(
            uniqueKeysWithValues: (0..<130).map { ("p\($0)", String(repeating: "x", count: 1024)) })
        #expect(RecordRequest(run, training: nil).size > RecordRequest.longest)
    }

    /// Nothing else waits for it, and no condition is of it.
    @Test func aServerThatTakesNoJobKeepsNothingFromBeingServed() throws {
        for code in [403, 422] {
            var world = World()
            world.registry = [Self.tag: World.digest]
            world.refusesRecords = ActionFailure(
                operation: "create \(ResourceType.jobs) ml/x", code: code, message: "exceeded quota")
            try world.create(.mlModels, try model())
            try world.settle()
            try world.finishWorkflow()
            world.makeDeploymentsAvailable()
            try world.settle()
            #expect(world.status["phase"] == "Serving")
            #expect(world.condition("Stalled") == nil && world.condition("Reconciling") == nil)
            let message = world.status["runs"]?[0]?["record", "message"]?.string
            #expect(message?.contains("exceeded quota") == true)
            #expect(world.events.filter { $0.reason == "NotSealed" }.count == 1)
            #expect(try world.settle() == 0)
        }
    }

    /// Wherever the operator dies, the end is the same, and nothing is made twice.
    @Test(arguments: [true, false]) func aCrashBeforeAnyWriteChangesNothingOfTheEnd(_ isGiven: Bool) throws {
        let sealed = try sealed
        func end(crashAt: Int?) throws -> (World, Int) {
            var world = World()
            var writes = 0
            world.registry = [Self.tag: World.digest]
            world.elsewhere = [Self.digest: sealed]
            try world.create(.mlModels, isGiven ? try given() : try model())
            for step in ["", "extract", "prepare", "train", "evaluate", "served"] {
                if !isGiven, !step.isEmpty {
                    world.endStep(step, metrics: step == "evaluate" ? #"{"accuracy": 0.97}"# : "")
                }
                if step == "served" { world.makeDeploymentsAvailable() }
                var isQuiet = false
                while !isQuiet {
                    isQuiet = true
                    for type in [ResourceType.mlModels, .trainingJobs] {
                        for name in (world.objects[type] ?? [:]).keys.sorted() {
                            let plan =
                                type == .mlModels ? try world.plan(model: name) : try world.plan(trainingJob: name)
                            guard !plan.isEmpty else { continue }
                            isQuiet = false
                            let count = plan.actions.count + (plan.status == nil ? 0 : 1)
                            let limit =
                                crashAt.map { (writes..<writes + count).contains($0) ? $0 - writes : .max } ?? .max
                            try world.execute(plan, for: type, name, limit: limit)
                            writes += count
                        }
                    }
                    if world.answerLookups() || world.answerSealing() { isQuiet = false }
                }
            }
            return (world, writes)
        }
        let (reference, writes) = try end(crashAt: nil)
        #expect(reference.status["phase"] == "Serving")
        #expect(reference.status["runs"]?[0]?["record", "digest"] != nil)
        for write in 0..<writes {
            let (world, _) = try end(crashAt: write)
            #expect(world.created.sorted() == reference.created.sorted(), "crash at \(write)")
            #expect(world.status["runs"]?[0]?["record"] == reference.status["runs"]?[0]?["record"], "crash at \(write)")
            #expect(world.status["phase"] == "Serving", "crash at \(write)")
        }
    }

    @Test func whatHasNoArtifactsIsNotSealed() throws {
        let world = try World.model(at: .serving)
        #expect(world.status["runs"]?[0]?["record"] == nil)
    }

    // MARK: Finding again

    private func restored(
        _ world: World, _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = world
        world.remove(.mlModels, "wine")
        #expect(world.all(.trainingJobs).isEmpty)
        try world.create(.mlModels, try model(change))
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        return world
    }

    @Test func aModelWithoutStatusServesAgainWithoutTraining() throws {
        let before = try serving()
        let count = before.created.filter { $0.hasPrefix("Job ") && $0.contains("-train-") }.count
        var world = try restored(before)
        #expect(world.status["phase"] == "Serving")
        #expect(world.stepJobs.isEmpty)
        #expect(world.created.filter { $0.hasPrefix("Job ") && $0.contains("-train-") }.count == count)
        #expect(world.status["revision"] == before.status["revision"])
        #expect(world.status["runs"]?[0]?["record", "digest"] == before.status["runs"]?[0]?["record", "digest"])
        #expect(world.status["runs"]?[0]?["metrics"] == before.status["runs"]?[0]?["metrics"])
        #expect(try world.settle() == 0)
    }

    /// A rule against what serves could say nothing once nothing serves; it was passed before.
    @Test func whatHasPassedAgainstAnotherPassesAgain() throws {
        var world = try serving()
        let rules: JSONValue = [
            ["metric": "accuracy", "direction": "Maximize", "minAbsoluteChange": 0.0]
        ]
        func stricter(_ object: inout JSONValue) {
            object["spec", "validation", "thresholds"] = rules
            object["spec", "training", "template", "spec", "parameters", "learningRate"] = "0.2"
        }
        world.change(stricter)
        try world.settle()
        try world.finishStep("train", salt: "0.2")
        try world.finishStep("evaluate", metrics: #"{"accuracy": 0.98}"#)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["runs"]?[1]?["judgement"] == "Passed")
        #expect(try restored(world, stricter).status["phase"] == "Serving")
        // Without the record, the rule has nothing to compare with.
        var forgetful = world
        forgetful.records = [:]
        #expect(try restored(forgetful, stricter).status["phase"] == "Refused")
        // By another rule it is judged anew.
        let other = try restored(world) { object in
            stricter(&object)
            object["spec", "validation", "thresholds"] = [
                ["metric": "accuracy", "direction": "Maximize", "threshold": 0.985]
            ]
        }
        #expect(other.status["phase"] == "Refused")
    }

    // MARK: Bringing

    @Test func aPlainArtifactServesWhereNoGateIsAskedFor() throws {
        var world = World()
        world.elsewhere = [
            Self.digest: ImportReport(model: SealedArtifact(name: "model", digest: Self.digest, size: 7))
        ]
        try world.create(
            .mlModels, try given { $0["spec", "validation"] = ["gate": "None"] })
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[0]?["trigger"] == "Created")
        let job = try #require(world.all(.jobs).first { $0.serialized().contains("assay-import") })
        let words = world.arguments(job, ArtifactContainer.importing)
        #expect(words.starts(with: ["assay", "artifact", "import", "--store", "oci://registry.local/team/wine"]))
        let text = try #require(world.all(.deployments).first).serialized()
        #expect(text.contains("model=\(Self.digest)") && text.contains("oci://registry.local/team/wine"))
        #expect(try world.settle() == 0)
    }

    @Test func aPlainArtifactPassesNoThreshold() throws {
        var world = World()
        world.elsewhere = [
            Self.digest: ImportReport(model: SealedArtifact(name: "model", digest: Self.digest, size: 7))
        ]
        try world.create(.mlModels, try given())
        try world.settle()
        #expect(world.status["phase"] == "Refused")
        #expect(world.all(.deployments).isEmpty)
        #expect(world.condition("Validated")?["message"]?.string?.contains("brings no metrics") == true)
    }

    @Test func aSealedRevisionIsJudgedByWhatItHasShown() throws {
        let sealed = try sealed
        for (bound, phase) in [(0.93, "Serving"), (0.99, "Refused")] {
            var world = World()
            world.elsewhere = [Self.digest: sealed]
            world.defaultStore = .store(ArtifactStoreSpec(uri: "oci://copy.local/wine"))
            try world.create(
                .mlModels,
                try given {
                    $0["spec", "artifact"] = ["digest": .string(Self.digest)]
                    $0["spec", "serving", "artifacts"] = ["model", "scaler"]
                    $0["spec", "validation", "thresholds"] = [
                        ["metric": "accuracy", "direction": "Maximize", "threshold": .number(bound)]
                    ]
                })
            try world.settle()
            world.makeDeploymentsAvailable()
            try world.settle()
            #expect(world.status["phase"]?.string == phase)
            #expect(world.stepJobs.isEmpty)
            let run = world.status["runs"]?[0]
            #expect(run?["artifactStore", "uri"] == "oci://copy.local/wine")
            #expect(run?["parameters", "learningRate"] == "0.1")
            // What was said of it is what was said: no other record is made of it.
            #expect((run?["record", "digest"]?.string == Self.digest) == (phase == "Serving"))
        }
    }

    @Test func whatWasNotCopiedIsNamed() throws {
        var world = World()
        world.elsewhere = [
            Self.digest: ImportReport(model: SealedArtifact(name: "model", digest: Self.digest, size: 7))
        ]
        try world.create(
            .mlModels,
            try given {
                $0["spec", "validation"] = ["gate": "None"]
                $0["spec", "serving", "artifacts"] = ["model", "scaler"]
            })
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "ArtifactMissing")
        #expect(
            world.condition("Stalled")?["message"]?.string?.hasPrefix(
                "spec.serving.artifacts[1]: there is no scaler in spec.artifact; there is model.") == true)
    }

    @Test func withoutAStoreItWaitsAndSaysWhatToDo() throws {
        var world = World()
        world.elsewhere = [Self.digest: try sealed]
        try world.create(.mlModels, try given { $0["spec", "artifact"] = ["digest": .string(Self.digest)] })
        try world.settle()
        #expect(
            world.condition("Reconciling")?["message"]?.string?.contains("spec.artifact: names no store") == true,
            "\(world.status)")
        world.defaultStore = .store(ArtifactStoreSpec(uri: "oci://copy.local/wine"))
        try world.settle()
        #expect(world.all(.deployments).count == 1)
    }

    @Test func aWrongDigestFailsAndSaysSo() throws {
        var world = World()
        try world.create(.mlModels, try given())
        try world.settle()
        let job = try #require(world.all(.jobs).first?["metadata", "name"]?.string)
        world.endJob(job, "Failed", reason: "PodFailurePolicy")
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "TrainingFailed")
        #expect(world.all(.deployments).isEmpty)
    }

    @Test func anotherArtifactIsAnotherRun() throws {
        var world = World()
        let other = World.digest
        for digest in [Self.digest, other] {
            world.elsewhere[digest] = ImportReport(model: SealedArtifact(name: "model", digest: digest, size: 7))
        }
        try world.create(.mlModels, try given { $0["spec", "validation"] = ["gate": "None"] })
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        world.change { $0["spec", "artifact", "uri"] = .string("oci://registry.local/team/wine@\(other)") }
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["runs"]?[1]?["trigger"] == "ArtifactChanged")
        #expect(world.status["revisions"]?[1]?["state"] == "Serving")
    }

    /// What it says is to stand in a status, which has bounds and rules of its own.
    @Test func aPodThatSaysNonsenseIsNoImport() throws {
        let good = try sealed.json
        #expect(ImportReport(message: good.serialized()) != nil)
        func edited(_ edit: (inout JSONValue) -> Void) -> String {
            var report = good
            edit(&report)
            return report.serialized()
        }
        let long = JSONValue.string(String(repeating: "x", count: 1100))
        let nonsense = [
            "", "{}x", "{}", edited { $0["artifacts"] = nil },
            edited { $0["artifacts"] = [["name": "../model", "digest": .string(Self.digest), "size": 1]] },
            edited { $0["artifacts"] = [["name": "model", "digest": "md5:1", "size": 1]] },
            edited { $0["metrics"] = [["name": long, "split": "holdout", "value": "1"]] },
            edited { $0["metrics"] = [["name": "a", "split": "holdout", "value": "1", "step": long]] },
            edited {
                $0["metrics"] = .array((0..<65).map { ["name": .string("m\($0)"), "split": "holdout", "value": "1"] })
            },
            edited { $0["images"] = [["container": "a", "image": long]] },
            edited { $0["images"] = [["container": "a", "image": "b", "digest": "latest"]] },
            edited { $0["parameters"] = ["9": "x"] }, edited { $0["parameters"] = ["a": long] },
            edited { $0["run"] = long }, edited { $0["metricsMessage"] = long },
            edited { $0["judgement", "digest"] = "none" }, edited { $0["judgement", "validationHash"] = long },
            edited { $0["judgement", "judgement"] = "Good" },
            edited {
                $0["judgement", "verdicts"] = [
                    [
                        "metric": long, "rule": "threshold", "split": "holdout", "bound": "1",
                        "evidence": "SelfReported",
                        "passed": true, "why": "",
                    ]
                ]
            },
        ]
        for text in nonsense { #expect(ImportReport(message: text) == nil, "\(text.prefix(300))") }
        // What is found in a store is not believed either.
        let found =
            #"{"images": {}, "steps": {}, "judgement": \#(edited { $0 = $0["judgement"] ?? .null; $0["digest"] = "none" })}"#
        #expect(LookupReport(message: found) != nil)
        #expect(LookupReport(message: found)?.judgement == nil)
    }

    @Test func aReportHasRoomForWhatJudgesLast() throws {
        var record = try #require(try serving().records.values.first)
        record.parameters = Dictionary(
            uniqueKeysWithValues: (0..<8).map { ("p\($0)", String(repeating: "x", count: 500)) })
        let report = ImportReport(record, digest: Self.digest, artifacts: record.artifacts)
        #expect(report.json.serializedBytes().count <= ImportReport.longest)
        #expect(report.parameters.isEmpty)
        #expect(report.metrics == record.metrics)
        #expect(report.judgement?.judgement == .passed)
        record.metrics = (0..<64).map { Metric(name: String(repeating: "m", count: 55) + "\($0)", value: .finite(0.5)) }
        let cut = ImportReport(record, digest: Self.digest, artifacts: record.artifacts)
        #expect(cut.json.serializedBytes().count <= ImportReport.longest)
        #expect(cut.metrics.isEmpty && cut.judgement == nil)
        #expect(cut.metricsMessage?.contains("more metrics than there is room for") == true)
    }

    // MARK: Rules

    private static let mistakes: [(JSONValue, String)] = [
        ([:], "spec.artifact: give either uri"),
        (["uri": .string("oci://a.b/c@\(digest)"), "digest": .string(digest)], "spec.artifact: give either uri"),
        (["uri": "oci://a.b/c:tag"], "spec.artifact.uri: names no digest"),
        (["uri": "oci://a.b/c@sha256:1"], "spec.artifact.uri: \"sha256:1\" is no sha256:"),
        (["uri": .string("file:///srv@\(digest)")], "spec.artifact.uri: a directory of a node is no store"),
        (["uri": .string("pvc://Models@\(digest)")], "spec.artifact.uri: \"Models\" is no name"),
        (["digest": "latest"], "spec.artifact.digest: \"latest\" is no sha256:"),
        (["digest": .string(digest), "secretRef": ["name": "x"]], "spec.artifact.secretRef: goes with a uri"),
        (["digest": .string(digest), "name": "My"], "spec.artifact.name: must be 1 to 63"),
    ]

    @Test(arguments: mistakes.indices) func aMistakeIsNamed(_ index: Int) throws {
        let (artifact, words) = Self.mistakes[index]
        let problems = try MLModel(json: try given { $0["spec", "artifact"] = artifact }).problems.map(\.description)
        #expect(problems.count == 1 && problems[0].hasPrefix(words), "\(problems)")
    }

    @Test func theseStand() throws {
        for uri in ["oci://a.b/c", "s3://models/c", "pvc://models/c", "pvc://models"] {
            let model = try MLModel(
                json: try given { $0["spec", "artifact"] = ["uri": .string("\(uri)@\(Self.digest)")] })
            #expect(model.problems == [], "\(uri)")
        }
    }

    @Test func itIsTrainedOrWasMadeElsewhere() throws {
        func problems(_ change: (inout JSONValue) -> Void) throws -> [String] {
            try MLModel(json: try given(change)).problems.map(\.description)
        }
        #expect(try problems { $0["spec", "artifact"] = nil }.first == "spec: give either training or artifact")
        let workflow = try Sample.workflow()["spec"] ?? .null
        #expect(
            try problems { $0["spec", "training", "template", "spec"] = workflow }.first
                == "spec: give either training or artifact")
        #expect(
            try problems { $0["spec", "serving", "imageFrom"] = [["container": "server"]] }.contains {
                $0.hasPrefix("spec.serving.imageFrom: nothing is trained here")
            })
        #expect(
            try problems { $0["spec", "serving", "artifacts"] = ["model", "model"] }
                == ["spec.serving.artifacts[1]: model is there twice"])
    }

    @Test func whatATrainingIsToldHasNoMeaningBesideAnArtifact() throws {
        let job = try TrainingJob(
            json: try Sample.workflow { $0["spec", "artifact"] = ["digest": .string(Self.digest)] })
        #expect(
            job.problems.map(\.path) == [
                "spec.steps", "spec.artifactStore", "spec.parameters", "spec.seed",
            ])
        let alone = try TrainingJob(
            json: try Sample.workflow { $0["spec"] = ["artifact": ["digest": .string(Self.digest)]] })
        #expect(alone.problems == [])
    }
}

extension World {
    static func digest(of record: RevisionRecord) -> String { "sha256:" + ContentHash(of: record.json).hex }

    func judgement(_ tag: String) -> SealedJudgement? {
        records[tag].flatMap { $0.judged(digest: Self.digest(of: $0)) }
    }

    /// Ends what writes records and what reads artifacts. False where there is none of it.
    mutating func answerSealing() -> Bool {
        var isAny = false
        for job in unfinished {
            let words = arguments(job, ArtifactContainer.record)
            let read = arguments(job, ArtifactContainer.importing)
            var answer: (container: String, message: String)?
            if let index = words.firstIndex(of: "--request"), let json = try? JSONValue(parsing: words[index + 1]),
                let request = try? RecordRequest(json: JSONCursor(json))
            {
                records[request.tag] = request.record
                store.merge(request.steps) { _, new in new }
                answer = (ArtifactContainer.record, Self.digest(of: request.record))
            } else if let index = read.firstIndex(of: "--digest"), let report = elsewhere[read[index + 1]] {
                answer = (ArtifactContainer.importing, report.json.serialized())
            }
            guard let answer else { continue }
            endPod(of: job, phase: "Succeeded", messages: [answer.container: answer.message])
            endJob(job["metadata", "name"]?.string ?? "", "Complete", reason: "")
            isAny = true
        }
        return isAny
    }
}
