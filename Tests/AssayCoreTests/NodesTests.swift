import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// Steps of several nodes, and directories that attempts share.
@Suite struct NodesTests {
    /// One step of three nodes.
    private func training(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.checkpointClaims = ["scratch": .ofManyNodes]
        try world.create(
            .trainingJobs,
            try Sample.workflow {
                var step = Sample.step("train", outputs: ["model"])
                step["nodes"] = 3
                $0["spec", "steps"] = [step]
                change(&$0)
            })
        try world.settle()
        return world
    }

    private func change(_ object: inout JSONValue, _ edit: (inout JSONValue) -> Void) {
        var steps = object["spec", "steps"]?.array ?? []
        edit(&steps[0])
        object["spec", "steps"] = .array(steps)
    }

    private func environment(_ container: JSONValue?) -> [String: JSONValue] {
        Dictionary(
            (container?["env"]?.array ?? []).map {
                ($0["name"]?.string ?? "", $0["value"] ?? $0["valueFrom"] ?? .null)
            },
            uniquingKeysWith: { _, last in last })
    }

    private var status: (World) -> JSONValue? { { $0.trainingJob["status", "steps"]?[0] } }

    // MARK: What is made

    @Test func theJobIsIndexedAndItsPodsFindEachOther() throws {
        let world = try training()
        let job = try #require(world.stepJobs.first)
        let name = try #require(job["metadata", "name"]?.string)
        #expect(job["spec", "completionMode"] == "Indexed")
        #expect(job["spec", "completions"] == 3 && job["spec", "parallelism"] == 3)
        #expect(job["spec", "backoffLimit"] == 0)
        let service = try #require(world.all(.services).first)
        let serviceName = try #require(service["metadata", "name"]?.string)
        #expect(service["spec", "clusterIP"] == "None" && service["spec", "publishNotReadyAddresses"] == true)
        #expect(service["metadata", "ownerReferences"]?[0]?["uid"] == world.trainingJob["metadata", "uid"])
        let pod = job["spec", "template"]
        #expect(pod?["spec", "subdomain"]?.string == serviceName)
        for (key, value) in service["spec", "selector"]?.object ?? [:] {
            #expect(pod?["metadata", "labels"]?[key] == value)
        }
        let main = pod?["spec", "initContainers"]?.array?.last
        let told = environment(main)
        #expect(told["WORLD_SIZE"] == "3" && told["PET_NNODES"] == "3" && told["DMLC_NUM_WORKER"] == "3")
        #expect(told["MASTER_ADDR"]?.string == "\(name)-0.\(serviceName).ml.svc")
        #expect(told["MASTER_PORT"] == "29500" && told["PET_NPROC_PER_NODE"] == "1")
        #expect(
            told["RANK"]?["fieldRef", "fieldPath"] == "metadata.annotations['batch.kubernetes.io/job-completion-index']"
        )
        #expect(told["PET_NODE_RANK"] == "$(RANK)")
        let index = world.created.firstIndex { $0.hasPrefix("Service") }
        #expect(try #require(index) < (try #require(world.created.firstIndex(of: "Job \(name)"))))
    }

    /// No key goes with it: what the first pod has made counts only once all others have ended well too.
    @Test func theFirstPodSealsAndUnderNoKey() throws {
        let world = try training()
        let seal = world.arguments(try #require(world.stepJobs.first), ArtifactContainer.seal)
        #expect(seal.suffix(2) == ["--rank", "$(RANK)"])
        #expect(!seal.contains("--key"))
        #expect(status(world)?["key"] != nil || status(world)?["images"] != nil)
    }

    @Test func processesAreOneForEachAccelerator() throws {
        let world = try training {
            change(&$0) {
                $0["template", "spec", "containers"] = [
                    [
                        "name": "main", "image": "registry.local/wine:1.4",
                        "resources": ["limits": ["nvidia.com/gpu": "4", "cpu": "8"]],
                    ]
                ]
            }
        }
        let pod = world.stepJobs.first?["spec", "template", "spec"]
        #expect(environment(pod?["initContainers"]?.array?.last)["PET_NPROC_PER_NODE"] == "4")
    }

    @Test func checkpointsAreADirectoryOfTheRunsOwn() throws {
        let world = try training { change(&$0) { $0["checkpoint"] = ["claim": "scratch"] } }
        let pod = world.stepJobs.first?["spec", "template", "spec"]
        let main = pod?["initContainers"]?.array?.last
        let told = environment(main)
        let place = told["ASSAY_CHECKPOINT_DIR"]
        let mount = try #require(main?["volumeMounts"]?.array?.first { $0["mountPath"] == place })
        #expect(mount["subPath"]?.string == "checkpoints/\(told["ASSAY_RUN"]?.string ?? "")/train")
        let volume = pod?["volumes"]?.array?.first { $0["name"] == mount["name"] }
        #expect(volume?["persistentVolumeClaim", "claimName"] == "scratch")
        // Ours have no business there.
        for container in [pod?["containers"]?[0], pod?["initContainers"]?[0]] {
            #expect(container?["volumeMounts"]?.array?.contains { $0["mountPath"] == place } == false)
        }
    }

    // MARK: What keeps it from being made

    @Test func anOldServerIsNamedWithTheVersionThatIsNeeded() throws {
        var world = World()
        world.serverVersion = try version("20+")
        try world.create(
            .trainingJobs,
            try Sample.workflow { object in change(&object) { $0["nodes"] = 2 } })
        try world.settle()
        try world.finishStep("extract")
        try world.finishStep("prepare")
        let stalled = world.condition("Stalled", of: .trainingJobs)
        #expect(stalled?["reason"] == "ServerTooOld")
        #expect(
            stalled?["message"]?.string
                == "step train: spec.steps[0].nodes: the server is Kubernetes v1.20.2, which has no Indexed Jobs; 1.22 or "
                + "newer is needed")
        #expect(world.jobName(of: "train") == nil && world.all(.services).isEmpty)
        // After the upgrade it goes on.
        world.serverVersion = try version("22")
        try world.settle()
        #expect(world.runningSteps == ["train"])
    }

    private func version(_ minor: String) throws -> ServerVersion {
        try #require(ServerVersion(json: ["major": "1", "minor": .string(minor), "gitVersion": "v1.20.2"]))
    }

    @Test func aVolumeOfOneNodeIsRefusedByTheFieldThatNamesIt() throws {
        var world = World()
        world.claim = .ofOneNode
        let object = try Sample.workflow {
            var step = Sample.step("train", outputs: ["model"])
            step["nodes"] = 2
            step["checkpoint"] = ["claim": "scratch"]
            $0["spec", "steps"] = [step]
        }
        try world.create(.trainingJobs, object)
        try world.settle()
        var stalled = world.condition("Stalled", of: .trainingJobs)
        #expect(stalled?["reason"] == "ClaimOfOneNode")
        #expect(stalled?["message"]?.string?.contains("spec.artifactStore.uri: ") == true)
        world.claim = .ofManyNodes
        world.checkpointClaims = ["scratch": .ofOneNode]
        try world.settle()
        stalled = world.condition("Stalled", of: .trainingJobs)
        #expect(stalled?["message"]?.string?.contains("spec.steps[0].checkpoint.claim: ") == true)
        #expect(world.stepJobs.isEmpty)
        world.checkpointClaims = ["scratch": .missing("scratch")]
        try world.settle()
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "ClaimMissing")
        world.checkpointClaims = ["scratch": .ofManyNodes]
        try world.settle()
        #expect(world.runningSteps == ["train"])
    }

    @Test func stepsWithOneCheckpointVolumeOfOneNodeTakeTurns() throws {
        var world = World()
        world.checkpointClaims = ["scratch": .ofOneNode]
        try world.create(
            .trainingJobs,
            try Sample.workflow {
                $0["spec", "steps"] = .array(
                    ["a", "b", "c"].map {
                        var step = Sample.step($0, outputs: ["of-\($0)"])
                        if $0 != "c" { step["checkpoint"] = ["claim": "scratch"] }
                        return step
                    })
            })
        try world.settle()
        #expect(world.runningSteps == ["a", "c"])
        try world.finishStep("a")
        #expect(world.runningSteps == ["b", "c"])
    }

    @Test(
        arguments: [
            ("nodes", 0, "spec.steps[0].nodes"), ("nodes", 1001, "spec.steps[0].nodes"),
            ("checkpoint", ["claim": "A_b"], "spec.steps[0].checkpoint.claim"),
            (
                "template", ["spec": ["hostname": "a", "containers": [["name": "m", "image": "i"]]]],
                "spec.steps[0].template.spec.hostname"
            ),
        ] as [(String, JSONValue, String)])
    func whatCannotBeIsRefused(_ field: String, _ value: JSONValue, _ path: String) throws {
        let object = try Sample.workflow { object in
            change(&object) {
                $0["nodes"] = 2
                $0[.init(field)] = value
            }
        }
        #expect(try TrainingJob(json: object).problems.map(\.path) == [path])
    }

    // MARK: Attempts

    @Test func theResultIsThatOfTheFirstPod() throws {
        var world = try training()
        try world.endNodes("train", ended: [2, 0, 1])
        let step = status(world)
        #expect(step?["phase"] == "Succeeded")
        #expect(step?["outputs"]?[0]?["name"] == "model")
        #expect(step?["attempts"]?[0]?["pod"]?.string?.hasSuffix("-0-x") == true)
        #expect(try world.settle() == 0)
    }

    @Test func anyPodThatFailsEndsTheAttemptAndAnotherBegins() throws {
        var world = try training { $0["spec", "backoffLimit"] = 1 }
        let first = try #require(world.jobName(of: "train"))
        try world.endNodes("train", ended: [0], failed: 2)
        #expect(world.runningSteps == [])
        let told = world.condition("Reconciling", of: .trainingJobs)
        #expect(told?["reason"] == "AttemptFailed")
        #expect(told?["message"]?.string?.contains("attempt 1 of 2 failed: rank 2: ") == true)
        #expect(world.trainingJob["status", "phase"] == "Pending")
        world.now = world.now + .seconds(10)
        try world.settle()
        let second = try #require(world.jobName(of: "train"))
        #expect(first != second && world.all(.services).count == 1)
        try world.endNodes("train", failed: 1)
        #expect(world.trainingJob["status", "phase"] == "Failed")
        #expect(status(world)?["attempts"]?.array?.map { $0["outcome"] } == ["Failed", "Failed"])
        #expect(world.condition("Failed", of: .trainingJobs)?["message"]?.string?.contains("rank 1: ") == true)
        world.now = world.now + .seconds(1000)
        #expect(try world.settle() == 0)
        #expect(world.stepJobs.count == 2)
    }

    /// The pause doubles as between the pods of a Job.
    @Test func attemptsAreAsManyAsAJobsPods() throws {
        var world = try training()
        var pauses: [Int] = []
        for _ in 0..<6 {
            try world.endNodes("train", failed: 0)
            var waited = 0
            while world.runningSteps.isEmpty {
                world.now = world.now + .seconds(10)
                waited += 10
                try world.settle()
            }
            pauses.append(waited)
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320])
        try world.endNodes("train", failed: 0)
        #expect(world.trainingJob["status", "phase"] == "Failed")
    }

    @Test func whatAPolicyFailsIsNotTriedAgain() throws {
        var world = try training()
        try world.endNodes("train", failed: 1, reason: "PodFailurePolicy")
        #expect(world.trainingJob["status", "phase"] == "Failed")
    }

    /// All attempts together have the time that one Job would have.
    @Test func theDeadlineIsOfAllAttempts() throws {
        var world = try training { $0["spec", "activeDeadlineSeconds"] = 100 }
        #expect(world.stepJobs.last?["spec", "activeDeadlineSeconds"] == 100)
        let name = try #require(world.jobName(of: "train"))
        let start = world.now.description
        world.update(.jobs, name) { $0["status", "startTime"] = .string(start) }
        try world.settle()
        world.now = world.now + .seconds(70)
        try world.endNodes("train", failed: 1)
        world.now = world.now + .seconds(10)
        try world.settle()
        let second = try #require(world.jobName(of: "train"))
        #expect(world.get(.jobs, second)?["spec", "activeDeadlineSeconds"] == 30)
    }

    /// Whoever still writes a checkpoint must have gone.
    @Test func anAttemptWaitsForThePodsOfTheLastOne() throws {
        var world = try training()
        try world.endNodes("train", failed: 1, running: 2)
        world.now = world.now + .seconds(60)
        try world.settle()
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "WaitingForPods")
        #expect(world.runningSteps == [])
        for name in (world.objects[.pods] ?? [:]).keys where name.hasSuffix("-2-x") { world.remove(.pods, name) }
        try world.settle()
        #expect(world.runningSteps == ["train"])
    }

    /// The other steps' failure lets no attempt begin.
    @Test func noAttemptBeginsOnceAnotherStepHasFailed() throws {
        var world = try training {
            var steps = $0["spec", "steps"]?.array ?? []
            steps.append(Sample.step("other", outputs: ["more"]))
            $0["spec", "steps"] = .array(steps)
        }
        try world.endNodes("train", failed: 1)
        try world.failStep("other", message: "broken")
        world.now = world.now + .seconds(60)
        try world.settle()
        #expect(world.trainingJob["status", "phase"] == "Failed")
        #expect(world.runningSteps == [])
    }

    @Test func aServiceOfSomebodyElsesIsLeft() throws {
        var world = World()
        let object = try Sample.workflow {
            var step = Sample.step("train", outputs: ["model"])
            step["nodes"] = 2
            $0["spec", "steps"] = [step]
        }
        try world.create(.trainingJobs, object)
        let job = try #require(try world.trainingJob("wine"))
        let name = try #require(TrainingJobPlan.serviceNames(of: job).first)
        try world.create(.services, ["metadata": ["name": .string(name)], "spec": [:]])
        try world.settle()
        #expect(world.condition("Reconciling", of: .trainingJobs)?["reason"] == "NameTaken")
        #expect(world.runningSteps == [])
    }

    @Test func howManyRunIsTold() throws {
        var world = try training()
        let name = try #require(world.jobName(of: "train"))
        let job = try #require(world.get(.jobs, name))
        for index in 0..<2 { world.addNode(index, of: job, "Running") }
        try world.settle()
        let message = world.condition("Reconciling", of: .trainingJobs)?["message"]?.string
        #expect(message == "step train: the Job \(name) runs on 2 of 3 nodes")
    }

    /// The number of nodes makes another result; where an attempt goes on from does not.
    @Test func nodesAreOfTheKeyAndCheckpointsAreNot() throws {
        func recipe(_ edit: (inout JSONValue) -> Void) throws -> String {
            let object = try Sample.workflow { object in change(&object, edit) }
            let spec = try #require(try TrainingJob(json: object).spec.value)
            return StepKey.recipe(of: spec.steps[0], in: spec, references: [])
        }
        let plain = try recipe { _ in }
        #expect(try recipe { $0["nodes"] = 2 } != plain)
        #expect(try recipe { $0["checkpoint"] = ["claim": "scratch"] } == plain)
    }
}

extension World {
    /// A pod of an Indexed Job.
    mutating func addNode(_ index: Int, of job: JSONValue, _ phase: String, exitCode: Int = 0, message: String = "") {
        let name = job["metadata", "name"]?.string ?? ""
        endPod(of: job, phase: phase, messages: [ArtifactContainer.seal: index == 0 ? message : ""])
        guard var pod = objects[.pods]?.removeValue(forKey: "\(name)-x") else { return }
        pod["metadata", "name"] = .string("\(name)-\(index)-x")
        pod["metadata", "uid"] = .string("pod-\(name)-\(index)")
        pod["metadata", "annotations", Label.completionIndex] = .string(String(index))
        if phase == "Failed" {
            pod["status", "containerStatuses"] = nil
            pod["status", "initContainerStatuses"] = [
                ["name": "main", "state": ["terminated": ["exitCode": JSONValue(exitCode), "reason": "Error"]]]
            ]
        }
        objects[.pods, default: [:]]["\(name)-\(index)-x"] = pod
    }

    /// Ends the Job of a step: all its pods have ended well, or one has failed.
    mutating func endNodes(
        _ step: String, ended: [Int] = [], failed: Int? = nil, running: Int? = nil,
        reason: String = "BackoffLimitExceeded"
    ) throws {
        guard let name = jobName(of: step), let job = get(.jobs, name) else { return }
        let sealed = [SealedArtifact(name: "model", digest: "sha256:" + ContentHash(of: ["model"]).hex, size: 1)]
        let record = StepRecord(outputs: sealed, metrics: nil, run: "run")
        for index in ended { addNode(index, of: job, "Succeeded", message: record.json.serialized()) }
        if let running { addNode(running, of: job, "Running") }
        if let failed { addNode(failed, of: job, "Failed", exitCode: 1) }
        endJob(name, failed == nil ? "Complete" : "Failed", reason: failed == nil ? "" : reason)
        try settle()
    }
}
