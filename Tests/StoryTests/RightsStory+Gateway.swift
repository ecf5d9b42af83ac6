import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster

extension RightsStory {
    private static let revision = "wine-1"

    /// A model that sleeps, which the gateway learns of while it runs, is asked and woken.
    static let wakeUp = RightsStory(
        begin: { world in
            let account = LimitedAccount(in: world)
            try await world.eventually("the gateway of \(world.namespace) has asked what there is") {
                let asked = try await account.requests().keys
                return ["mlmodels.assay.dev", "pods"].allSatisfy { type in asked.contains { $0.hasSuffix(" \(type)") } }
            }
            try await makeSleepingModel(world, port: try FreePort.find())
        },
        isOver: { try await ask($0) == 200 },
        insist: { _ = try await ask($0) })

    /// What an operator would have made of it, of which there is none.
    private static func makeSleepingModel(_ world: StoryWorld, port: Int) async throws {
        let labels: JSONValue = [
            Label.managedBy: .string(Label.manager), Label.model: "wine", Label.revision: .string(revision),
        ]
        let deployment: JSONValue = [
            "metadata": ["name": .string(revision), "namespace": .string(world.namespace), "labels": labels],
            "spec": [
                "replicas": 0, "selector": ["matchLabels": labels],
                "template": [
                    "metadata": ["labels": labels],
                    "spec": [
                        "terminationGracePeriodSeconds": 1,
                        "containers": [
                            [
                                "name": "server", "image": "registry.local/toy:1", "command": ["serve"],
                                "env": [["name": "ASSAY_RUN", "value": "1"]],
                                "readinessProbe": ["httpGet": ["path": "/", "port": 8080], "periodSeconds": 1],
                            ]
                        ],
                    ],
                ],
            ],
        ]
        _ = try await world.client.create(.deployments, deployment, fieldManager: "somebody")
        try await world.apply(yaml: ToyModel().yaml)
        let status: JSONValue = [
            "gatewayPort": JSONValue(port), "trafficGeneration": 1,
            "traffic": [["revision": .string(revision), "weight": 100, "state": "Hibernating"]],
            "revisions": [
                [
                    "name": .string(revision), "run": 1, "servingHash": "1", "rendering": 1,
                    "deployment": .string(revision), "port": 8080, "state": "Serving",
                ]
            ],
        ]
        _ = try await world.client.mergePatch(
            .mlModels, world.key("wine"), ["status": status], subresource: "status", fieldManager: "somebody")
    }

    /// The answer's status; nil where there is no answer.
    private static func ask(_ world: StoryWorld) async throws -> Int? {
        guard let port = try await world.model()["status", "gatewayPort"]?.int else { return nil }
        var status: Int?
        do {
            try await PlainClient.with("127.0.0.1", port) { status = try await $0.ask("GET", "/").status }
        } catch {
            try Task.checkCancellation()
        }
        return status
    }
}
