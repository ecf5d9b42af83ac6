import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing
import YAML

/// The rules of our CRDs, by one table: as the operator holds them on any server, and as a server with CEL does.
@Suite struct CustomResourceRuleTests {
    @Test func everyRuleInTheCRDsHasItsCase() throws {
        var rules: Set<String> = []
        for kind in RuleCase.Kind.allCases {
            let crd = try CustomResources.definition(of: kind)
            let schema = try #require(crd["spec", "versions"]?[0]?["schema", "openAPIV3Schema"])
            rules.formUnion(CustomResources.rules(schema, at: "").map { "\(kind.rawValue) \($0)" })
        }
        let cases = RuleCase.all.map { "\($0.kind.rawValue) \($0.field): \($0.message)" }
        let transitions = TransitionCase.refused.map {
            "\(RuleCase.Kind.job.rawValue) \($0.field): \(TransitionCase.message)"
        }
        #expect(rules == Set(cases + transitions))
        #expect(rules.count == 21)
    }

    @Test(arguments: RuleCase.all.indices)
    func theOperatorHoldsEachRuleItself(_ index: Int) throws {
        let rule = RuleCase.all[index]
        for patch in rule.passes { #expect(try problems(rule.kind, patch) == [], "\(patch)") }
        for patch in rule.fails { #expect(try problems(rule.kind, patch) == [rule.field], "\(patch)") }
    }

    private func problems(_ kind: RuleCase.Kind, _ patch: JSONValue) throws -> [String] {
        let object = CustomResources.sample(kind).merging(patch: patch)
        return switch kind {
        case .model: try MLModel(json: object).problems.map(\.path)
        case .job: try TrainingJob(json: object).problems.map(\.path)
        }
    }

    @Test func theOperatorSeesThatASpecWasChanged() throws {
        for rule in TransitionCase.refused {
            for change in rule.changes { #expect(try reason(change) == "SpecChanged", "\(change)") }
        }
        for change in TransitionCase.allowed { #expect(try reason(change) != "SpecChanged", "\(change)") }
    }

    /// Of the status of a job that was seen before the change and is seen again after it.
    private func reason(_ change: (before: JSONValue, after: JSONValue)) throws -> String? {
        var object = CustomResources.sample(.job).merging(patch: change.before)
        for patch in [[:], change.after] {
            object = object.merging(patch: patch)
            let observed = TrainingJobObservation(trainingJob: try TrainingJob(json: object), isLive: true)
            if let write = TrainingJobPlan.plan(observed, now: Timestamp(seconds: 0)).status {
                object["status"] = write.status
            }
        }
        return object["status", "reason"]?.string
    }

    // MARK: On Kubernetes' own machinery of today

    static let withoutServer: Comment = "there is no server of custom resources; scripts/crd-server builds it"

    @Test(.enabled(if: CustomResourceServer.built != nil, withoutServer))
    func aServerOfTodayTakesTheCRDsAndHoldsEachRule() async throws {
        try await #require(CustomResourceServer.built).run { client in
            // A rule that may cost too much, and a schema that is not structural, end here.
            for kind in RuleCase.Kind.allCases {
                try await CustomResources.install(try CustomResources.definition(of: kind), client)
            }
            let resources = CustomResources(client: client, namespace: "rules")
            try await resources.checkRules()
            try await resources.checkTransitions()
            try await resources.checkDefaults()
            try await resources.checkTheLargest()
        }
    }

    @Test(.enabled(if: CustomResourceServer.built != nil, withoutServer))
    func whatAServerWithoutCELHasTakenCanStillBeWorkedOn() async throws {
        try await #require(CustomResourceServer.built).run { client in
            let kind = RuleCase.Kind.model
            let definition = try CustomResources.definition(of: kind)
            try await CustomResources.install(CustomResources.withoutRules(definition), client)
            let resources = CustomResources(client: client, namespace: "before")
            for (index, rule) in RuleCase.all.enumerated() {
                for (number, patch) in rule.fails.enumerated() {
                    let own: JSONValue = [
                        "metadata": ["name": .string("wine-\(index)-\(number)"), "finalizers": ["assay.dev/test"]]
                    ]
                    try await resources.create(kind, patch.merging(patch: own))
                }
            }
            _ = try await client.mergePatch(
                .customResourceDefinitions, ObjectKey(namespace: nil, name: "mlmodels.assay.dev"),
                ["spec": definition["spec"] ?? [:]],
                fieldManager: "test")
            try await resources.waitUntilRulesHold()
            for (index, rule) in RuleCase.all.enumerated() {
                for number in rule.fails.indices {
                    let key = ObjectKey(namespace: "before", name: "wine-\(index)-\(number)")
                    // The operator tells what is wrong; a person changes another field; a collector lets it go.
                    let status: JSONValue = ["status": ["observedGeneration": 1, "phase": "Invalid"]]
                    _ = try await client.mergePatch(
                        .mlModels, key, status, subresource: "status", fieldManager: "test")
                    for patch: JSONValue in [["spec": ["suspend": true]], ["metadata": ["finalizers": .null]]] {
                        _ = try await client.mergePatch(.mlModels, key, patch, fieldManager: "test")
                    }
                }
            }
        }
    }
}

extension Stories {
    @Suite struct CustomResourceRuleTests {
        @Test(arguments: Backend.all) func aClusterWithCELHoldsEachRule(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try world.cluster.require(.celValidation)
                let resources = CustomResources(client: world.client, namespace: world.namespace)
                try await resources.checkRules()
                try await resources.checkTransitions()
                try await resources.checkTheLargest()
            }
        }

        /// These hold on every server.
        @Test(arguments: Backend.all) func defaultsAndBoundsHold(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                let resources = CustomResources(client: world.client, namespace: world.namespace)
                try await resources.checkDefaults()
                try await resources.checkNames()
            }
        }
    }
}
