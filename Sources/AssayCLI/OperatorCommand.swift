import ArgumentParser
import AssayCore
import AssayOperator
import ControllerRuntime
import CredentialPlugins
import CurlTransport
import FoundationEssentials
import HTTPTransport
import KubernetesClient
import KubernetesModel
import Logging

struct OperatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operator",
        abstract: "Watches TrainingJobs and MLModels and makes the cluster look as they say.",
        discussion: """
            Talks to the API server that --kubeconfig or KUBECONFIG names; else, in a pod, to the server of its own \
            cluster; else to that of ~/.kube/config. SIGTERM lets it finish what it has begun.
            """
    )

    @Option(help: "A kubeconfig file.")
    var kubeconfig: String?

    @Option(help: "The context of the kubeconfig to use instead of its current one.")
    var context: String?

    @Option(help: "The only namespace to work in. All unless given.")
    var namespace: String?

    @Option(help: "How many objects of each kind are worked on at once.")
    var workers = 4

    @Option(help: "The laxest Pod Security Standard for pods: privileged, baseline or restricted.")
    var podSecurity: PodSecurityLevel = .baseline

    @Option(help: "Where health and metrics are served over HTTP: host:port, :port, or none.")
    var healthAddress = ":8081"

    @Option(help: "Names this copy in events; in a cluster, the pod's name.")
    var instance = "assay"

    @OptionGroup var log: LogOptions

    func validate() throws {
        if workers < 1 { throw ValidationError("--workers: must be at least 1") }
        if healthAddress != "none", OperatorConfiguration.Address(healthAddress) == nil {
            throw ValidationError("--health-address: must be host:port, :port or none, not '\(healthAddress)'")
        }
    }

    func run() async throws {
        let logger = log.logger("operator")
        let cluster = try ClientConfiguration.discover(
            kubeconfig: kubeconfig, context: context, trust: KubeconfigTrust(plugins: SubprocessPluginRunner()))
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        let configuration = OperatorConfiguration(
            namespace: namespace, workers: workers, podSecurity: podSecurity, instance: instance, pod: Self.pod,
            health: healthAddress == "none" ? nil : OperatorConfiguration.Address(healthAddress))
        logger.info("starting", metadata: ["server": "\(cluster.transport.server)"])
        let daemon = AssayOperator(
            configuration: configuration, transport: transport, credentials: cluster.credentials,
            host: cluster.transport.server, logger: logger)
        try await daemon.runUntilSignalled(logger: logger)
    }

    /// As the Deployment tells it, by the downward API.
    private static var pod: ObjectKey? {
        let environment = ProcessInfo.processInfo.environment
        guard let namespace = environment["POD_NAMESPACE"], let name = environment["POD_NAME"], !namespace.isEmpty,
            !name.isEmpty
        else { return nil }
        return ObjectKey(namespace: namespace, name: name)
    }
}

extension PodSecurityLevel: ExpressibleByArgument {}
