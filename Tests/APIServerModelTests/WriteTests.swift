import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct WriteTests {
    @Test func `A created object has a uid, a time and a version`() {
        var t = TestServer()
        let answer = t.post(Sample.maps, Sample.map("a"))
        #expect(answer.status == 201)
        #expect(answer.json["metadata", "namespace"] == "default")
        #expect(answer.json["metadata", "creationTimestamp"] == "2027-01-15T08:00:00Z")
        #expect(answer.json["metadata", "uid"]?.string?.utf8.count == 36)
        #expect(answer.resourceVersion == String(t.server.resourceVersion))
        #expect(t.get(Sample.maps + "/a").json == answer.json)
    }

    @Test func `The same seed gives the same uids`() {
        func uid() -> JSONValue? {
            var t = TestServer { $0.seed = 7 }
            return t.post(Sample.maps, Sample.map("a")).json["metadata", "uid"]
        }
        #expect(uid() == uid())
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var method = "POST"
        var target = Sample.maps
        var body: JSONValue
        var code: Int
        var message: String
        var testDescription: String { message }
    }

    static let refusals: [Refusal] = [
        Refusal(body: Sample.map("a"), code: 409, message: "configmaps \"a\" already exists"),
        Refusal(
            target: "/api/v1/namespaces/nowhere/configmaps", body: Sample.map("b"), code: 404,
            message: "namespaces \"nowhere\" not found"),
        Refusal(
            body: ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "b", "namespace": "kube-system"]],
            code: 400,
            message: "the namespace of the provided object does not match the namespace sent on the request"),
        Refusal(
            body: ["apiVersion": "v1", "kind": "ConfigMap", "metadata": [:]], code: 422,
            message:
                "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required"),
        Refusal(
            body: ["apiVersion": "v2", "kind": "ConfigMap", "metadata": ["name": "b"]], code: 400,
            message: "the API version in the data (v2) does not match the expected API version (v1)"),
        Refusal(
            method: "PUT", target: Sample.maps + "/a", body: Sample.map("b"), code: 400,
            message: "the name of the object (b) does not match the name on the URL (a)"),
        Refusal(
            method: "PUT", target: Sample.maps + "/b", body: Sample.map("b"), code: 404,
            message: "configmaps \"b\" not found"),
        Refusal(
            method: "PUT", target: Sample.maps + "/a",
            body: ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "resourceVersion": "1"]],
            code: 409,
            message:
                "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your "
                + "changes to the latest version and try again"),
        Refusal(
            method: "DELETE", target: Sample.maps + "/a", body: ["preconditions": ["uid": "other"]], code: 409,
            message: "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (other) does"),
        Refusal(
            method: "DELETE", target: Sample.maps + "/a", body: ["preconditions": ["resourceVersion": "1"]], code: 409,
            message:
                "Operation cannot be fulfilled on ConfigMap \"a\": the ResourceVersion in the precondition (1) does"),
        Refusal(
            method: "DELETE", target: Sample.maps + "/b", body: [:], code: 404, message: "configmaps \"b\" not found"),
        Refusal(
            target: "/api/v1/nothings", body: [:], code: 404,
            message: "the server could not find the requested resource"),
    ]

    @Test(arguments: refusals) func `A wrong request is refused in Kubernetes' words`(_ refusal: Refusal) {
        var t = TestServer()
        t.post(Sample.maps, Sample.map("a"))
        let before = t.server.resourceVersion
        let answer = t.send(refusal.method, refusal.target, refusal.body)
        #expect(answer.status == refusal.code)
        #expect(answer.message.hasPrefix(refusal.message), "\(answer.message)")
        #expect(answer.json["kind"] == "Status")
        #expect(answer.json["code"] == JSONValue(refusal.code))
        #expect(t.server.resourceVersion == before)
    }

    @Test func `An update that changes nothing writes nothing`() {
        var t = TestServer()
        let first = t.post(Sample.maps, Sample.map("a", ["k": "v"]))
        t.now = t.now + .seconds(5)
        let second = t.put(Sample.maps + "/a", first.json)
        #expect(second.status == 200)
        #expect(second.resourceVersion == first.resourceVersion)
        #expect(t.merge(Sample.maps + "/a", ["data": ["k": "v"]]).resourceVersion == first.resourceVersion)
        #expect(t.server.writeCount(user: "kubernetes-admin") == 1)
        let third = t.merge(Sample.maps + "/a", ["data": ["k": "w"]])
        #expect(third.resourceVersion != first.resourceVersion)
        #expect(t.server.writeCount(user: "kubernetes-admin", verb: "patch") == 1)
        #expect(t.server.writeRequestCount(agent: "test") == 4)
    }

    @Test func `A merge patch that names the old version is a conflict`() {
        var t = TestServer()
        let first = t.post(Sample.maps, Sample.map("a"))
        t.merge(Sample.maps + "/a", ["data": ["k": "v"]])
        let stale = t.merge(
            Sample.maps + "/a", ["metadata": ["resourceVersion": .string(first.resourceVersion)], "data": ["k": "w"]])
        #expect(stale.status == 409)
        #expect(stale.reason == "Conflict")
    }

    @Test func `A dry run answers and leaves no trace`() {
        var t = TestServer()
        let before = t.server.resourceVersion
        #expect(t.post(Sample.maps + "?dryRun=All", Sample.map("a")).status == 201)
        #expect(t.server.resourceVersion == before)
        #expect(t.get(Sample.maps + "/a").status == 404)
    }

    @Test func `A generated name is the base and five letters`() {
        var t = TestServer()
        let answer = t.post(
            Sample.maps, ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["generateName": "run-"]])
        #expect(answer.status == 201)
        let name = answer.json["metadata", "name"]?.string ?? ""
        #expect(name.hasPrefix("run-") && name.utf8.count == 9)
    }

    @Test func `Unknown fields warn, are refused when strict, and are never stored`() {
        var t = TestServer()
        var deployment = Sample.deployment("web")
        deployment["spec", "replica"] = 3
        let warned = t.post(Sample.deployments, deployment)
        #expect(warned.status == 201)
        #expect(warned.header("Warning") == ["299 - \"unknown field \\\"spec.replica\\\"\""])
        #expect(warned.json["spec", "replica"] == nil)
        deployment["metadata", "name"] = "web2"
        let strict = t.post(Sample.deployments + "?fieldValidation=Strict", deployment)
        #expect(strict.status == 400)
        #expect(strict.message.hasSuffix("strict decoding error: unknown field \"spec.replica\""))
        #expect(t.post(Sample.deployments + "?fieldValidation=Ignore", deployment).header("Warning") == [])
    }

    @Test func `Generations count what is desired, and status writes keep it`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        for (collection, object, path): (String, JSONValue, [String]) in [
            (Sample.deployments, Sample.deployment("a"), ["spec", "replicas"]),
            (Sample.widgets, Sample.widget("a"), ["spec", "size"]),
        ] {
            let created = t.post(collection, object)
            #expect(created.json["metadata", "generation"] == 1, "\(created.json)")
            var patch: JSONValue = [:]
            patch[path: path] = 5
            #expect(t.merge(collection + "/a", patch).json["metadata", "generation"] == 2)
            #expect(
                t.merge(collection + "/a", ["metadata": ["labels": ["x": "y"]]]).json["metadata", "generation"] == 2)
            let status = t.merge(collection + "/a/status", ["status": ["replicas": 3], "spec": patch["spec"] ?? [:]])
            #expect(status.json["status", "replicas"] == 3, "\(status.json)")
            #expect(status.json["metadata", "generation"] == 2)
            let main = t.merge(collection + "/a", ["status": ["replicas": 9]])
            #expect(main.json["status", "replicas"] == 3)
        }
    }

    @Test func `A custom resource is replaced only by who says what he replaces`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        t.post(Sample.widgets, Sample.widget("a"))
        let answer = t.put(Sample.widgets + "/a", Sample.widget("a", ["size": 2]))
        #expect(answer.status == 422)
        #expect(
            answer.message
                == "Widget.example.dev \"a\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be "
                + "specified for an update")
    }
}
