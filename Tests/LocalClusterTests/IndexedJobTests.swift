import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

extension JobPlannerTests {
    @Suite struct IndexedJobTests {
        private let jobs = JobPlannerTests()

        private func job(_ spec: JSONValue = [:], status: JSONValue? = nil) -> JSONValue {
            let indexed: JSONValue = ["completionMode": "Indexed", "completions": 4, "parallelism": 2]
            return jobs.job(indexed.merging(patch: spec), status: status)
        }

        private func failedPod(_ name: String, index: Int, before: Int = 0, exit: Int = 1, at: Int64 = 0) -> JSONValue {
            var pod = jobs.pod(name, "Failed", exit: exit, at: at, index: index)
            pod["metadata", "annotations", "batch.kubernetes.io/job-index-failure-count"] = .string("\(before)")
            return pod
        }

        private static func index(_ pod: JSONValue) -> String? {
            pod.annotations["batch.kubernetes.io/job-completion-index"]
        }

        @Test func `it has one pod for each index that is not done`() throws {
            let pods = [jobs.pod("a", "Succeeded", exit: 0, index: 0), jobs.pod("b", "Running", index: 1)]
            let plan = jobs.plan(job(), pods)
            let created = try #require(plan.created.first)
            #expect(plan.created.count == 1)
            #expect(created["metadata", "generateName"] == "wine-2-")
            #expect(created["spec", "hostname"] == "wine-2")
            #expect(Self.index(created) == "2")
            #expect(created.labels["batch.kubernetes.io/job-completion-index"] == "2")
            #expect(plan.status(.jobs)?["completedIndexes"] == "0")
        }

        @Test func `the host name is the index's whatever the template says`() {
            let named = job(["template": ["spec": ["hostname": "mine"]]])
            #expect(jobs.plan(named, []).created.map { $0["spec", "hostname"] } == ["wine-0", "wine-1"])
        }

        @Test func `every container is told its index, last, unless it declares that itself`() throws {
            let own: JSONValue = ["name": "JOB_COMPLETION_INDEX", "value": "mine"]
            let other: JSONValue = ["name": "RANK", "value": "$(JOB_COMPLETION_INDEX)"]
            let spec: JSONValue = [
                "template": [
                    "spec": [
                        "initContainers": [["name": "first", "env": [other]]],
                        "containers": [["name": "main"], ["name": "second", "env": [own]]],
                    ]
                ]
            ]
            let created = try #require(jobs.plan(job(spec), []).created.first)
            func names(_ list: String, _ number: Int) -> [String] {
                (created["spec", list]?[number]?["env"]?.array ?? []).compactMap { $0["name"]?.string }
            }
            #expect(names("initContainers", 0) == ["RANK", "JOB_COMPLETION_INDEX"])
            #expect(names("containers", 0) == ["JOB_COMPLETION_INDEX"])
            #expect(created["spec", "containers"]?[1]?["env"] == [own])
        }

        @Test func `of two pods for one index one is stopped`() {
            let indexed = job(["completions": 2])
            let plan = jobs.plan(indexed, [jobs.pod("a", "Running", index: 0), jobs.pod("b", "Running", index: 0)])
            #expect(plan.deleted == ["b"])
            #expect(plan.created.map(Self.index) == ["1"])
        }

        @Test func `it is complete when every index has succeeded once`() {
            let twice = ["a", "b"].map { jobs.pod($0, "Succeeded", exit: 0, index: 0) }
            let both = job(["completions": 2], status: ["completedIndexes": "0", "succeeded": 1])
            #expect(jobs.plan(both, twice).status(.jobs)?.reason("Complete") == nil)
            let done = jobs.plan(both, [jobs.pod("c", "Succeeded", exit: 0, index: 1)])
            #expect(done.status(.jobs)?.reason("Complete") == "CompletionsReached")
            #expect(done.status(.jobs)?["completedIndexes"] == "0,1")
            #expect(done.status(.jobs)?["succeeded"] == 2)
        }

        @Test(arguments: [("TerminatingOrFailed", ["0"]), ("Failed", [])])
        func `an index whose pod is going is replaced as the policy says`(policy: String, created: [String]) {
            let one = job(["completions": 1, "parallelism": 1, "podReplacementPolicy": .string(policy)])
            let plan = jobs.plan(one, [jobs.pod("a", "Running", index: 0, terminating: true)])
            #expect(plan.created.compactMap(Self.index) == created)
        }

        @Test func `one failure without a limit for more ends it and its pods`() {
            let strict = job(["backoffLimit": 0])
            let plan = jobs.plan(strict, [failedPod("a", index: 0), jobs.pod("b", "Running", index: 1)])
            #expect(plan.deleted == ["b"])
            #expect(plan.status(.jobs)?.reason("FailureTarget") == "BackoffLimitExceeded")
            #expect(plan.status(.jobs)?.reason("Failed") == nil)
        }

        @Test func `failures counted by index give up that index alone`() {
            let lenient = job([
                "backoffLimitPerIndex": 1, "backoffLimit": 100, "completions": 2, "parallelism": 2,
            ])
            let again = jobs.plan(lenient, [failedPod("a", index: 0), jobs.pod("b", "Running", index: 1)], after: 10)
            #expect(again.created.map(Self.index) == ["0"])
            let count = "batch.kubernetes.io/job-index-failure-count"
            #expect(again.created.first?.annotations[count] == "1")
            #expect(again.status(.jobs)?["failedIndexes"] == "")

            let pods = [failedPod("a", index: 0), failedPod("c", index: 0, before: 1)]
            let givenUp = jobs.plan(lenient, pods + [jobs.pod("b", "Running", index: 1)], after: 60)
            #expect(givenUp.created.isEmpty && givenUp.deleted.isEmpty)
            #expect(givenUp.status(.jobs)?["failedIndexes"] == "0")
            let ended = jobs.plan(lenient, pods + [jobs.pod("b", "Succeeded", exit: 0, index: 1)], after: 60)
            #expect(ended.status(.jobs)?.reason("Failed") == "FailedIndexes")
        }

        @Test func `indexes wait after their own failures`() {
            let lenient = job(["backoffLimitPerIndex": 3, "backoffLimit": 100])
            let plan = jobs.plan(lenient, [failedPod("a", index: 0, before: 1)], after: 5)
            #expect(plan.created.map(Self.index) == ["1"])
            #expect(plan.requeueAfter == .seconds(15))
        }

        @Test func `too many indexes given up end the Job, and a rule can give one up at once`() {
            let rules: JSONValue = [
                "rules": [["action": "FailIndex", "onExitCodes": ["operator": "In", "values": [42]]]]
            ]
            let limited = job([
                "backoffLimitPerIndex": 9, "maxFailedIndexes": 0, "backoffLimit": 100, "podFailurePolicy": rules,
            ])
            #expect(jobs.plan(limited, [failedPod("a", index: 0)]).status(.jobs)?.reason("Failed") == nil)
            let status = jobs.plan(limited, [failedPod("a", index: 0, exit: 42)]).status(.jobs)
            #expect(status?.reason("Failed") == "MaxFailedIndexesExceeded")
            #expect(status?["failedIndexes"] == "0")
        }

        @Test func `suspended it has no pods`() {
            let plan = jobs.plan(job(["suspend": true]), [jobs.pod("a", "Running", index: 0)])
            #expect(plan.deleted == ["a"] && plan.created.isEmpty)
        }

        @Test(arguments: ["", "0", "0-3", "1,3-5,9", "0-2,7"])
        func `index lists survive a round trip`(text: String) {
            #expect(IndexRanges(IndexRanges(text).indexes).text == text)
        }
    }
}
