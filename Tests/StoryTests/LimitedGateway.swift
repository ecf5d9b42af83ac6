import AssayGateway
import CurlTransport
import KubernetesClient
import TestCluster

/// A gateway of one namespace, under an account of its own that has certain rights there and no others.
struct LimitedGateway: LimitedProgram {
    let account: LimitedAccount
    let voice = ProgramVoice()

    init(_ account: LimitedAccount) { self.account = account }

    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let cluster = try await account.configuration()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        var limits = GatewayLimits()
        // Nobody wants to know for how long.
        (limits.wakeTimeout, limits.unreadyTimeout) = (.seconds(5), .seconds(5))
        let configuration = GatewayConfiguration(
            namespace: account.world.namespace, gateway: .init(host: "127.0.0.1", limits: limits),
            health: .init(host: "127.0.0.1", port: 0))
        let voice = voice
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let program = GatewayProgram(
                    configuration: configuration, cluster: cluster, transport: transport, logger: voice.logger,
                    onListening: { voice.listens(at: $0) })
                try await program.run()
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
