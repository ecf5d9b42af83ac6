import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories {
    /// JSON merge patch, JSON patch and strategic merge patch.
    @Suite struct PatchConformanceTests {
        @Test(arguments: Backend.all) func aMergePatchChangesWhatItNamesAndAnswersItsMistakes(
            _ backend: Backend
        ) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let a = Path.maps + "/a"
                let made = try await world.send(.post, Path.maps, Sample.map("a", ["x": "1", "y": "2"]))
                let same = try await world.send(.patch, a, ["data": ["x": "1"]], type: .merge)
                #expect(same.version == made.version)
                let changed = try await world.send(.patch, a, ["data": ["x": .null, "z": "3"]], type: .merge)
                #expect(changed.json["data"] == ["y": "2", "z": "3"])
                try await world.expect([
                    Exchange("an absent object", .patch, Path.maps + "/b", [:], type: .merge, is: 404, "NotFound"),
                    Exchange(
                        "an old version", .patch, a, ["metadata": ["resourceVersion": "1"], "data": ["q": "1"]],
                        type: .merge, is: 409, "Conflict"),
                    Exchange(
                        "another uid", .patch, a, ["metadata": ["uid": "1"]], type: .merge, is: 422, "Invalid",
                        ["metadata.uid"]),
                    Exchange(
                        "another name", .patch, a, ["metadata": ["name": "b"]], type: .merge, is: 400, "BadRequest"),
                    Exchange(
                        "another kind", .patch, a, ["kind": "Secret"], type: .merge, is: 422, "Invalid", ["patch"]),
                    Exchange(
                        "a wrong type", .patch, a, ["data": ["q": 4]], type: .merge, is: 422, "Invalid", ["patch"]),
                    Exchange("force", .patch, a + "?force=true", [:], type: .merge, is: 422, "Invalid", ["force"]),
                    Exchange("another format", .patch, a, [:], type: .json, is: 415, "UnsupportedMediaType"),
                    Exchange("a whole collection", .patch, Path.maps, [:], type: .merge, is: 405, "MethodNotAllowed"),
                ])
                #expect(try await world.send(.get, a).version == changed.version)
            }
        }

        @Test(arguments: Backend.all) func aJSONPatchIsCarriedOutWhollyOrNotAtAll(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let a = Path.maps + "/a"
                try await world.send(.post, Path.maps, Sample.map("a", ["x": "1", "y": "2"]))
                let done = try await world.send(
                    .patch, a,
                    [
                        ["op": "add", "path": "/data/q", "value": "1"], ["op": "remove", "path": "/data/y"],
                        ["op": "replace", "path": "/data/x", "value": "9"],
                        ["op": "test", "path": "/data/q", "value": "1"],
                        ["op": "copy", "from": "/data/q", "path": "/data/r"],
                        ["op": "move", "from": "/data/q", "path": "/data/s"],
                    ], type: .jsonPatch)
                #expect(done.json["data"] == ["r": "1", "s": "1", "x": "9"], "\(done)")
                let first: JSONValue = ["op": "add", "path": "/data/half", "value": "done"]
                func failing(_ what: String, _ operation: JSONValue) -> Exchange {
                    Exchange(what, .patch, a, [first, operation], type: .jsonPatch, is: 422, "Invalid")
                }
                try await world.expect([
                    failing("a test that fails", ["op": "test", "path": "/data/x", "value": "0"]),
                    failing("removing what is not there", ["op": "remove", "path": "/data/none"]),
                    failing("adding below what is not there", ["op": "add", "path": "/none/x/y", "value": "1"]),
                    failing("an unknown operation", ["op": "shout", "path": "/data/x"]),
                    Exchange("an object", .patch, a, ["op": "add"], type: .jsonPatch, is: 400, "BadRequest"),
                    Exchange("nothing to do", .patch, a, [], type: .jsonPatch, is: 200),
                ])
                let broken = try await world.send(
                    .patch, a, bytes: Array("[".utf8), type: MediaType.jsonPatch.rawValue)
                #expect(broken.status == 400, "\(broken)")
                #expect(try await world.send(.get, a).version == done.version)
            }
        }

        struct Step: Sendable {
            var what: String
            var patch: JSONValue
            var result: JSONValue
        }

        /// Of the container's environment, as `name=value`.
        static let environments: [Step] = [
            Step(
                what: "an element of a known name is changed, a new one comes last",
                patch: [["name": "B", "value": "3"], ["name": "C", "value": "4"]], result: ["A=1", "B=3", "C=4"]),
            Step(
                what: "$patch: delete removes one", patch: [["name": "B", "$patch": "delete"]],
                result: ["A=1", "C=4"]),
            Step(
                what: "new ones come first where only they are named", patch: [["name": "N", "value": "0"]],
                result: ["N=0", "A=1", "C=4"]),
            Step(
                what: "$patch: replace forgets the others",
                patch: [["$patch": "replace"], ["name": "Z", "value": "1"]], result: ["Z=1"]),
        ]

        @Test(arguments: Backend.all) func aStrategicPatchMergesListsByTheirKeys(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                var deployment = Sample.deployment("d", ["paused": true])
                deployment["spec", "template", "spec", "containers"] = [
                    [
                        "name": "c", "image": "i",
                        "env": [["name": "A", "value": "1"], ["name": "B", "value": "2"]],
                    ]
                ]
                try await world.send(.post, Path.deployments, deployment)
                func patch(_ spec: JSONValue) async throws -> JSONValue {
                    let answer = try await world.send(
                        .patch, Path.deployments + "/d", ["spec": ["template": ["spec": spec]]], type: .strategic)
                    #expect(answer.status == 200, "\(answer)")
                    return answer.json[path: ["spec", "template", "spec"]] ?? .null
                }
                for step in Self.environments {
                    let spec = try await patch(["containers": [["name": "c", "env": step.patch]]])
                    let environment = (spec["containers"]?[0]?["env"]?.array ?? []).map { variable in
                        JSONValue("\(variable["name"]?.string ?? "")=\(variable["value"]?.string ?? "")")
                    }
                    #expect(.array(environment) == step.result, "\(step.what)")
                }
                var order: JSONValue = [
                    "name": "c", "env": [["name": "X", "value": "1"], ["name": "Y", "value": "1"]],
                ]
                order["$setElementOrder/env"] = [["name": "X"], ["name": "Z"], ["name": "Y"]]
                let ordered = try await patch(["containers": [order]])
                #expect(
                    (ordered["containers"]?[0]?["env"]?.array ?? []).map { $0["name"] } == ["X", "Z", "Y"])
                let two = try await patch(["containers": [["name": "d", "image": "j"]]])
                #expect((two["containers"]?.array ?? []).map { $0["name"] } == ["d", "c"])

                _ = try await patch(["volumes": [["name": "v", "emptyDir": [:]]]])
                let moved = try await patch(["volumes": [["name": "v", "emptyDir": .null, "configMap": ["name": "a"]]]])
                #expect(moved["volumes"]?[0]?["configMap", "name"] == "a")
                #expect(moved["volumes"]?[0]?["emptyDir"] == nil)
                let none = try await patch(["volumes": [["name": "v", "$patch": "delete"]]])
                #expect(none["volumes"] == nil, "an empty list is left out")
                let strategy = try await world.send(
                    .patch, Path.deployments + "/d",
                    ["spec": ["strategy": ["$retainKeys": ["type"], "type": "Recreate"]]], type: .strategic)
                #expect(strategy.json["spec", "strategy"] == ["type": "Recreate"])
            }
        }

        @Test(arguments: Backend.all) func aStrategicPatchMergesFinalizersAndMapsAndAnswersItsMistakes(
            _ backend: Backend
        ) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let a = Path.maps + "/a"
                try await world.send(.post, Path.maps, Sample.map("a", ["x": "1"]))
                func finalizers(_ metadata: JSONValue) async throws -> Set<String> {
                    let answer = try await world.send(.patch, a, ["metadata": metadata], type: .strategic)
                    #expect(answer.status == 200, "\(answer)")
                    return Set(answer.finalizers)
                }
                #expect(try await finalizers(["finalizers": ["a.b/c"]]) == ["a.b/c"])
                #expect(try await finalizers(["finalizers": ["a.b/d"]]) == ["a.b/c", "a.b/d"])
                #expect(try await finalizers(["$deleteFromPrimitiveList/finalizers": ["a.b/c", "a.b/d"]]) == [])
                #expect(try await world.send(.get, a).json["metadata", "finalizers"] == nil)
                let replaced = try await world.send(
                    .patch, a, ["data": ["$patch": "replace", "only": "1"]], type: .strategic)
                #expect(replaced.json["data"] == ["only": "1"])
                var containers: JSONValue = ["spec": ["template": [:]]]
                containers["spec", "template", "spec"] = ["containers": [["image": "j"]]]
                try await world.send(.post, Path.deployments, Sample.deployment("d", ["paused": true]))
                try await world.expect([
                    Exchange(
                        "an unknown directive", .patch, a, ["data": ["$patch": "shout"]], type: .strategic, is: 500),
                    Exchange(
                        "an element without its key", .patch, Path.deployments + "/d", containers, type: .strategic,
                        is: 500),
                    Exchange("a list", .patch, a, [1], type: .strategic, is: 400, "BadRequest"),
                ])
            }
        }
    }
}
