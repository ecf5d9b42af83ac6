import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

/// One object, to which managers write in turn.
private struct Story {
    var live: JSONValue?
    var schema: Schema
    var apiVersion: String
    var now = Timestamp(seconds: 1_000_000)

    init(_ type: ResourceType) {
        let definition = BuiltinKinds.all.first { $0.type == type }
        schema = definition?.schema ?? .any
        apiVersion = type.apiVersion
    }

    init(schema: JSONValue) throws {
        self.schema = try Schema(openAPI: schema).asResource
        apiVersion = "assay.dev/v1"
    }

    private func document(_ json: JSONValue) -> JSONValue {
        var result = json
        result["apiVersion"] = .string(apiVersion)
        result["metadata", "name"] = "a"
        return result
    }

    @discardableResult
    mutating func apply(
        _ manager: String, _ config: JSONValue, force: Bool = false, subresource: String? = nil
    ) -> KubernetesStatus? {
        now = now + .seconds(1)
        let writer = ServerSideApply.Writer(manager: manager, apiVersion: apiVersion, subresource: subresource)
        switch ServerSideApply.apply(
            live: live, config: document(config), writer: writer, force: force, schema: schema, now: now)
        {
        case .success(let result):
            live = result
            return nil
        case .failure(let status): return status
        }
    }

    mutating func update(_ manager: String, subresource: String? = nil, _ change: (inout JSONValue) -> Void) {
        now = now + .seconds(1)
        let writer = ServerSideApply.Writer(manager: manager, apiVersion: apiVersion, subresource: subresource)
        var new = live ?? document([:])
        change(&new)
        live = ServerSideApply.recordUpdate(old: live, new: new, writer: writer, schema: schema, now: now)
    }

    func fields(_ manager: String) -> JSONValue? { entry(manager)?["fieldsV1"] }

    func entry(_ manager: String) -> JSONValue? {
        live?["metadata", "managedFields"]?.array?.first { $0["manager"]?.string == manager }
    }

    /// Without what is the same in each test.
    var body: JSONValue? {
        var result = live
        result?["apiVersion"] = nil
        result?["metadata", "managedFields"] = nil
        result?["metadata", "name"] = nil
        if result?["metadata"] == [:] { result?["metadata"] = nil }
        return result
    }
}

@Suite struct ServerSideApplyTests {
    @Test func `An apply that creates owns what it says`() {
        var story = Story(.deployments)
        story.apply("me", ["metadata": ["labels": ["a": "b"]], "spec": ["replicas": 2]])
        #expect(
            story.entry("me") == [
                "manager": "me", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                "time": "1970-01-12T13:46:41Z",
                "fieldsV1": ["f:metadata": ["f:labels": ["f:a": [:]]], "f:spec": ["f:replicas": [:]]],
            ])
        #expect(story.body == ["metadata": ["labels": ["a": "b"]], "spec": ["replicas": 2]])
    }

    @Test func `The same apply twice changes nothing, not even the time`() {
        var story = Story(.deployments)
        story.apply("me", ["spec": ["replicas": 2]])
        let before = story.live
        story.apply("me", ["spec": ["replicas": 2]])
        #expect(story.live == before)
    }

    @Test func `A value that another manager set is a conflict`() {
        var story = Story(.deployments)
        story.update("kubectl") { $0["spec"] = ["replicas": 1] }
        let status = story.apply("me", ["spec": ["replicas": 2]])
        #expect(status?.code == 409)
        #expect(status?.reason == "Conflict")
        #expect(
            status?.message
                == "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas")
        #expect(
            status?.causes == [
                .init(
                    reason: "FieldManagerConflict", message: "conflict with \"kubectl\" using apps/v1",
                    field: ".spec.replicas")
            ])
        #expect(story.body == ["spec": ["replicas": 1]])
    }

    @Test func `Several conflicts are listed by manager`() {
        var story = Story(.deployments)
        story.apply("one", ["spec": ["replicas": 1]])
        story.apply("two", ["spec": ["paused": true, "minReadySeconds": 3]])
        let status = story.apply("me", ["spec": ["replicas": 2, "paused": false, "minReadySeconds": 4]])
        #expect(
            status?.message == """
                Apply failed with 3 conflicts: conflicts with "one":
                - .spec.replicas
                conflicts with "two":
                - .spec.minReadySeconds
                - .spec.paused
                """)
    }

    @Test func `The same value is shared, and stays until its last owner drops it`() {
        var story = Story(.deployments)
        story.apply("one", ["spec": ["replicas": 2, "paused": true]])
        #expect(story.apply("two", ["spec": ["replicas": 2]]) == nil)
        story.apply("one", ["spec": ["paused": true]])
        #expect(story.body == ["spec": ["replicas": 2, "paused": true]])
        story.apply("two", [:])
        #expect(story.body == ["spec": ["paused": true]])
        #expect(story.entry("two") == nil)
    }

    @Test func `Force takes the field from its owner`() {
        var story = Story(.deployments)
        story.apply("one", ["spec": ["replicas": 1, "paused": true]])
        #expect(story.apply("two", ["spec": ["replicas": 2]], force: true) == nil)
        #expect(story.fields("one") == ["f:spec": ["f:paused": [:]]])
        #expect(story.fields("two") == ["f:spec": ["f:replicas": [:]]])
        #expect(story.body == ["spec": ["replicas": 2, "paused": true]])
    }

    @Test func `Replicas that a scaler owns survive applies that leave them out`() {
        var story = Story(.deployments)
        story.update("scaler") { $0["spec"] = ["replicas": 1] }
        story.apply("assay", ["spec": ["minReadySeconds": 1]])
        story.update("scaler") { $0["spec", "replicas"] = 5 }
        story.apply("assay", ["spec": ["minReadySeconds": 2]])
        #expect(story.body == ["spec": ["replicas": 5, "minReadySeconds": 2]])
        #expect(story.fields("scaler") == ["f:spec": ["f:replicas": [:]]])
    }

    static func containers(_ containers: JSONValue) -> JSONValue {
        ["spec": ["template": ["spec": ["containers": containers]]]]
    }

    @Test func `Containers are merged by name, their fields by owner`() {
        var story = Story(.deployments)
        story.apply("one", Self.containers([["name": "a", "image": "a:1"], ["name": "b", "image": "b:1"]]))
        story.apply(
            "two",
            Self.containers([["name": "b", "env": [["name": "X", "value": "1"]]], ["name": "c", "image": "c:1"]]))
        #expect(
            story.body
                == Self.containers([
                    ["name": "a", "image": "a:1"],
                    ["name": "b", "image": "b:1", "env": [["name": "X", "value": "1"]]],
                    ["name": "c", "image": "c:1"],
                ]))
        let path = ["f:spec", "f:template", "f:spec", "f:containers", "k:{\"name\":\"b\"}"]
        #expect(
            story.fields("two")?[path: path] == [
                ".": [:], "f:name": [:],
                "f:env": ["k:{\"name\":\"X\"}": [".": [:], "f:name": [:], "f:value": [:]]],
            ])
        story.apply("one", Self.containers([["name": "a", "image": "a:1"]]))
        #expect(
            story.body
                == Self.containers([
                    ["name": "a", "image": "a:1"], ["name": "b", "env": [["name": "X", "value": "1"]]],
                    ["name": "c", "image": "c:1"],
                ]))
        let status = story.apply("one", Self.containers([["name": "c", "image": "c:2"]]))
        #expect(
            status?.causes.map(\.field) == [".spec.template.spec.containers[name=\"c\"].image"])
    }

    @Test func `Ports are known by number and protocol, with the default protocol`() {
        var story = Story(.deployments)
        story.apply("one", Self.containers([["name": "a", "ports": [["containerPort": 80, "protocol": "TCP"]]]]))
        story.apply("two", Self.containers([["name": "a", "ports": [["containerPort": 80, "name": "http"]]]]))
        #expect(
            story.body
                == Self.containers([
                    ["name": "a", "ports": [["containerPort": 80, "protocol": "TCP", "name": "http"]]]
                ]))
    }

    @Test func `Atomic lists and maps change as a whole`() {
        var story = Story(.deployments)
        story.apply("one", ["spec": ["selector": ["matchLabels": ["a": "1"]]]])
        let status = story.apply("two", ["spec": ["selector": ["matchLabels": ["b": "1"]]]])
        #expect(status?.causes.map(\.field) == [".spec.selector"])
        story.apply("two", ["spec": ["selector": ["matchLabels": ["b": "1"]]]], force: true)
        #expect(story.body == ["spec": ["selector": ["matchLabels": ["b": "1"]]]])
        #expect(story.entry("one") == nil)
    }

    @Test func `Finalizers are a set, of which each manager drops its own`() {
        var story = Story(.configMaps)
        story.apply("one", ["metadata": ["finalizers": ["x/one"]]])
        story.apply("two", ["metadata": ["finalizers": ["x/two"]]])
        #expect(story.body == ["metadata": ["finalizers": ["x/one", "x/two"]]])
        #expect(story.fields("two") == ["f:metadata": ["f:finalizers": ["v:\"x/two\"": [:]]]])
        story.apply("one", ["metadata": [:]])
        #expect(story.body == ["metadata": ["finalizers": ["x/two"]]])
    }

    @Test func `Labels and data that nobody owns any more are gone with their map`() {
        var story = Story(.configMaps)
        story.apply("one", ["metadata": ["labels": ["a": "1"]], "data": ["k": "v", "l": "w"]])
        story.apply("one", ["data": ["l": "w"]])
        #expect(story.body == ["data": ["l": "w"]])
        story.apply("one", [:])
        #expect(story.body == [:])
        #expect(story.live?["metadata", "name"] == "a")
    }
}

@Suite struct ManagedFieldsTests {
    @Test func `A create and an update are recorded as such`() {
        var story = Story(.configMaps)
        story.update("kubectl-create") { $0["data"] = ["k": "v", "l": "w"] }
        #expect(story.entry("kubectl-create")?["operation"] == "Update")
        #expect(story.fields("kubectl-create") == ["f:data": [".": [:], "f:k": [:], "f:l": [:]]])
        story.update("edit") { $0["data", "k"] = "x" }
        #expect(story.fields("edit") == ["f:data": ["f:k": [:]]])
        #expect(story.fields("kubectl-create") == ["f:data": [".": [:], "f:l": [:]]])
        story.update("edit") { $0["data", "k"] = nil }
        #expect(story.entry("edit") == nil)
    }

    @Test func `An update without a change keeps the entries as they are`() {
        var story = Story(.configMaps)
        story.update("kubectl") { $0["data"] = ["k": "v"] }
        let before = story.live
        story.update("other") { _ in }
        #expect(story.live == before)
        story.update("kubectl") { $0["metadata", "managedFields"] = nil }
        #expect(story.live == before)
    }

    @Test(arguments: [[], [[:]]] as [JSONValue])
    func `An empty list of managed fields resets them`(_ reset: JSONValue) {
        var story = Story(.configMaps)
        story.apply("me", ["data": ["k": "v"]])
        story.update("other") { $0["metadata", "managedFields"] = reset }
        #expect(story.live?["metadata", "managedFields"] == nil)
        let status = story.apply("me", ["data": ["k": "w"]])
        #expect(status?.message.contains("conflict with \"before-first-apply\"") == true)
    }

    @Test func `Status writes are recorded with their subresource`() {
        var story = Story(.deployments)
        story.apply("me", ["spec": ["replicas": 1]])
        story.apply("me", ["status": ["replicas": 1]], subresource: "status")
        let entries = story.live?["metadata", "managedFields"]?.array ?? []
        #expect(entries.map { $0["subresource"] ?? "" } == ["", "status"])
        #expect(
            entries.map { $0["fieldsV1"] ?? "" } == [
                ["f:spec": ["f:replicas": [:]]], ["f:status": ["f:replicas": [:]]],
            ])
    }

    @Test func `Conditions are merged by type for custom resources too`() throws {
        var story = try Story(schema: [
            "type": "object",
            "properties": [
                "status": [
                    "type": "object",
                    "properties": [
                        "conditions": [
                            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                            "items": [
                                "type": "object",
                                "properties": ["type": ["type": "string"], "status": ["type": "string"]],
                            ],
                        ],
                        "runs": ["type": "array", "items": ["type": "string"]],
                    ],
                ]
            ],
        ])
        story.apply(
            "one", ["status": ["conditions": [["type": "Ready", "status": "True"]], "runs": ["a"]]],
            subresource: "status")
        story.apply("two", ["status": ["conditions": [["type": "Stalled", "status": "True"]]]], subresource: "status")
        story.apply("one", ["status": ["conditions": [], "runs": ["a"]]], subresource: "status")
        #expect(
            story.body == ["status": ["conditions": [["type": "Stalled", "status": "True"]], "runs": ["a"]]])
        let status = story.apply("two", ["status": ["runs": ["b"]]], subresource: "status")
        #expect(
            status?.message
                == "Apply failed with 1 conflict: conflict with \"one\" with subresource \"status\": .status.runs")
    }

    @Test func `An apply that carries managed fields is refused`() {
        var story = Story(.configMaps)
        let status = story.apply("me", ["metadata": ["managedFields": [["manager": "x"]]]])
        #expect(status?.message == "metadata.managedFields must be nil")
    }
}
