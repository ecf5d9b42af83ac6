import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

private let start = Timestamp(seconds: 1_767_225_600)

private func template(_ image: String) -> JSONValue {
    ["metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "main", "image": .string(image)]]]]
}

/// A Deployment, its ReplicaSets and their pods, in which plans are carried out and pods become ready when told.
private struct World {
    var deployment: JSONValue
    var sets: [JSONValue] = []
    var now = start
    var version = 1
    var lowestAvailable = Int.max
    var highestTotal = 0

    init(replicas: Int, image: String = "a", _ spec: JSONValue = [:]) {
        deployment = [
            "metadata": ["name": "web", "namespace": "ml", "uid": "d", "generation": 1, "resourceVersion": "1"],
            "spec": [
                "replicas": JSONValue(replicas), "selector": ["matchLabels": ["app": "web"]],
                "template": template(image), "progressDeadlineSeconds": 600,
                "strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0]],
            ],
        ]
        deployment["spec"] = deployment["spec"]?.merging(patch: spec)
    }

    func plan() -> ControllerPlan {
        DeploymentPlanner().plan(deployment: deployment, replicaSets: sets, pods: [], now: now)
    }

    /// Carries out one plan; returns whether it wanted anything.
    mutating func step() -> Bool {
        let plan = plan()
        for action in plan.actions {
            version += 1
            switch action {
            case .create(_, var object, _):
                object["metadata", "uid"] = .string("set-\(version)")
                object["metadata", "resourceVersion"] = .string("\(version)")
                object["metadata", "creationTimestamp"] = .string((now + .seconds(version)).description)
                sets.append(object)
            case .patch(.replicaSets, let key, let patch):
                guard let index = sets.firstIndex(where: { $0.name == key.name }) else { continue }
                sets[index] = sets[index].merging(patch: patch)
                sets[index]["metadata", "resourceVersion"] = .string("\(version)")
            case .patch(_, _, let patch): deployment = deployment.merging(patch: patch)
            case .replaceStatus(_, let object):
                // The API server takes annotations by a Deployment's status too.
                deployment["status"] = object["status"]
                deployment["metadata", "annotations"] = object["metadata", "annotations"]
            case .delete(_, let key, _, _): sets.removeAll { $0.name == key.name }
            default: continue
            }
        }
        return !plan.actions.isEmpty
    }

    /// ReplicaSets do their work; pods of the images in `broken` never get ready.
    mutating func runSets(broken: Set<String> = []) {
        for index in sets.indices {
            let size = sets[index]["spec", "replicas"]?.int ?? 0
            let image = sets[index]["spec", "template", "spec", "containers"]?[0]?["image"]?.string ?? ""
            let available = broken.contains(image) ? 0 : size
            sets[index]["status"] = [
                "observedGeneration": 0, "replicas": JSONValue(size), "readyReplicas": JSONValue(available),
                "availableReplicas": JSONValue(available),
            ]
        }
        let available = sets.reduce(0) { $0 + ($1["status", "availableReplicas"]?.int ?? 0) }
        lowestAvailable = min(lowestAvailable, available)
        highestTotal = max(highestTotal, sets.reduce(0) { $0 + ($1["spec", "replicas"]?.int ?? 0) })
    }

    mutating func settle(broken: Set<String> = []) {
        for _ in 0..<50 {
            let wanted = step()
            runSets(broken: broken)
            if !wanted { return }
        }
        Issue.record("the rollout does not come to rest: \(plan().actions)")
    }

    func size(_ image: String) -> Int? {
        sets.first { $0["spec", "template", "spec", "containers"]?[0]?["image"]?.string == image }?["spec", "replicas"]?
            .int
    }

    func condition(_ type: String) -> (String?, String?) {
        let condition = deployment.condition(type)
        return (condition?["status"]?.string, condition?["reason"]?.string)
    }
}

@Suite struct DeploymentPlannerTests {
    @Test func `a new Deployment gets a ReplicaSet and comes to rest as available`() {
        var world = World(replicas: 3)
        world.settle()
        #expect(world.sets.count == 1)
        #expect(world.size("a") == 3)
        #expect(world.condition("Available") == ("True", "MinimumReplicasAvailable"))
        #expect(world.condition("Progressing") == ("True", "NewReplicaSetAvailable"))
        #expect(world.deployment.annotations["deployment.kubernetes.io/revision"] == "1")
        #expect(world.deployment["status", "availableReplicas"] == 3)
        #expect(world.sets[0].labels["pod-template-hash"] != nil)
    }

    @Test(arguments: [("1", "0", 3, 4), ("0", "1", 2, 3), ("50%", "25%", 3, 5)])
    func `a rolling update keeps within its surge and its minimum`(
        surge: String, unavailable: String, lowest: Int, highest: Int
    ) {
        func value(_ text: String) -> JSONValue { Int(text).map { JSONValue($0) } ?? .string(text) }
        var world = World(
            replicas: 3,
            ["strategy": ["rollingUpdate": ["maxSurge": value(surge), "maxUnavailable": value(unavailable)]]])
        world.settle()
        world.lowestAvailable = .max
        world.highestTotal = 0
        world.deployment["spec", "template"] = template("b")
        world.settle()
        #expect(world.size("a") == 0)
        #expect(world.size("b") == 3)
        #expect(world.lowestAvailable >= lowest)
        #expect(world.highestTotal <= highest)
        #expect(world.deployment.annotations["deployment.kubernetes.io/revision"] == "2")
    }

    @Test func `a broken update keeps the old pods and runs out of time`() {
        var world = World(replicas: 2)
        world.settle()
        world.deployment["spec", "template"] = template("b")
        world.settle(broken: ["b"])
        #expect(world.size("a") == 2)
        #expect(world.size("b") == 1)
        #expect(world.condition("Available") == ("True", "MinimumReplicasAvailable"))
        world.now = world.now + .seconds(601)
        world.settle(broken: ["b"])
        #expect(world.condition("Progressing") == ("False", "ProgressDeadlineExceeded"))
    }

    @Test func `going back to an old template uses its ReplicaSet again, with a new revision`() {
        var world = World(replicas: 2)
        world.settle()
        world.deployment["spec", "template"] = template("b")
        world.settle()
        world.deployment["spec", "template"] = template("a")
        world.settle()
        #expect(world.sets.count == 2)
        #expect(world.size("a") == 2)
        #expect(world.size("b") == 0)
        #expect(world.deployment.annotations["deployment.kubernetes.io/revision"] == "3")
    }

    @Test func `Recreate stops all old pods before it starts new ones`() {
        var world = World(replicas: 2, ["strategy": ["type": "Recreate", "rollingUpdate": .null]])
        world.settle()
        world.deployment["spec", "template"] = template("b")
        world.highestTotal = 0
        world.settle()
        #expect(world.highestTotal <= 2)
        #expect(world.lowestAvailable == 0)
        #expect(world.size("a") == 0)
        #expect(world.size("b") == 2)
    }

    @Test func `a paused Deployment scales but does not roll out`() {
        var world = World(replicas: 2)
        world.settle()
        world.deployment["spec", "paused"] = true
        world.deployment["spec", "template"] = template("b")
        world.deployment["spec", "replicas"] = 3
        world.settle()
        #expect(world.sets.count == 1)
        #expect(world.size("a") == 3)
        #expect(world.condition("Progressing").1 == "DeploymentPaused")
        world.deployment["spec", "paused"] = false
        world.settle()
        #expect(world.size("b") == 3)
    }

    @Test func `a Deployment scales to zero and back`() {
        var world = World(replicas: 2)
        world.settle()
        world.deployment["spec", "replicas"] = 0
        world.settle()
        #expect(world.size("a") == 0)
        #expect(world.condition("Available").0 == "True")
        world.deployment["spec", "replicas"] = 1
        world.settle()
        #expect(world.size("a") == 1)
    }

    @Test func `scaling in the middle of a rollout shares the pods out`() {
        var world = World(replicas: 10, ["strategy": ["rollingUpdate": ["maxSurge": 3, "maxUnavailable": 2]]])
        world.settle()
        world.deployment["spec", "template"] = template("b")
        world.settle(broken: ["b"])
        let (old, new) = (world.size("a"), world.size("b"))
        world.deployment["spec", "replicas"] = 15
        _ = world.step()
        #expect(world.sets.reduce(0) { $0 + ($1["spec", "replicas"]?.int ?? 0) } == 18)
        #expect((world.size("a") ?? 0) > (old ?? 0))
        #expect((world.size("b") ?? 0) > (new ?? 0))
    }

    @Test func `old ReplicaSets beyond the history limit are deleted`() {
        var world = World(replicas: 1, ["revisionHistoryLimit": 1])
        for image in ["a", "b", "c"] {
            world.deployment["spec", "template"] = template(image)
            world.settle()
        }
        #expect(world.size("a") == nil)
        #expect(world.size("b") == 0)
        #expect(world.size("c") == 1)
    }

    @Test func `a ReplicaSet stops pods that are not ready first and reports what quota refuses`() {
        func pod(_ name: String, ready: Bool) -> JSONValue {
            [
                "metadata": [
                    "name": .string(name), "uid": .string(name), "creationTimestamp": .string(start.description),
                ],
                "spec": ["nodeName": "n"],
                "status": [
                    "phase": "Running",
                    "conditions": [
                        [
                            "type": "Ready", "status": ready ? "True" : "False",
                            "lastTransitionTime": .string(start.description),
                        ]
                    ],
                ],
            ]
        }
        let set: JSONValue = ["metadata": ["name": "web-1", "namespace": "ml", "uid": "s"], "spec": ["replicas": 1]]
        let plan = ReplicaSetPlanner().plan(
            replicaSet: set, pods: [pod("a", ready: true), pod("b", ready: false)], now: start)
        #expect(plan.deleted == ["b"])
        #expect(plan.status(.replicaSets)?["readyReplicas"] == 1)
        let refused = ReplicaSetPlanner().plan(
            replicaSet: set, pods: [], createFailure: "exceeded quota: q", now: start)
        #expect(refused.created.isEmpty)
        #expect(refused.status(.replicaSets)?.reason("ReplicaFailure") == "FailedCreate")
    }
}
