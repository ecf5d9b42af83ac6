import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// Trainings whose Jobs wait in a queue of Kueue's.
@Suite struct QueueTests {
    private func workflow() throws -> World {
        var world = World()
        try world.create(
            .trainingJobs,
            try Sample.workflow {
                $0["spec", "queueName"] = "gpu"
                $0["spec", "workloadPriorityClass"] = "high"
            })
        try world.settle()
        return world
    }

    @Test func jobsAreMadeSuspendedUnderTheQueuesName() throws {
        let world = try workflow()
        #expect(world.all(.jobs).count == 2)
        for job in world.all(.jobs) {
            #expect(job["spec", "suspend"] == true)
            #expect(job["metadata", "labels", "kueue.x-k8s.io/queue-name"] == "gpu")
            #expect(job["metadata", "labels", "kueue.x-k8s.io/priority-class"] == "high")
        }
        let told = world.condition("Reconciling", of: .trainingJobs)
        #expect(told?["reason"] == "Queued")
        #expect(told?["message"]?.string?.contains("waits in the queue gpu") == true)
        #expect(KStatus.compute(world.trainingJob).phase == .inProgress)
    }

    /// Admitted, evicted and admitted again, with what a queue writes into a Job.
    @Test func whatTheQueueDecidesIsNeverFought() throws {
        var world = try workflow()
        let name = try #require(world.jobName(of: "extract"))
        for isHeld in [false, true, false] {
            world.update(.jobs, name) {
                $0["spec", "suspend"] = .bool(isHeld)
                $0["spec", "template", "spec", "nodeSelector"] = ["pool": "a100"]
                $0["spec", "template", "spec", "tolerations"] = [["key": "gpu", "operator": "Exists"]]
            }
            let before = try #require(world.get(.jobs, name))
            try world.settle()
            #expect(world.get(.jobs, name) == before)
            let reason = world.condition("Reconciling", of: .trainingJobs)?["reason"]
            #expect(reason?.string == (isHeld ? "Queued" : "Starting"))
        }
        try world.finishAll()
        #expect(world.trainingJob["status", "phase"] == "Succeeded")
        #expect(world.stepJobs.allSatisfy { $0["metadata", "labels", Label.queueName] == "gpu" })
    }

    @Test func suspendHoldsWhatIsNotMadeYet() throws {
        var world = try workflow()
        world.update(.trainingJobs, "wine") { $0["spec", "suspend"] = true }
        let name = try #require(world.jobName(of: "extract"))
        world.update(.jobs, name) { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(world.get(.jobs, name)?["spec", "suspend"] == false)
        try world.finishStep("extract")
        #expect(world.runningSteps == [])
        #expect(world.trainingJob["status", "phase"] == "Suspended")
    }

    @Test(arguments: [("queueName", "GPU"), ("queueName", "a.b"), ("workloadPriorityClass", "-")])
    func aNameThatIsNoneIsRefused(_ field: String, _ name: String) throws {
        let object = try Sample.workflow {
            $0["spec", "queueName"] = "gpu"
            $0["spec", .init(field)] = .string(name)
        }
        let problems = try TrainingJob(json: object).problems
        #expect(problems.map(\.path) == ["spec.\(field)"])
    }

    @Test func aPriorityWithoutAQueueIsRefused() throws {
        let object = try Sample.workflow { $0["spec", "workloadPriorityClass"] = "high" }
        #expect(try TrainingJob(json: object).problems.map(\.path) == ["spec.workloadPriorityClass"])
    }

    /// Where it waits makes no other model of it.
    @Test func theQueueIsNoPartOfTheHash() throws {
        let plain = try TrainingJob(json: try Sample.workflow()).spec.value?.hash
        let queued = try TrainingJob(json: try Sample.workflow { $0["spec", "queueName"] = "gpu" }).spec.value?.hash
        #expect(plain == queued && plain != nil)
    }
}
