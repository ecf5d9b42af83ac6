import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct AccessTests {
    private static let rbac = "/apis/rbac.authorization.k8s.io/v1"

    private func server() -> TestServer {
        var t = TestServer { $0.authorization = .rbac }
        t.post(
            Self.rbac + "/namespaces/default/roles",
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": "reader"],
                "rules": [
                    ["apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]],
                    [
                        "apiGroups": ["batch"], "resources": ["jobs/status"], "verbs": ["*"],
                        "resourceNames": ["mine"],
                    ],
                ],
            ])
        t.post(
            Self.rbac + "/namespaces/default/rolebindings",
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "b"],
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"],
                "subjects": [["kind": "ServiceAccount", "name": "default", "namespace": "default"]],
            ])
        t.user = .serviceAccount(namespace: "default", name: "default")
        return t
    }

    struct Attempt: CustomTestStringConvertible, Sendable {
        var method: String
        var target: String
        var message: String?
        var testDescription: String { "\(method) \(target)" }
    }

    private static let user = "User \"system:serviceaccount:default:default\" cannot"

    static let attempts: [Attempt] = [
        Attempt(method: "GET", target: Sample.maps, message: nil),
        Attempt(
            method: "GET", target: "/api/v1/configmaps",
            message:
                "configmaps is forbidden: \(user) list resource \"configmaps\" in API group \"\" at the cluster scope"),
        Attempt(
            method: "GET", target: Sample.maps + "?watch=1",
            message:
                "configmaps is forbidden: \(user) watch resource \"configmaps\" in API group \"\" in the namespace "
                + "\"default\""),
        Attempt(
            method: "DELETE", target: Sample.maps + "/a",
            message:
                "configmaps \"a\" is forbidden: \(user) delete resource \"configmaps\" in API group \"\" in the "
                + "namespace \"default\""),
        Attempt(
            method: "GET", target: Sample.jobs + "/other/status",
            message:
                "jobs.batch \"other\" is forbidden: \(user) get resource \"jobs/status\" in API group \"batch\" in "
                + "the namespace \"default\""),
    ]

    @Test(arguments: attempts) func `Rules allow what they name and nothing else`(_ attempt: Attempt) {
        var t = server()
        let answer = t.send(attempt.method, attempt.target)
        #expect(answer.status == (attempt.message == nil ? 200 : 403))
        #expect(attempt.message == nil || answer.message == attempt.message)
        #expect(t.get(Sample.jobs + "/mine/status").status == 404)
    }

    @Test func `Anybody may ask what he may do`() {
        var t = server()
        func may(_ verb: String, _ resource: String, _ t: inout TestServer) -> JSONValue? {
            t.post(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                [
                    "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                    "spec": [
                        "resourceAttributes": [
                            "verb": .string(verb), "resource": .string(resource), "namespace": "default",
                        ]
                    ],
                ]
            ).json["status", "allowed"]
        }
        #expect(may("list", "configmaps", &t) == true)
        #expect(may("create", "configmaps", &t) == false)
        let rules = t.post(
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            [
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
                "spec": ["namespace": "default"],
            ])
        #expect(rules.json["status", "resourceRules"]?.array?.count == 2, "\(rules.json)")
    }

    @Test func `A token stands for its account until it expires or the account goes`() {
        var t = TestServer()
        let accounts = "/api/v1/namespaces/default/serviceaccounts"
        t.post(accounts, ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "robot"]])
        let request: JSONValue = [
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": ["expirationSeconds": 600],
        ]
        let token = t.post(accounts + "/robot/token", request).json["status", "token"]?.string ?? ""
        #expect(t.server.user(ofToken: token, now: t.now)?.name == "system:serviceaccount:default:robot")
        #expect(t.server.user(ofToken: token, now: t.now + .seconds(601)) == nil)
        #expect(t.server.user(ofToken: "other", now: t.now) == nil)
        t.delete(accounts + "/robot")
        #expect(t.server.user(ofToken: token, now: t.now) == nil)
    }

    @Test func `A token is good for its audiences alone, and ends with the pod that it is bound to`() throws {
        var t = TestServer()
        let accounts = "/api/v1/namespaces/default/serviceaccounts"
        t.post(accounts, ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "robot"]])
        let pod = t.post(
            Sample.pods,
            [
                "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p"],
                "spec": ["serviceAccountName": "robot", "containers": [["name": "main", "image": "x"]]],
            ])
        let uid = try #require(pod.json["metadata", "uid"])
        func request(_ spec: JSONValue) -> TestServer.Answer {
            t.post(
                accounts + "/robot/token",
                ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec])
        }
        func review(_ token: JSONValue?, _ audiences: JSONValue? = nil) -> JSONValue? {
            var spec: JSONValue = ["token": token ?? .null]
            spec["audiences"] = audiences
            return t.post(
                "/apis/authentication.k8s.io/v1/tokenreviews",
                ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec]
            ).json["status"]
        }
        func reference(_ uid: JSONValue) -> JSONValue {
            ["apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid]
        }
        #expect(request(["boundObjectRef": reference("other")]).status == 409)
        #expect(request(["boundObjectRef": ["apiVersion": "v1", "kind": "Pod", "name": "q"]]).status == 404)
        #expect(request(["boundObjectRef": ["apiVersion": "v1", "kind": "Node", "name": "p"]]).status == 400)
        let issued = request(["audiences": ["push", "other"], "boundObjectRef": reference(uid)])
        #expect(issued.status == 201, "\(issued.json)")
        let token = issued.json["status", "token"]
        #expect(token?.string?.split(separator: ".").count == 3)
        let known = review(token, ["push", "more"])
        #expect(known?["authenticated"] == true && known?["audiences"] == ["push"], "\(known ?? .null)")
        #expect(
            known?["user", "extra"] == [
                "authentication.kubernetes.io/pod-name": ["p"], "authentication.kubernetes.io/pod-uid": [uid],
            ])
        #expect(review(token, ["more"])?["authenticated"] != true)
        #expect(review(token)?["authenticated"] != true)
        #expect(t.server.user(ofToken: token?.string ?? "", now: t.now) == nil, "the server is not its audience")
        t.now = t.now + .seconds(3601)
        #expect(review(token, ["push"])?["authenticated"] != true)
        let later = request(["audiences": ["push"], "boundObjectRef": reference(uid)]).json["status", "token"]
        #expect(review(later, ["push"])?["authenticated"] == true)
        t.delete(Sample.pods + "/p", ["gracePeriodSeconds": 0])
        #expect(review(later, ["push"])?["authenticated"] != true)
    }

    @Test func `Who holds back an owner's deletion may update its finalizers, and who adopts may delete`() {
        func attempt(enforced: Bool, rights: [(String, String)], adopts: Bool) -> TestServer.Answer {
            var t = TestServer {
                $0.authorization = .rbac
                $0.enforcesOwnerPermissions = enforced
            }
            let all = rights + [("jobs", "create"), ("pods", "create"), ("pods", "patch"), ("pods", "get")]
            t.post(
                Self.rbac + "/clusterroles",
                [
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": ["name": "maker"],
                    "rules": .array(
                        all.map {
                            ["apiGroups": ["", "batch"], "resources": [.string($0.0)], "verbs": [.string($0.1)]]
                        }),
                ])
            t.post(
                Self.rbac + "/clusterrolebindings",
                [
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                    "metadata": ["name": "maker"],
                    "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "maker"],
                    "subjects": [["kind": "User", "name": "maker"]],
                ])
            t.user = UserInfo(name: "maker", groups: ["system:authenticated"])
            let job = t.post(Sample.jobs, Sample.job("j")).json
            let owner: JSONValue = [
                "apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": job["metadata", "uid"] ?? "",
                "blockOwnerDeletion": true,
            ]
            if !adopts { return t.post(Sample.pods, Sample.pod("p", owner: owner)) }
            t.post(Sample.pods, Sample.pod("p"))
            return t.merge(Sample.pods + "/p", ["metadata": ["ownerReferences": [owner]]])
        }
        #expect(attempt(enforced: false, rights: [], adopts: false).status == 201)
        let refused = attempt(enforced: true, rights: [("jobs", "update")], adopts: false)
        #expect(refused.status == 403)
        #expect(refused.message.contains("a resource you can't set finalizers on"), "\(refused.message)")
        #expect(attempt(enforced: true, rights: [("jobs/finalizers", "update")], adopts: false).status == 201)
        let adopted = attempt(enforced: true, rights: [("jobs/finalizers", "update")], adopts: true)
        #expect(adopted.status == 403)
        #expect(adopted.message.contains("cannot set an ownerRef on a resource you can't delete"), "\(adopted.message)")
        let rights = [("jobs/finalizers", "update"), ("pods", "delete")]
        #expect(attempt(enforced: true, rights: rights, adopts: true).status == 200)
    }
}
