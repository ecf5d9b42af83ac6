import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories {
    /// What a CustomResourceDefinition makes of its objects.
    @Suite struct CustomResourceConformanceTests {
        static let spec: JSONValue = [
            "type": "object", "required": ["size"],
            "properties": [
                "size": ["type": "integer", "minimum": 1, "maximum": 9],
                "mode": ["type": "string", "enum": ["A", "B"], "default": "A"],
                "name": ["type": "string", "pattern": "^[a-z]+$"],
                "port": ["x-kubernetes-int-or-string": true],
                "nullable": ["type": "string", "nullable": true, "default": "z"],
                "absent": ["type": "string"], "flag": ["type": "boolean"],
                "nested": [
                    "type": "object", "default": [:],
                    "properties": ["x": ["type": "integer", "default": 5], "y": ["type": "string"]],
                ],
                "plain": ["type": "object", "properties": ["x": ["type": "integer", "default": 7]]],
                "free": [
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": ["known": ["type": "object", "properties": ["k": ["type": "string"]]]],
                ],
                "map": ["type": "object", "additionalProperties": ["type": "integer"]],
                "list": [
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": [
                        "type": "object", "required": ["name"],
                        "properties": [
                            "name": ["type": "string"], "v": ["type": "integer", "default": 3], "w": ["type": "string"],
                        ],
                    ],
                ],
                "set": ["type": "array", "x-kubernetes-list-type": "set", "items": ["type": "string"]],
                "replicas": ["type": "integer", "default": 1],
            ],
        ]

        static func definition(_ plural: String, _ kind: String, _ group: String) -> JSONValue {
            [
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": ["name": .string("\(plural).\(group)")],
                "spec": [
                    "group": .string(group), "scope": "Namespaced",
                    "names": [
                        "plural": .string(plural), "kind": .string(kind), "categories": ["everything"],
                        "shortNames": [.string("x" + plural)],
                    ],
                    "versions": [
                        [
                            "name": "v1", "served": true, "storage": true,
                            "schema": [
                                "openAPIV3Schema": [
                                    "type": "object",
                                    "properties": [
                                        "spec": spec,
                                        "status": [
                                            "type": "object",
                                            "properties": [
                                                "replicas": ["type": "integer"], "phase": ["type": "string"],
                                            ],
                                        ],
                                    ],
                                ]
                            ],
                            "subresources": [
                                "status": [:],
                                "scale": [
                                    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                                ],
                            ],
                            "additionalPrinterColumns": [
                                ["name": "Size", "type": "integer", "jsonPath": ".spec.size"],
                                ["name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1],
                            ],
                        ]
                    ],
                ],
            ]
        }

        /// A kind of the world's own, served while `body` runs.
        private static func run(
            on backend: Backend, _ body: @escaping @Sendable (ConformanceWorld, String, String) async throws -> Void
        ) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let group = "\(world.namespace).dev"
                let path = Path.definitions + "/things.\(group)"
                let made = try await world.send(.post, Path.definitions, definition("things", "Thing", group))
                #expect(made.status == 201, "\(made)")
                let things = "/apis/\(group)/v1/namespaces/{ns}/things"
                try await world.eventually("the kind is served") { try await world.send(.get, things).status == 200 }
                // A server says that a kind is established some time before all its parts know it.
                let probe: JSONValue = [
                    "apiVersion": .string("\(group)/v1"), "kind": "Thing", "metadata": ["name": "probe"],
                    "spec": ["size": 1],
                ]
                try await world.eventually("its schema is known") {
                    try await world.send(.post, things + "?dryRun=All", probe).json["spec", "mode"] == "A"
                }
                do {
                    try await body(world, group, things)
                    try await world.send(.delete, path)
                } catch let failure {
                    do { try await world.send(.delete, path) } catch { throw failure }
                    throw failure
                }
            }
        }

        static func thing(_ group: String, _ name: String, _ spec: JSONValue, _ more: JSONValue = [:]) -> JSONValue {
            let json: JSONValue = [
                "apiVersion": .string("\(group)/v1"), "kind": "Thing", "metadata": ["name": .string(name)],
                "spec": spec,
            ]
            return json.merging(patch: more)
        }

        static let refusals: [(what: String, spec: JSONValue, field: String)] = [
            ("a missing field", [:], "spec.size"), ("too small", ["size": 0], "spec.size"),
            ("too large", ["size": 10], "spec.size"), ("not of the list", ["size": 1, "mode": "C"], "spec.mode"),
            ("not of the pattern", ["size": 1, "name": "ABC"], "spec.name"), ("a string", ["size": "3"], "spec.size"),
            ("a fraction", ["size": 1.5], "spec.size"),
            ("neither int nor string", ["size": 1, "port": true], "spec.port"),
            ("null for what must be", ["size": .null], "spec.size"),
            ("a wrong value of a map", ["size": 1, "map": ["a": "x"]], "spec.map.a"),
            ("an element without its key", ["size": 1, "list": [["v": 1]]], "spec.list"),
            ("a key twice", ["size": 1, "list": [["name": "a"], ["name": "a"]]], "spec.list[1]"),
            ("a value twice", ["size": 1, "set": ["a", "b", "a"]], "spec.set[2]"),
            ("no object", "x", "spec"),
        ]

        @Test(arguments: Backend.all) func objectsArePrunedDefaultedAndValidated(_ backend: Backend) async throws {
            try await Self.run(on: backend) { world, group, things in
                let made = try await world.send(
                    .post, things,
                    Self.thing(
                        group, "a",
                        [
                            "size": 3, "unknown": 1, "nested": ["z": 1], "plain": [:], "nullable": .null,
                            "absent": .null, "flag": .null, "port": "http",
                            "free": ["q": 1, "known": ["k": "1", "zz": 2]],
                            "list": [["name": "x", "e": 1], ["name": "y", "v": 9]],
                        ]))
                #expect(
                    made.json["spec"] == [
                        "size": 3, "mode": "A", "nested": ["x": 5], "plain": ["x": 7], "nullable": .null,
                        "port": "http", "free": ["q": 1, "known": ["k": "1"]],
                        "list": [["name": "x", "v": 3], ["name": "y", "v": 9]], "replicas": 1,
                    ], "\(made)")
                #expect(made.generation == 1)
                for (what, spec, field) in Self.refusals {
                    let answer = try await world.send(.post, things, Self.thing(group, "x", spec))
                    #expect(
                        answer.status == 422 && answer.fields.contains { $0.hasPrefix(field) }, "\(what): \(answer)")
                }
                try await world.expect([
                    Exchange(
                        "another kind", .post, things, Self.thing(group, "x", ["size": 1], ["kind": "Other"]), is: 422,
                        "Invalid", ["kind"]),
                    Exchange(
                        "another version", .post, things,
                        Self.thing(group, "x", ["size": 1], ["apiVersion": .string(group + "/v2")]), is: 400,
                        "BadRequest"),
                    Exchange("no kind", .post, things, ["metadata": ["name": "x"], "spec": ["size": 1]], is: 400),
                    Exchange(
                        "a bad name", .post, things, Self.thing(group, "X_", ["size": 1]), is: 422, "Invalid",
                        ["metadata.name"]),
                    Exchange(
                        "a strategic patch", .patch, things + "/a", [:], type: .strategic, is: 415,
                        "UnsupportedMediaType"),
                    Exchange(
                        "replacing an absent one", .put, things + "/n", Self.thing(group, "n", ["size": 1]), is: 404),
                    Exchange(
                        "replacing without a version", .put, things + "/a", Self.thing(group, "a", ["size": 1]),
                        is: 422,
                        "Invalid", ["metadata.resourceVersion"]),
                ])
                #expect(try await world.send(.put, things + "/a", made.json).version == made.version)
            }
        }

        @Test(arguments: Backend.all) func statusAndSpecAreWrittenApart(_ backend: Backend) async throws {
            try await Self.run(on: backend) { world, group, things in
                let a = things + "/a"
                let made = try await world.send(
                    .post, things, Self.thing(group, "a", ["size": 1], ["status": ["phase": "Early"]]))
                #expect(made.json["status"] == nil)
                let main = try await world.send(
                    .patch, a, ["status": ["phase": "X"], "metadata": ["labels": ["l": "1"]]], type: .merge)
                #expect(main.json["status"] == nil && main.generation == 1)
                let status = try await world.send(
                    .patch, a + "/status",
                    [
                        "status": ["phase": "Y", "unknown": 1], "spec": ["size": 5],
                        "metadata": ["labels": ["l": "2"], "annotations": ["n": "1"], "finalizers": ["a.b/c"]],
                    ], type: .merge)
                #expect(status.json["status"] == ["phase": "Y"])
                #expect(status.json["spec", "size"] == 1 && status.generation == 1)
                #expect(status.json["metadata", "labels"] == main.json["metadata", "labels"])
                #expect(status.finalizers == [] && status.json["metadata", "annotations"] == nil, "\(status)")
                try await world.expect([
                    Exchange(
                        "a bad status", .patch, a + "/status", ["status": ["phase": 3]], type: .merge, is: 422,
                        "Invalid", ["status.phase"])
                ])
                #expect(try await world.send(.patch, a, ["spec": ["size": 2]], type: .merge).generation == 2)
                let applied = try await world.apply(
                    a + "/status", Self.thing(group, "a", .null, ["status": ["replicas": 3]]), by: "s")
                #expect(applied.json["status"] == ["phase": "Y", "replicas": 3], "\(applied)")

                let scale = try await world.send(.get, a + "/scale")
                #expect(scale.kind == "Scale" && scale.json["spec", "replicas"] == 1)
                #expect(scale.json["status", "replicas"] == 3)
                try await world.send(.patch, a + "/scale", ["spec": ["replicas": 4]], type: .merge)
                let after = try await world.send(.get, a)
                #expect(after.json["spec", "replicas"] == 4 && after.generation == 3)
                let negative = try await world.send(.patch, a + "/scale", ["spec": ["replicas": -4]], type: .merge)
                #expect(negative.status == 422, "\(negative)")
            }
        }

        @Test(arguments: Backend.all) func applyingMergesObjectsAndMaps(_ backend: Backend) async throws {
            try await Self.run(on: backend) { world, group, things in
                let a = things + "/a"
                let one = try await world.apply(
                    a, Self.thing(group, "a", ["size": 1, "map": ["k": 1], "free": ["x": ["y": 1]]]), by: "one")
                #expect(one.status == 201 && one.json["spec", "mode"] == "A", "\(one)")
                let two = try await world.apply(a, Self.thing(group, "a", ["size": 1, "map": ["l": 1]]), by: "two")
                #expect(two.json["spec", "map"] == ["k": 1, "l": 1], "\(two)")
                let conflict = try await world.apply(
                    a, Self.thing(group, "a", ["size": 2, "map": ["k": 2], "free": ["x": ["y": 2]]]), by: "two")
                #expect(conflict.status == 409)
                #expect(conflict.fields == [".spec.free.x.y", ".spec.map.k", ".spec.size"], "\(conflict)")
                let less = try await world.apply(a, Self.thing(group, "a", ["size": 1]), by: "one")
                #expect(less.json["spec", "map"] == ["l": 1] && less.json["spec", "free"] == nil, "\(less)")
                let bad = try await world.apply(things + "/b", Self.thing(group, "b", ["size": 0]), by: "one")
                #expect(bad.status == 422 && bad.fields == ["spec.size"], "\(bad)")
            }
        }

        @Test(arguments: Backend.all) func aKindIsFoundAndPrintedAsItsDefinitionSays(_ backend: Backend) async throws {
            try await Self.run(on: backend) { world, group, things in
                try await world.send(.post, things, Self.thing(group, "a", ["size": 3]))
                let table = try await world.send(.get, things, accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
                #expect((table.json["columnDefinitions"]?.array ?? []).map { $0["name"] } == ["Name", "Size", "Phase"])
                #expect((table.json["columnDefinitions"]?.array ?? []).map { $0["priority"] } == [0, 0, 1])
                #expect(table.json["rows"]?[0]?["cells"] == ["a", 3, .null], "\(table)")
                let resources = try await world.send(.get, "/apis/\(group)/v1").json["resources"]?.array ?? []
                #expect(
                    Set(resources.compactMap { $0["name"]?.string }) == ["things", "things/status", "things/scale"])
                let own = try #require(resources.first { $0["name"] == "things" })
                #expect(own["kind"] == "Thing" && own["singularName"] == "thing" && own["shortNames"] == ["xthings"])
                #expect(own["categories"] == ["everything"])
                #expect(
                    Set((own["verbs"]?.array ?? []).compactMap(\.string)) == [
                        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
                    ])
                let status = try await world.send(.get, Path.definitions + "/things.\(group)").json["status"]
                #expect(status?["storedVersions"] == ["v1"])
                #expect(status?["acceptedNames", "listKind"] == "ThingList")

                var late = try await world.send(.get, Path.definitions + "/things.\(group)").json
                let root = ["schema", "openAPIV3Schema", "properties", "spec", "properties"]
                var version = late["spec", "versions"]?[0] ?? .null
                version[path: root + ["late"]] = ["type": "string", "default": "later"]
                late["spec", "versions"] = [version]
                let changed = try await world.send(.put, Path.definitions + "/things.\(group)", late)
                #expect(changed.status == 200, "\(changed)")
                try await world.eventually("what was stored before is read with the new default") {
                    try await world.send(.get, things + "/a").json["spec", "late"] == "later"
                }
                try await world.send(.delete, Path.definitions + "/things.\(group)")
                try await world.eventually("the definition and its objects are gone") {
                    let definition = try await world.send(.get, Path.definitions + "/things.\(group)")
                    return definition.status == 404
                }
                try await world.eventually("the path is gone") { try await world.send(.get, things).status == 404 }
            }
        }

        @Test(arguments: Backend.all) func namesThatAreTakenAreNotAccepted(_ backend: Backend) async throws {
            try await Self.run(on: backend) { world, group, _ in
                var second = Self.definition("items", "Thing", group)
                second["spec", "names", "shortNames"] = ["xthings"]
                try await world.send(.post, Path.definitions, second)
                let path = Path.definitions + "/items.\(group)"
                try await world.eventually("the names are refused") {
                    let conditions = try await world.send(.get, path).json["status", "conditions"]?.array ?? []
                    func isFalse(_ type: String) -> Bool {
                        conditions.contains { $0["type"]?.string == type && $0["status"] == "False" }
                    }
                    return isFalse("NamesAccepted") && isFalse("Established")
                }
                #expect(try await world.send(.get, "/apis/\(group)/v1/namespaces/{ns}/items").status == 404)
                try await world.send(.delete, path)
            }
        }

        /// A change to a good definition that makes it a bad one, and what is refused about it.
        static let mistakes: [(what: String, path: [String], value: JSONValue?, field: String)] = [
            ("another name", ["metadata", "name"], "foo.bar", "metadata.name"),
            ("an unknown scope", ["spec", "scope"], "X", "spec.scope"),
            ("keeping unknown fields", ["spec", "preserveUnknownFields"], true, "spec.preserveUnknownFields"),
            ("a group without a dot", ["spec", "group"], "foo", "spec.group"),
        ]

        /// The same within the schema of the spec's field `bad`; the end of the field's path.
        static let badSchemas: [(schema: JSONValue, field: String)] = [
            (["properties": [:]], "[bad].type"), (["type": "foo"], "[bad].type"), (["type": "array"], "[bad].items"),
            (["type": "integer", "default": "x"], "[bad].default"),
            (["type": "string", "pattern": "("], "[bad].pattern"),
            (
                [
                    "type": "object", "properties": ["a": ["type": "string"]],
                    "additionalProperties": ["type": "string"],
                ], "[bad].additionalProperties"
            ),
            (
                ["type": "array", "x-kubernetes-list-type": "map", "items": ["type": "object"]],
                "[bad].x-kubernetes-list-map-keys"
            ),
        ]

        @Test(arguments: Backend.all) func aBadDefinitionIsRefused(_ backend: Backend) async throws {
            try await Self.run(on: backend) { world, group, _ in
                for mistake in Self.mistakes {
                    var bad = Self.definition("bads", "Bad", group)
                    bad[path: mistake.path] = mistake.value
                    let answer = try await world.send(.post, Path.definitions, bad)
                    #expect(
                        answer.status == 422 && answer.fields.contains(mistake.field), "\(mistake.what): \(answer)")
                }
                for (schema, field) in Self.badSchemas {
                    var bad = Self.definition("bads", "Bad", group)
                    var version = bad["spec", "versions"]?[0] ?? .null
                    version[path: ["schema", "openAPIV3Schema", "properties", "spec", "properties", "bad"]] = schema
                    bad["spec", "versions"] = [version]
                    let answer = try await world.send(.post, Path.definitions, bad)
                    #expect(
                        answer.status == 422 && answer.fields.contains { $0.hasSuffix(field) }, "\(field): \(answer)")
                }
                let path = Path.definitions + "/things.\(group)"
                try await world.expect([
                    Exchange(
                        "another group", .patch, path, ["spec": ["group": "other.dev"]], type: .merge, is: 422,
                        "Invalid", ["spec.group"]),
                    Exchange(
                        "another scope", .patch, path, ["spec": ["scope": "Cluster"]], type: .merge, is: 422, "Invalid",
                        ["spec.scope"]),
                ])
            }
        }
    }
}
