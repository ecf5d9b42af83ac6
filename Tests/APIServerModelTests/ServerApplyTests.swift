import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

/// Server-side apply and the field managers, by way of requests.
@Suite struct ServerApplyTests {
    private func apply(
        _ t: inout TestServer, _ target: String, _ json: JSONValue, manager: String = "assay", force: Bool = false
    ) -> TestServer.Answer {
        t.send(
            "PATCH", "\(target)?fieldManager=\(manager)&force=\(force)", json, type: "application/apply-patch+yaml")
    }

    private func managers(_ answer: TestServer.Answer) -> [String] {
        (answer.json["metadata", "managedFields"]?.array ?? []).map {
            "\($0["manager"]?.string ?? "") \($0["operation"]?.string ?? "") \($0["subresource"]?.string ?? "-")"
        }
    }

    @Test func `An apply creates, and the same apply later writes nothing`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        for (collection, object) in [
            (Sample.deployments, Sample.deployment("a")), (Sample.widgets, Sample.widget("a")),
            (Sample.maps, Sample.map("a", ["k": "v"])),
        ] {
            let first = apply(&t, collection + "/a", object)
            #expect(first.status == 201, "\(first.message)")
            #expect(managers(first) == ["assay Apply -"])
            t.now = t.now + .seconds(60)
            let second = apply(&t, collection + "/a", object)
            #expect(second.status == 200)
            #expect(second.json == first.json)
        }
    }

    @Test func `A field of another manager is a conflict, and is taken by force`() {
        var t = TestServer()
        _ = apply(&t, Sample.deployments + "/a", Sample.deployment("a", replicas: 1), manager: "one")
        let conflict = apply(&t, Sample.deployments + "/a", Sample.deployment("a", replicas: 2), manager: "two")
        #expect(conflict.status == 409)
        #expect(conflict.reason == "Conflict")
        #expect(conflict.message.contains(".spec.replicas"), "\(conflict.message)")
        #expect(conflict.message.contains("one"))
        #expect(conflict.json["details", "causes"]?[0]?["reason"] == "FieldManagerConflict")
        let forced = apply(
            &t, Sample.deployments + "/a", Sample.deployment("a", replicas: 2), manager: "two", force: true)
        #expect(forced.status == 200)
        #expect(forced.json["spec", "replicas"] == 2)
        #expect(forced.json["metadata", "generation"] == 2)
    }

    @Test func `A field that is no longer applied goes`() {
        var t = TestServer()
        _ = apply(&t, Sample.maps + "/a", Sample.map("a", ["x": "1", "y": "2"]))
        t.merge(Sample.maps + "/a?fieldManager=other", ["data": ["z": "3"]])
        let answer = apply(&t, Sample.maps + "/a", Sample.map("a", ["x": "1"]))
        #expect(answer.json["data"] == ["x": "1", "z": "3"])
        #expect(Set(managers(answer)) == ["assay Apply -", "other Update -"])
    }

    @Test func `A status is applied on its own`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        _ = apply(&t, Sample.widgets + "/a", Sample.widget("a"))
        let status: JSONValue = [
            "apiVersion": "example.dev/v1", "kind": "Widget", "metadata": ["name": "a"], "status": ["phase": "Ready"],
        ]
        let answer = apply(&t, Sample.widgets + "/a/status", status, manager: "assay-status")
        #expect(answer.status == 200, "\(answer.message)")
        #expect(answer.json["status"] == ["phase": "Ready"])
        #expect(answer.json["spec"] == ["size": 1, "color": "red"])
        #expect(answer.json["metadata", "generation"] == 1)
        #expect(Set(managers(answer)) == ["assay Apply -", "assay-status Apply status"])
        let again = apply(&t, Sample.widgets + "/a/status", status, manager: "assay-status")
        #expect(again.resourceVersion == answer.resourceVersion)
        #expect(apply(&t, Sample.widgets + "/none/status", status).status == 400)
    }

    @Test func `An apply names its manager and its own object`() {
        var t = TestServer()
        let nameless = t.send("PATCH", Sample.maps + "/a", Sample.map("a"), type: "application/apply-patch+yaml")
        #expect(nameless.status == 422)
        #expect(nameless.message.contains("fieldManager: Required value: is required for apply patch"))
        #expect(apply(&t, Sample.maps + "/a", Sample.map("b")).status == 400)
    }

    struct Patch: CustomTestStringConvertible, Sendable {
        var type: String
        var body: JSONValue
        var status: Int
        var images: [JSONValue]?
        var testDescription: String { "\(type) \(body)" }
    }

    static let patches: [Patch] = [
        Patch(
            type: "application/strategic-merge-patch+json",
            body: ["spec": ["template": ["spec": ["containers": [["name": "side", "image": "s:1"]]]]]], status: 200,
            images: ["s:1", "busybox:1"]),
        Patch(
            type: "application/merge-patch+json",
            body: ["spec": ["template": ["spec": ["containers": [["name": "side", "image": "s:1"]]]]]], status: 200,
            images: ["s:1"]),
        Patch(
            type: "application/json-patch+json",
            body: [["op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "b:2"]], status: 200,
            images: ["b:2"]),
        Patch(
            type: "application/json-patch+json", body: [["op": "test", "path": "/spec/replicas", "value": 7]],
            status: 422),
        Patch(type: "application/json-patch+json", body: [["op": "remove", "path": "/spec/nothing"]], status: 422),
        Patch(type: "application/json", body: [:], status: 415),
        Patch(type: "text/plain", body: [:], status: 415),
    ]

    @Test(arguments: patches) func `Each kind of patch has its own rules`(_ patch: Patch) {
        var t = TestServer()
        t.post(Sample.deployments, Sample.deployment("a"))
        let answer = t.send("PATCH", Sample.deployments + "/a", patch.body, type: patch.type)
        #expect(answer.status == patch.status, "\(answer.message)")
        guard let images = patch.images else { return }
        let containers = answer.json["spec", "template", "spec"]?["containers"]?.array ?? []
        #expect(Set(containers.compactMap { $0["image"] }) == Set(images))
    }

    @Test func `Custom resources know no strategic merge patch`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        t.post(Sample.widgets, Sample.widget("a"))
        let answer = t.send(
            "PATCH", Sample.widgets + "/a", ["spec": ["size": 2]], type: "application/strategic-merge-patch+json")
        #expect(answer.status == 415)
    }
}

extension ServerApplyTests {
    @Test func `Nobody comes to own what the path cannot set`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        var widget = Sample.widget("a")
        widget["status"] = ["phase": "Mine"]
        widget["metadata", "labels"] = ["x": "y"]
        let main = t.send(
            "PATCH", Sample.widgets + "/a?fieldManager=m", widget, type: "application/apply-patch+yaml")
        #expect(main.json["status"] == nil)
        #expect(main.json["metadata", "managedFields"]?[0]?["fieldsV1", "f:status"] == nil)
        widget["spec", "size"] = 9
        let status = t.send(
            "PATCH", Sample.widgets + "/a/status?fieldManager=s", widget, type: "application/apply-patch+yaml")
        #expect(status.status == 200, "\(status.message)")
        #expect(status.json["spec", "size"] == 1)
        let managed = (status.json["metadata", "managedFields"]?.array ?? []).first { $0["manager"] == "s" }
        #expect(managed?["fieldsV1"] == ["f:status": ["f:phase": [:]]])
    }
}
