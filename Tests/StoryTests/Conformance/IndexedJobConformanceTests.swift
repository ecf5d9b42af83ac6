import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories.WorkloadConformanceTests {
    private static let indexKey = "batch.kubernetes.io/job-completion-index"

    private static func indexed(_ name: String, _ spec: JSONValue = [:]) -> JSONValue {
        let base: JSONValue = ["completionMode": "Indexed", "completions": 3, "parallelism": 2]
        return Sample.job(name, base.merging(patch: spec))
    }

    private static func live(_ world: ConformanceWorld, _ job: String, index: Int) async throws -> JSONValue? {
        try await live(world, "job-name%3D\(job)").first {
            $0[path: ["metadata", "annotations", indexKey]]?.string == "\(index)"
        }
    }

    private static func end(_ world: ConformanceWorld, _ job: String, index: Int, code: Int) async throws {
        try await world.eventually("index \(index) of \(job) has its pod") {
            try await live(world, job, index: index) != nil
        }
        try await end(world, try #require(try await live(world, job, index: index)), code: code)
    }

    @Test(arguments: Backend.all) func anIndexedJobRunsEachIndexOnce(_ backend: Backend) async throws {
        try await ConformanceWorld.run(on: backend) { world in
            try world.cluster.require(.indexedJobs)
            let path = Path.jobs + "/j"
            try await world.send(.post, Path.jobs, Self.indexed("j"))
            try await world.eventually("two are there") { try await Self.live(world, "job-name%3Dj").count == 2 }
            let pod = try #require(try await Self.live(world, "j", index: 1))
            #expect(pod["metadata", "generateName"] == "j-1-")
            #expect(pod["metadata", "name"]?.string?.hasPrefix("j-1-") == true)
            #expect(pod["spec", "hostname"] == "j-1")
            let variable = pod["spec", "containers"]?[0]?["env"]?.array?.last
            #expect(variable?["name"] == "JOB_COMPLETION_INDEX")
            #expect(
                variable?["valueFrom", "fieldRef", "fieldPath"]?.string?.hasSuffix("['\(Self.indexKey)']") == true)
            try await Self.end(world, "j", index: 1, code: 0)
            try await world.eventually("it is counted, and the next one runs") {
                let status = try await world.send(.get, path).json["status"]
                let next = try await Self.live(world, "j", index: 2)
                return status?["completedIndexes"] == "1" && status?["succeeded"] == 1 && next != nil
            }
            #expect(try await Self.live(world, "j", index: 1) == nil)
            try await world.expect([
                Exchange(
                    "another mode", .patch, path, ["spec": ["completionMode": "NonIndexed"]], type: .merge, is: 422,
                    "Invalid", ["spec.completionMode"])
            ])
            for index in [0, 2] { try await Self.end(world, "j", index: index, code: 0) }
            try await world.eventually("the job is complete") {
                Self.condition(try await world.send(.get, path), "Complete")?["status"] == "True"
            }
            let done = try await world.send(.get, path)
            #expect(done.json["status", "completedIndexes"] == "0-2" && done.json["status", "succeeded"] == 3)
        }
    }

    @Test(arguments: Backend.all) func oneFailureEndsAnIndexedJobThatAllowsNone(_ backend: Backend) async throws {
        try await ConformanceWorld.run(on: backend) { world in
            try world.cluster.require(.indexedJobs)
            try await world.send(
                .post, Path.jobs, Self.indexed("bad", ["backoffLimit": 0, "completions": 2]))
            try await world.eventually("both are there") { try await Self.live(world, "job-name%3Dbad").count == 2 }
            try await Self.end(world, "bad", index: 1, code: 3)
            try await world.eventually("the job has failed") {
                Self.condition(try await world.send(.get, Path.jobs + "/bad"), "Failed")?["reason"]
                    == "BackoffLimitExceeded"
            }
            try await world.eventually("the other one is stopped") {
                try await Self.live(world, "job-name%3Dbad").isEmpty
            }
        }
    }

    @Test(arguments: Backend.all) func aHeadlessServiceNamesItsPods(_ backend: Backend) async throws {
        try await ConformanceWorld.run(on: backend) { world in
            let node = "conformance-\(world.namespace.suffix(6))"
            try await world.send(
                .post, "/api/v1/nodes", ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(node)]])
            let made = try await world.send(
                .post, Path.services,
                [
                    "apiVersion": "v1", "kind": "Service", "metadata": ["name": "s"],
                    "spec": ["clusterIP": "None", "publishNotReadyAddresses": true, "selector": ["app": "a"]],
                ])
            #expect(made.status == 201 && made.json["spec", "clusterIP"] == "None", "\(made)")
            #expect(made.json["spec", "clusterIPs"] == ["None"], "\(made)")
            for (name, subdomain, ip) in [("p1", "s", "10.9.0.1"), ("p2", "other", "10.9.0.2")] {
                let pod = try await world.send(
                    .post, Path.pods,
                    Sample.pod(
                        name,
                        [
                            "nodeName": .string(node), "nodeSelector": .null, "hostname": .string("host-" + name),
                            "subdomain": .string(subdomain),
                        ]))
                #expect(pod.status == 201, "\(pod)")
                try await Self.setStatus(
                    world, pod.json,
                    ["phase": "Pending", "podIP": .string(ip), "podIPs": [["ip": .string(ip)]]])
            }
            try await world.eventually("both are published though neither is ready") {
                let subset = try await world.send(.get, Path.core + "endpoints/s").json["subsets"]?[0]
                return subset?["addresses"]?.array?.count == 2
            }
            let addresses = try await world.send(.get, Path.core + "endpoints/s").json["subsets"]?[0]?["addresses"]
            let names = (addresses?.array ?? []).map { "\($0["ip"]?.string ?? "") \($0["hostname"]?.string ?? "")" }
            #expect(names.sorted() == ["10.9.0.1 host-p1", "10.9.0.2 "])
            for pod in ["p1", "p2"] { try await world.send(.delete, Path.pods + "/\(pod)?gracePeriodSeconds=0") }
            try await world.send(.delete, "/api/v1/nodes/\(node)")
        }
    }
}
