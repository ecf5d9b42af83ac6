import ArgumentParser

struct AssayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assay",
        abstract: "Trains, proves and serves machine-learning models on Kubernetes.",
        version: "0.1.0",
        subcommands: [OperatorCommand.self, LocalCommand.self, NodeCommand.self]
    )
}
