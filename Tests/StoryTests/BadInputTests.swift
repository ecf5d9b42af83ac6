import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Mistakes of a user, and the words that tell of them.
    @Suite struct BadInputTests {
        /// Refused by the API server, by the schema in the CRDs.
        private static let refusedAtOnce: [(what: String, yaml: String, says: [String])] = [
            (
                "a template without containers",
                ToyModel().yaml.replacing(/containers:\n +- \{name: train.*\}/, with: "containers: []"),
                ["spec.training.template.spec.template.spec.containers"]
            ),
            (
                "no validation at all", ToyModel().yaml.replacing(/validation:[\s\S]*?serving:/, with: "serving:"),
                ["spec.validation", "Required"]
            ),
            (
                "a word where a number belongs", ToyModel(threshold: "high").yaml,
                ["spec.validation.thresholds", "threshold: Invalid value"]
            ),
            (
                "a name that is too long", ToyModel(name: String(repeating: "n", count: 53)).yaml,
                ["metadata.name", "52"]
            ),
        ]

        /// Refused by servers with CEL; told in a condition on others. Each rule has a test of its own.
        private static let ruledOut: [(what: String, yaml: String, type: String, says: [String])] = [
            (
                "an empty gate", ToyModel().yaml.replacing(/thresholds:\n.*\n/, with: "thresholds: []\n"), "Stalled",
                ["spec.validation", "gate: None"]
            )
        ]

        /// Taken by the server and told in conditions.
        private static let told: [(what: String, yaml: String, type: String, says: [String])] = [
            (
                "a metric that is never reported", ToyModel(metric: "f1").yaml, "Stalled",
                ["f1", "not reported", "accuracy"]
            ),
            (
                "a directory of the host",
                ToyModel().yaml.replacing(
                    "restartPolicy: Never",
                    with: "restartPolicy: Never\n            volumes: [{name: host, hostPath: {path: /}}]"),
                "Stalled", ["spec.training.template.spec.template.spec.volumes[0].hostPath"]
            ),
            (
                "a command that does not exist", ToyModel(trainingCommand: "no-such-program").yaml, "Stalled",
                ["no-such-program"]
            ),
            (
                "an image that is unknown", ToyModel(image: "registry.local/unknown:1").yaml, "Reconciling",
                ["registry.local/unknown:1", "image"]
            ),
            (
                "a loss that is no number", ToyModel(metrics: "{\"accuracy\": NaN}").yaml, "Stalled",
                ["accuracy", "NaN"]
            ),
            ("a training that fails", ToyModel(exitCode: 3).yaml, "Stalled", ["3"]),
        ]

        @Test(arguments: Backend.all) func theServerRefusesWhatTheSchemaForbidsAndNamesTheField(_ backend: Backend)
            async throws
        {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    for input in Self.refusedAtOnce {
                        do {
                            try await world.create(yaml: input.yaml)
                            Issue.record("\(input.what) was taken")
                        } catch let error as KubernetesError {
                            #expect(error.isInvalid, "\(input.what): \(error)")
                            for word in input.says {
                                #expect(error.description.contains(word), "\(input.what): \(error)")
                            }
                        }
                    }
                    try await world.apply(yaml: ToyModel().yaml)
                    _ = try await world.wait("serving, when it is right") { $0.isTrue("Ready") }
                }
            }
        }

        @Test(arguments: Backend.all) func everyOtherMistakeIsAConditionThatNamesIt(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    let told =
                        Self.told + (world.cluster.features.contains(.celValidation) ? [] : Self.ruledOut)
                    for (number, input) in told.enumerated() {
                        // One name for each, so that all go on at once.
                        try await world.apply(yaml: input.yaml.replacing("name: wine}", with: "name: bad-\(number)}"))
                    }
                    for (number, input) in told.enumerated() {
                        _ = try await world.wait("told: \(input.what)", named: "bad-\(number)") { object in
                            guard let condition = object.condition(input.type), condition.status == .true else {
                                return false
                            }
                            return input.says.allSatisfy { condition.message.contains($0) }
                        }
                    }
                    #expect(try await world.count(.deployments) == 0)
                    #expect(try await world.count(.services) == 0)
                }
            }
        }
    }
}
