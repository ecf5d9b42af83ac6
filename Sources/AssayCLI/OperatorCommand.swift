import ArgumentParser
import AssayCore
import AssayOperator
import ControllerRuntime
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

            Of several copies that share a Lease one works, and the others stand by with warm caches. One that loses the \
            Lease ends with an error, to be started anew.
            """
    )

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "The only namespace to work in. All unless given.")
    var namespace: String?

    @Option(help: "How many objects of each kind are worked on at once.")
    var workers = 4

    @Option(help: "The laxest Pod Security Standard for pods: privileged, baseline or restricted.")
    var podSecurity: PodSecurityLevel = .baseline

    @Option(
        help: ArgumentHelp(
            "The image of this program, which fetches and seals artifacts in the pods of steps. In a pod, that of the pod "
                + "unless given."))
    var image: String?

    @Option(help: "Where health and metrics are served over HTTP: host:port, :port, or none.")
    var healthAddress = ":8081"

    @Option(help: "Names this copy in events; in a cluster, the pod's name.")
    var instance = "assay"

    @Option(
        help: ArgumentHelp(
            "The Lease by which one of several copies leads: namespace/name, or none. In a pod assay-operator in its own "
                + "namespace unless given, else none.", valueName: "lease"))
    var lease: String?

    @Option(
        help: ArgumentHelp(
            "Seconds that others wait for a silent leader, that a leader goes on without renewing, and between tries.",
            valueName: "duration,deadline,period"))
    var leaseTimes = "15,10,2"

    @Option(
        help: ArgumentHelp(
            "The namespace of the gateway's pods, which are labelled \(OperatorConfiguration.Gateway.defaultSelector). Services "
                + "lead straight to models unless given.", valueName: "namespace"))
    var gatewayNamespace: String?

    @OptionGroup var push: PushOptions

    @OptionGroup var log: LogOptions

    func validate() throws {
        if workers < 1 { throw ValidationError("--workers: must be at least 1") }
        if healthAddress != "none", OperatorConfiguration.Address(healthAddress) == nil {
            throw ValidationError("--health-address: must be host:port, :port or none, not '\(healthAddress)'")
        }
        _ = try election
    }

    func run() async throws {
        let logger = log.logger("operator")
        let cluster = try self.cluster.discover()
        let transport = try CurlTransport(cluster.transport)
        let gatewayReader = CurlGatewayReader()
        defer {
            transport.shutdown()
            gatewayReader.shutdown()
        }
        let configuration = OperatorConfiguration(
            namespace: namespace, workers: workers, podSecurity: podSecurity, instance: instance, pod: PushOptions.pod,
            image: image, health: healthAddress == "none" ? nil : OperatorConfiguration.Address(healthAddress),
            push: try push.configuration(pod: PushOptions.pod),
            gateway: gatewayNamespace.map { .init(namespace: $0) }, election: try election)
        logger.info("starting", metadata: ["server": "\(cluster.transport.server)"])
        let daemon = AssayOperator(
            configuration: configuration, cluster: cluster, transport: transport, gatewayReader: gatewayReader,
            logger: logger)
        try await daemon.runUntilSignalled(logger: logger)
        // A second signal has cut everything short, the giving back of the lease too.
        await daemon.release()
    }

    /// By which Lease this copy leads; nil where it is the only one.
    private var election: LeaderElectionConfiguration? {
        get throws {
            let times = try times
            guard let lease else {
                return PushOptions.pod.map { pod in
                    .init(lease: ObjectKey(namespace: pod.namespace, name: "assay-operator"), times: times)
                }
            }
            if lease == "none" { return nil }
            let parts = lease.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
                throw ValidationError("--lease: must be namespace/name or none, not '\(lease)'")
            }
            return .init(lease: ObjectKey(namespace: parts[0], name: parts[1]), times: times)
        }
    }

    private var times: LeaderElectionTimes {
        get throws {
            let seconds = leaseTimes.split(separator: ",", omittingEmptySubsequences: false).compactMap { Double($0) }
            guard seconds.count == 3, seconds.allSatisfy({ (0...3600).contains($0) }) else {
                throw ValidationError(
                    "--lease-times: must be three numbers of seconds like 15,10,2, not '\(leaseTimes)'")
            }
            do {
                return try LeaderElectionTimes(
                    leaseDuration: .seconds(seconds[0]), renewDeadline: .seconds(seconds[1]),
                    retryPeriod: .seconds(seconds[2]))
            } catch {
                throw ValidationError("--lease-times: \(error)")
            }
        }
    }
}

extension PodSecurityLevel: ExpressibleByArgument {}
