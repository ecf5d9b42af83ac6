import ArgumentParser
import AssayOperator

struct AssayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assay",
        abstract: "Trains, proves and serves machine-learning models on Kubernetes.",
        version: AssayOperator.version,
        subcommands: [
            OperatorCommand.self, GatewayCommand.self, LocalCommand.self, ArtifactCommand.self, VerifyCommand.self,
            ProveCommand.self, ExportCommand.self, RetrainCommand.self, PortForwardCommand.self, NodeCommand.self,
        ]
    )
}
