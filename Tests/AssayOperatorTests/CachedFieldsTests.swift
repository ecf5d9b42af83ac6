import AssayCore
import ControllerRuntime
import JSON
import KubernetesModel
import Testing

@testable import AssayOperator

/// Of a list only the members are built that a cache names: they have to be all that it reads.
@Suite struct CachedFieldsTests {
    private static let metadata = """
        "metadata": {"name": "n", "namespace": "ml", "uid": "u", "resourceVersion": "7", "generation": 3,
          "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z", "labels": {"a": "b"},
          "annotations": {"c": "d"}, "finalizers": ["f"], "managedFields": [{"manager": "m"}],
          "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "ou", "controller": true}]}
        """
    private static let conditions = """
        "conditions": [{"type": "T", "status": "True", "reason": "R", "message": "M", "observedGeneration": 3,
          "lastTransitionTime": "2026-01-01T00:00:00Z"}]
        """
    private static let terminated = """
        {"terminated": {"exitCode": 1, "signal": 9, "reason": "Error", "message": "m", "finishedAt": "2026-01-01T00:00:00Z"}}
        """

    private static func expectWhole<Object: CachedObject & Equatable>(_ type: Object.Type, _ members: String) throws {
        let bytes = Array("{\(metadata), \(members)}".utf8)
        let whole = try Object(json: JSONValue(parsing: bytes[...]))
        let fields = try #require(type.fields, "\(type)")
        let part = try JSONValue(parsing: bytes[...], fields: fields)
        #expect(try Object(json: part) == whole)
        #expect(part["metadata", "managedFields"] == nil)
    }

    @Test func jobs() throws {
        try Self.expectWhole(
            JobObservation.self,
            """
            "spec": {"suspend": true, "ttlSecondsAfterFinished": 5, "template": {"spec": {}}},
            "status": {"active": 1, "failed": 2, "startTime": "2026-01-01T00:00:00Z",
              "completionTime": "2026-01-01T00:01:00Z", \(Self.conditions)}
            """)
    }

    @Test func pods() throws {
        let container = """
            {"name": "c", "imageID": "sha256:1", "ready": true, "restartCount": 4, "state": {"waiting": {"reason": "W",
              "message": "w"}}, "lastState": \(Self.terminated)}, {"name": "d", "state": \(Self.terminated)}
            """
        try Self.expectWhole(
            PodObservation.self,
            """
            "spec": {"nodeName": "x"},
            "status": {"phase": "Failed", "reason": "Evicted", "message": "m", "containerStatuses": [\(container)],
              "initContainerStatuses": [\(container)], \(Self.conditions)}
            """)
    }

    @Test func deployments() throws {
        try Self.expectWhole(
            DeploymentObservation.self,
            """
            "spec": {"replicas": 2, "template": {"spec": {"containers": []}}},
            "status": {"observedGeneration": 3, "replicas": 1, "updatedReplicas": 2, "readyReplicas": 3,
              "availableReplicas": 4, \(Self.conditions)}
            """)
    }

    @Test func services() throws {
        try Self.expectWhole(
            ServiceObservation.self, #""spec": {"selector": {"a": "b"}}, "status": {"loadBalancer": {}}"#)
    }

    @Test func ourOwnKinds() throws {
        let template = #"{"spec": {"containers": [{"name": "c", "image": "i"}]}}"#
        try Self.expectWhole(
            TrainingJob.self,
            #""spec": {"parameters": {"a": "1"}, "seed": 4, "template": \#(template)}, "status": {"phase": "Running"}"#)
        try Self.expectWhole(
            MLModel.self,
            #"""
            "spec": {"suspend": true, "training": {"template": {"spec": {"template": \#(template)}}},
              "validation": {"thresholds": []}, "serving": {"port": 1, "template": \#(template)}},
            "status": {"phase": "Serving", "revision": "r"}
            """#)
    }
}
