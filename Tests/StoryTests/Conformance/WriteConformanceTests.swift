import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories {
    /// Creating, replacing and the options of both.
    @Suite struct WriteConformanceTests {
        @Test(arguments: Backend.all) func whatCannotBeCreatedIsRefusedForItsReason(_ backend: Backend) async throws {
            let long = String(repeating: "a", count: 129)
            @Sendable func map(_ metadata: JSONValue) -> JSONValue { Sample.map("x", [:], metadata) }
            let controllers: JSONValue = [
                ["apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1", "controller": true],
                ["apiVersion": "v1", "kind": "Pod", "name": "b", "uid": "2", "controller": true],
            ]
            let wrongKind: JSONValue = ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "x"]]
            let wrongVersion: JSONValue = ["apiVersion": "v2", "kind": "ConfigMap", "metadata": ["name": "x"]]
            try await ConformanceWorld.run(on: backend) { world in
                try await world.expect([
                    Exchange("a new name", .post, Path.maps, Sample.map("a"), is: 201),
                    Exchange("a name that is taken", .post, Path.maps, Sample.map("a"), is: 409, "AlreadyExists"),
                    Exchange("no name", .post, Path.maps, Sample.map(""), is: 422, "Invalid", ["metadata.name"]),
                    Exchange("a bad name", .post, Path.maps, Sample.map("A_B"), is: 422, "Invalid", ["metadata.name"]),
                    Exchange("another kind", .post, Path.maps, wrongKind, is: 400, "BadRequest"),
                    Exchange("another version", .post, Path.maps, wrongVersion, is: 400, "BadRequest"),
                    Exchange("another namespace", .post, Path.maps, map(["namespace": "o"]), is: 400, "BadRequest"),
                    Exchange(
                        "an absent namespace", .post, "/api/v1/namespaces/no-such/configmaps", map([:]), is: 404,
                        "NotFound"),
                    Exchange("an array", .post, Path.maps, [], is: 400, "BadRequest"),
                    Exchange(
                        "a wrong type", .post, Path.maps, map([:]).merging(patch: ["data": ["a": 1]]), is: 400,
                        "BadRequest"),
                    Exchange(
                        "a bad key", .post, Path.maps, Sample.map("x", ["a b": "1"]), is: 422, "Invalid",
                        ["data[a b]"]),
                    Exchange(
                        "a bad label", .post, Path.maps, map(["labels": ["a b": "c"]]), is: 422, "Invalid",
                        ["metadata.labels"]),
                    Exchange(
                        "a bad label's value", .post, Path.maps, map(["labels": ["a": "c d"]]), is: 422, "Invalid",
                        ["metadata.labels"]),
                    Exchange(
                        "a bad annotation", .post, Path.maps, map(["annotations": ["a b": "c"]]), is: 422, "Invalid",
                        ["metadata.annotations"]),
                    Exchange(
                        "a finalizer without a domain", .post, Path.maps, map(["finalizers": ["foo"]]), is: 422,
                        "Invalid", ["metadata.finalizers"]),
                    Exchange(
                        "a finalizer of a bad domain", .post, Path.maps, map(["finalizers": ["a b/c"]]), is: 422,
                        "Invalid", ["metadata.finalizers"]),
                    Exchange(
                        "an owner without a name", .post, Path.maps,
                        map(["ownerReferences": [["apiVersion": "v1", "kind": "Pod", "uid": "1", "name": ""]]]),
                        is: 422, "Invalid", ["metadata.ownerReferences.name"]),
                    Exchange(
                        "two controllers", .post, Path.maps, map(["ownerReferences": controllers]), is: 422, "Invalid",
                        ["metadata.ownerReferences"]),
                    Exchange("a version", .post, Path.maps, map(["resourceVersion": "5"]), is: 500),
                    Exchange(
                        "an unknown dry run", .post, Path.maps + "?dryRun=Some", map([:]), is: 422, "Invalid",
                        ["dryRun"]),
                    Exchange(
                        "a manager with a long name", .post, Path.maps + "?fieldManager=\(long)", map([:]), is: 422,
                        "Invalid", ["fieldManager"]),
                ])
                for text in [#"{"a":"#, "", "nonsense"] {
                    let answer = try await world.send(
                        .post, Path.maps, bytes: Array(text.utf8), type: MediaType.json.rawValue)
                    #expect(answer.status == 400, "\(text): \(answer)")
                }
                let plain = try await world.send(.post, Path.maps, bytes: Array("{}".utf8), type: "text/plain")
                #expect(plain.status == 415 && plain.reason == "UnsupportedMediaType", "\(plain)")
                #expect(try await world.send(.get, Path.maps).names == ["a"])
            }
        }

        @Test(arguments: Backend.all) func creatingFillsInWhatOnlyTheServerKnows(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let given: JSONValue = [
                    "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "selfLink": "/x",
                    "deletionTimestamp": "2001-01-01T00:00:00Z",
                ]
                let made = try await world.send(.post, Path.maps, Sample.map("a", ["k": "v"], given))
                #expect(made.status == 201)
                #expect(made.json["metadata", "uid"]?.string?.utf8.count == 36)
                #expect(made.json["metadata", "creationTimestamp"]?.string?.hasPrefix("2001") == false)
                #expect(!made.isBeingDeleted)
                #expect(made.json["metadata", "selfLink"] == nil)
                #expect(!made.version.isEmpty)
                // The path says what a document of a built-in kind is, where it does not say so itself.
                let bare = try await world.send(.post, Path.maps, ["metadata": ["name": "bare"]])
                #expect(bare.status == 201 && bare.kind == "ConfigMap", "\(bare)")

                for prefix in ["gen-", String(repeating: "g", count: 70)] {
                    let answer = try await world.send(
                        .post, Path.maps,
                        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["generateName": .string(prefix)]])
                    let name = answer.json["metadata", "name"]?.string ?? ""
                    #expect(answer.status == 201)
                    #expect(name.utf8.count == min(prefix.utf8.count, 58) + 5)
                    #expect(name.hasPrefix(prefix.prefix(58)))
                }
                let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {a: b}\n"
                let read = try await world.send(.post, Path.maps, bytes: Array(yaml.utf8), type: "application/yaml")
                #expect(read.status == 201 && read.json["data"] == ["a": "b"], "\(read)")
                let empty = try await world.send(
                    .post, Path.maps, Sample.map("empty").merging(patch: ["data": [:], "binaryData": [:]]))
                #expect(empty.json["data"] == nil, "what is empty is left out: \(empty)")
            }
        }

        @Test(arguments: Backend.all) func aDryRunAnswersAsIfAndChangesNothing(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let made = try await world.send(.post, Path.maps, Sample.map("a", ["k": "1"]))
                let dry = "?dryRun=All"
                try await world.expect([
                    Exchange("create", .post, Path.maps + dry, Sample.map("b"), is: 201),
                    Exchange("create what is there", .post, Path.maps + dry, Sample.map("a"), is: 409),
                    Exchange("replace", .put, Path.maps + "/a" + dry, Sample.map("a", ["k": "2"]), is: 200),
                    Exchange("patch", .patch, Path.maps + "/a" + dry, ["data": ["k": "3"]], type: .merge, is: 200),
                    Exchange(
                        "apply", .patch, Path.maps + "/c" + dry + "&fieldManager=m", Sample.map("c"), type: .apply,
                        is: 201),
                    Exchange("delete", .delete, Path.maps + "/a" + dry, is: 200),
                ])
                #expect(try await world.send(.get, Path.maps).names == ["a"])
                #expect(try await world.send(.get, Path.maps + "/a").version == made.version)
            }
        }

        @Test(arguments: Backend.all) func aReplacementHoldsToItsPreconditions(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let a = Path.maps + "/a"
                let made = try await world.send(.post, Path.maps, Sample.map("a", ["k": "1"]))
                #expect(try await world.send(.put, a, made.json).version == made.version, "nothing changed")
                var changed = made.json
                changed["data", "k"] = "2"
                let second = try await world.send(.put, a, changed)
                #expect(second.status == 200 && second.version != made.version)
                try await world.expect([
                    Exchange("an old version", .put, a, changed, is: 409, "Conflict"),
                    Exchange("no version", .put, a, Sample.map("a", ["k": "3"]), is: 200),
                    Exchange("another uid", .put, a, Sample.map("a", [:], ["uid": "other"]), is: 409, "Conflict"),
                    Exchange("another name", .put, a, Sample.map("b"), is: 400, "BadRequest"),
                    Exchange("another namespace", .put, a, Sample.map("a", [:], ["namespace": "x"]), is: 400),
                    Exchange("an absent object", .put, Path.maps + "/b", Sample.map("b"), is: 404, "NotFound"),
                    Exchange(
                        "a lock", .put, a, Sample.map("a", ["k": "3"]).merging(patch: ["immutable": true]), is: 200),
                    Exchange(
                        "other data under lock", .put, a,
                        Sample.map("a", ["k": "4"]).merging(patch: ["immutable": true]), is: 422, "Invalid", ["data"]),
                    Exchange("unlocking", .put, a, Sample.map("a", ["k": "3"]), is: 422, "Invalid", ["immutable"]),
                ])
            }
        }

        @Test(arguments: Backend.all) func aGenerationCountsChangesOfTheSpecAlone(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let path = Path.deployments + "/d"
                func patch(_ patch: JSONValue, _ suffix: String = "") async throws -> Answer {
                    try await world.send(.patch, path + suffix, patch, type: .merge)
                }
                #expect(try await world.send(.post, Path.deployments, Sample.deployment("d")).generation == 1)
                // The controller writes annotations and the status meanwhile.
                try await world.eventually("its revision is noted") {
                    let annotations = try await world.send(.get, path).json["metadata", "annotations"]
                    return annotations?["deployment.kubernetes.io/revision"] == "1"
                }
                #expect(try await patch(["metadata": ["labels": ["x": "y"]]]).generation == 1)
                // Annotations of a Deployment go on to its ReplicaSets.
                #expect(try await patch(["metadata": ["annotations": ["x": "y"]]]).generation == 2)
                #expect(try await patch(["spec": ["paused": true]]).generation == 3)
                #expect(try await patch(["spec": ["paused": true]]).generation == 3)
                let main = try await patch(["status": ["collisionCount": 7]])
                #expect(main.generation == 3 && main.json["status", "collisionCount"] == nil, "\(main)")
                let status = try await patch(
                    [
                        "status": ["collisionCount": 3], "spec": ["replicas": 9],
                        "metadata": ["labels": ["new": "label"], "annotations": ["new": "note"]],
                    ], "/status")
                #expect(status.generation == 3)
                #expect(status.json["status", "collisionCount"] == 3)
                #expect(status.json["spec", "replicas"] == 0)
                #expect(status.json["metadata", "labels", "new"] == nil, "\(status)")
                #expect(status.json["metadata", "annotations", "new"] == "note")
            }
        }

        @Test(arguments: Backend.all) func scaleIsAViewOfTheReplicas(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let path = Path.deployments + "/d"
                let made = try await world.send(
                    .post, Path.deployments, Sample.deployment("d", ["paused": true, "replicas": 2]))
                let scale = try await world.send(.get, path + "/scale")
                #expect(scale.kind == "Scale" && scale.json["apiVersion"] == "autoscaling/v1")
                #expect(scale.json["spec", "replicas"] == 2)
                #expect(scale.json["status", "selector"] == "app=d")
                #expect(scale.json["metadata", "uid"] == made.json["metadata", "uid"])
                let less = try await world.send(.patch, path + "/scale", ["spec": ["replicas": 1]], type: .merge)
                #expect(less.json["spec", "replicas"] == 1)
                let after = try await world.send(.get, path)
                #expect(after.json["spec", "replicas"] == 1 && after.generation == 2)
                func wanted(_ metadata: JSONValue, _ replicas: JSONValue) -> JSONValue {
                    [
                        "apiVersion": "autoscaling/v1", "kind": "Scale",
                        "metadata": metadata.merging(patch: ["namespace": .string(world.namespace)]),
                        "spec": ["replicas": replicas],
                    ]
                }
                try await world.expect([
                    Exchange(
                        "negative", .put, path + "/scale", wanted(["name": "d"], -1), is: 422, "Invalid",
                        ["spec.replicas"]),
                    Exchange(
                        "an old version", .put, path + "/scale", wanted(["name": "d", "resourceVersion": "1"], 0),
                        is: 409, "Conflict"),
                    Exchange("another name", .put, path + "/scale", wanted(["name": "e"], 0), is: 400, "BadRequest"),
                    Exchange("of a kind without one", .get, Path.maps + "/kube-root-ca.crt/scale", is: 404),
                    Exchange("of an absent object", .get, Path.deployments + "/none/scale", is: 404, "NotFound"),
                ])
            }
        }
    }
}
