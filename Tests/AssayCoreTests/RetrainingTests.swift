import JSON
import KubernetesModel
import Schedule
import Testing

@testable import AssayCore

/// A model is made anew though nobody has changed its spec.
@Suite struct RetrainingTests {
    /// 2027-01-15T08:00:00Z is a Friday.
    private static let daily: JSONValue = "0 3 * * *"

    private static func world(_ training: JSONValue = [:], _ change: (inout JSONValue) -> Void = { _ in }) throws
        -> World
    {
        var world = World()
        try world.create(
            .mlModels,
            try Sample.model { model in
                for (field, value) in training.object ?? [:] { model["spec", "training", field] = value }
                change(&model)
            })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        return world
    }

    // MARK: On time

    @Test func aScheduledRunTrainsBesideWhatServesAndServesWhenItHasPassed() throws {
        var world = try Self.world(["schedule": Self.daily])
        let first = world.status["revision"]
        #expect(world.status["retraining", "nextScheduleTime"] == "2027-01-16T03:00:00Z")
        #expect(try world.settle() == 0)
        try world.pass(19 * 3600 - 1)
        #expect(world.runs == ["1 Created Trained"])
        try world.pass(1)
        #expect(world.runs == ["1 Created Trained", "2 Scheduled Training"])
        #expect(world.status["retraining", "lastScheduleTime"] == "2027-01-16T03:00:00Z")
        #expect(world.status["retraining", "nextScheduleTime"] == "2027-01-17T03:00:00Z")
        #expect(world.isQuiet && world.status["phase"] == "Serving" && world.status["revision"] == first)
        #expect(try world.settle() == 0)
        world.succeedJob()
        try world.settle()
        #expect(world.isQuiet && world.status["phase"] == "RollingOut")
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.isQuiet && world.status["phase"] == "Serving" && world.status["revision"] != first)
        #expect(world.status["aliases", "champion"] == world.status["revision"])
        let job = try #require(world.status["runs"]?[1]?["trainingJob"]?.string)
        #expect(world.get(.trainingJobs, job)?["spec", "dataVersion"] == "2027-01-16T03:00:00Z")
        #expect(try world.settle() == 0)
    }

    @Test func afterAnOutageThereIsOneRunAndWhatIsTooLateIsPassedOver() throws {
        var world = try Self.world(["schedule": Self.daily])
        try world.pass(10 * 86_400)
        #expect(world.runs == ["1 Created Trained", "2 Scheduled Training"])
        #expect(world.status["retraining", "lastScheduleTime"] == "2027-01-25T03:00:00Z")
        world = try Self.world(["schedule": Self.daily, "startingDeadlineSeconds": 3600])
        try world.pass(10 * 86_400)
        #expect(world.runs == ["1 Created Trained"])
        #expect(world.events.last { $0.reason == "ScheduleMissed" }?.note.contains("10 passed by") == true)
        #expect(world.status["retraining", "nextScheduleTime"] == "2027-01-26T03:00:00Z")
        #expect(try world.settle() == 0)
    }

    @Test func theZoneCounts() throws {
        var world = try Self.world()
        world.zone = .success(try ZoneDirectory().zone(try ZoneName("America/New_York")))
        world.change {
            $0["spec", "training", "schedule"] = Self.daily
            $0["spec", "training", "timeZone"] = "America/New_York"
        }
        try world.settle()
        #expect(world.status["retraining", "schedule"] == "0 3 * * * America/New_York")
        let next = try #require(world.status["retraining", "nextScheduleTime"]?.string)
        #expect(next.hasSuffix("T08:00:00Z"))
    }

    @Test func aZoneThatIsNotThereIsAMistakeAndAMachineWithoutZonesIsNone() throws {
        let name = try ZoneName("America/Atlantis")
        var world = try Self.world(["schedule": Self.daily, "timeZone": "America/Atlantis"])
        world.zone = .failure(.unknown(name, directory: "/zones"))
        try world.settle()
        let stalled = world.condition("Stalled")
        #expect(stalled?["reason"] == "InvalidSpec" && world.condition("Ready")?["status"] == "True")
        #expect(stalled?["message"]?.string?.hasPrefix("spec.training.timeZone: there is no time zone") == true)
        world.zone = .failure(.notInstalled(name, directory: "/zones"))
        try world.settle()
        #expect(world.isQuiet && world.status["phase"] == "Serving")
        #expect(world.status["retraining", "message"]?.string?.contains("America/Atlantis") == true)
        #expect(world.events.count { $0.reason == "ScheduleUnknown" } == 1)
        try world.pass(300)
        #expect(world.events.count { $0.reason == "ScheduleUnknown" } == 1, "it is said once")
        #expect(try world.settle() == 0)
    }

    @Test func aChangedScheduleCountsFromThenOn() throws {
        var world = try Self.world(["schedule": "0 3 1 1 *"])
        try world.pass(2 * 86_400)
        world.change { $0["spec", "training", "schedule"] = Self.daily }
        try world.settle()
        #expect(world.runs.count == 1, "the time of before it was written is not due")
        world.change { $0["spec", "training", "schedule"] = nil }
        try world.settle()
        #expect(world.status["retraining"] == nil)
    }

    // MARK: By hand

    @Test func aPersonBeginsOneAndTwoWordsDuringItMakeOneMore() throws {
        var world = try Self.world(["schedule": Self.daily, "coolDown": "24h"])
        try world.force("a")
        #expect(world.runs.last == "2 Requested Training" && world.status["lastHandledForceAt"] == "a")
        try world.force("b")
        try world.force("c")
        try world.pass(20 * 3600)
        #expect(world.runs.count == 2 && world.status["retraining", "message"]?.string == "waits for the end of run 2")
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.runs.last == "3 Requested Training", "by hand there is no cool-down")
        #expect(world.runs.count == 3 && world.status["lastHandledForceAt"] == "c")
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.runs.count == 3)
    }

    @Test func aFailedTrainingIsTriedAgain() throws {
        var world = World()
        try world.create(.mlModels, try Sample.model())
        try world.settle()
        world.failJob(ofJob: "BackoffLimitExceeded")
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "TrainingFailed")
        try world.force("a")
        #expect(world.runs == ["1 Created Failed", "2 Requested Training"])
        #expect(world.condition("Stalled") == nil && world.condition("Reconciling") != nil)
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
    }

    /// The status has no room for all of it.
    @Test func aLongWordBeginsOneRunAsAnyOther() throws {
        var world = try Self.world()
        try world.force(String(repeating: "long ", count: 400))
        for _ in 0..<3 {
            world.succeedJob(#"{"accuracy": 0.5}"#)
            try world.settle()
        }
        #expect(world.runs == ["1 Created Trained", "2 Requested Trained left"])
    }

    @Test func whatWasMadeElsewhereIsReadAnew() throws {
        var world = World()
        try world.create(
            .mlModels,
            try Sample.model {
                $0["spec", "training"] = nil
                $0["spec", "artifact"] = ["uri": .string("oci://registry.local/team/wine@\(World.digest)")]
                $0["spec", "validation"] = ["gate": "None"]
                $0["spec", "serving", "imageFrom"] = nil
                $0["spec", "serving", "artifacts"] = ["model"]
                $0["spec", "serving", "template", "spec", "containers"] = [
                    ["name": "server", "image": .string("registry.local/server@\(World.digest)")]
                ]
            })
        try world.settle()
        try world.force("a")
        let first = try #require(world.status["runs"]?[0]?["trainingJob"]?.string)
        world.update(.trainingJobs, first) {
            $0["status"] = ["observedGeneration": 1, "phase": "Failed", "reason": "NotFound", "conditions": []]
        }
        try world.settle()
        #expect(world.runs == ["1 Created Failed", "2 Requested Training"])
        let second = try #require(world.status["runs"]?[1]?["trainingJob"]?.string)
        let job = try #require(try world.trainingJob(second)?.spec.value)
        #expect(job.artifact != nil && job.problems(at: "spec").isEmpty, "\(job.problems(at: "spec"))")
    }

    @Test func aFirstRunAnswersAWordThatWasThereBefore() throws {
        var world = World()
        try world.create(.mlModels, try Sample.model { $0["metadata", "annotations"] = [Label.forceAt: "a"] })
        try world.settle()
        #expect(world.runs == ["1 Created Training"] && world.status["lastHandledForceAt"] == "a")
    }

    // MARK: In vain

    @Test func oneThatFailsOrIsRefusedLeavesNoTraceInService() throws {
        var world = try Self.world()
        let before = world
        try world.force("a")
        world.failJob(ofJob: "BackoffLimitExceeded")
        try world.settle()
        #expect(world.runs == ["1 Created Trained", "2 Requested Failed left"])
        try world.expectAsBefore(before, "RunFailed")
        try world.force("b")
        world.succeedJob(#"{"accuracy": 0.5}"#)
        try world.settle()
        #expect(world.runs.last == "3 Requested Trained left" && world.status["runs"]?[2]?["judgement"] == "Refused")
        try world.expectAsBefore(before, "RunRefused")
        try world.force("c")
        world.succeedJob()
        try world.settle()
        world.failDeployment(try #require(world.status["candidate"]?.string))
        try world.settle()
        #expect(world.runs.last == "4 Requested Trained left")
        try world.pass(60)
        try world.expectAsBefore(before, "RunFailed")
        #expect(world.awake.count == 1)
    }

    @Test(arguments: [10, 2, 1]) func failuresInARowAreFollowedByLongerPauses(_ history: Int) throws {
        var world = try Self.world(["schedule": "* * * * *"]) {
            $0["spec", "revisionHistoryLimit"] = JSONValue(history)
        }
        for pause in [300, 600, 1200, 2400] as [Int64] {
            world.now = world.now + .seconds(60)
            try world.settle()
            #expect(world.runs.last?.hasSuffix("Training") == true)
            world.failJob(ofJob: "BackoffLimitExceeded")
            try world.settle()
            try world.pass(pause - 61)
            #expect(world.runs.last?.hasSuffix("left") == true)
            #expect(world.status["retraining", "message"]?.string?.contains("in a row") == true)
            world.now = world.now + .seconds(1)
        }
        // One that is refused has not failed, and ends the row.
        world.now = world.now + .seconds(60)
        try world.settle()
        world.succeedJob(#"{"accuracy": 0.5}"#)
        try world.settle()
        try world.pass(60)
        #expect(world.runs.last?.hasSuffix("Training") == true)
    }

    /// However few of them the history has.
    @Test(arguments: [10, 2, 1]) func soManyBeginInADayAndNoMore(_ history: Int) throws {
        var world = try Self.world(["schedule": "0 * * * *", "maxRunsPerDay": 4]) {
            $0["spec", "revisionHistoryLimit"] = JSONValue(history)
        }
        for _ in 0..<6 {
            try world.pass(3600)
            world.succeedJob(#"{"accuracy": 0.5}"#)
            try world.settle()
        }
        func newest(_ world: World) -> Int? { world.status["runs"]?.array?.last?["number"]?.int }
        #expect(newest(world) == 5)
        #expect(world.status["retraining", "waitingUntil"] == "2027-01-16T09:00:00Z")
        try world.force("a")
        #expect(newest(world) == 6, "a person may")
    }

    @Test func aCoolDownIsKept() throws {
        var world = try Self.world(["schedule": "0 * * * *", "coolDown": "90m"])
        try world.pass(3600)
        #expect(world.runs.count == 1 && world.status["retraining", "pending", "trigger"] == "Scheduled")
        try world.pass(1800)
        #expect(world.runs.count == 2)
    }

    @Test func whatAPauseHasHeldUpTooLongIsPassedOver() throws {
        var world = try Self.world(["schedule": Self.daily, "coolDown": "48h", "startingDeadlineSeconds": 3600])
        try world.pass(19 * 3600)
        #expect(world.runs.count == 1 && world.status["retraining", "pending", "trigger"] == "Scheduled")
        try world.pass(3601)
        #expect(world.status["retraining", "pending"] == nil)
        #expect(world.events.count { $0.reason == "ScheduleMissed" } == 1)
        // The last of those that the pause has held up counts: at 03:00 of the third day it is over.
        try world.pass(2 * 86_400 - 3601)
        #expect(world.runs.count == 2 && world.status["runs"]?[1]?["dataVersion"] == "2027-01-18T03:00:00Z")
    }

    @Test func withReplaceALaterTimeTakesTheRunsPlace() throws {
        var world = try Self.world(["schedule": "0 * * * *", "concurrencyPolicy": "Replace"])
        try world.pass(3600)
        try world.pass(3600)
        #expect(world.runs == ["1 Created Trained", "2 Scheduled Superseded", "3 Scheduled Training"])
        world.change { $0["spec", "training", "concurrencyPolicy"] = "Forbid" }
        try world.pass(3600)
        #expect(world.runs.count == 3)
    }

    // MARK: Beside other things

    @Test func whileItIsSuspendedNothingBegins() throws {
        var world = try Self.world(["schedule": Self.daily]) { $0["spec", "suspend"] = false }
        world.change { $0["spec", "suspend"] = true }
        try world.pass(3 * 86_400)
        #expect(world.runs.count == 1)
        world.change { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(world.runs.count == 2)
    }

    @Test func aChangeOfTheSpecEndsIt() throws {
        var world = try Self.world()
        try world.force("a")
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        #expect(world.runs == ["1 Created Trained", "2 Requested Superseded", "3 TrainingChanged Training"])
        let version = world.status["runs"]?[1]?["dataVersion"]
        #expect(version != nil && world.status["runs"]?[2]?["dataVersion"] == version, "nobody goes back to older data")
    }

    /// The spec waits for nothing: what it asked for serves again.
    @Test func aRunMadeAnewThatBecomesBadInServiceIsLeftAsQuietly() throws {
        var world = try Self.world()
        try world.force("a")
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["revision"] == world.revision(2)["name"])
        try world.pass(60)
        try world.goBack()
        #expect(world.status["revision"] == world.revision(1)["name"] && world.runs.last == "2 Requested Trained left")
        #expect(
            world.isQuiet && world.status["phase"] == "Serving" && world.condition("RolledOut")?["status"] == "True")
        #expect(world.events.contains { $0.reason == "RolledBack" })
        #expect(try world.settle() == 0)
    }

    @Test func whatServesIsWatchedWhileARunTrains() throws {
        var world = try Self.world()
        try world.force("a")
        let name = try #require(world.status["revision"]?.string)
        world.update(.deployments, name) {
            $0["status", "availableReplicas"] = 0
            $0["status", "conditions"] = [["type": "Available", "status": "False"]]
        }
        try world.settle()
        #expect(world.status["phase"] == "Unavailable" && world.condition("Ready")?["status"] == "False")
    }

    @Test(
        arguments: [
            (["schedule": "0 3 * *"], "spec.training.schedule"),
            (["schedule": "0 3 * * *", "timeZone": "Local"], "spec.training.timeZone"),
            (["timeZone": "UTC"], "spec.training.timeZone"), (["coolDown": "1h"], "spec.training.coolDown"),
            (["schedule": "0 3 * * *", "maxRunsPerDay": 0], "spec.training.maxRunsPerDay"),
            (["schedule": "0 3 * * *", "startingDeadlineSeconds": 0], "spec.training.startingDeadlineSeconds"),
            (["schedule": "0 3 * * *", "coolDown": "soon"], "spec.training.coolDown"),
        ] as [(JSONValue, String)])
    func aMistakeIsNamed(_ training: JSONValue, _ field: String) throws {
        let model = try MLModel(
            json: try Sample.model { model in
                for (name, value) in training.object ?? [:] { model["spec", "training", name] = value }
            })
        #expect(model.problems.contains { $0.path == field }, "\(model.problems)")
    }

    /// Steps that read nothing here run anew; what they make decides of the others.
    @Test func theVersionOfTheDataIsOfTheRecipeOfWhatReadsNothingHere() throws {
        var spec = try #require(try TrainingJob(json: try Sample.workflow()).spec.value)
        func recipes() -> [String] { spec.steps.map { StepKey.recipe(of: $0, in: spec, references: []) } }
        let before = recipes()
        spec.dataVersion = "2"
        let changed = zip(before, recipes()).map { $0 != $1 }
        #expect(changed == spec.steps.map(\.inputs.isEmpty) && changed.contains(true) && changed.contains(false))
    }
}

extension World {
    fileprivate var runs: [String] {
        (status["runs"]?.array ?? []).map { run in
            let words = [run["trigger"]?.string ?? "", run["phase"]?.string ?? ""]
            return "\(run["number"]?.int ?? 0) \(words.joined(separator: " "))" + (run["left"] == true ? " left" : "")
        }
    }

    /// Nobody waits for anything.
    fileprivate var isQuiet: Bool {
        condition("Ready")?["status"] == "True" && condition("Reconciling") == nil && condition("Stalled") == nil
    }

    fileprivate mutating func force(_ word: String) throws {
        update(.mlModels, "wine") { $0["metadata", "annotations", Label.forceAt] = .string(word) }
        try settle()
    }

    fileprivate mutating func expectAsBefore(_ before: World, _ reason: String) throws {
        try settle()
        #expect(isQuiet && status["phase"] == "Serving" && status["candidate"] == nil)
        for field in ["revision", "verdict", "conditions"] {
            #expect(status[field] == before.status[field], "\(field)")
        }
        #expect(events.last { $0.reason == "RunFailed" || $0.reason == "RunRefused" }?.reason == reason)
        #expect(try settle() == 0)
    }
}
