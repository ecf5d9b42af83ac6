import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension RightsStory {
    private static let revision = "wine-1"

    /// A model that sleeps, which the gateway learns of while it runs, is asked and woken.
    static let wakeUp = RightsStory(
        begin: { try await beginToSleep($0) }, isOver: { try await ask($0) == 200 }, insist: { _ = try await ask($0) })

    /// The same, of a model that is for callers of its namespace.
    static let caller = RightsStory(
        begin: { try await beginToSleep($0, auth: "ServiceAccount") },
        isOver: { try await ask($0, token: try await token($0)) == 200 },
        insist: { _ = try await ask($0, token: try await token($0)) })

    private static func token(_ world: StoryWorld) async throws -> String {
        let answer = try await world.client.create(
            .serviceAccounts,
            [
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "metadata": ["name": "default", "namespace": .string(world.namespace)],
                "spec": ["audiences": ["assay.dev/gateway"]],
            ], subresource: "token", fieldManager: "story")
        return try #require(answer["status", "token"]?.string)
    }

    private static func beginToSleep(_ world: StoryWorld, auth: String? = nil) async throws {
        let account = LimitedAccount(in: world)
        try await world.eventually("the gateway of \(world.namespace) has asked what there is") {
            let asked = try await account.requests().keys
            return ["mlmodels.assay.dev", "pods"].allSatisfy { type in asked.contains { $0.hasSuffix(" \(type)") } }
        }
        try await makeSleepingModel(world, port: try FreePort.find(), auth: auth)
    }

    /// What an operator would have made of it, of which there is none.
    private static func makeSleepingModel(_ world: StoryWorld, port: Int, auth: String?) async throws {
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
        try await world.apply(
            yaml: ToyModel().yaml.replacing(
                "    port: 8080\n", with: "    port: 8080\n" + (auth.map { "    auth: \($0)\n" } ?? "")))
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
    private static func ask(_ world: StoryWorld, token: String? = nil) async throws -> Int? {
        guard let port = try await world.model()["status", "gatewayPort"]?.int else { return nil }
        var status: Int?
        do {
            try await PlainClient.with("127.0.0.1", port) { status = try await $0.ask("GET", "/", token: token).status }
        } catch {
            try Task.checkCancellation()
        }
        return status
    }
}
