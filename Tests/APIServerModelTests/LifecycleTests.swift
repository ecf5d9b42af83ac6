import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

/// Finalizers, owners, grace and namespaces: how objects go.
@Suite struct LifecycleTests {
    private func owner(_ json: JSONValue, blocks: Bool = true) -> JSONValue {
        [
            "apiVersion": json["apiVersion"] ?? "", "kind": json["kind"] ?? "",
            "name": json["metadata", "name"] ?? "", "uid": json["metadata", "uid"] ?? "", "controller": true,
            "blockOwnerDeletion": .bool(blocks),
        ]
    }

    @Test func `An object with a finalizer stays until the finalizer goes`() {
        var t = TestServer()
        var map = Sample.map("a")
        map["metadata", "finalizers"] = ["example.dev/hold"]
        t.post(Sample.maps, map)
        let id = t.watch(Sample.maps + "?watch=1")
        let answer = t.delete(Sample.maps + "/a")
        #expect(answer.json["metadata", "deletionTimestamp"] == "2027-01-15T08:00:00Z")
        let more = t.merge(Sample.maps + "/a", ["metadata": ["finalizers": ["example.dev/hold", "example.dev/more"]]])
        #expect(more.status == 422)
        #expect(more.message.contains("no new finalizers can be added if the object is being deleted"))
        t.merge(Sample.maps + "/a", ["metadata": ["finalizers": []]])
        #expect(t.get(Sample.maps + "/a").status == 404)
        #expect(t.events(id) == ["ADDED a", "MODIFIED a", "DELETED a"])
    }

    struct Propagation: CustomTestStringConvertible, Sendable {
        var body: JSONValue?
        var podStays: Bool
        var ownerWaits: Bool
        var testDescription: String { body?.serialized() ?? "default" }
    }

    static let propagations: [Propagation] = [
        // A Job's pods are orphaned unless the client says otherwise.
        Propagation(body: nil, podStays: true, ownerWaits: true),
        Propagation(body: ["propagationPolicy": "Background"], podStays: false, ownerWaits: false),
        Propagation(body: ["propagationPolicy": "Foreground"], podStays: false, ownerWaits: true),
        Propagation(body: ["propagationPolicy": "Orphan"], podStays: true, ownerWaits: true),
        Propagation(body: ["orphanDependents": false], podStays: false, ownerWaits: false),
    ]

    @Test(arguments: propagations) func `A Job takes its pods along as it is told`(_ propagation: Propagation) {
        var t = TestServer()
        let job = t.post(Sample.jobs, Sample.job("j")).json
        t.post(Sample.pods, Sample.pod("p", owner: owner(job)))
        t.delete(Sample.jobs + "/j", propagation.body)
        #expect((t.get(Sample.jobs + "/j").status == 200) == propagation.ownerWaits)
        #expect(t.get(Sample.pods + "/p").status == 200)
        t.server.collectGarbage(now: t.now)
        #expect(t.get(Sample.jobs + "/j").status == 404)
        let pod = t.get(Sample.pods + "/p")
        #expect((pod.status == 200) == propagation.podStays)
        #expect(pod.json["metadata", "ownerReferences"] == nil)
        let wroteMore = t.server.collectGarbage(now: t.now)
        #expect(!wroteMore)
    }

    @Test func `What is owned by nobody that lives is collected down the chain, in its own namespace only`() {
        var t = TestServer()
        let top = t.post(Sample.maps, Sample.map("top")).json
        var middle = Sample.map("middle")
        middle["metadata", "ownerReferences"] = [owner(top)]
        let made = t.post(Sample.maps, middle).json
        t.post(Sample.pods, Sample.pod("leaf", owner: owner(made)))
        var stranger = Sample.map("stranger")
        stranger["metadata", "ownerReferences"] = [owner(top)]
        t.post("/api/v1/namespaces/kube-system/configmaps", stranger)
        t.server.collectGarbage(now: t.now)
        #expect(t.get("/api/v1/configmaps").names == ["middle", "top"])
        t.delete(Sample.maps + "/top")
        t.pass(1)
        #expect(t.get("/api/v1/configmaps").names == [])
        #expect(t.get(Sample.pods).names == [])
    }

    @Test func `An owner that is deleted in the foreground waits for a pod on a node`() {
        var t = TestServer()
        let job = t.post(Sample.jobs, Sample.job("j")).json
        t.post(Sample.pods, Sample.pod("p", owner: owner(job)))
        t.post(Sample.pods + "/p/binding", ["target": ["name": "n"]])
        t.delete(Sample.jobs + "/j", ["propagationPolicy": "Foreground"])
        t.pass(1)
        #expect(t.get(Sample.jobs + "/j").json["metadata", "finalizers"] == ["foregroundDeletion"])
        let pod = t.get(Sample.pods + "/p")
        #expect(pod.json["metadata", "deletionGracePeriodSeconds"] == 30)
        #expect(pod.json["metadata", "deletionTimestamp"] == "2027-01-15T08:00:31Z")
        // The node says that the containers have stopped.
        #expect(t.delete(Sample.pods + "/p", ["gracePeriodSeconds": 0]).status == 200)
        t.pass(1)
        #expect(t.get(Sample.pods + "/p").status == 404)
        #expect(t.get(Sample.jobs + "/j").status == 404)
    }

    @Test func `A pod without a node goes at once`() {
        var t = TestServer()
        t.post(Sample.pods, Sample.pod("p"))
        #expect(t.delete(Sample.pods + "/p").json["kind"] == "Pod")
        #expect(t.get(Sample.pods + "/p").status == 404)
    }

    @Test func `A namespace goes when its content has gone`() {
        var t = TestServer()
        t.post("/api/v1/namespaces", ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "ml"]])
        #expect(t.get("/api/v1/namespaces/ml/serviceaccounts").names == ["default"])
        var map = Sample.map("held")
        map["metadata", "finalizers"] = ["example.dev/hold"]
        t.post("/api/v1/namespaces/ml/configmaps", map)
        let answer = t.delete("/api/v1/namespaces/ml")
        #expect(answer.json["status", "phase"] == "Terminating")
        let late = t.post("/api/v1/namespaces/ml/configmaps", Sample.map("late"))
        #expect(late.status == 403)
        #expect(late.json["details", "causes"]?[0]?["reason"] == "NamespaceTerminating")
        #expect(
            late.message
                == "configmaps \"late\" is forbidden: unable to create new content in namespace ml because it is "
                + "being terminated")
        t.pass(1)
        #expect(t.get("/api/v1/namespaces/ml").status == 200)
        #expect(t.get("/api/v1/namespaces/ml/serviceaccounts").names == [])
        t.merge("/api/v1/namespaces/ml/configmaps/held", ["metadata": ["finalizers": []]])
        t.pass(1)
        #expect(t.get("/api/v1/namespaces/ml").status == 404)
        #expect(t.delete("/api/v1/namespaces/default").status == 403)
    }

    @Test func `Removing a definition removes its objects and its path`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        t.post(Sample.widgets, Sample.widget("w"))
        let id = t.watch(Sample.widgets + "?watch=1")
        #expect(t.delete(Sample.definitions + "/widgets.example.dev").status == 200)
        t.pass(1)
        #expect(t.get(Sample.definitions).names == [])
        #expect(t.get(Sample.widgets).status == 404)
        #expect(t.events(id) == ["ADDED w", "DELETED w"])
        #expect(t.server.openWatchCount == 0)
    }

    @Test func `Every object of a collection is deleted by its selector`() {
        var t = TestServer()
        for name in ["a", "b", "c"] { t.post(Sample.maps, Sample.map(name, labels: ["keep": name == "b" ? "y" : "n"])) }
        #expect(t.delete(Sample.maps + "?labelSelector=keep%3Dn").names == ["a", "c"])
        #expect(t.get(Sample.maps).names == ["b"])
    }
}
