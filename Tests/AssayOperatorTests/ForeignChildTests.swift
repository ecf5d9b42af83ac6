import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@testable import AssayOperator

/// Somebody else's namespace is no place to say something about an object of ours.
@Suite struct ForeignChildTests {
    private let caches = Caches()
    private let client = KubernetesClient(transport: ModelTransport())
    private var policies: PolicyReader { PolicyReader(client: client, level: .baseline, time: ManualTime()) }

    private func object(
        _ type: ResourceType, _ namespace: String, _ name: String, uid: String, owner: (ResourceType, String)? = nil
    ) -> JSONValue {
        var json: JSONValue = [
            "apiVersion": .string(type.apiVersion), "kind": .string(type.kind),
            "metadata": [
                "namespace": .string(namespace), "name": .string(name), "uid": .string(uid), "resourceVersion": "1",
            ],
        ]
        if let (type, uid) = owner {
            json["metadata", "ownerReferences"] = [
                [
                    "apiVersion": .string(type.apiVersion), "kind": .string(type.kind), "name": "wine",
                    "uid": .string(uid), "controller": true,
                ]
            ]
        }
        return json
    }

    private func fill<Object>(_ store: Store<Object>, _ objects: [JSONValue]) {
        store.beginList()
        #expect(store.stage(objects).isEmpty)
        store.finishList(resourceVersion: "9")
    }

    @Test func aModelIsToldOfTheChildrenInItsNamespaceOnly() throws {
        fill(caches.models, [object(.mlModels, "ml", "wine", uid: "m")])
        fill(
            caches.trainingJobs,
            ["ml", "evil"].map { object(.trainingJobs, $0, "run", uid: "t-\($0)", owner: (.mlModels, "m")) })
        fill(
            caches.deployments,
            ["ml", "evil"].map { object(.deployments, $0, "rev", uid: "d-\($0)", owner: (.mlModels, "m")) })
        let kind = MLModelKind(
            client: client, caches: caches, policies: policies, namespace: nil, operatorImage: { nil })
        let seen = try #require(kind.cached(ObjectKey(namespace: "ml", name: "wine")))
        #expect(seen.trainingJobs.map(\.metadata.uid) == ["t-ml"])
        #expect(seen.deployments.map(\.metadata.uid) == ["d-ml"])
    }

    @Test func aTrainingIsToldOfTheJobsAndPodsInItsNamespaceOnly() throws {
        fill(caches.trainingJobs, [object(.trainingJobs, "ml", "wine", uid: "t")])
        fill(caches.jobs, ["ml", "evil"].map { object(.jobs, $0, "j", uid: "j-\($0)", owner: (.trainingJobs, "t")) })
        fill(caches.pods, ["ml", "evil"].map { object(.pods, $0, "p", uid: "p-\($0)", owner: (.jobs, "j-ml")) })
        let kind = TrainingJobKind(
            client: client, caches: caches, policies: policies, operatorImage: { nil }, push: nil)
        let seen = try #require(kind.cached(ObjectKey(namespace: "ml", name: "wine")))
        #expect(seen.jobs.map(\.metadata.uid) == ["j-ml"])
        #expect(seen.pods.map(\.metadata.uid) == ["p-ml"])
    }
}
