import AssayOperator
import ControllerRuntime
import CurlTransport
import KubernetesClient
import TestCluster

/// An operator of one namespace, under an account of its own that has certain rights there and no others.
struct LimitedOperator: LimitedProgram {
    let account: LimitedAccount
    let voice = ProgramVoice()
    /// Of the program, where the story's pods run it; else learned from the pod of ``RightsStory/ownPodName``.
    private let image: String?

    init(_ account: LimitedAccount, image: String? = nil) {
        self.account = account
        self.image = image
    }

    private var world: StoryWorld { account.world }

    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let cluster = try await account.configuration()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        let configuration = OperatorConfiguration(
            namespace: world.namespace, pod: world.key(RightsStory.ownPodName), image: image,
            health: .init(host: "127.0.0.1", port: 0),
            push: .init(
                address: .init(host: "0.0.0.0", port: 0), service: world.key("assay-push"),
                endpoint: try await world.nodeAddress()), election: .init(lease: world.key("assay-operator")))
        let voice = voice
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    let daemon = AssayOperator(
                        configuration: configuration, cluster: cluster, transport: transport, logger: voice.logger,
                        onListening: { voice.listens(at: $0) })
                    do {
                        return try await daemon.run()
                    } catch is LeadershipLost {
                        // Started anew, as the kubelet would.
                    }
                }
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
