import ArgumentParser
import AssayCore
import Concurrency
import CurlTransport
import JSON
import KubernetesClient
import KubernetesModel

/// `assay retrain MODEL`
struct RetrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrain",
        abstract: "Has an MLModel made anew, though its spec has not changed.",
        discussion: """
            Sets the annotation \(Label.forceAt) with the rights of the kubeconfig's user. The run begins when none is under way; \
            what serves goes on, and is replaced only if the new one passes.
            """)

    @Argument(help: "The MLModel.") var model: String
    @Option(name: [.customShort("n"), .long], help: "The namespace; that of the kubeconfig's context unless given.")
    var namespace: String?
    @OptionGroup var cluster: ClusterOptions

    mutating func run() async throws {
        let cluster = try self.cluster.discover()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport, credentials: cluster.credentials)
        let key = ObjectKey(namespace: namespace ?? cluster.namespace, name: model)
        // With its fraction, so that two in one second are two.
        let word = JSONValue.string(Timestamp(sinceEpoch: SystemTime().wallNow()).microTime)
        do {
            _ = try await client.mergePatch(
                .mlModels, key,
                ["metadata": ["annotations": [Label.forceAt: word]]], fieldManager: "assay-retrain")
        } catch {
            StandardError.say("\(key): \(error)")
            throw ExitCode.failure
        }
        print("\(key) is made anew; status.retraining says what it waits for, and status.runs how it goes")
    }
}
