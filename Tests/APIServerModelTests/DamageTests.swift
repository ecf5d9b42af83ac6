import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

/// Requests from anybody: each is answered, none ends the server.
@Suite struct DamageTests {
    private static let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"]
    private static let targets = [
        "", "/", "//", "/api", "/apis//", "/api/v1/namespaces//pods", "/api/v1/namespaces/default",
        "/api/v1/nodes/n/x/y",
        "/openapi/v3/apis", "/openapi/v3/api/v1", "/openapi", "/apis/batch/v1/namespaces/default/jobs/j/status",
        "/api/v1/watch/pods", "/%zz/%", "/api/v1/namespaces/default/finalize", "/api/v1/bindings",
        "/api/v1/namespaces/default/bindings", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/api/v1/namespaces/default/serviceaccounts/default/token", Sample.maps, Sample.maps + "/a", Sample.pods,
        Sample.pods + "/p", Sample.pods + "/p/log", Sample.pods + "/p/binding", Sample.pods + "/p/eviction",
        Sample.deployments, Sample.deployments + "/d", Sample.deployments + "/d/scale", Sample.widgets,
        Sample.widgets + "/w", Sample.widgets + "/w/status", Sample.widgets + "/w/scale", Sample.definitions,
        Sample.definitions + "/widgets.example.dev",
    ]
    private static let queries = [
        "", "?watch=1", "?limit=-1", "?limit=99999999999999999999", "?continue=AAAA", "?continue=%3D%3D%3D%3D",
        "?resourceVersion=-1", "?resourceVersion=18446744073709551615", "?labelSelector=a+in+(", "?labelSelector=,,",
        "?fieldSelector=%5C", "?fieldSelector=metadata.name", "?dryRun=All", "?gracePeriodSeconds=9223372036854775807",
        "?timeoutSeconds=9223372036854775807&watch=1", "?fieldManager=f&force=true", "?propagationPolicy=Foreground",
        "?watch=1&resourceVersion=18446744073709551615", "?tailLines=x",
        "?resourceVersionMatch=Exact&resourceVersion=2",
    ]
    private static let types = [
        "application/json", "application/merge-patch+json", "application/json-patch+json",
        "application/strategic-merge-patch+json", "application/apply-patch+yaml", "",
    ]

    private static func damaged(_ json: JSONValue, _ random: inout SeededGenerator, depth: Int = 0) -> JSONValue {
        if random.next() % 12 == 0 {
            let odd: [JSONValue] = [
                .null, true, .integer(.max), .integer(.min), .number(1e300), "", "a\nb", [], [:], ["x"], "9999999999Gi",
            ]
            return odd[Int(random.next() % UInt64(odd.count))]
        }
        switch json {
        case .object(let object):
            return .object(
                JSONObject(
                    object.map { (random.next() % 40 == 0 ? $0.key + "\r\nX" : $0.key, damaged($0.value, &random)) }))
        case .array(let elements): return .array(elements.map { damaged($0, &random) })
        default: return json
        }
    }

    private static let bodies: [JSONValue] = [
        Sample.map("a"), Sample.pod("p"), Sample.job("j"), Sample.deployment("d"), Sample.widget("w"),
        Sample.definition, ["target": ["name": "n"]],
        ["spec": ["replicas": 3], "apiVersion": "autoscaling/v1", "kind": "Scale"],
        [
            ["op": "add", "path": "/metadata/labels/x", "value": "y"],
            ["op": "move", "from": "/spec", "path": "/data"],
        ],
        ["preconditions": ["uid": "x"], "gracePeriodSeconds": 9_223_372_036_854_775_807],
        ["metadata": ["finalizers": ["a.b/c"], "ownerReferences": [["uid": "u"]]]],
        [
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "q"],
            "spec": ["hard": ["pods": "9999999999999999999999999E"]],
        ],
    ]

    @Test(arguments: 1...4) func `Whatever is sent, there is an answer that is well-formed`(seed: Int) {
        var t = TestServer()
        var random = SeededGenerator(seed: UInt64(seed))
        func pick<T>(_ list: [T]) -> T { list[Int(random.next() % UInt64(list.count))] }
        t.post(Sample.definitions, Sample.definition)
        for round in 0..<300 {
            let body = Self.damaged(pick(Self.bodies), &random)
            let answer = t.send(
                pick(Self.methods), pick(Self.targets) + pick(Self.queries), body, type: pick(Self.types))
            #expect((200..<600).contains(answer.status))
            if answer.status >= 400, answer.response.body != Array("404 page not found\n".utf8) {
                #expect(answer.json["kind"] == "Status", "\(answer.json)")
                #expect(answer.json["code"] == JSONValue(answer.status))
            }
            for header in answer.response.headers {
                #expect(!header.value.utf8.contains { $0 < 0x20 || $0 >= 0x7F })
            }
            if case .watch(let id) = answer.response.content {
                _ = t.server.takeEvents(id)
                if round % 2 == 0 { t.server.closeWatch(id) }
            }
            if round % 20 == 0 { t.pass(7) }
        }
        #expect(t.get("/api/v1/namespaces/kube-system").status == 200)
    }

    @Test(arguments: ["", "{", "[1,2", "nul", "{\"a\":\"\\ud800\"}", "\u{0}"])
    func `A body that is not JSON is refused`(body: String) {
        var t = TestServer()
        let response = t.server.handle(
            APIRequest(
                method: "POST", target: Sample.maps, headers: ["content-type": "application/json"],
                body: Array(body.utf8)), now: t.now)
        #expect(response.status == 400)
    }

    @Test func `What a client wrote cannot end a header`() {
        var t = TestServer()
        var map = Sample.map("a")
        map["x\r\nSet-Cookie: y"] = 1
        let answer = t.post(Sample.maps, map)
        #expect(answer.header("Warning") == ["299 - \"unknown field \\\"x??Set-Cookie: y\\\"\""])
    }
}
