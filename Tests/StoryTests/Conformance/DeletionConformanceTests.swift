import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories {
    /// Deletion: preconditions, finalizers, propagation, graceful ends, namespaces.
    @Suite struct DeletionConformanceTests {
        @Test(arguments: Backend.all) func aDeletionHoldsToItsOptions(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let a = Path.maps + "/a"
                let made = try await world.send(.post, Path.maps, Sample.map("a"))
                let contradiction: JSONValue = ["propagationPolicy": "Orphan", "orphanDependents": true]
                try await world.expect([
                    Exchange("another uid", .delete, a, ["preconditions": ["uid": "x"]], is: 409, "Conflict"),
                    Exchange(
                        "an old version", .delete, a, ["preconditions": ["resourceVersion": "1"]], is: 409, "Conflict"),
                    Exchange(
                        "an unknown policy", .delete, a, ["propagationPolicy": "Foo"], is: 422, "Invalid",
                        ["propagationPolicy"]),
                    Exchange("two policies", .delete, a, contradiction, is: 422, "Invalid", ["propagationPolicy"]),
                    Exchange("an absent object", .delete, Path.maps + "/b", is: 404, "NotFound"),
                ])
                let gone = try await world.send(
                    .delete, a, ["preconditions": ["uid": made.json["metadata", "uid"] ?? .null]])
                #expect(gone.kind == "Status" && gone.json["status"] == "Success")
                #expect(gone.json["details", "uid"] == made.json["metadata", "uid"])
                #expect(gone.json["details", "kind"] == "configmaps")
                #expect(try await world.send(.get, a).status == 404)
            }
        }

        @Test(arguments: Backend.all) func finalizersHoldAnObjectUntilTheLastIsGone(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let f = Path.maps + "/f"
                try await world.send(.post, Path.maps, Sample.map("f", [:], ["finalizers": ["a.b/c", "a.b/d"]]))
                let first = try await world.send(.delete, f)
                #expect(first.kind == "ConfigMap" && first.isBeingDeleted)
                #expect(first.json["metadata", "deletionGracePeriodSeconds"] == 0)
                let second = try await world.send(.delete, f)
                #expect(second.status == 200 && second.version == first.version)
                func finalizers(_ list: JSONValue) -> JSONValue { ["metadata": ["finalizers": list]] }
                try await world.expect([
                    Exchange(
                        "a new finalizer", .patch, f, finalizers(["a.b/c", "a.b/d", "x.y/z"]), type: .merge, is: 422,
                        "Invalid", ["metadata.finalizers"]),
                    Exchange("its name again", .post, Path.maps, Sample.map("f"), is: 409, "AlreadyExists"),
                ])
                let kept = try await world.send(
                    .patch, f, ["metadata": ["deletionTimestamp": .null], "data": ["x": "1"]], type: .merge)
                #expect(kept.isBeingDeleted && kept.json["data", "x"] == "1")
                let less = try await world.send(.patch, f, finalizers(["a.b/d"]), type: .merge)
                #expect(less.finalizers == ["a.b/d"])
                let last = try await world.send(.patch, f, finalizers(.null), type: .merge)
                #expect(last.status == 200 && last.kind == "ConfigMap")
                #expect(try await world.send(.get, f).status == 404)
            }
        }

        private static func owned(_ name: String, by owner: Answer, blocks: Bool = false, held: Bool = false)
            -> JSONValue
        {
            var reference: JSONValue = [
                "apiVersion": "v1", "kind": "ConfigMap", "name": owner.json["metadata", "name"] ?? .null,
                "uid": owner.json["metadata", "uid"] ?? .null,
            ]
            if blocks { reference["blockOwnerDeletion"] = true }
            return Sample.map(
                name, [:], ["ownerReferences": [reference], "finalizers": held ? ["a.b/c"] : .null])
        }

        @Test(arguments: Backend.all) func dependentsGoStayOrGoFirst(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                func gone(_ name: String) async throws -> Bool {
                    try await world.send(.get, Path.maps + "/" + name).status == 404
                }
                func make(_ json: JSONValue) async throws -> Answer { try await world.send(.post, Path.maps, json) }
                func free(_ name: String) async throws {
                    try await world.send(
                        .patch, Path.maps + "/" + name, ["metadata": ["finalizers": .null]], type: .merge)
                }
                let background = try await make(Sample.map("background"))
                _ = try await make(Self.owned("b1", by: background))
                let orphan = try await make(Sample.map("orphan"))
                _ = try await make(Self.owned("o1", by: orphan))
                let foreground = try await make(Sample.map("foreground"))
                _ = try await make(Self.owned("blocking", by: foreground, blocks: true, held: true))
                _ = try await make(Self.owned("other", by: foreground, held: true))
                // The collector must have seen who owns whom; it is told so by watches of its own.
                let absent: JSONValue = [
                    "ownerReferences": [
                        [
                            "apiVersion": "v1", "kind": "ConfigMap", "name": "none",
                            "uid": "deadbeef-0000-0000-0000-000000000000",
                        ]
                    ]
                ]
                _ = try await make(Sample.map("absent", [:], absent))
                try await world.eventually("what an absent object owns is gone") { try await gone("absent") }

                try await world.send(.delete, Path.maps + "/background", ["propagationPolicy": "Background"])
                #expect(try await gone("background"))
                try await world.eventually("the dependent goes after its owner") { try await gone("b1") }

                let leaving = try await world.send(.delete, Path.maps + "/orphan", ["propagationPolicy": "Orphan"])
                #expect(leaving.finalizers == ["orphan"])
                try await world.eventually("the owner goes") { try await gone("orphan") }
                let left = try await world.send(.get, Path.maps + "/o1")
                #expect(left.status == 200 && left.json["metadata", "ownerReferences"] == nil, "\(left)")

                let held = try await world.send(
                    .delete, Path.maps + "/foreground", ["propagationPolicy": "Foreground"])
                #expect(held.finalizers == ["foregroundDeletion"] && held.isBeingDeleted)
                try await world.eventually("the dependents are being deleted") {
                    try await world.send(.get, Path.maps + "/blocking").isBeingDeleted
                }
                #expect(try await !gone("foreground"))
                try await free("blocking")
                try await world.eventually("nothing blocks the owner any more") { try await gone("foreground") }
                try await world.eventually("the other is being deleted") {
                    try await world.send(.get, Path.maps + "/other").isBeingDeleted
                }
                try await free("other")
            }
        }

        @Test(arguments: Backend.all) func oneOfTwoOwnersIsEnough(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let owner = try await world.send(.post, Path.maps, Sample.map("owner"))
                var map = Self.owned("d", by: owner)
                let absent: JSONValue = [
                    "apiVersion": "v1", "kind": "ConfigMap", "name": "none",
                    "uid": "deadbeef-0000-0000-0000-000000000000",
                ]
                map["metadata", "ownerReferences"] = .array(
                    (map["metadata", "ownerReferences"]?.array ?? []) + [absent])
                try await world.send(.post, Path.maps, map)
                try await world.eventually("the absent owner is struck out") {
                    let answer = try await world.send(.get, Path.maps + "/d")
                    return answer.json["metadata", "ownerReferences"]?.array?.count == 1
                }
            }
        }

        @Test(arguments: Backend.all) func aPodIsGivenTimeToEnd(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                func pod(_ name: String, _ spec: JSONValue) async throws {
                    let made = try await world.send(.post, Path.pods, Sample.pod(name, spec))
                    #expect(made.status == 201, "\(made)")
                }
                func grace(_ answer: Answer) -> JSONValue? { answer.json["metadata", "deletionGracePeriodSeconds"] }
                let node: JSONValue = ["nodeName": "conformance-no-such-node", "terminationGracePeriodSeconds": 25]
                try await pod("waiting", [:])
                try await world.send(.delete, Path.pods + "/waiting")
                #expect(try await world.send(.get, Path.pods + "/waiting").status == 404, "no node holds it")

                try await world.send(
                    .post, "/api/v1/nodes",
                    ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "conformance-no-such-node"]])
                try await pod("running", node)
                let p = Path.pods + "/running"
                let first = try await world.send(.delete, p)
                #expect(first.kind == "Pod" && first.isBeingDeleted && grace(first) == 25, "\(first)")
                #expect(grace(try await world.send(.delete, p, ["gracePeriodSeconds": 5])) == 5)
                #expect(grace(try await world.send(.delete, p, ["gracePeriodSeconds": 50])) == 5, "only ever less")
                try await world.send(.delete, p + "?gracePeriodSeconds=0")
                #expect(try await world.send(.get, p).status == 404)

                try await pod("over", node)
                try await world.send(
                    .patch, Path.pods + "/over/status", ["status": ["phase": "Succeeded"]], type: .merge)
                try await world.send(.delete, Path.pods + "/over")
                #expect(try await world.send(.get, Path.pods + "/over").status == 404)
                try await world.send(.delete, "/api/v1/nodes/conformance-no-such-node")
            }
        }

        @Test(arguments: Backend.all) func aNamespaceGoesWithWhatIsInIt(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let space = "/api/v1/namespaces/{ns}-x"
                let maps = space + "/configmaps"
                let made = try await world.send(
                    .post, "/api/v1/namespaces",
                    ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(world.namespace + "-x")]])
                #expect(made.json["spec", "finalizers"] == ["kubernetes"])
                #expect(made.json["status", "phase"] == "Active")
                try await world.send(.post, maps, Sample.map("held", [:], ["finalizers": ["a.b/c"]]))
                try await world.send(.post, maps, Sample.map("free"))
                let going = try await world.send(.delete, space)
                #expect(
                    going.kind == "Namespace" && going.isBeingDeleted && going.json["status", "phase"] == "Terminating")
                try await world.eventually("what can go is gone") {
                    try await world.send(.get, maps + "/free").status == 404
                }
                let late = try await world.send(.post, maps, Sample.map("late"))
                #expect(late.status == 403 && late.reason == "Forbidden")
                #expect(late.json["details", "causes"]?[0]?["reason"] == "NamespaceTerminating", "\(late)")
                try await world.eventually("the namespace says what is left") {
                    let conditions = try await world.send(.get, space).json["status", "conditions"]?.array ?? []
                    return conditions.contains {
                        $0["type"] == "NamespaceFinalizersRemaining" && $0["status"] == "True"
                            && $0["message"]?.string?.contains("a.b/c in 1 resource instances") == true
                    }
                }
                try await world.send(.patch, maps + "/held", ["metadata": ["finalizers": .null]], type: .merge)
                try await world.eventually("the namespace is gone") { try await world.send(.get, space).status == 404 }
            }
        }
    }
}
