import ArgumentParser
import ControllerRuntime
import LocalCluster
import Logging
import ServiceLifecycle

struct LocalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "local",
        abstract: "Runs a Kubernetes API server and a node in this process, to try Assay and to test with.",
        discussion: """
            kubectl works with it. Objects are kept in memory and are gone when it ends. Pods run as processes of this \
            machine: an image name stands for a directory, so give one --image for each image that your pods name. \
            This program is there as \(ProgramImage.name), for \
            `assay operator --image`. It writes DIR/kubeconfig for you and DIR/operator.kubeconfig for `assay operator`. As root, each pod gets \
            a network namespace of its own; otherwise all pods share the machine's loopback address.
            """
    )

    @Option(help: ArgumentHelp("Where images, volumes, logs and kubeconfigs are kept.", valueName: "dir"))
    var dataDirectory: String

    @Option(help: "The port of the API server on 127.0.0.1; 0 for one that is free.")
    var port: UInt16 = 0

    @Option(
        name: .customLong("image"), parsing: .singleValue,
        help: ArgumentHelp("A directory that an image name stands for. May be given many times.", valueName: "name=dir")
    )
    var images: [ImageArgument] = []

    @Flag(help: "Run no node: pods stay pending unless one joins by `assay node`.")
    var withoutNode = false

    @OptionGroup var log: LogOptions

    func run() async throws {
        let logger = log.logger("local")
        var options = LocalCluster.Options(dataDirectory: try absolute(dataDirectory))
        options.port = Int(port)
        var directories = try ImageArgument.directories(images)
        if !withoutNode { try ProgramImage.add(to: &directories, below: options.dataDirectory) }
        let service = LocalClusterService(
            options: options, images: withoutNode ? nil : directories, logger: logger)
        try await service.runUntilSignalled(logger: logger)
    }
}

/// A cluster and, unless told otherwise, its node.
private struct LocalClusterService: Service {
    let options: LocalCluster.Options
    /// Nil for no node.
    let images: [String: String]?
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            guard let images else {
                try await LocalCluster.run(options, logger: logger) { _ in }
                return
            }
            var node = NodeOptions(name: "local", dataDirectory: "\(options.dataDirectory)/node")
            node.images = images
            try await LocalCluster.run(options, node: node, logger: logger)
        }
    }
}
