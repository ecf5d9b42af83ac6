import APIServerModel
import CurlTransport
import KubernetesClient
import Logging

extension LocalCluster {
    /// Runs a cluster with a node in the same process, until ``ClusterHandle/stop()`` or until the task is cancelled.
    ///
    /// The node is a client of the API like any other; what the two share beside it is the range of Service addresses,
    /// which the node's network chooses so that the clusters of one machine keep apart, and the logs.
    public static func run(
        _ options: Options, node: NodeOptions, logger: Logger,
        onReady: @escaping @Sendable (ClusterHandle) async throws -> Void = { _ in }
    ) async throws {
        let network = try await NodeNetwork.open(node.network, logger: logger)
        var options = options
        options.apiServer.serviceAddresses = network.serviceAddresses
        let service = KubernetesService(serviceAddresses: network.serviceAddresses)
        options.additionalAddresses.append(service.address)
        if !network.isHost { options.additionalAddresses.append(network.hostAddress) }
        try await run(options, logger: logger) { cluster in
            try await service.publish(on: cluster)
            let configuration = cluster.configuration(.node)
            let transport = try CurlTransport(configuration.transport)
            defer { transport.shutdown() }
            let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
            let worker = Node(client: client, options: node, network: network, logger: logger)
            await cluster.setLogSource(NodeLogSource(client: client, logs: worker.logs), node: node.name)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await worker.run() }
                group.addTask { try await onReady(cluster) }
                // Not waitForAll: that would wait for the node where the other has failed.
                for try await _ in group {}
            }
        }
    }
}
