import JSON
import KubernetesModel

@testable import LocalCluster

extension JobPlannerTests {
    static let start = Timestamp(seconds: 1_767_225_600)

    func job(_ spec: JSONValue = [:], status: JSONValue? = nil) -> JSONValue {
        var result: JSONValue = [
            "metadata": ["name": "wine", "namespace": "ml", "uid": "job-uid", "resourceVersion": "7"],
            "spec": [
                "parallelism": 1, "completions": 1, "backoffLimit": 2,
                "template": [
                    "metadata": ["labels": ["app": "wine"]],
                    "spec": ["restartPolicy": "Never", "containers": [["name": "main", "image": "x"]]],
                ],
            ],
        ]
        result["spec"] = result["spec"]?.merging(patch: spec)
        result["status"] = status
        return result
    }

    func pod(
        _ name: String, _ phase: String, exit: Int? = nil, at seconds: Int64 = 0, index: Int? = nil,
        terminating: Bool = false
    ) -> JSONValue {
        var result: JSONValue = [
            "metadata": [
                "name": .string(name), "namespace": "ml", "uid": .string("uid-\(name)"),
                "creationTimestamp": .string(Self.start.description),
            ],
            "status": ["phase": .string(phase)],
        ]
        if let index {
            result["metadata", "annotations", "batch.kubernetes.io/job-completion-index"] = .string("\(index)")
        }
        if terminating { result["metadata", "deletionTimestamp"] = .string(Self.start.description) }
        if let exit {
            result["status", "containerStatuses"] = [
                [
                    "name": "main",
                    "state": [
                        "terminated": [
                            "exitCode": JSONValue(exit),
                            "finishedAt": .string((Self.start + .seconds(seconds)).description),
                        ]
                    ],
                ]
            ]
        }
        return result
    }

    func plan(_ job: JSONValue, _ pods: [JSONValue], after seconds: Int64 = 0) -> ControllerPlan {
        JobPlanner().plan(job: job, pods: pods, now: Self.start + .seconds(seconds))
    }
}
