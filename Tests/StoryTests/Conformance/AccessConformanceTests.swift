import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Who may do what, and how one learns it; discovery; paths and verbs that are none.
    @Suite struct AccessConformanceTests {
        private static let reviews = "/apis/authorization.k8s.io/v1"

        private static func review(_ kind: String, _ spec: JSONValue) -> JSONValue {
            ["apiVersion": "authorization.k8s.io/v1", "kind": .string(kind), "spec": spec]
        }

        @Test(arguments: Backend.all) func rightsAreWhatRolesGiveAndNoMore(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}"
                let rules: JSONValue = [
                    ["apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]],
                    [
                        "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["own"],
                        "verbs": ["update", "patch"],
                    ],
                ]
                let subject: JSONValue = ["apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "poor"]
                let role: JSONValue = ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "few"]
                try await world.send(.post, Path.maps, Sample.map("own"))
                try await world.expect([
                    Exchange(
                        "role", .post, rbac + "/roles",
                        [
                            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": "few"],
                            "rules": rules,
                        ], is: 201),
                    Exchange(
                        "binding", .post, rbac + "/rolebindings",
                        [
                            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                            "metadata": ["name": "few"], "subjects": [subject], "roleRef": role,
                        ], is: 201),
                    Exchange(
                        "another role for the binding", .patch, rbac + "/rolebindings/few",
                        ["roleRef": ["name": "many"]], type: .merge, is: 422, "Invalid", ["roleRef"]),
                ])
                try await world.asUser("poor") { poor in
                    try await poor.eventually("the binding is in force") {
                        try await poor.send(.get, Path.maps).status == 200
                    }
                    try await poor.expect([
                        Exchange("get", .get, Path.maps + "/own", is: 200),
                        Exchange("watch", .get, Path.maps + "?watch=true", is: 403, "Forbidden"),
                        Exchange("create", .post, Path.maps, Sample.map("x"), is: 403, "Forbidden"),
                        Exchange("patch what is named", .patch, Path.maps + "/own", [:], type: .merge, is: 200),
                        Exchange("patch another", .patch, Path.maps + "/other", [:], type: .merge, is: 403),
                        Exchange(
                            "apply anew", .patch, Path.maps + "/new?fieldManager=m", Sample.map("new"), type: .apply,
                            is: 403),
                        Exchange("across namespaces", .get, "/api/v1/configmaps", is: 403),
                        Exchange("of the cluster", .get, "/api/v1/nodes", is: 403),
                        Exchange("the version", .get, "/version", is: 200),
                        Exchange("discovery", .get, "/apis", is: 200),
                    ])
                    let secret = try await poor.send(.get, Path.core + "secrets/s")
                    #expect(
                        secret.message == #"secrets "s" is forbidden: User "poor" cannot get resource "secrets" in "#
                            + #"API group "" in the namespace ""# + world.namespace + #"""#)
                    let nodes = try await poor.send(.get, "/api/v1/nodes")
                    #expect(
                        nodes.message == #"nodes is forbidden: User "poor" cannot list resource "nodes" in API "#
                            + #"group "" at the cluster scope"#)
                    let scale = try await poor.send(.get, Path.deployments + "/d/scale")
                    #expect(scale.message.contains(#"resource "deployments/scale" in API group "apps""#), "\(scale)")

                    func may(_ verb: String, _ resource: String) async throws -> JSONValue? {
                        try await poor.send(
                            .post, Self.reviews + "/selfsubjectaccessreviews",
                            Self.review(
                                "SelfSubjectAccessReview",
                                [
                                    "resourceAttributes": [
                                        "namespace": .string(poor.namespace), "verb": .string(verb),
                                        "resource": .string(resource),
                                    ]
                                ])
                        ).json["status", "allowed"]
                    }
                    #expect(try await may("get", "configmaps") == true)
                    #expect(try await may("delete", "configmaps") == false)
                    let listed = try await poor.send(
                        .post, Self.reviews + "/selfsubjectrulesreviews",
                        Self.review("SelfSubjectRulesReview", ["namespace": .string(poor.namespace)]))
                    let given = listed.json["status", "resourceRules"]?.array ?? []
                    for rule in rules.array ?? [] {
                        #expect(
                            given.contains {
                                $0["resources"] == rule["resources"] && $0["verbs"] == rule["verbs"]
                                    && $0["resourceNames"] == rule["resourceNames"]
                            }, "\(listed)")
                    }
                }
                try await world.asUser("nobody-knows") { nobody in
                    try await nobody.expect([Exchange("get", .get, Path.maps + "/own", is: 403, "Forbidden")])
                }
            }
        }

        @Test(arguments: Backend.all) func reviewsMustSayWhatTheyAskFor(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let attributes: JSONValue = ["verb": "get", "resource": "pods"]
                let other = try await world.send(
                    .post, Self.reviews + "/subjectaccessreviews",
                    Self.review("SubjectAccessReview", ["user": "nobody-knows", "resourceAttributes": attributes]))
                #expect(other.status == 201 && other.json["status", "allowed"] == false, "\(other)")
                try await world.expect([
                    Exchange(
                        "of nothing", .post, Self.reviews + "/selfsubjectaccessreviews",
                        Self.review("SelfSubjectAccessReview", [:]), is: 422, "Invalid", ["spec.resourceAttributes"]),
                    Exchange(
                        "of nobody", .post, Self.reviews + "/subjectaccessreviews",
                        Self.review("SubjectAccessReview", ["resourceAttributes": attributes]), is: 422, "Invalid",
                        ["spec.user"]),
                    Exchange(
                        "of no namespace", .post, Self.reviews + "/selfsubjectrulesreviews",
                        Self.review("SelfSubjectRulesReview", [:]), is: 400, "BadRequest"),
                    Exchange(
                        "of no token", .post, "/apis/authentication.k8s.io/v1/tokenreviews",
                        ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": [:]], is: 400,
                        "BadRequest"),
                ])
            }
        }

        @Test(arguments: Backend.all) func aServiceAccountGetsTokensThatSayWhoItIs(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                func request(_ account: String, _ spec: JSONValue) async throws -> Answer {
                    try await world.send(
                        .post, Path.core + "serviceaccounts/\(account)/token",
                        ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec])
                }
                func review(_ token: JSONValue) async throws -> JSONValue? {
                    try await world.send(
                        .post, "/apis/authentication.k8s.io/v1/tokenreviews",
                        ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": ["token": token]]
                    ).json["status"]
                }
                let made = try await request("default", ["expirationSeconds": 3600])
                #expect(made.status == 201 && made.json["status", "expirationTimestamp"] != nil, "\(made)")
                let user = try await review(made.json["status", "token"] ?? .null)
                #expect(user?["authenticated"] == true)
                #expect(user?["user", "username"]?.string == "system:serviceaccount:\(world.namespace):default")
                #expect(
                    user?["user", "groups"] == [
                        "system:serviceaccounts", .string("system:serviceaccounts:\(world.namespace)"),
                        "system:authenticated",
                    ])
                #expect(try await review("nonsense")?["authenticated"] != true)
                #expect(try await request("none", [:]).status == 404)
                let short = try await request("default", ["expirationSeconds": 5])
                #expect(short.status == 422 && short.fields == ["spec.expirationSeconds"], "\(short)")
            }
        }

        @Test(arguments: Backend.all) func aTokenIsForItsAudiencesAndEndsWithItsPod(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                // Of a node that is not there, so that nothing holds its deletion back.
                let pod = try await world.send(.post, Path.pods, Sample.pod("bound", ["nodeName": "nowhere"]))
                let uid = try #require(pod.json["metadata", "uid"], "\(pod)")
                func request(_ spec: JSONValue) async throws -> Answer {
                    try await world.send(
                        .post, Path.core + "serviceaccounts/default/token",
                        ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec])
                }
                func review(_ token: JSONValue?, _ audiences: JSONValue? = nil) async throws -> JSONValue {
                    var spec: JSONValue = ["token": token ?? .null]
                    spec["audiences"] = audiences
                    let answer = try await world.send(
                        .post, "/apis/authentication.k8s.io/v1/tokenreviews",
                        ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec])
                    #expect(answer.status == 201, "\(answer)")
                    return answer.json["status"] ?? .null
                }
                func reference(_ name: String, _ uid: JSONValue, kind: String = "Pod") -> JSONValue {
                    ["apiVersion": "v1", "kind": .string(kind), "name": .string(name), "uid": uid]
                }
                for (what, reference, status) in [
                    ("another pod of that name", reference("bound", "00000000-0000-4000-8000-000000000000"), 409),
                    ("no pod", reference("none", uid), 404),
                    ("what no token is bound to", reference("bound", uid, kind: "ConfigMap"), 400),
                ] {
                    let refused = try await request(["boundObjectRef": reference])
                    #expect(refused.status == status, "\(what): \(refused)")
                }
                let bound = reference("bound", uid)
                let issued = try await request([
                    "audiences": ["push.example", "other.example"], "boundObjectRef": bound, "expirationSeconds": 600,
                ])
                #expect(issued.status == 201, "\(issued)")
                #expect(issued.json["spec", "audiences"] == ["push.example", "other.example"])
                let token = issued.json["status", "token"]
                let parts = (token?.string ?? "").split(separator: ".")
                #expect(parts.count == 3, "a JSON Web Token")

                #expect(try await review(token)["authenticated"] != true, "the API server is not its audience")
                #expect(try await review(token, ["none.example"])["authenticated"] != true)
                let known = try await review(token, ["push.example", "none.example"])
                #expect(known["authenticated"] == true, "\(known)")
                #expect(known["audiences"] == ["push.example"], "\(known)")
                #expect(known["user", "uid"]?.string?.isEmpty == false)
                let extra = known["user", "extra"]
                #expect(extra?["authentication.kubernetes.io/pod-name"] == ["bound"], "\(known)")
                #expect(extra?["authentication.kubernetes.io/pod-uid"] == .array([uid]), "\(known)")

                let plain = try await request([:])
                let ofServer = try await review(plain.json["status", "token"])
                #expect(ofServer["authenticated"] == true && ofServer["audiences"] == plain.json["spec", "audiences"])

                _ = try await world.send(.delete, Path.pods + "/bound", ["gracePeriodSeconds": 0])
                // The server may believe for ten seconds what it has found out.
                try await world.eventually("the token has ended with its pod") {
                    try await review(token, ["push.example"])["authenticated"] != true
                }
            }
        }

        @Test(arguments: Backend.all) func pathsAndVerbsThatAreNoneAreSaidToBe(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let root = Path.maps + "/kube-root-ca.crt"
                try await world.expect([
                    Exchange("an unknown kind", .get, Path.core + "things", is: 404, "NotFound"),
                    Exchange("an unknown group", .get, "/apis/no.such/v1", is: 404),
                    Exchange(
                        "an unknown version", .get, "/apis/apps/v9/namespaces/{ns}/deployments", is: 404, "NotFound"),
                    Exchange("an unknown path", .get, "/no/such", is: 404),
                    Exchange("an unknown subresource", .get, root + "/foo", is: 404, "NotFound"),
                    Exchange("a status where there is none", .get, root + "/status", is: 404, "NotFound"),
                    Exchange("creating at a name", .post, root, Sample.map("a"), is: 405, "MethodNotAllowed"),
                    Exchange("replacing all", .put, Path.maps, Sample.map("a"), is: 405, "MethodNotAllowed"),
                    Exchange("creating across namespaces", .post, "/api/v1/configmaps", Sample.map("a"), is: 405),
                    Exchange("posting to the version", .post, "/version", [:], is: 405),
                    Exchange("health of nothing", .get, "/healthz/none", is: 404),
                    Exchange("health", .get, "/readyz", is: 200), Exchange("health", .get, "/livez", is: 200),
                ])
                let group = try await world.send(.get, "/apis/no.such/v1")
                #expect(group.text == "404 page not found\n", "\(group)")
                let absent = try await world.send(.get, Path.deployments + "/none")
                #expect(absent.message == #"deployments.apps "none" not found"#)
                #expect(absent.json["details"] == ["name": "none", "group": "apps", "kind": "deployments"])
                #expect(
                    try await world.send(.get, Path.core + "things").message
                        == "the server could not find the requested resource")
            }
        }

        @Test(arguments: Backend.all) func discoveryNamesWhatIsServed(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                #expect(try await world.send(.get, "/api").json["versions"] == ["v1"])
                let groups = try await world.send(.get, "/apis").json["groups"]?.array ?? []
                for name in ["apps", "batch", "rbac.authorization.k8s.io", "coordination.k8s.io", "assay.dev"] {
                    #expect(groups.contains { $0["name"]?.string == name }, "\(name)")
                }
                let apps = try await world.send(.get, "/apis/apps")
                #expect(apps.kind == "APIGroup" && apps.json["preferredVersion", "groupVersion"] == "apps/v1")
                let core = try await world.send(.get, "/api/v1")
                let resources = Dictionary(
                    (core.json["resources"]?.array ?? []).compactMap { entry in
                        entry["name"]?.string.map { ($0, entry) }
                    }, uniquingKeysWith: { first, _ in first })
                #expect(core.kind == "APIResourceList")
                #expect(resources["pods"]?["shortNames"] == ["po"] && resources["pods"]?["categories"] == ["all"])
                #expect(resources["pods/binding"]?["kind"] == "Binding")
                #expect(resources["pods/eviction"]?["group"] == "policy")
                #expect(resources["pods/log"]?["verbs"] == ["get"])
                #expect(resources["serviceaccounts/token"]?["kind"] == "TokenRequest")
                #expect(resources["namespaces"]?["namespaced"] == false)
                #expect(resources["namespaces"]?["verbs"]?.array?.contains("deletecollection") == false)
                #expect(resources["namespaces/finalize"] != nil && resources["namespaces/status"] != nil)
                let version = try await world.send(.get, "/version").json
                #expect(version["major"] == "1" && version["gitVersion"]?.string?.hasPrefix("v1.") == true)
                let document = try await world.send(.get, "/openapi/v2", accept: "application/json")
                #expect(document.status == 200 && document.text.contains("io.k8s.api.core.v1.Pod"))
            }
        }
    }
}
