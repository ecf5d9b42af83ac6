import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

extension ControllerPlan {
    var created: [JSONValue] { actions.compactMap { if case .create(_, let object, _) = $0 { object } else { nil } } }
    var deleted: [String] { actions.compactMap { if case .delete(_, let key, _, _) = $0 { key.name } else { nil } } }
    var reasons: [String] { actions.compactMap { if case .event(let event) = $0 { event.reason } else { nil } } }
    func status(_ type: ResourceType) -> JSONValue? {
        actions.compactMap { if case .replaceStatus(type, let object) = $0 { object["status"] } else { nil } }.last
    }
    func patches(_ type: ResourceType) -> [String: JSONValue] {
        var result: [String: JSONValue] = [:]
        for case .patch(type, let key, let patch) in actions { result[key.name] = patch }
        return result
    }
}

extension JSONValue {
    func reason(_ condition: String) -> String? {
        self["conditions"]?.array?.first { $0["type"]?.string == condition && $0["status"] == "True" }?["reason"]?
            .string
    }
}

@Suite struct JobPlannerTests {
    @Test func `a new Job gets a pod with its labels and its owner, and a start time`() throws {
        let plan = plan(job(), [])
        let created = try #require(plan.created.first)
        #expect(plan.created.count == 1)
        #expect(created["metadata", "generateName"] == "wine-")
        #expect(created.labels["batch.kubernetes.io/job-name"] == "wine")
        #expect(created.labels["app"] == "wine")
        #expect(created.isControlled(by: job()))
        #expect(plan.status(.jobs)?["startTime"]?.string == Self.start.description)
    }

    @Test func `a Job whose pod runs is left alone`() {
        let status: JSONValue = [
            "startTime": .string(Self.start.description), "active": 1, "ready": 0, "terminating": 0,
        ]
        #expect(plan(job(status: status), [pod("a", "Running")]) == ControllerPlan())
    }

    @Test func `a failed pod is replaced after a delay that doubles`() {
        let failed = [pod("a", "Failed", exit: 1, at: 0), pod("b", "Failed", exit: 1, at: 30)]
        let early = plan(job(), failed, after: 40)
        #expect(early.created.isEmpty)
        #expect(early.requeueAfter == .seconds(10))
        #expect(plan(job(), failed, after: 50).created.count == 1)
    }

    @Test func `the delay is capped at six minutes`() {
        #expect(JobPlanner().backoff(afterFailures: 1) == .seconds(10))
        #expect(JobPlanner().backoff(afterFailures: 6) == .seconds(320))
        #expect(JobPlanner().backoff(afterFailures: 40) == .seconds(360))
    }

    @Test func `more failures than the limit fail the Job`() {
        let failed = (0..<3).map { pod("p\($0)", "Failed", exit: 1) }
        let status = plan(job(), failed).status(.jobs)
        #expect(status?.reason("Failed") == "BackoffLimitExceeded")
        #expect(status?.reason("FailureTarget") == "BackoffLimitExceeded")
        #expect(status?["failed"] == 3)
    }

    @Test func `failures of pods that are gone still count`() {
        let status = plan(job(status: ["failed": 2]), [pod("a", "Running")]).status(.jobs)
        #expect(status?["failed"] == 2)
        #expect(plan(job(status: ["failed": 3]), []).status(.jobs)?.reason("Failed") == "BackoffLimitExceeded")
    }

    @Test func `restarts count as failures with restartPolicy OnFailure`() {
        var running = pod("a", "Running")
        running["status", "containerStatuses"] = [["name": "main", "restartCount": 2]]
        let onFailure = job(["template": ["spec": ["restartPolicy": "OnFailure"]]])
        let plan = plan(onFailure, [running])
        #expect(plan.status(.jobs)?.reason("FailureTarget") == "BackoffLimitExceeded")
        #expect(plan.status(.jobs)?.reason("Failed") == nil)
        #expect(plan.deleted == ["a"])
    }

    @Test func `a Job past its deadline first stops its pods and then has failed`() {
        let limited = job(["activeDeadlineSeconds": 60], status: ["startTime": .string(Self.start.description)])
        #expect(plan(limited, [pod("a", "Running")], after: 59).requeueAfter == .seconds(1))
        let late = plan(limited, [pod("a", "Running")], after: 60)
        #expect(late.deleted == ["a"])
        #expect(late.status(.jobs)?.reason("FailureTarget") == "DeadlineExceeded")
        #expect(late.status(.jobs)?.reason("Failed") == nil)
        var stopping = limited
        stopping["status"] = late.status(.jobs)
        #expect(
            plan(stopping, [pod("a", "Running", terminating: true)], after: 61).status(.jobs)?.reason("Failed") == nil)
        #expect(plan(stopping, [], after: 62).status(.jobs)?.reason("Failed") == "DeadlineExceeded")
    }

    @Test func `a succeeded pod completes the Job, once`() {
        let plan = plan(job(), [pod("a", "Succeeded", exit: 0)], after: 9)
        let status = plan.status(.jobs)
        #expect(status?.reason("Complete") == "CompletionsReached")
        #expect(status?.reason("SuccessCriteriaMet") == "CompletionsReached")
        #expect(status?["completionTime"]?.string == (Self.start + .seconds(9)).description)
        #expect(plan.reasons == ["Completed"])
        var done = job()
        done["status"] = status
        #expect(self.plan(done, [pod("a", "Succeeded", exit: 0)], after: 20) == ControllerPlan())
    }

    @Test(arguments: [
        (42, "FailJob", "PodFailurePolicy"), (43, "FailJob", nil), (42, "Ignore", nil), (42, "Count", nil),
    ])
    func `a failure policy decides by exit code`(code: Int, action: String, reason: String?) {
        let policy: JSONValue = [
            "podFailurePolicy": [
                "rules": [
                    ["action": .string(action), "onExitCodes": ["operator": "In", "values": [42]]]
                ]
            ]
        ]
        let status = plan(job(policy), [pod("a", "Failed", exit: code)]).status(.jobs)
        #expect(status?.reason("Failed") == reason)
        #expect(status?["failed"] == (action == "Ignore" ? nil : 1))
    }

    @Test func `a suspended Job stops its pods and starts its clock anew when resumed`() {
        let running: JSONValue = ["startTime": .string(Self.start.description), "active": 1]
        let suspended = plan(job(["suspend": true], status: running), [pod("a", "Running")])
        #expect(suspended.deleted == ["a"])
        #expect(suspended.status(.jobs)?.reason("Suspended") == "JobSuspended")
        #expect(suspended.status(.jobs)?["startTime"] == nil)
        let resumed = plan(job(status: suspended.status(.jobs)), [], after: 100)
        #expect(resumed.created.count == 1)
        #expect(resumed.status(.jobs)?["startTime"]?.string == (Self.start + .seconds(100)).description)
        #expect(resumed.status(.jobs)?.reason("Suspended") == nil)
    }

    @Test(arguments: [("TerminatingOrFailed", 1), ("Failed", 0)])
    func `a terminating pod is replaced as the replacement policy says`(policy: String, created: Int) {
        let pods = [pod("a", "Running", terminating: true)]
        #expect(plan(job(["podReplacementPolicy": .string(policy)]), pods).created.count == created)
    }

    @Test func `a finished Job is deleted after its time to live`() {
        let done: JSONValue = [
            "conditions": [
                ["type": "Complete", "status": "True", "lastTransitionTime": .string(Self.start.description)]
            ]
        ]
        let mortal = job(["ttlSecondsAfterFinished": 30], status: done)
        #expect(plan(mortal, [], after: 10).requeueAfter == .seconds(20))
        #expect(plan(mortal, [], after: 30).deleted == ["wine"])
    }

    @Test func `a Job that somebody else manages is left alone`() {
        #expect(plan(job(["managedBy": "kueue.x-k8s.io/multikueue"]), []) == ControllerPlan())
    }
}
