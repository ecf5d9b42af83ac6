import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing
import YAML

/// Our custom resources on a server, tried against the tables of rules.
struct CustomResources: Sendable {
    let client: KubernetesClient
    let namespace: String

    // MARK: The definitions

    static func definition(of kind: RuleCase.Kind) throws -> JSONValue {
        let path = "\(ProgramUnderTest.repository)/crds/assay.dev_\(kind.rawValue.lowercased())s.yaml"
        return try JSONValue(yaml: String(contentsOfFile: path, encoding: .utf8))
    }

    /// Each rule below a schema: the field it is told of, and its message.
    static func rules(_ schema: JSONValue, at path: String) -> [String] {
        var found = (schema["x-kubernetes-validations"]?.array ?? []).map { rule in
            "\(path)\(rule["fieldPath"]?.string ?? ""): \(rule["message"]?.string ?? "")"
        }
        for (name, member) in schema["properties"]?.object ?? [:] {
            found += rules(member, at: path.isEmpty ? name : "\(path).\(name)")
        }
        if let items = schema["items"] { found += rules(items, at: path + "[0]") }
        if let values = schema["additionalProperties"] { found += rules(values, at: path + "[x]") }
        return found
    }

    /// As a server keeps it that has never heard of rules.
    static func withoutRules(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map(withoutRules))
        case .object(let object):
            var result: JSONValue = [:]
            for (key, member) in object where key != "x-kubernetes-validations" { result[key] = withoutRules(member) }
            return result
        default: return value
        }
    }

    /// Posts a definition and waits until its kind is served.
    static func install(_ definition: JSONValue, _ client: KubernetesClient) async throws {
        _ = try await client.create(.customResourceDefinitions, definition, fieldManager: "test")
        let plural = definition["spec", "names", "plural"]?.string ?? ""
        let type = ResourceType(group: "assay.dev", version: "v1alpha1", plural: plural, kind: "")
        try await eventually("\(plural) are served") { () throws(KubernetesError) in
            do throws(KubernetesError) {
                _ = try await client.list(type)
                return true
            } catch {
                guard error.isNotFound else { throw error }
                return false
            }
        }
    }

    private static func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        for _ in 0..<600 {
            if try await isTrue() { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("it never came to be that \(what)")
    }

    // MARK: Objects

    /// One that is right.
    static func sample(_ kind: RuleCase.Kind) -> JSONValue {
        func template(_ name: String) -> JSONValue {
            ["spec": ["containers": [["name": .string(name), "image": "registry.local/wine:1"]]]]
        }
        let spec: JSONValue =
            switch kind {
            case .job: ["template": template("train")]
            case .model:
                [
                    "training": ["template": ["spec": ["template": template("train")]]],
                    "validation": ["thresholds": [["metric": "accuracy", "direction": "Maximize", "threshold": 0.9]]],
                    "serving": ["port": 8080, "template": template("server")],
                ]
            }
        return [
            "apiVersion": "assay.dev/v1alpha1", "kind": .string(kind.rawValue), "metadata": ["name": "rule"],
            "spec": spec,
        ]
    }

    static func type(_ kind: RuleCase.Kind) -> ResourceType { kind == .model ? .mlModels : .trainingJobs }

    @discardableResult
    func create(_ kind: RuleCase.Kind, _ patch: JSONValue) async throws(KubernetesError) -> JSONValue {
        var object = Self.sample(kind).merging(patch: patch)
        object["metadata", "namespace"] = .string(namespace)
        return try await client.create(Self.type(kind), object, fieldManager: "test")
    }

    private func delete(_ kind: RuleCase.Kind, _ name: String = "rule") async throws {
        _ = try await client.delete(Self.type(kind), ObjectKey(namespace: namespace, name: name))
    }

    /// What a server says of a write that it refuses: each field with its message.
    private func refusal(
        _ write: () async throws(KubernetesError) -> JSONValue
    ) async throws -> [String]? {
        do throws(KubernetesError) {
            _ = try await write()
            return nil
        } catch {
            guard error.status?.code == 422 else { throw error }
            return error.status?.causes.map { "\($0.field): \($0.message)" }
        }
    }

    // MARK: What a server must do

    func checkRules() async throws {
        for rule in RuleCase.all {
            for patch in rule.passes {
                try await create(rule.kind, patch)
                try await delete(rule.kind)
            }
            for patch in rule.fails {
                let said = try await refusal { () throws(KubernetesError) in try await create(rule.kind, patch) }
                #expect(said == ["\(rule.field): Invalid value: \(rule.message)"], "\(rule.kind) \(patch)")
            }
        }
    }

    func checkTransitions() async throws {
        let key = ObjectKey(namespace: namespace, name: "rule")
        func after(_ change: (before: JSONValue, after: JSONValue)) async throws -> [String]? {
            try await create(.job, change.before)
            let said = try await refusal { () throws(KubernetesError) in
                try await client.mergePatch(.trainingJobs, key, change.after, fieldManager: "test")
            }
            try await delete(.job)
            return said
        }
        for rule in TransitionCase.refused {
            for change in rule.changes {
                let expected = "\(rule.field): Invalid value: \(TransitionCase.message)"
                #expect(try await after(change) == [expected], "\(change)")
            }
        }
        for change in TransitionCase.allowed { #expect(try await after(change) == nil, "\(change)") }
    }

    func checkDefaults() async throws {
        let model = try await create(.model, ["status": ["phase": "Serving"]])
        #expect(model["spec", "serving", "replicas"] == 1)
        #expect(model["spec", "serving", "progressDeadlineSeconds"] == 600)
        #expect(model["spec", "revisionHistoryLimit"] == 10)
        #expect(model["status"] == ["observedGeneration": -1], "what is created has no status but the default")
        let job = try await create(.job, [:])
        #expect(job["status"] == ["observedGeneration": -1])
        try await delete(.model)
        try await delete(.job)
    }

    /// Names that pods and Services could not have are refused when an object is made, by every server.
    func checkNames() async throws {
        for kind in RuleCase.Kind.allCases {
            for name in ["w", "a-1", String(repeating: "n", count: 52)] {
                try await create(kind, ["metadata": ["name": .string(name)]])
                try await delete(kind, name)
            }
            for name in ["1wine", "wine.v1", String(repeating: "n", count: 53)] {
                let said = try await refusal { () throws(KubernetesError) in
                    try await create(kind, ["metadata": ["name": .string(name)]])
                }
                #expect(said?.count == 1 && said?.first?.hasPrefix("metadata.name: ") == true, "\(name): \(said ?? [])")
            }
        }
    }

    /// The largest objects that the schema allows can be made and changed: no rule runs out of its budget on them.
    func checkTheLargest() async throws {
        var parameters: JSONValue = [:]
        for number in 0..<64 { parameters["p\(number)"] = .string(String(repeating: "v", count: 1024)) }
        let environment = (0..<500).map { number -> JSONValue in
            ["name": .string("VARIABLE_\(number)"), "value": .string(String(repeating: "v", count: 32))]
        }
        let containers = (0..<16).map { number -> JSONValue in
            ["name": .string("c\(number)"), "image": "registry.local/wine:1", "env": .array(environment)]
        }
        let rule: JSONValue = [
            "action": "Ignore", "onExitCodes": ["operator": "In", "values": .array((1...255).map { .integer($0) })],
        ]
        let spec: JSONValue = [
            "parameters": parameters, "podFailurePolicy": ["rules": .array(Array(repeating: rule, count: 20))],
            "template": ["spec": ["containers": .array(containers)]],
        ]
        try await create(.job, ["spec": spec])
        let key = ObjectKey(namespace: namespace, name: "rule")
        _ = try await client.mergePatch(.trainingJobs, key, ["spec": ["suspend": true]], fieldManager: "test")
        try await delete(.job)

        let threshold: JSONValue = [
            "metric": .string(String(repeating: "m", count: 63)), "direction": "Maximize", "threshold": 0.5,
            "minAbsoluteChange": 0, "minRelativeChange": 0, "maxGeneralizationGap": 1, "split": "holdout",
            "whenNoBaseline": "Pass",
        ]
        let model: JSONValue = [
            "training": ["template": ["spec": spec]],
            "validation": ["thresholds": .array(Array(repeating: threshold, count: 32)), "requireAttested": true],
        ]
        try await create(.model, ["spec": model])
        _ = try await client.mergePatch(.mlModels, key, ["spec": ["suspend": true]], fieldManager: "test")
        try await delete(.model)
    }

    /// A changed definition holds a moment later.
    func waitUntilRulesHold() async throws {
        guard let rule = RuleCase.all.first, let patch = rule.fails.first else { return }
        try await Self.eventually("the rules hold") {
            let said = try await refusal { () throws(KubernetesError) in try await create(rule.kind, patch) }
            if said == nil { try await delete(rule.kind) }
            return said != nil
        }
    }
}
