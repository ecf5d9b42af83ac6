import ArgumentParser
import AssayCore
import CurlTransport
import KubernetesClient
import KubernetesModel
import YAML

/// `assay export MODEL`
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Prints a revision of an MLModel as one manifest, that serves the same bits in another cluster.",
        discussion: """
            The other cluster needs the artifacts, in the store that the ConfigMap assay-store of the namespace names there, \
            and the images. The manifest names both by their digests, and neither a namespace nor a store.
            """)

    @Argument(help: "The MLModel.") var model: String
    @Option(help: "The revision; the one that serves unless given.") var revision: String?
    @Option(name: [.customShort("n"), .long], help: "The namespace; that of the kubeconfig's context unless given.")
    var namespace: String?
    @OptionGroup var cluster: ClusterOptions
    @Flag(help: "The artifacts have been copied to a store that the other cluster reaches.") var copied = false

    mutating func run() async throws {
        let cluster = try self.cluster.discover()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport, credentials: cluster.credentials)
        let key = ObjectKey(namespace: namespace ?? cluster.namespace, name: model)
        let export: ModelExport
        do {
            let found = try MLModel(json: try await client.get(.mlModels, key))
            export = try ModelExport(of: found, revision: revision, isCopied: copied)
        } catch {
            StandardError.say("\(key): \(error)")
            throw ExitCode.failure
        }
        if !export.needs.isEmpty { StandardError.say("its pods also need: \(export.needs.joined(separator: ", "))") }
        print(export.manifest.yaml, terminator: "")
    }
}
