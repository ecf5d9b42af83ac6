import JSON
import Testing

@testable import APIServerModel

@Suite struct StrategicMergePatchTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var document: JSONValue
        var patch: JSONValue
        var result: JSONValue

        init(_ name: String, _ document: JSONValue, _ patch: JSONValue, _ result: JSONValue) {
            testDescription = name
            self.document = document
            self.patch = patch
            self.result = result
        }
    }

    static let examples: [Example] = [
        Example("null removes", ["nodeName": "a", "hostname": "b"], ["nodeName": .null], ["hostname": "b"]),
        Example(
            "containers by name", ["containers": [["name": "a", "image": "1"], ["name": "b"]]],
            ["containers": [["name": "a", "image": "2"], ["name": "c"]]],
            ["containers": [["name": "a", "image": "2"], ["name": "c"], ["name": "b"]]]),
        Example(
            "an element is deleted", ["containers": [["name": "a"], ["name": "b"]]],
            ["containers": [["name": "a", "$patch": "delete"]]], ["containers": [["name": "b"]]]),
        Example(
            "a list is replaced", ["containers": [["name": "a"], ["name": "b"]]],
            ["containers": [["$patch": "replace"], ["name": "c"]]], ["containers": [["name": "c"]]]),
        Example(
            "a map is replaced", ["securityContext": ["runAsUser": 1]],
            ["securityContext": ["$patch": "replace", "fsGroup": 2]], ["securityContext": ["fsGroup": 2]]),
        Example(
            "atomic lists are replaced", ["tolerations": [["key": "a"]]], ["tolerations": [["key": "b"]]],
            ["tolerations": [["key": "b"]]]),
        Example(
            "order is set", ["containers": [["name": "a"], ["name": "b"], ["name": "x"]]],
            [
                "$setElementOrder/containers": [["name": "c"], ["name": "b"], ["name": "a"]],
                "containers": [["name": "c"]],
            ],
            ["containers": [["name": "c"], ["name": "b"], ["name": "a"], ["name": "x"]]]),
        Example(
            "keys are retained", ["volumes": [["name": "v", "emptyDir": [:]]]],
            ["volumes": [["name": "v", "$retainKeys": ["name", "secret"], "secret": ["secretName": "s"]]]],
            ["volumes": [["name": "v", "secret": ["secretName": "s"]]]]),
        Example(
            "ports by number", ["containers": [["name": "a", "ports": [["containerPort": 80, "name": "x"]]]]],
            ["containers": [["name": "a", "ports": [["containerPort": 80, "name": "y"], ["containerPort": 81]]]]],
            ["containers": [["name": "a", "ports": [["containerPort": 80, "name": "y"], ["containerPort": 81]]]]]),
    ]

    @Test(arguments: examples) func `A patch does what its directives say`(_ example: Example) throws {
        let schema = BuiltinTypes.schema("PodSpec")
        let result = try StrategicMergePatch.apply(example.patch, to: example.document, schema: schema)
        #expect(result == example.result)
    }

    @Test func `Primitive lists are united, and lose what the patch names`() throws {
        let schema = BuiltinTypes.resource("ConfigMap")
        let object: JSONValue = ["metadata": ["finalizers": ["a", "b"]]]
        #expect(
            try StrategicMergePatch.apply(["metadata": ["finalizers": ["b", "c"]]], to: object, schema: schema)
                == ["metadata": ["finalizers": ["a", "b", "c"]]])
        #expect(
            try StrategicMergePatch.apply(
                ["metadata": ["$deleteFromPrimitiveList/finalizers": ["a"]]], to: object, schema: schema)
                == ["metadata": ["finalizers": ["b"]]])
    }

    @Test(
        arguments: [
            [], ["$patch": "merg"], ["containers": ["a"]], ["containers": [["image": "a"]]],
        ] as [JSONValue])
    func `A malformed patch is refused`(_ patch: JSONValue) {
        #expect(throws: MergeError.self) {
            try StrategicMergePatch.apply(patch, to: [:], schema: BuiltinTypes.schema("PodSpec"))
        }
    }
}
