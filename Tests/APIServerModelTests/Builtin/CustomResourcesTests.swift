import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct CustomResourcesTests {
    private static func definition(status: JSONValue) -> JSONValue {
        var definition = Sample.definition
        var versions = definition["spec", "versions"]?.array ?? []
        if var version = versions.first {
            version[path: ["schema", "openAPIV3Schema", "properties", "status"]] = status
            versions = [version]
        }
        definition["spec", "versions"] = .array(versions)
        return definition
    }

    @Test func `A default of the status shows from the first read on`() {
        var t = TestServer()
        let status: JSONValue = [
            "type": "object", "default": ["observedGeneration": -1],
            "properties": ["observedGeneration": ["type": "integer"], "phase": ["type": "string"]],
        ]
        #expect(t.post(Sample.definitions, Self.definition(status: status)).status == 201)
        t.pass(1)
        var widget = Sample.widget("a")
        widget["status"] = ["phase": "Forged"]
        #expect(t.post(Sample.widgets, widget).json["status"] == ["observedGeneration": -1])
        #expect(t.get(Sample.widgets + "/a").json["status"] == ["observedGeneration": -1])
        let written = t.merge(Sample.widgets + "/a/status", ["status": ["observedGeneration": 1]])
        #expect(written.json["status"] == ["observedGeneration": 1])
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var change: @Sendable (inout JSONValue) -> Void
    }

    static let refusals: [Refusal] = [
        Refusal(
            testDescription:
                "metadata.name: Invalid value: \"other.example.dev\": must be spec.names.plural+\".\"+spec.group"
        ) {
            $0["metadata", "name"] = "other.example.dev"
        },
        Refusal(testDescription: "spec.scope: Required value") { $0["spec", "scope"] = nil },
        Refusal(testDescription: "spec.scope: Unsupported value: \"World\"") { $0["spec", "scope"] = "World" },
        Refusal(
            testDescription:
                "spec.versions[0].schema.openAPIV3Schema.properties[status].properties[x].type: Required value"
        ) {
            $0 = definition(status: ["type": "object", "properties": ["x": [:]]])
        },
        Refusal(testDescription: "spec.versions[0].schema.openAPIV3Schema.properties[status].items: Required value") {
            $0 = definition(status: ["type": "array"])
        },
        Refusal(
            testDescription:
                "spec.versions[0].schema.openAPIV3Schema.properties[status].$ref: Forbidden: $ref is not supported"
        ) {
            $0 = definition(status: ["type": "object", "$ref": "#/x"])
        },
    ]

    @Test(arguments: refusals) func `A definition that is not structural is refused`(_ refusal: Refusal) {
        var t = TestServer()
        var definition = Sample.definition
        refusal.change(&definition)
        let answer = t.post(Sample.definitions, definition)
        #expect(answer.status == 422)
        #expect(answer.message.contains(refusal.testDescription), "\(answer.message)")
    }
}
