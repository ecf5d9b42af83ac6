import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

/// What single kinds do that others do not.
@Suite struct KindTests {
    @Test func `A Job selects its pods by its uid`() {
        var t = TestServer()
        let job = t.post(Sample.jobs, Sample.job("j")).json
        let uid = job["metadata", "uid"] ?? ""
        #expect(job["spec", "selector", "matchLabels"] == ["batch.kubernetes.io/controller-uid": uid])
        #expect(
            job["spec", "template", "metadata", "labels"] == [
                "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": "j", "controller-uid": uid,
                "job-name": "j",
            ])
        #expect(job["spec", "completions"] == 1)
        #expect(job["spec", "backoffLimit"] == 6)
        #expect(job["status"] == [:])
        let same = t.put(Sample.jobs + "/j", Sample.job("j"))
        #expect(same.status == 200, "\(same.message)")
        #expect(same.resourceVersion == job["metadata", "resourceVersion"]?.string)
        let other = t.merge(Sample.jobs + "/j", ["spec": ["template": ["spec": ["terminationGracePeriodSeconds": 1]]]])
        #expect(other.status == 422)
        #expect(other.message.contains("spec.template: Invalid value"))
        #expect(other.message.hasSuffix("field is immutable"))
    }

    @Test func `A Service gets an address of its own and keeps it`() {
        var t = TestServer()
        func service(_ name: String) -> JSONValue {
            [
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name)],
                "spec": ["selector": ["app": "x"], "ports": [["port": 80]]],
            ]
        }
        let services = "/api/v1/namespaces/default/services"
        let first = t.post(services, service("a"))
        #expect(first.status == 201, "\(first.message)")
        #expect(first.json["spec", "clusterIP"] == "10.96.0.10")
        #expect(t.post(services, service("b")).json["spec", "clusterIP"] == "10.96.0.11")
        let again = t.put(services + "/a", service("a"))
        #expect(again.json["spec", "clusterIP"] == "10.96.0.10")
        #expect(again.resourceVersion == first.resourceVersion)
        var headless = service("c")
        headless["spec", "clusterIP"] = "None"
        #expect(t.post(services, headless).json["spec", "clusterIP"] == "None")
    }

    @Test func `A Deployment's selector stays and selects its own pods`() {
        var t = TestServer()
        t.post(Sample.deployments, Sample.deployment("web"))
        let changed = t.merge(Sample.deployments + "/web", ["spec": ["selector": ["matchLabels": ["app": "other"]]]])
        #expect(changed.status == 422)
        #expect(changed.message.contains("field is immutable"))
        var wrong = Sample.deployment("wrong")
        wrong["spec", "template", "metadata", "labels"] = ["app": "else"]
        let answer = t.post(Sample.deployments, wrong)
        #expect(answer.status == 422)
        #expect(answer.message.contains("`selector` does not match template `labels`"))
    }

    @Test func `Scale reads and writes where the kind says`() {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        t.post(Sample.widgets, Sample.widget("w", ["size": 1, "replicas": 2]))
        t.merge(Sample.widgets + "/w/status", ["status": ["replicas": 2, "selector": "app=w"]])
        let scale = t.get(Sample.widgets + "/w/scale").json
        #expect(scale["apiVersion"] == "autoscaling/v1")
        #expect(scale["spec"] == ["replicas": 2])
        #expect(scale["status"] == ["replicas": 2, "selector": "app=w"])
        #expect(t.merge(Sample.widgets + "/w/scale", ["spec": ["replicas": 5]]).json["spec"] == ["replicas": 5])
        #expect(t.get(Sample.widgets + "/w").json["spec", "replicas"] == 5)
        let stale = t.merge(
            Sample.widgets + "/w/scale", ["metadata": ["resourceVersion": "1"], "spec": ["replicas": 6]])
        #expect(stale.status == 409)

        t.post(Sample.deployments, Sample.deployment("web"))
        var body = t.get(Sample.deployments + "/web/scale").json
        #expect(body["status", "selector"] == "app=web")
        body["spec", "replicas"] = 0
        #expect(t.put(Sample.deployments + "/web/scale", body).json["spec"] == [:])
        #expect(t.get(Sample.deployments + "/web").json["spec", "replicas"] == 0)
        #expect(t.get(Sample.deployments + "/web").json["metadata", "generation"] == 2)
        #expect(t.get(Sample.jobs + "/none/scale").status == 404)
    }

    @Test func `A definition is served at once, and says so`() {
        var t = TestServer()
        #expect(t.get(Sample.widgets).status == 404)
        let crd = t.post(Sample.definitions, Sample.definition)
        #expect(crd.status == 201, "\(crd.message)")
        let conditions = crd.json["status", "conditions"]?.array ?? []
        #expect(conditions.map { $0["type"] } == ["NamesAccepted", "Established"])
        #expect(conditions.map { $0["status"] } == ["True", "True"])
        #expect(crd.json["status", "storedVersions"] == ["v1"])
        let made = t.post(Sample.widgets, Sample.widget("w", ["size": 1, "colour": "blue"]))
        #expect(made.json["spec"] == ["size": 1, "color": "red"])
        #expect(made.header("Warning") == ["299 - \"unknown field \\\"spec.colour\\\"\""])
        let resources = t.get("/apis/example.dev/v1").json["resources"]?.array ?? []
        #expect(Set(resources.compactMap { $0["name"]?.string }) == ["widgets", "widgets/status", "widgets/scale"])
        let index = t.get("/openapi/v3").json
        #expect(index["paths", "apis/example.dev/v1"] != nil)
    }

    struct Invalid: CustomTestStringConvertible, Sendable {
        var spec: JSONValue
        var message: String
        var field: String
        var testDescription: String { field }
    }

    static let invalid: [Invalid] = [
        Invalid(spec: [:], message: "spec.size: Required value", field: "spec.size"),
        Invalid(
            spec: ["size": 0],
            message: "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
            field: "spec.size"),
        Invalid(
            spec: ["size": "big"],
            message: "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
            field: "spec.size"),
    ]

    @Test(arguments: invalid) func `A custom resource that breaks its schema is refused by field`(_ invalid: Invalid) {
        var t = TestServer()
        t.post(Sample.definitions, Sample.definition)
        let answer = t.post(Sample.widgets, Sample.widget("w", invalid.spec))
        #expect(answer.status == 422)
        #expect(answer.message == "Widget.example.dev \"w\" is invalid: \(invalid.message)")
        #expect(answer.json["details", "causes"]?[0]?["field"]?.string == invalid.field)
        #expect(answer.json["details", "kind"] == "Widget")
    }

    @Test func `A definition without a structural schema is refused`() {
        var t = TestServer()
        var crd = Sample.definition
        let version: JSONValue = [
            "name": "v1", "served": true, "storage": true,
            "schema": ["openAPIV3Schema": ["type": "object", "properties": ["spec": ["properties": [:]]]]],
        ]
        crd["spec", "versions"] = [version]
        let answer = t.post(Sample.definitions, crd)
        #expect(answer.status == 422)
        #expect(
            answer.message.contains(
                "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for "
                    + "specified object fields"), "\(answer.message)")
    }

    @Test func `A quota refuses what exceeds it, in Kubernetes' words`() {
        var t = TestServer()
        let quotas = "/api/v1/namespaces/default/resourcequotas"
        t.post(
            quotas,
            [
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "q"],
                "spec": ["hard": ["count/jobs.batch": "1", "pods": "2", "requests.cpu": "1"]],
            ])
        #expect(t.post(Sample.jobs, Sample.job("a")).status == 201)
        let job = t.post(Sample.jobs, Sample.job("b"))
        #expect(job.status == 403)
        #expect(
            job.message
                == "jobs.batch \"b\" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: "
                + "count/jobs.batch=1, limited: count/jobs.batch=1")
        let vague = t.post(Sample.pods, Sample.pod("p"))
        #expect(vague.message == "pods \"p\" is forbidden: failed quota: q: must specify requests.cpu for: main")
        var pod = Sample.pod("p")
        pod["spec", "containers"] = [
            ["name": "main", "image": "x", "resources": ["requests": ["cpu": "600m"]]]
        ]
        #expect(t.post(Sample.pods, pod).status == 201)
        pod["metadata", "name"] = "p2"
        let second = t.post(Sample.pods, pod)
        #expect(
            second.message
                == "pods \"p2\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: "
                + "requests.cpu=600m, limited: requests.cpu=1")
        t.pass(1)
        #expect(
            t.get(quotas + "/q").json["status", "used"]
                == ["count/jobs.batch": "1", "pods": "1", "requests.cpu": "600m"])
    }

    @Test func `A pod names an account that exists`() {
        var t = TestServer()
        var pod = Sample.pod("p")
        pod["spec", "serviceAccountName"] = "trainer"
        let answer = t.post(Sample.pods, pod)
        #expect(answer.status == 403)
        #expect(
            answer.message
                == "pods \"p\" is forbidden: error looking up service account default/trainer: serviceaccount "
                + "\"trainer\" not found")
    }

    @Test func `Logs are handed to the owner with the pod's container and node`() {
        var t = TestServer()
        t.post(Sample.pods, Sample.pod("p"))
        t.post(Sample.pods + "/p/binding", ["target": ["name": "n1"]])
        let answer = t.get(Sample.pods + "/p/log?tailLines=5&follow=true")
        guard case .podLogs(let log) = answer.response.content else {
            Issue.record("not a log: \(answer.json)")
            return
        }
        #expect(log.nodeName == "n1")
        #expect(log.container == "main")
        #expect(log.tailLines == 5)
        #expect(log.follow)
        let wrong = t.get(Sample.pods + "/p/log?container=other")
        #expect(wrong.status == 400)
        #expect(wrong.message == "container other is not valid for pod p")
    }
}
