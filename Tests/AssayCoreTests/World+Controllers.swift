import AssayCore
import JSON
import KubernetesModel

/// What the controllers of built-in kinds and the kubelet do.
extension World {
    static let digest = "sha256:" + String(repeating: "ab12", count: 16)

    mutating func addPod(
        owner: JSONValue, kind: String, template: JSONValue, name: String, status: JSONValue
    ) {
        let metadata: JSONValue = [
            "name": .string(name), "namespace": .string(Self.namespace), "uid": .string("uid-\(next())"),
            "labels": template["metadata", "labels"] ?? [:], "creationTimestamp": .string(now.description),
            "ownerReferences": [
                [
                    "apiVersion": "v1", "kind": .string(kind), "name": owner["metadata", "name"] ?? "",
                    "uid": owner["metadata", "uid"] ?? "", "controller": true,
                ]
            ],
        ]
        objects[.pods, default: [:]][name] = ["metadata": metadata, "spec": template["spec"] ?? [:], "status": status]
    }

    /// The newest Job's pod gets this status, container by container.
    mutating func addJobPod(_ status: JSONValue, suffix: String = "x1") {
        guard let job = all(.jobs).last, let name = job["metadata", "name"]?.string else { return }
        addPod(
            owner: job, kind: "Job", template: job["spec", "template"] ?? [:], name: "\(name)-\(suffix)",
            status: status)
    }

    mutating func succeedJob(_ message: String = #"{"accuracy": 0.97}"#, imageID: String? = nil) {
        guard let name = objects[.jobs]?.keys.sorted().last else { return }
        let image = imageID ?? "registry.local/wine@\(Self.digest)"
        addJobPod([
            "phase": "Succeeded",
            "containerStatuses": [
                [
                    "name": "train", "imageID": .string(image),
                    "state": [
                        "terminated": [
                            "exitCode": 0, "reason": "Completed", "message": .string(message),
                            "finishedAt": .string(now.description),
                        ]
                    ],
                ]
            ],
        ])
        endJob(name, "Complete", reason: "")
    }

    mutating func failJob(exitCode: Int = 1, reason: String = "Error", message: String = "", ofJob: String) {
        guard let name = objects[.jobs]?.keys.sorted().last else { return }
        addJobPod([
            "phase": "Failed",
            "containerStatuses": [
                [
                    "name": "train", "imageID": "",
                    "state": [
                        "terminated": [
                            "exitCode": JSONValue(exitCode), "reason": .string(reason), "message": .string(message),
                            "finishedAt": .string(now.description),
                        ]
                    ],
                ]
            ],
        ])
        endJob(name, "Failed", reason: ofJob)
    }

    mutating func endJob(_ name: String, _ type: String, reason: String) {
        let time = now.description
        update(.jobs, name) {
            $0["status", "conditions"] = [
                [
                    "type": .string(type), "status": "True", "reason": .string(reason),
                    "lastTransitionTime": .string(time),
                ]
            ]
            $0["status", "completionTime"] = .string(time)
        }
    }

    /// The Deployments that are to have pods.
    var awake: [JSONValue] { all(.deployments).filter { $0["spec", "replicas"] != 0 } }

    /// Every Deployment gets the replicas it wants.
    mutating func makeDeploymentsAvailable() {
        for name in (objects[.deployments] ?? [:]).keys {
            update(.deployments, name) {
                let replicas = $0["spec", "replicas"] ?? 1
                $0["status"] = [
                    "observedGeneration": $0["metadata", "generation"] ?? 0, "replicas": replicas,
                    "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
                    "conditions": [["type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"]],
                ]
            }
        }
    }

    mutating func failDeployment(_ name: String, reason: String = "ProgressDeadlineExceeded") {
        update(.deployments, name) {
            $0["status"] = [
                "observedGeneration": $0["metadata", "generation"] ?? 0, "replicas": 1, "updatedReplicas": 1,
                "conditions": [
                    ["type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"],
                    [
                        "type": "Progressing", "status": "False", "reason": .string(reason),
                        "message": "has timed out progressing",
                    ],
                ],
            ]
        }
    }
}

/// Objects as users write them.
enum Sample {
    static let template = #"""
        {"spec": {"containers": [{"name": "train", "image": "registry.local/wine:1.4", "command": ["train"]}]}}
        """#

    static func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

    static func trainingJob(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        var object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob", "metadata": ["name": "wine"],
            "spec": ["parameters": ["learningRate": "0.1"], "seed": 42, "template": try json(template)],
        ]
        change(&object)
        return object
    }

    static func model(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        var object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "MLModel", "metadata": ["name": "wine"],
            "spec": [
                "training": ["template": ["spec": ["seed": 42, "template": try json(template)]]],
                "validation": ["thresholds": [["metric": "accuracy", "direction": "Maximize", "threshold": 0.93]]],
                "serving": [
                    "port": 8080, "replicas": 1,
                    "template": try json(
                        #"{"spec": {"containers": [{"name": "server", "image": "registry.local/wine:1.4"}]}}"#),
                ],
            ],
        ]
        change(&object)
        return object
    }
}

extension World {
    /// A world with the model in it, brought to the named point of its story.
    enum Point: CaseIterable {
        case applied
        case training
        case rollingOut
        case serving
    }

    static func model(at point: Point, _ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        try world.create(.mlModels, try Sample.model(change))
        guard point != .applied else { return world }
        try world.settle()
        guard point != .training else { return world }
        world.succeedJob()
        try world.settle()
        guard point != .rollingOut else { return world }
        world.makeDeploymentsAvailable()
        try world.settle()
        return world
    }

    mutating func change(_ edit: (inout JSONValue) -> Void) { update(.mlModels, "wine") { edit(&$0) } }

    var status: JSONValue { objects[.mlModels]?["wine"]?["status"] ?? [:] }

    func condition(_ type: String, of object: ResourceType = .mlModels) -> JSONValue? {
        get(object, "wine")?["status", "conditions"]?.array?.first { $0["type"]?.string == type }
    }
}
