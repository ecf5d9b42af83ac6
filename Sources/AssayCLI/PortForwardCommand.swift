import ArgumentParser
import AssayCore
import AssayOperator
import CurlTransport
import JSON
import KubernetesClient
import KubernetesModel

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// `assay port-forward MODEL`
struct PortForwardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "port-forward",
        abstract: "Forwards a port of this machine to a model, by way of the gateway where its requests go that way.",
        discussion: """
            kubectl, which does the forwarding, refuses Services without selectors, as those that lead to the gateway are. So it \
            is told of a pod of the gateway, and of the model's port there; of a model without gateway, of its Service.
            """)

    @Argument(help: "The MLModel.") var model: String
    @Argument(help: "The port of this machine.") var port = 8080
    @Option(name: [.customShort("n"), .long], help: "The namespace; that of the kubeconfig's context unless given.")
    var namespace: String?
    @Option(help: "The namespace of the gateway's pods.") var gatewayNamespace = "assay-system"
    @OptionGroup var cluster: ClusterOptions
    @Option(help: "The kubectl to run.") var kubectl = "kubectl"

    func validate() throws {
        if !(0...65_535).contains(port) { throw ValidationError("port: must be 0 to 65535") }
    }

    mutating func run() async throws {
        let cluster = try self.cluster.discover()
        let target = try await target(in: cluster)
        var arguments = [kubectl]
        if let kubeconfig = self.cluster.kubeconfig { arguments += ["--kubeconfig", kubeconfig] }
        if let context = self.cluster.context { arguments += ["--context", context] }
        arguments += ["--namespace", target.namespace, "port-forward", target.object, "\(port):\(target.port)"]
        try Self.become(arguments)
    }

    private func target(
        in cluster: ClientConfiguration
    ) async throws -> (namespace: String, object: String, port: Int) {
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport, credentials: cluster.credentials)
        let key = ObjectKey(namespace: namespace ?? cluster.namespace, name: model)
        do {
            let found = try await client.get(.mlModels, key)
            guard let port = found["status", "gatewayPort"]?.int else {
                return (key.namespace ?? "default", "service/\(model)", 80)
            }
            let options = ListOptions(labelSelector: OperatorConfiguration.Gateway.defaultSelector)
            let pods = try await client.listAll(.pods, namespace: gatewayNamespace, options).items
            let ready = pods.first { pod in
                (pod["status", "conditions"]?.array ?? []).contains { $0["type"] == "Ready" && $0["status"] == "True" }
            }
            guard let name = ready?["metadata", "name"]?.string else {
                throw Refusal(
                    "\(gatewayNamespace) has no ready pod of the gateway; name its namespace with --gateway-namespace")
            }
            return (gatewayNamespace, "pod/\(name)", port)
        } catch {
            StandardError.say("\(key): \(error)")
            throw ExitCode.failure
        }
    }

    private struct Refusal: Error, CustomStringConvertible {
        var description: String

        init(_ description: String) { self.description = description }
    }

    /// This process becomes that program, so that signals reach it.
    private static func become(_ arguments: [String]) throws -> Never {
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        pointers.append(nil)
        execvp(arguments[0], pointers)
        StandardError.say("\(arguments[0]) cannot be run: \(String(cString: strerror(errno)))")
        throw ExitCode.failure
    }
}
