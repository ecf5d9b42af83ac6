import ArgumentParser
import AssayCore
import AssayGateway
import AssayOperator
import ControllerRuntime
import CurlTransport
import HTTPTransport
import KubernetesClient
import Logging

struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Takes the models' requests, and wakes what sleeps.",
        discussion: """
            Each MLModel has a port here (status.gatewayPort). A request goes to a pod of the revision that is next by \
            status.traffic. While a model sleeps its requests are held, and the first one scales it up.

            It serves without an API server too, with the routes that it has. SIGTERM lets the requests in flight end; a \
            second one ends it at once.
            """
    )

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "The only namespace whose models are served. All unless given.")
    var namespace: String?

    @Option(help: "The address that the models' ports are opened on.")
    var host = "0.0.0.0"

    @Option(help: "The port that all models share, by the host names of their specs. None unless given.")
    var sharedPort: Int?

    @Option(help: "The same by HTTPS; opened once there is a certificate. None unless given.")
    var sharedTlsPort: Int?

    @Option(
        help: ArgumentHelp(
            "The files for that, read again as they change: tls.crt and tls.key, as a Secret of the type kubernetes.io/tls has "
                + "them.", valueName: "directory"))
    var sharedTlsDirectory = "/etc/assay/ingress"

    @Option(
        help: ArgumentHelp(
            "The name of its pod, where there are several: by it a copy knows its part of what a model's replicas may have.",
            valueName: "name"))
    var instance: String?

    @Option(help: "Event loops; one for each processor that it may use.")
    var threads = 1

    @Option(help: "Where health and metrics are served over HTTP: host:port, :port, or none.")
    var healthAddress = ":8081"

    @Option(help: "Where the operator is told over HTTPS what there is to do: host:port, :port, or none.")
    var loadAddress = ":\(GatewayAccess.port)"

    @Option(
        help: ArgumentHelp(
            "The files by which that is done: tls.crt, tls.key and token, of the Secret that the operator makes.",
            valueName: "directory"))
    var loadDirectory = "/etc/assay/gateway"

    @Option(help: "After SIGTERM, seconds without a new connection until none is taken: the cluster hears of it late.")
    var drainDelay = 5

    @Option(help: "Seconds that requests in flight may go on after that.")
    var drainTimeout = 60

    @OptionGroup var log: LogOptions

    func validate() throws {
        if !(1...64).contains(threads) { throw ValidationError("--threads: must be 1 to 64") }
        if let sharedPort, !(1...65535).contains(sharedPort) { throw ValidationError("--shared-port: must be a port") }
        if let sharedTlsPort {
            guard (1...65535).contains(sharedTlsPort) else {
                throw ValidationError("--shared-tls-port: must be a port")
            }
            if GatewayPort.range.contains(sharedTlsPort) {
                throw ValidationError(
                    "--shared-tls-port: must not be \(GatewayPort.range.lowerBound) to "
                        + "\(GatewayPort.range.upperBound - 1), which are the models' own")
            }
            if sharedTlsPort == sharedPort {
                throw ValidationError("--shared-tls-port: must be another than --shared-port")
            }
        }
        if drainDelay < 0 { throw ValidationError("--drain-delay: must not be negative") }
        if drainTimeout < 0 { throw ValidationError("--drain-timeout: must not be negative") }
        if loadAddress != "none", OperatorConfiguration.Address(loadAddress) == nil {
            throw ValidationError("--load-address: must be host:port, :port or none, not '\(loadAddress)'")
        }
        if healthAddress != "none", OperatorConfiguration.Address(healthAddress) == nil {
            throw ValidationError("--health-address: must be host:port, :port or none, not '\(healthAddress)'")
        }
    }

    func run() async throws {
        let logger = log.logger("gateway")
        let cluster = try self.cluster.discover()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        var limits = GatewayLimits()
        limits.drainDelay = .seconds(drainDelay)
        limits.drainTimeout = .seconds(drainTimeout)
        let health = healthAddress == "none" ? nil : OperatorConfiguration.Address(healthAddress)
        let load = loadAddress == "none" ? nil : OperatorConfiguration.Address(loadAddress)
        let configuration = GatewayConfiguration(
            namespace: namespace,
            gateway: .init(
                host: host, sharedPort: sharedPort, sharedTLSPort: sharedTlsPort, threads: threads, limits: limits,
                instance: instance),
            health: health.map { .init(host: $0.host, port: $0.port) },
            load: load.map { .init(address: .init(host: $0.host, port: $0.port), directory: loadDirectory) },
            tlsDirectory: sharedTlsPort == nil ? nil : sharedTlsDirectory)
        logger.info("starting", metadata: ["server": "\(cluster.transport.server)"])
        let program = GatewayProgram(
            configuration: configuration, cluster: cluster, transport: transport, logger: logger)
        try await program.runUntilSignalled(logger: logger)
    }
}
