import JSON
import KubernetesModel
import Testing

@Suite("kstatus")
struct KStatusTests {
    private func object(
        _ kind: String = "example.com/v1 Model", generation: Int = 2, spec: JSONValue = [:], status: JSONValue = [:],
        conditions: [(String, String)] = [], deleted: Bool = false
    ) -> JSONValue {
        let words = kind.split(separator: " ").map(String.init)
        var result: JSONValue = [
            "apiVersion": .string(words[0]), "kind": .string(words[1]),
            "metadata": ["generation": JSONValue(generation)], "spec": spec, "status": status,
        ]
        if deleted { result["metadata", "deletionTimestamp"] = "2026-01-01T00:00:00Z" }
        if !conditions.isEmpty {
            result["status", "conditions"] = .array(
                conditions.map { type, status in
                    let parts = status.split(separator: "/").map(String.init)
                    return [
                        "type": .string(type), "status": .string(parts[0]),
                        "reason": .string(parts.count > 1 ? parts[1] : "Because"), "message": "why",
                    ]
                })
        }
        return result
    }

    @Test("reads a custom resource in the order of deletion, generation, conditions")
    func generic() {
        func phase(_ object: JSONValue) -> KStatus.Phase { KStatus.compute(object).phase }
        #expect(phase(object()) == .current)
        #expect(phase(object(conditions: [("Ready", "True")])) == .current)
        #expect(phase(object(conditions: [("Ready", "False")])) == .inProgress)
        #expect(phase(object(conditions: [("Ready", "Unknown")])) == .inProgress)
        #expect(phase(object(conditions: [("Ready", "True"), ("Reconciling", "True")])) == .inProgress)
        #expect(phase(object(conditions: [("Ready", "False"), ("Stalled", "True")])) == .failed)
        #expect(phase(object(conditions: [("Stalled", "False"), ("Ready", "True")])) == .current)
        // In the order of the list.
        #expect(phase(object(conditions: [("Stalled", "True"), ("Reconciling", "True")])) == .failed)
        #expect(phase(object(conditions: [("Reconciling", "True"), ("Stalled", "True")])) == .inProgress)
        #expect(phase(object(status: ["observedGeneration": 1], conditions: [("Stalled", "True")])) == .inProgress)
        #expect(phase(object(status: ["observedGeneration": -1])) == .inProgress)
        #expect(phase(object(status: ["observedGeneration": 2], conditions: [("Ready", "True")])) == .current)
        // Only an integer counts.
        #expect(phase(object(status: ["observedGeneration": "1"])) == .current)
        #expect(phase(object(conditions: [("Stalled", "True")], deleted: true)) == .terminating)
        let stalled = KStatus.compute(object(conditions: [("Stalled", "True/BadSpec")]))
        #expect(stalled.reason == "BadSpec")
        #expect(stalled.message == "why")
        #expect(KStatus.compute(.null).phase == .current)
        #expect(KStatus.compute(["status": ["conditions": [5, "x", [:]]]]).phase == .current)
    }

    @Test("reads a Deployment")
    func deployment() {
        func status(
            _ counts: [Int],
            conditions: [(String, String)] = [("Progressing", "True/NewReplicaSetAvailable"), ("Available", "True")],
            replicas: Int? = 2
        ) -> KStatus {
            var spec: JSONValue = ["progressDeadlineSeconds": 600]
            spec["replicas"] = replicas.map { JSONValue($0) }
            let names = ["replicas", "updatedReplicas", "availableReplicas", "readyReplicas"]
            let fields = zip(names, counts).map { ($0, JSONValue($1)) }
            return KStatus.compute(
                object("apps/v1 Deployment", spec: spec, status: .object(JSONObject(fields)), conditions: conditions))
        }
        #expect(status([2, 2, 2, 2]).phase == .current)
        #expect(status([1, 1, 1, 1]).reason == "LessReplicas")
        #expect(status([2, 1, 2, 2]).reason == "LessUpdated")
        #expect(status([3, 2, 3, 3]).reason == "ExtraPods")
        #expect(status([2, 2, 1, 2]).reason == "LessAvailable")
        #expect(status([2, 2, 2, 1]).reason == "LessReady")
        #expect(status([2, 2, 2, 2], conditions: [("Available", "True")]).reason == "ReplicaSetNotAvailable")
        #expect(
            status([2, 2, 2, 2], conditions: [("Progressing", "True/NewReplicaSetAvailable")]).reason
                == "DeploymentNotAvailable")
        #expect(status([1, 1, 1, 1], replicas: nil).phase == .current)
        #expect(status([0, 0, 0, 0], replicas: 0).phase == .current)
        let late = status([2, 1, 1, 1], conditions: [("Progressing", "False/ProgressDeadlineExceeded")])
        #expect(late.phase == .failed)
        #expect(late.reason == "ProgressDeadlineExceeded")
    }

    @Test("reads a Job")
    func job() {
        func status(_ status: JSONValue, _ conditions: [(String, String)] = []) -> KStatus {
            KStatus.compute(object("batch/v1 Job", status: status, conditions: conditions))
        }
        #expect(status([:]).phase == .inProgress)
        #expect(status(["startTime": "2026-01-01T00:00:00Z", "active": 1]).phase == .current)
        #expect(status(["succeeded": 1], [("Complete", "True")]).message == "Job Completed. succeeded: 1/1")
        #expect(status(["failed": 1], [("Failed", "True")]).phase == .failed)
        #expect(status([:], [("Failed", "False")]).phase == .inProgress)
        #expect(status([:], [("Suspended", "True")]).reason == "JobSuspended")
    }

    @Test("reads a Pod")
    func pod() throws {
        func status(_ status: JSONValue, _ conditions: [(String, String)] = [], now: Timestamp? = nil) -> KStatus {
            var pod = object("v1 Pod", status: status, conditions: conditions)
            pod["metadata", "creationTimestamp"] = "2026-01-01T00:00:00Z"
            return KStatus.compute(pod, now: now)
        }
        #expect(status([:]).reason == "PodNotObserved")
        #expect(status(["phase": "Succeeded"]).phase == .current)
        #expect(status(["phase": "Failed"]).phase == .failed)
        #expect(status(["phase": "Pending"]).phase == .inProgress)
        #expect(status(["phase": "Strange"]).phase == .inProgress)
        #expect(status(["phase": "Running"], [("Ready", "True")]).phase == .current)
        #expect(status(["phase": "Running"], [("Ready", "False")]).reason == "PodRunningNotReady")
        let looping: JSONValue = [
            "phase": "Running",
            "containerStatuses": [["name": "c", "state": ["waiting": ["reason": "CrashLoopBackOff"]]]],
        ]
        #expect(status(looping).message == "Containers in CrashLoop state: c")
        let created = try #require(Timestamp("2026-01-01T00:00:00Z"))
        let refused = [("PodScheduled", "False/Unschedulable")]
        #expect(status(["phase": "Pending"], refused, now: created + .seconds(14)).phase == .inProgress)
        #expect(status(["phase": "Pending"], refused, now: created + .seconds(15)).phase == .failed)
        #expect(status(["phase": "Pending"], refused).phase == .inProgress)
    }

    @Test("reads the other built-in kinds, and only those of their own group")
    func others() {
        func phase(
            _ kind: String, spec: JSONValue = [:], status: JSONValue = [:], _ conditions: [(String, String)] = []
        )
            -> KStatus.Phase
        { KStatus.compute(object(kind, spec: spec, status: status, conditions: conditions)).phase }
        #expect(phase("v1 Service") == .current)
        #expect(phase("v1 Service", spec: ["type": "LoadBalancer"]) == .inProgress)
        #expect(phase("v1 Service", spec: ["type": "LoadBalancer", "clusterIP": "10.0.0.1"]) == .current)
        #expect(phase("v1 PersistentVolumeClaim") == .inProgress)
        #expect(phase("v1 PersistentVolumeClaim", status: ["phase": "Bound"]) == .current)
        #expect(phase("apiextensions.k8s.io/v1 CustomResourceDefinition") == .inProgress)
        #expect(phase("apiextensions.k8s.io/v1 CustomResourceDefinition", [("Established", "True")]) == .current)
        #expect(phase("apiextensions.k8s.io/v1 CustomResourceDefinition", [("NamesAccepted", "False")]) == .failed)
        let full: JSONValue = ["replicas": 1, "fullyLabeledReplicas": 1, "availableReplicas": 1, "readyReplicas": 1]
        #expect(phase("apps/v1 ReplicaSet", status: full) == .current)
        #expect(phase("apps/v1 ReplicaSet") == .inProgress)
        #expect(phase("example.com/v1 PersistentVolumeClaim") == .current)
        #expect(phase("v1 Job") == .current)
    }
}
