import ArgumentParser
import ControllerRuntime
import CurlTransport
import KubernetesClient
import LocalCluster
import Logging
import ServiceLifecycle

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Runs a node of any Kubernetes cluster whose pods are processes of this machine.",
        discussion:
            "A client of the API as a kubelet is, for a user who may act as a node. For trying things out; it isolates less than a "
            + "container does."
    )

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "The node's name.")
    var name = "local"

    @Option(help: ArgumentHelp("Where images, volumes and logs are kept.", valueName: "dir"))
    var dataDirectory: String

    @Option(
        name: .customLong("image"), parsing: .singleValue,
        help: ArgumentHelp("A directory that an image name stands for. May be given many times.", valueName: "name=dir")
    )
    var images: [ImageArgument] = []

    @OptionGroup var log: LogOptions

    func run() async throws {
        let logger = log.logger("node")
        let cluster = try self.cluster.discover()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        var options = NodeOptions(name: name, dataDirectory: try absolute(dataDirectory))
        options.images = try ImageArgument.directories(images)
        try ProgramImage.add(to: &options.images, below: options.dataDirectory)
        let client = KubernetesClient(transport: transport, credentials: cluster.credentials)
        let service = NodeService(node: Node(client: client, options: options, logger: logger))
        try await service.runUntilSignalled(logger: logger)
    }
}

private struct NodeService: Service {
    let node: Node

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await node.run() }
    }
}
