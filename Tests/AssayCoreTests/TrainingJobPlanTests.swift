import AssayCore
import JSON
import KubernetesModel
import Testing

@Suite struct TrainingJobPlanTests {
    private func world(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        try world.create(.trainingJobs, try Sample.trainingJob(change))
        try world.settle()
        return world
    }

    private func status(_ world: World) -> JSONValue { world.get(.trainingJobs, "wine")?["status"] ?? [:] }

    private func condition(_ type: String, _ world: World) -> JSONValue? {
        world.condition(type, of: .trainingJobs)
    }

    @Test func oneJobIsMadeWithTheContractInEveryContainer() throws {
        let world = try world {
            $0["spec", "template", "spec", "initContainers"] = [
                ["name": "fetch", "image": "x", "terminationMessagePath": "/tmp/end"]
            ]
        }
        let job = try #require(world.all(.jobs).first)
        let name = try #require(job["metadata", "name"])
        let owner = job["metadata", "ownerReferences"]?[0]
        #expect(owner?["kind"] == "TrainingJob")
        #expect(owner?["controller"] == true)
        #expect(job["metadata", "labels", "app.kubernetes.io/managed-by"] == "assay")
        let pod = job["spec", "template"] ?? [:]
        #expect(pod["metadata", "labels", "app.kubernetes.io/managed-by"] == "assay")
        #expect(pod["metadata", "annotations", "kubectl.kubernetes.io/default-container"] == "train")
        #expect(pod["spec", "restartPolicy"] == "Never")
        #expect(pod["spec", "automountServiceAccountToken"] == false)
        let common: [JSONValue] = [
            ["name": "ASSAY_RUN", "value": name], ["name": "ASSAY_PARAM_LEARNINGRATE", "value": "0.1"],
            ["name": "ASSAY_SEED", "value": "42"],
        ]
        let train = pod["spec", "containers"]?[0]
        #expect(
            train?["env"]?.array == common + [["name": "ASSAY_METRICS_FILE", "value": "/dev/termination-log"]])
        #expect(train?["terminationMessagePolicy"] == "FallbackToLogsOnError")
        let fetch = pod["spec", "initContainers"]?[0]
        #expect(fetch?["env"]?.array == common + [["name": "ASSAY_METRICS_FILE", "value": "/tmp/end"]])
    }

    @Test func theResultOfThePodThatSucceededIsRecorded() throws {
        var world = try world()
        world.succeedJob(#"{"accuracy": 0.97, "loss": NaN}"#)
        try world.settle()
        #expect(status(world)["phase"] == "Succeeded")
        #expect(status(world)["metrics"]?[0] == ["name": "accuracy", "split": "holdout", "value": "0.97"])
        #expect(status(world)["metrics"]?[1] == ["name": "loss", "split": "holdout", "value": "NaN"])
        #expect(status(world)["images"]?[0]?["digest"]?.string == World.digest)
        #expect(status(world)["run"] == world.all(.jobs).first?["metadata", "name"])
        #expect(status(world)["seed"] == 42)
        #expect(condition("Complete", world)?["status"] == "True")
        #expect(condition("Ready", world)?["status"] == "True")
        #expect(status(world)["attempts"]?[0]?["podUID"] != nil)
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        var exitCode = 1
        var reason = "Error"
        var message = ""
        var ofJob = "BackoffLimitExceeded"
        var expected: String
        var says: String
        var testDescription: String { expected }
    }

    static let failures: [Failure] = [
        .init(
            exitCode: 3, message: "ValueError: no rows", expected: "ExitCode",
            says: "spec.template.spec.containers[0] (train): exit code 3: ValueError: no rows"),
        .init(exitCode: 137, reason: "OOMKilled", expected: "OOMKilled", says: "out of memory"),
        .init(
            exitCode: 128, reason: "StartError", message: "exec: \"trane\": not found", expected: "StartError",
            says: "spec.template.spec.containers[0].command: the command could not be started"),
        .init(exitCode: 127, expected: "ExitCode", says: "command not found"),
        .init(ofJob: "DeadlineExceeded", expected: "DeadlineExceeded", says: "spec.activeDeadlineSeconds"),
        .init(message: String(repeating: "x", count: 5000), expected: "ExitCode", says: "…xxx"),
    ]

    @Test(arguments: failures)
    func aFailureIsToldInTheWordsThatAPersonNeeds(_ example: Failure) throws {
        var world = try world()
        world.failJob(
            exitCode: example.exitCode, reason: example.reason, message: example.message, ofJob: example.ofJob)
        try world.settle()
        #expect(status(world)["phase"] == "Failed")
        #expect(status(world)["reason"]?.string == example.expected)
        let stalled = condition("Stalled", world)?["message"]?.string ?? ""
        #expect(stalled.contains(example.says), "\(stalled)")
        #expect(stalled.count < 500)
        #expect(condition("Failed", world)?["status"] == "True")
    }

    @Test(arguments: [
        ("ErrImagePull", "spec.template.spec.containers[0].image \"registry.local/wine:1.4\": ErrImagePull: no such"),
        ("CreateContainerConfigError", "spec.template.spec.containers[0].env: CreateContainerConfigError: no such"),
        ("CreateContainerError", "spec.template.spec.containers[0].command: CreateContainerError: no such"),
    ])
    func whatHoldsUpAPodIsToldWhileItIsHeldUp(reason: String, says: String) throws {
        var world = try world()
        world.addJobPod([
            "phase": "Pending",
            "containerStatuses": [
                ["name": "train", "state": ["waiting": ["reason": .string(reason), "message": "no such"]]]
            ],
        ])
        try world.settle()
        #expect(condition("Reconciling", world)?["reason"]?.string == reason)
        #expect(condition("Reconciling", world)?["message"]?.string == says)
        #expect(status(world)["phase"] == "Pending")
    }

    @Test func anUnschedulablePodIsTold() throws {
        var world = try world()
        world.addJobPod([
            "phase": "Pending",
            "conditions": [
                [
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/1 nodes are available: port 8080 is taken",
                ]
            ],
        ])
        try world.settle()
        #expect(status(world)["reason"] == "Unschedulable")
        #expect(condition("Reconciling", world)?["message"]?.string?.contains("port 8080 is taken") == true)
    }

    @Test func aQuotaIsToldFromTheJobsEvent() throws {
        var world = try world()
        let uid = world.all(.jobs).first?["metadata", "uid"] ?? ""
        world.objects[.events] = [
            "e": [
                "metadata": ["name": "e"], "type": "Warning", "reason": "FailedCreate",
                "note": "pods \"wine-1\" is forbidden: exceeded quota: cpu", "regarding": ["uid": uid],
            ]
        ]
        try world.settle()
        #expect(status(world)["reason"] == "QuotaExceeded")
    }

    @Test func theTTLIsPatchedOnlyAfterTheResultStands() throws {
        var world = try world { $0["spec", "ttlSecondsAfterFinished"] = 60 }
        #expect(world.all(.jobs).first?["spec", "ttlSecondsAfterFinished"] == nil)
        world.succeedJob()
        let plan = try world.plan(trainingJob: "wine")
        #expect(plan.actions.isEmpty)
        try world.settle()
        let job = try #require(world.all(.jobs).first)
        #expect(job["spec", "ttlSecondsAfterFinished"] == 60)
        world.remove(.jobs, job["metadata", "name"]?.string ?? "")
        let quiet = try world.plan(trainingJob: "wine")
        #expect(quiet.isEmpty, "a result is never trained again")
    }

    @Test func aJobThatIsLostWithoutAResultGetsAnotherAttempt() throws {
        var world = try world()
        for attempt in 1...5 {
            world.addJobPod(["phase": "Running"])
            try world.settle()
            #expect(world.all(.jobs).count == 1)
            #expect(status(world)["attempts"]?.array?.last?["number"]?.int == attempt)
            world.remove(.jobs, world.all(.jobs).first?["metadata", "name"]?.string ?? "")
            try world.settle()
        }
        #expect(world.created.filter { $0.hasPrefix("Job") }.count == 5)
        #expect(Set(world.created).count == world.created.count, "every attempt has a name of its own")
        #expect(status(world)["phase"] == "Failed")
        #expect(status(world)["reason"] == "JobDeleted")
    }

    /// A creation that was given up arrives when its Job has been deleted and the next attempt runs.
    @Test func aJobThatComesLateIsEndedAndClearedAway() throws {
        var world = try world { $0["spec", "ttlSecondsAfterFinished"] = 60 }
        let first = try #require(world.all(.jobs).first)
        let name = first["metadata", "name"]?.string ?? ""
        world.remove(.jobs, name)
        try world.settle()
        let second = try #require(world.all(.jobs).first?["metadata", "name"]?.string)
        try world.create(.jobs, first)
        try world.settle()
        #expect(world.get(.jobs, name)?["spec", "activeDeadlineSeconds"] == 1)
        #expect(world.get(.jobs, name)?["spec", "ttlSecondsAfterFinished"] == 0)
        #expect(world.get(.jobs, second)?["spec", "activeDeadlineSeconds"] == nil)
        world.remove(.jobs, name)
        world.succeedJob()
        try world.settle()
        #expect(status(world)["phase"] == "Succeeded")
        // So does one that comes when all is over.
        world.remove(.jobs, second)
        try world.create(.jobs, first)
        try world.settle()
        #expect(world.get(.jobs, name)?["spec", "ttlSecondsAfterFinished"] == 0)
        #expect(status(world)["phase"] == "Succeeded")
    }

    @Test func suspensionIsPatchedOntoTheJob() throws {
        var world = try world()
        world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = true }
        try world.settle()
        #expect(world.all(.jobs).first?["spec", "suspend"] == true)
        #expect(status(world)["phase"] == "Suspended")
        world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(world.all(.jobs).first?["spec", "suspend"] == false)
        #expect(condition("Suspended", world) == nil)
        #expect(world.created.filter { $0.hasPrefix("Job") }.count == 1)
    }

    @Test func aTrainingThatIsHeldFromTheStartMakesNoJob() throws {
        var world = try world { $0["spec", "suspend"] = true }
        #expect(world.all(.jobs).isEmpty)
        world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(world.all(.jobs).count == 1)
    }

    @Test func aChangeOfTheSpecStallsAndMakesNoSecondJob() throws {
        var world = try world()
        world.update(.trainingJobs, "wine") { $0["spec", "seed"] = 43 }
        try world.settle()
        #expect(condition("Stalled", world)?["reason"] == "SpecChanged")
        world.succeedJob()
        try world.settle()
        #expect(status(world)["phase"] == "Succeeded")
        #expect(condition("Stalled", world)?["reason"] == "SpecChanged")
        world.update(.trainingJobs, "wine") { $0["spec", "seed"] = 42 }
        try world.settle()
        #expect(condition("Stalled", world) == nil)
        #expect(condition("Ready", world)?["status"] == "True")
        #expect(world.created.filter { $0.hasPrefix("Job") }.count == 1)
    }

    @Test func metricsCountOnlyWithExitCode0AndFromTheMainContainer() throws {
        var world = try world {
            $0["spec", "template", "spec", "containers"] = [
                ["name": "train", "image": "a"], ["name": "side", "image": "b"],
            ]
        }
        let name = world.all(.jobs).first?["metadata", "name"]?.string ?? ""
        let message: JSONValue = #"{"accuracy": 1}"#
        world.addJobPod([
            "phase": "Succeeded",
            "containerStatuses": [
                ["name": "train", "state": ["terminated": ["exitCode": 1, "message": message]]],
                ["name": "side", "state": ["terminated": ["exitCode": 0, "message": message]]],
            ],
        ])
        world.endJob(name, "Complete", reason: "")
        try world.settle()
        #expect(status(world)["metrics"] == nil)
        #expect(status(world)["metricsMessage"]?.string?.contains("exit code 0") == true)
    }

    @Test func aJobIsNotFinishedByAConditionThatIsNotTrue() throws {
        var world = try world()
        let name = world.all(.jobs).first?["metadata", "name"]?.string ?? ""
        world.update(.jobs, name) {
            $0["status", "conditions"] = [
                ["type": "Failed", "status": "False"], ["type": "SuccessCriteriaMet", "status": "True"],
                ["type": "FailureTarget", "status": "True"],
            ]
        }
        try world.settle()
        #expect(status(world)["phase"] == "Pending")
    }

    @Test func aRefusalByTheServerIsTold() throws {
        var world = World()
        try world.create(.trainingJobs, try Sample.trainingJob())
        let job = try #require(try world.trainingJob("wine"))
        let observed = try world.observe(trainingJob: job, live: true)
        let invalid = ActionFailure(operation: "create jobs.batch ml/wine-1", code: 422, message: "spec.x: bad")
        let plan = TrainingJobPlan.statusAfter(invalid, observed, now: world.now)
        try world.execute(plan, for: .trainingJobs, "wine")
        #expect(condition("Stalled", world)?["reason"] == "Rejected")
        #expect(condition("Stalled", world)?["message"] == "create jobs.batch ml/wine-1: spec.x: bad")
        #expect(try world.plan(trainingJob: "wine").isEmpty, "the server would say the same again")
        let quota = ActionFailure(operation: "create jobs.batch ml/wine-1", code: 403, message: "exceeded quota: x")
        let refused = TrainingJobPlan.statusAfter(quota, observed, now: world.now)
        #expect(refused.status?.status["reason"] == "QuotaExceeded")
        let conflict = ActionFailure(operation: "create jobs.batch ml/wine-1", code: 409, message: "exists")
        #expect(TrainingJobPlan.statusAfter(conflict, observed, now: world.now).isEmpty)
    }

    @Test(arguments: [422, 403]) func aRefusalAfterTheEndDoesNotTouchTheResult(_ code: Int) throws {
        var world = try world()
        let name = world.all(.jobs).first?["metadata", "name"]?.string ?? ""
        world.endJob(name, "Complete", reason: "")
        try world.settle()
        #expect(status(world)["phase"] == "Succeeded")
        let job = try #require(try world.trainingJob("wine"))
        let refusal = ActionFailure(operation: "patch jobs.batch ml/\(name)", code: code, message: "no")
        let told = TrainingJobPlan.statusAfter(
            refusal, try world.observe(trainingJob: job, live: true), now: world.now)
        try world.execute(told, for: .trainingJobs, "wine")
        #expect(status(world)["phase"] == "Succeeded")
        #expect(condition("Ready", world)?["status"] == "True")
        #expect(
            condition(code == 422 ? "Stalled" : "Reconciling", world)?["message"] == "patch jobs.batch ml/\(name): no")
        world.update(.trainingJobs, "wine") { $0["metadata", "annotations"] = [Label.requestedAt: "now"] }
        try world.settle()
        #expect(world.all(.jobs).count == 1, "nothing is trained again")
        #expect(condition("Stalled", world) == nil)
    }

    @Test func aStatusThatSomebodyElseWroteIsLeftAlone() throws {
        var world = try world()
        world.update(.trainingJobs, "wine") { $0["status", "attempts"] = "none" }
        let plan = try world.plan(trainingJob: "wine")
        #expect(plan.actions.isEmpty && plan.status == nil)
        #expect(plan.events.first?.reason == "StatusUnreadable")
    }
}

extension TrainingJobPlanTests {
    @Test func aLostJobOfAChangedSpecIsNotMadeAgain() throws {
        var world = World()
        try world.create(.trainingJobs, try Sample.trainingJob())
        try world.settle()
        world.update(.trainingJobs, "wine") { $0["spec", "seed"] = 43 }
        world.remove(.jobs, world.all(.jobs).first?["metadata", "name"]?.string ?? "")
        try world.settle()
        #expect(world.all(.jobs).isEmpty)
        world.update(.trainingJobs, "wine") { $0["spec", "seed"] = 42 }
        try world.settle()
        #expect(world.all(.jobs).count == 1)
        #expect(world.get(.trainingJobs, "wine")?["status", "attempts"]?[1]?["number"] == 2)
    }
}
