import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories {
    /// Server-side apply: who owns what, and what becomes of it.
    @Suite struct ApplyConformanceTests {
        static func map(_ data: [String: String], _ labels: [String: String] = [:]) -> JSONValue {
            Sample.map("a", data, labels.isEmpty ? [:] : ["labels": JSONValue(labels)])
        }

        @Test(arguments: Backend.all) func fieldsAreOwnedSharedTakenAndGivenUp(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let a = Path.maps + "/a"
                let made = try await world.apply(a, Self.map(["k": "1"], ["x": "1"]), by: "one")
                #expect(made.status == 201)
                #expect(
                    made.managers == [
                        "one Apply": ["f:data": ["f:k": [:]], "f:metadata": ["f:labels": ["f:x": [:]]]]
                    ])
                let again = try await world.apply(a, Self.map(["k": "1"], ["x": "1"]), by: "one")
                #expect(again.status == 200 && again.version == made.version)

                let conflict = try await world.apply(a, Self.map(["k": "2", "j": "1"]), by: "two")
                #expect(conflict.status == 409 && conflict.reason == "Conflict")
                #expect(conflict.message == #"Apply failed with 1 conflict: conflict with "one": .data.k"#)
                #expect(conflict.json["details", "causes"]?[0]?["reason"] == "FieldManagerConflict")
                #expect(conflict.fields == [".data.k"])

                let shared = try await world.apply(a, Self.map(["k": "1", "j": "1"]), by: "two")
                #expect(shared.managers["two Apply"] == ["f:data": ["f:j": [:], "f:k": [:]]])
                let many = try await world.apply(a, Self.map(["k": "3"], ["x": "2"]), by: "three")
                #expect(
                    many.message == """
                        Apply failed with 3 conflicts: conflicts with "one":
                        - .data.k
                        - .metadata.labels.x
                        conflicts with "two":
                        - .data.k
                        """)
                let forced = try await world.apply(a, Self.map(["k": "4"]), by: "three", force: true)
                #expect(forced.json["data"] == ["k": "4", "j": "1"])
                #expect(forced.managers["one Apply"] == ["f:metadata": ["f:labels": ["f:x": [:]]]])
                #expect(forced.managers["two Apply"] == ["f:data": ["f:j": [:]]])

                let dropped = try await world.apply(a, Self.map([:]), by: "two")
                #expect(dropped.json["data"] == ["k": "4"], "what nobody applies any more goes")
                #expect(dropped.managers["two Apply"] == nil)
            }
        }

        @Test(arguments: Backend.all) func anUpdateTakesFieldsFromWhoAppliedThem(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let a = Path.maps + "/a"
                try await world.apply(a, Self.map(["k": "1", "l": "1"]), by: "one")
                let patched = try await world.send(
                    .patch, a + "?fieldManager=hand", ["data": ["k": "5", "u": "1"]], type: .merge)
                #expect(patched.managers["one Apply"] == ["f:data": ["f:l": [:]]])
                #expect(patched.managers["hand Update"] == ["f:data": ["f:k": [:], "f:u": [:]]])
                let conflict = try await world.apply(a, Self.map(["k": "9"]), by: "one")
                #expect(conflict.status == 409)
                #expect(
                    conflict.json["details", "causes"]?[0]?["message"]?.string?.hasPrefix(
                        #"conflict with "hand" using v1"#) == true, "\(conflict)")
                let without = try await world.apply(a, Self.map([:]), by: "one")
                #expect(without.json["data"] == ["k": "5", "u": "1"])
                let cleared = try await world.send(
                    .patch, a, ["metadata": ["managedFields": [[:]]]], type: .merge)
                #expect(cleared.managers == [:])
                let before = try await world.apply(a, Self.map(["k": "7"]), by: "new")
                #expect(before.message.contains("before-first-apply"), "\(before)")
            }
        }

        @Test(arguments: Backend.all) func whatCannotBeAppliedIsRefused(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let path = Path.maps + "/a?fieldManager=m"
                let kind: JSONValue = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"]]
                try await world.apply(Path.maps + "/a", kind, by: "m")
                let refused: [(String, JSONValue, ClosedRange<Int>)] = [
                    ("another name", Sample.map("b"), 400...400),
                    ("another namespace", Sample.map("a", [:], ["namespace": "x"]), 400...400),
                    ("another kind", kind.merging(patch: ["kind": "Secret"]), 400...500),
                    ("another version", kind.merging(patch: ["apiVersion": "v3"]), 400...400),
                    ("no kind", ["metadata": ["name": "a"]], 400...400),
                    ("managed fields", Sample.map("a", [:], ["managedFields": [["manager": "x"]]]), 400...400),
                    ("a wrong type", kind.merging(patch: ["data": ["k": 1]]), 400...500),
                    ("an old version", Sample.map("a", ["q": "1"], ["resourceVersion": "1"]), 409...409),
                ]
                for (what, body, statuses) in refused {
                    let answer = try await world.send(.patch, path, body, type: .apply)
                    #expect(statuses.contains(answer.status), "\(what): \(answer)")
                }
                try await world.expect([
                    Exchange(
                        "no manager", .patch, Path.maps + "/a", kind, type: .apply, is: 422, "Invalid", ["fieldManager"]
                    ),
                    Exchange(
                        "an absent object of a uid", .patch, Path.maps + "/b?fieldManager=m",
                        Sample.map("b", [:], ["uid": "1"]), type: .apply, is: 409, "Conflict"),
                ])
                #expect(try await world.send(.get, Path.maps).names == ["a"])
            }
        }

        @Test(arguments: Backend.all) func listsAreMergedByKeysOrReplacedAsAWhole(_ backend: Backend) async throws {
            @Sendable func deployment(_ container: JSONValue, replicas: Int? = nil) -> JSONValue {
                var json = Sample.deployment("d", ["paused": true, "replicas": .null])
                json["spec", "template", "spec"] = ["containers": [container]]
                if let replicas { json["spec", "replicas"] = JSONValue(replicas) }
                return json
            }
            @Sendable func containers(_ answer: Answer) -> [JSONValue] {
                answer.json[path: ["spec", "template", "spec", "containers"]]?.array ?? []
            }
            let base: JSONValue = ["name": "c", "image": "i", "args": ["x"]]
            try await ConformanceWorld.run(on: backend) { world in
                let d = Path.deployments + "/d"
                let first = base.merging(patch: ["env": [["name": "A", "value": "1"]]])
                try await world.apply(d, deployment(first, replicas: 3), by: "one")
                let second = try await world.apply(
                    d, deployment(["name": "s", "image": "j"]), by: "two")
                #expect(containers(second).map { $0["name"] } == ["c", "s"])
                let shared: JSONValue = [
                    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d"],
                    "spec": [
                        "template": [
                            "spec": ["containers": [["name": "c", "env": [["name": "B", "value": "2"]]]]]
                        ]
                    ],
                ]
                let both = try await world.apply(d, shared, by: "two")
                #expect(containers(both).map { $0["name"] } == ["c"], "the container that was given up is gone")
                #expect((containers(both).first?["env"]?.array ?? []).map { $0["name"] } == ["A", "B"])
                let less = try await world.apply(d, deployment(base, replicas: 3), by: "one")
                #expect((containers(less).first?["env"]?.array ?? []).map { $0["name"] } == ["B"])
                // A field that nobody applies any more goes back to its default.
                let unscaled = try await world.apply(d, deployment(base), by: "one")
                #expect(unscaled.json["spec", "replicas"] == 1)
                let list = base.merging(patch: ["args": ["y", "z"]])
                let atomic = try await world.apply(d, deployment(list), by: "three")
                #expect(atomic.status == 409, "\(atomic)")
                let taken = try await world.apply(d, deployment(list), by: "three", force: true)
                #expect(containers(taken).first?["args"] == ["y", "z"])
                let twice = base.merging(
                    patch: ["env": [["name": "A", "value": "1"], ["name": "A", "value": "2"]]])
                let duplicate = try await world.apply(d, deployment(twice), by: "one", force: true)
                #expect(duplicate.status >= 400, "\(duplicate)")
            }
        }
    }
}
