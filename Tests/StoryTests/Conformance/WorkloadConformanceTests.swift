import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories {
    /// The controllers of Jobs, Deployments and Services, with the test as the node.
    @Suite struct WorkloadConformanceTests {
        static func pods(_ world: ConformanceWorld, _ selector: String) async throws -> [JSONValue] {
            try await world.send(.get, Path.pods + "?labelSelector=" + selector).items
        }

        static func live(_ world: ConformanceWorld, _ selector: String) async throws -> [JSONValue] {
            try await pods(world, selector).filter { pod in
                pod["metadata", "deletionTimestamp"] == nil
                    && !["Failed", "Succeeded"].contains(pod["status", "phase"]?.string ?? "")
            }
        }

        static func setStatus(_ world: ConformanceWorld, _ pod: JSONValue, _ status: JSONValue) async throws {
            let name = pod["metadata", "name"]?.string ?? ""
            let answer = try await world.send(.patch, Path.pods + "/\(name)/status", ["status": status], type: .merge)
            #expect(answer.status == 200, "\(answer)")
        }

        /// As a node would: the container has ended.
        static func end(_ world: ConformanceWorld, _ pod: JSONValue, code: Int) async throws {
            try await setStatus(
                world, pod,
                [
                    "phase": code == 0 ? "Succeeded" : "Failed",
                    "containerStatuses": [
                        [
                            "name": "main", "image": "none", "imageID": "", "ready": false, "restartCount": 0,
                            "state": ["terminated": ["exitCode": JSONValue(code), "reason": "Ended"]],
                        ]
                    ],
                ])
        }

        static func condition(_ answer: Answer, _ type: String) -> JSONValue? {
            (answer.json["status", "conditions"]?.array ?? []).first { $0["type"]?.string == type }
        }

        @Test(arguments: Backend.all) func aJobRunsItsPodsAndSaysHowItWent(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let j = Path.jobs + "/j"
                let made = try await world.send(
                    .post, Path.jobs, Sample.job("j", ["completions": 2, "parallelism": 1]))
                let uid = made.json["metadata", "uid"]?.string ?? ""
                #expect(made.json["spec", "backoffLimit"] == 6)
                #expect(made.json["spec", "selector", "matchLabels"]?.object?.count == 1, "\(made)")
                for round in 1...2 {
                    try await world.eventually("pod \(round) is there") {
                        try await Self.live(world, "job-name%3Dj").count == 1
                    }
                    let pod = try #require(try await Self.live(world, "job-name%3Dj").first)
                    #expect(pod["metadata", "labels", "controller-uid"]?.string == uid)
                    #expect(pod["metadata", "generateName"] == "j-")
                    let owner = pod["metadata", "ownerReferences"]?[0]
                    #expect(owner?["kind"] == "Job" && owner?["controller"] == true)
                    #expect(owner?["blockOwnerDeletion"] == true && owner?["uid"]?.string == uid)
                    try await world.eventually("it counts as active") {
                        try await world.send(.get, j).json["status", "active"] == 1
                    }
                    #expect(try await world.send(.get, j).json["status", "startTime"] != nil)
                    try await Self.end(world, pod, code: 0)
                }
                try await world.eventually("the job is complete") {
                    Self.condition(try await world.send(.get, j), "Complete")?["status"] == "True"
                }
                let done = try await world.send(.get, j)
                #expect(done.json["status", "succeeded"] == 2 && done.json["status", "active"] == nil, "\(done)")
                #expect(done.json["status", "failed"] == nil && done.json["status", "completionTime"] != nil)
                try await world.expect([
                    Exchange(
                        "other pods", .patch, j,
                        ["spec": ["template": ["metadata": ["labels": ["new": "label"]]]]], type: .merge, is: 422,
                        "Invalid", ["spec.template"]),
                    Exchange(
                        "fewer completions", .patch, j, ["spec": ["completions": 1]], type: .merge, is: 422, "Invalid",
                        ["spec.completions"]),
                ])
                try await world.send(.delete, j, ["propagationPolicy": "Background"])
                try await world.eventually("its pods are gone") { try await Self.pods(world, "job-name%3Dj").isEmpty }
            }
        }

        @Test(arguments: Backend.all) func aJobThatFailsTooOftenOrTakesTooLongFails(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                try await world.send(.post, Path.jobs, Sample.job("bad", ["backoffLimit": 0]))
                try await world.send(.post, Path.jobs, Sample.job("slow", ["activeDeadlineSeconds": 1]))
                try await world.eventually("it has a pod") { try await Self.live(world, "job-name%3Dbad").count == 1 }
                let pod = try #require(try await Self.live(world, "job-name%3Dbad").first)
                try await Self.end(world, pod, code: 3)
                for (name, reason) in [("bad", "BackoffLimitExceeded"), ("slow", "DeadlineExceeded")] {
                    try await world.eventually("\(name) has failed") {
                        Self.condition(try await world.send(.get, Path.jobs + "/" + name), "Failed") != nil
                    }
                    let job = try await world.send(.get, Path.jobs + "/" + name)
                    #expect(Self.condition(job, "Failed")?["reason"]?.string == reason, "\(job)")
                    #expect(job.json["status", "completionTime"] == nil)
                }
                let bad = try await world.send(.get, Path.jobs + "/bad")
                #expect(bad.json["status", "failed"] == 1, "\(bad)")
                #expect(try await Self.pods(world, "job-name%3Dbad").count == 1, "the pod that failed stays to be read")
                try await world.eventually("what ran too long is stopped") {
                    try await Self.live(world, "job-name%3Dslow").isEmpty
                }
            }
        }

        static let badJobs: [(what: String, spec: JSONValue, field: String)] = [
            (
                "always restarting", ["template": ["spec": ["restartPolicy": "Always"]]],
                "spec.template.spec.restartPolicy"
            ),
            ("negative parallelism", ["parallelism": -1], "spec.parallelism"),
            ("negative limit", ["backoffLimit": -1], "spec.backoffLimit"),
            ("a selector of one's own", ["selector": ["matchLabels": ["a": "b"]]], "spec.selector"),
        ]

        /// What Indexed Jobs may not ask for, where the server knows them.
        static let badIndexedJobs: [(what: String, spec: JSONValue, field: String)] = [
            ("an unknown mode", ["completionMode": "Sorted"], "spec.completionMode"),
            ("indexes without a number of them", ["completionMode": "Indexed", "parallelism": 2], "spec.completions"),
            (
                "more at once than may be", ["completionMode": "Indexed", "completions": 2, "parallelism": 100_001],
                "spec.parallelism"
            ),
        ]

        static let badDeployments: [(what: String, spec: JSONValue, field: String)] = [
            ("a selector of others", ["selector": ["matchLabels": ["app": "other"]]], "spec.template.metadata.labels"),
            ("no selector", ["selector": .null], "spec.selector"),
            ("an empty selector", ["selector": ["matchLabels": .null]], "spec.selector"),
            ("negative replicas", ["replicas": -1], "spec.replicas"),
            (
                "never restarting", ["template": ["spec": ["restartPolicy": "Never"]]],
                "spec.template.spec.restartPolicy"
            ),
            ("no containers", ["template": ["spec": ["containers": []]]], "spec.template.spec.containers"),
            (
                "a rolling recreation", ["strategy": ["type": "Recreate", "rollingUpdate": ["maxSurge": 1]]],
                "spec.strategy.rollingUpdate"
            ),
            (
                "neither more nor fewer", ["strategy": ["rollingUpdate": ["maxSurge": 0, "maxUnavailable": 0]]],
                "spec.strategy.rollingUpdate.maxUnavailable"
            ),
            (
                "a deadline before it is ready", ["minReadySeconds": 9, "progressDeadlineSeconds": 9],
                "spec.progressDeadlineSeconds"
            ),
        ]

        static let badServices: [(what: String, spec: JSONValue, field: String)] = [
            ("no ports", [:], "spec.ports"),
            ("an external name without one", ["type": "ExternalName"], "spec.externalName"),
            ("two ports without names", ["ports": [["port": 80], ["port": 81]]], "spec.ports[0].name"),
            (
                "a name twice", ["ports": [["port": 80, "name": "a"], ["port": 81, "name": "a"]]], "spec.ports[1].name"
            ),
            ("a port twice", ["ports": [["port": 80, "name": "a"], ["port": 80, "name": "b"]]], "spec.ports[1]"),
            ("a port out of range", ["ports": [["port": 80000]]], "spec.ports[0].port"),
            ("an unknown type", ["type": "X", "ports": [["port": 80]]], "spec.type"),
            ("no address", ["clusterIP": "x", "ports": [["port": 80]]], "spec.clusterIP"),
            ("an address of others", ["clusterIP": "1.2.3.4", "ports": [["port": 80]]], "spec.clusterIP"),
        ]

        @Test(arguments: Backend.all) func badWorkloadsAreRefused(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let badJobs =
                    Self.badJobs + (world.cluster.features.contains(.indexedJobs) ? Self.badIndexedJobs : [])
                let all =
                    badJobs.map { ($0.what, Path.jobs, Sample.job("x", $0.spec), $0.field) }
                    + Self.badDeployments.map { ($0.what, Path.deployments, Sample.deployment("x", $0.spec), $0.field) }
                    + Self.badServices.map { bad in
                        let service: JSONValue = [
                            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "x"], "spec": bad.spec,
                        ]
                        return (bad.what, Path.services, service, bad.field)
                    }
                for (what, path, object, field) in all {
                    let answer = try await world.send(.post, path, object)
                    #expect(
                        answer.status == 422 && answer.fields.contains { $0.hasPrefix(field) }, "\(what): \(answer)")
                }
                try await world.send(.post, Path.deployments, Sample.deployment("d"))
                try await world.expect([
                    Exchange(
                        "another selector", .patch, Path.deployments + "/d",
                        [
                            "spec": [
                                "selector": ["matchLabels": ["app": "e"]], "template": Sample.template(["app": "e"]),
                            ]
                        ],
                        type: .merge, is: 422, "Invalid", ["spec.selector"])
                ])
            }
        }

        private static func ready(_ world: ConformanceWorld, _ pod: JSONValue, ip: String = "10.9.0.1") async throws {
            try await setStatus(
                world, pod,
                [
                    "phase": "Running", "podIP": .string(ip), "podIPs": [["ip": .string(ip)]],
                    "conditions": [
                        ["type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"]
                    ],
                ])
        }

        @Test(arguments: Backend.all) func aDeploymentRollsWithinItsLimitsAndKeepsItsHistory(
            _ backend: Backend
        ) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let d = Path.deployments + "/d"
                let rolling: JSONValue = ["rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0]]
                try await world.send(
                    .post, Path.deployments, Sample.deployment("d", ["replicas": 2, "strategy": rolling]))
                try await world.eventually("two pods are there") { try await Self.live(world, "app%3Dd").count == 2 }
                for pod in try await Self.live(world, "app%3Dd") { try await Self.ready(world, pod) }
                try await world.eventually("both are available") {
                    try await world.send(.get, d).json["status", "availableReplicas"] == 2
                }
                try await world.eventually("all is progressed") {
                    Self.condition(try await world.send(.get, d), "Progressing")?["reason"] == "NewReplicaSetAvailable"
                }
                let first = try await world.send(.get, d)
                #expect(first.json["status", "observedGeneration"] == 1 && first.json["status", "replicas"] == 2)
                #expect(first.json["status", "readyReplicas"] == 2 && first.json["status", "updatedReplicas"] == 2)
                #expect(first.json["status", "unavailableReplicas"] == nil)
                #expect(Self.condition(first, "Available")?["reason"] == "MinimumReplicasAvailable")
                #expect(first.json["metadata", "annotations", "deployment.kubernetes.io/revision"] == "1")

                let template: JSONValue = ["spec": ["template": ["metadata": ["labels": ["v": "2"]]]]]
                let changed = try await world.send(.patch, d, template, type: .merge)
                #expect(changed.generation == 2)
                try await world.eventually("one more is there") { try await Self.live(world, "app%3Dd").count == 3 }
                #expect(try await Self.live(world, "app%3Dd,v%3D2").count == 1, "none goes before one is ready")
                for _ in 1...2 {
                    try await world.eventually("a new one waits") {
                        try await Self.live(world, "app%3Dd,v%3D2").contains { $0["status", "phase"] == "Pending" }
                    }
                    for pod in try await Self.live(world, "app%3Dd,v%3D2") where pod["status", "phase"] == "Pending" {
                        try await Self.ready(world, pod)
                    }
                }
                try await world.eventually("the old ones are gone") {
                    let status = try await world.send(.get, d).json["status"]
                    return status?["replicas"] == 2 && status?["updatedReplicas"] == 2
                        && status?["observedGeneration"] == 2
                }
                let sets = try await world.send(.get, Path.replicaSets + "?labelSelector=app%3Dd").items
                #expect(sets.count == 2)
                for set in sets {
                    let revision = set["metadata", "annotations", "deployment.kubernetes.io/revision"]
                    #expect(set["spec", "replicas"]?.int == (revision == "2" ? 2 : 0), "\(set)")
                    let hash = set["metadata", "labels", "pod-template-hash"]?.string ?? ""
                    #expect(set["metadata", "name"]?.string == "d-" + hash)
                    #expect(set["spec", "selector", "matchLabels", "pod-template-hash"]?.string == hash)
                    #expect(set["metadata", "ownerReferences"]?[0]?["kind"] == "Deployment")
                }
                // The first template again is the first ReplicaSet again, of a new revision.
                try await world.send(
                    .patch, d, ["spec": ["template": ["metadata": ["labels": ["v": .null]]]]], type: .merge)
                try await world.eventually("the revision is the third") {
                    let annotations = try await world.send(.get, d).json["metadata", "annotations"]
                    return annotations?["deployment.kubernetes.io/revision"] == "3"
                }
                let after = try await world.send(.get, Path.replicaSets + "?labelSelector=app%3Dd").items
                #expect(Set(after.map { $0["metadata", "name"] }) == Set(sets.map { $0["metadata", "name"] }))
                try await world.send(.delete, d, ["propagationPolicy": "Background"])
                try await world.eventually("all goes with it") {
                    let sets = try await world.send(.get, Path.replicaSets + "?labelSelector=app%3Dd").items
                    let live = try await Self.live(world, "app%3Dd")
                    return sets.isEmpty && live.isEmpty
                }
            }
        }

        @Test(arguments: Backend.all) func aDeploymentThatDoesNotGetOnSaysSo(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let d = Path.deployments + "/d"
                try await world.send(
                    .post, Path.deployments, Sample.deployment("d", ["replicas": 1, "progressDeadlineSeconds": 1]))
                try await world.eventually("its deadline is over") {
                    let progress = Self.condition(try await world.send(.get, d), "Progressing")
                    return progress?["status"] == "False" && progress?["reason"] == "ProgressDeadlineExceeded"
                }
                let late = try await world.send(.get, d)
                #expect(Self.condition(late, "Available")?["status"] == "False")
                #expect(Self.condition(late, "Available")?["reason"] == "MinimumReplicasUnavailable")
                #expect(late.json["status", "unavailableReplicas"] == 1 && late.json["status", "replicas"] == 1)
                try await world.send(
                    .patch, d, ["spec": ["strategy": ["type": "Recreate", "rollingUpdate": .null]]], type: .merge)
                try await world.send(
                    .patch, d, ["spec": ["template": ["metadata": ["labels": ["v": "2"]]]]], type: .merge)
                try await world.eventually("it is made anew") {
                    let live = try await Self.live(world, "app%3Dd")
                    return live.count == 1 && live.first?["metadata", "labels", "v"] == "2"
                }
            }
        }

        @Test(arguments: Backend.all) func endpointsFollowPodsAndTheirReadiness(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let node = "conformance-\(world.namespace.suffix(6))"
                try await world.send(
                    .post, "/api/v1/nodes",
                    ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(node)]])
                try await world.send(
                    .post, Path.services,
                    [
                        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "s", "labels": ["l": "1"]],
                        "spec": [
                            "selector": ["app": "a"],
                            "ports": [["name": "h", "port": 80, "targetPort": "web"], ["name": "g", "port": 81]],
                        ],
                    ])
                for (name, ip) in [("p1", "10.9.0.1"), ("p2", "10.9.0.2")] {
                    let made = try await world.send(
                        .post, Path.pods,
                        Sample.pod(
                            name,
                            [
                                "nodeName": .string(node), "nodeSelector": .null,
                                "containers": [
                                    [
                                        "name": "main", "image": "none",
                                        "ports": [["name": "web", "containerPort": 8080]],
                                    ]
                                ],
                            ]))
                    #expect(made.status == 201, "\(made)")
                    try await Self.ready(world, made.json, ip: ip)
                }
                func unready(_ pod: String) async throws {
                    try await Self.setStatus(
                        world, ["metadata": ["name": .string(pod)]],
                        ["conditions": [["type": "Ready", "status": "False"]]])
                }
                func subset() async throws -> JSONValue? {
                    let subsets = try await world.send(.get, Path.core + "endpoints/s").json["subsets"]?.array ?? []
                    return subsets.count == 1 ? subsets.first : nil
                }
                func addresses(_ list: String) async throws -> [String] {
                    (try await subset()?[list]?.array ?? []).compactMap { $0["ip"]?.string }.sorted()
                }
                try await world.eventually("both are there") {
                    try await addresses("addresses") == ["10.9.0.1", "10.9.0.2"]
                }
                let whole = try #require(try await subset())
                #expect(
                    Set((whole["ports"]?.array ?? []).map { "\($0["name"]?.string ?? "") \($0["port"]?.int ?? 0)" })
                        == [
                            "h 8080", "g 81",
                        ])
                let target = whole["addresses"]?[0]?["targetRef"]
                #expect(target?["kind"] == "Pod" && target?["name"] == "p1")
                #expect(whole["addresses"]?[0]?["nodeName"]?.string == node)
                try await unready("p2")
                try await world.eventually("one is not ready") {
                    let (ready, other) = (try await addresses("addresses"), try await addresses("notReadyAddresses"))
                    return ready == ["10.9.0.1"] && other == ["10.9.0.2"]
                }
                try await world.send(.delete, Path.pods + "/p1")
                try await world.eventually("one that ends is not asked any more") {
                    try await addresses("addresses") == []
                }
                if world.cluster.features.contains(.endpointSliceV1) {
                    let slices = try await world.send(
                        .get,
                        "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices?labelSelector=kubernetes.io/service-name%3Ds"
                    )
                    #expect(slices.items.count == 1)
                    #expect(slices.items.first?["addressType"] == "IPv4")
                }
                try await world.send(
                    .post, Path.services,
                    [
                        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "bare"],
                        "spec": ["ports": [["port": 80]]],
                    ])
                try await world.send(.delete, Path.services + "/s")
                try await world.eventually("endpoints go with their service") {
                    try await world.send(.get, Path.core + "endpoints/s").status == 404
                }
                #expect(try await world.send(.get, Path.core + "endpoints/bare").status == 404)
                for pod in ["p1", "p2"] { try await world.send(.delete, Path.pods + "/\(pod)?gracePeriodSeconds=0") }
                try await world.send(.delete, "/api/v1/nodes/\(node)")
            }
        }

        @Test(arguments: Backend.all) func aPodIsBoundOnceAndEvictedAsItIsDeleted(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let node = "conformance-\(world.namespace.suffix(6))"
                try await world.send(
                    .post, "/api/v1/nodes",
                    ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(node)]])
                let p = Path.pods + "/p"
                // Of no scheduler, which would write conditions of its own meanwhile.
                let made = try await world.send(.post, Path.pods, Sample.pod("p", ["schedulerName": "nobody"]))
                #expect(made.json["status", "phase"] == "Pending" && made.json["status", "qosClass"] == "BestEffort")
                #expect(
                    made.json["spec", "serviceAccountName"] == "default"
                        && made.json["spec", "enableServiceLinks"] == true)
                let binding: JSONValue = [
                    "apiVersion": "v1", "kind": "Binding", "metadata": ["name": "p"],
                    "target": ["kind": "Node", "name": .string(node)],
                ]
                try await world.expect([
                    Exchange("binding", .post, p + "/binding", binding, is: 201),
                    Exchange("binding again", .post, p + "/binding", binding, is: 409, "Conflict"),
                    Exchange(
                        "another image", .patch, p, ["spec": ["containers": [["name": "main", "image": "j"]]]],
                        type: .strategic, is: 200),
                    Exchange(
                        "another command", .patch, p,
                        ["spec": ["containers": [["name": "main", "command": ["x"]]]]], type: .strategic, is: 422,
                        "Invalid", ["spec"]),
                ])
                let bound = try await world.send(.get, p)
                #expect(bound.json["spec", "nodeName"]?.string == node)
                #expect(
                    (bound.json["status", "conditions"]?.array ?? []).contains {
                        $0["type"] == "PodScheduled" && $0["status"] == "True"
                    })
                let version = world.cluster.features.contains(.policyV1) ? "v1" : "v1beta1"
                let evicted = try await world.send(
                    .post, p + "/eviction",
                    ["apiVersion": .string("policy/" + version), "kind": "Eviction", "metadata": ["name": "p"]])
                #expect(evicted.status == 201 && evicted.json["status"] == "Success", "\(evicted)")
                #expect(try await world.send(.get, p).isBeingDeleted)
                try await world.send(.delete, p + "?gracePeriodSeconds=0")
                try await world.send(.delete, "/api/v1/nodes/\(node)")
                let account = try await world.send(.post, Path.pods, Sample.pod("q", ["serviceAccountName": "none"]))
                #expect(account.status == 403 && account.reason == "Forbidden", "\(account)")
            }
        }
    }
}
