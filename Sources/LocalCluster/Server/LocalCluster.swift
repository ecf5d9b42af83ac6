import APIServerModel
import Concurrency
import ControllerRuntime
import CurlTransport
import HTTPServer
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import OpenSSL
import YAML

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A Kubernetes API server with its controllers and scheduler, in this process and in memory only.
///
/// Objects live as long as `run`; the volumes of claims and the kubeconfigs are files below the data directory.
public struct LocalCluster: Sendable {
    public struct Options: Sendable {
        /// Absolute; made if it is not there. Two clusters must not share one.
        public var dataDirectory: String
        /// Of the context in the kubeconfigs.
        public var name = "assay-local"
        /// An IP address.
        public var host = "127.0.0.1"
        /// 0 for one that the system chooses.
        public var port = 0
        /// Further addresses under which pods reach the server.
        public var additionalAddresses: [String] = []
        public var additionalNames: [String] = []
        /// How Jobs wait between failures.
        public var jobs = JobPlanner()
        public var runsControllers = true
        public var runsScheduler = true
        public var apiServer = APIServerOptions()
        public var time: any TimeSource = SystemTime()

        public init(dataDirectory: String) {
            self.dataDirectory = dataDirectory
            apiServer.decodeYAML = { bytes in
                do { return try JSONValue(yaml: String(decoding: bytes, as: UTF8.self)) } catch { return nil }
            }
        }
    }

    /// How often the API server looks at the time.
    private static let tickInterval: Duration = .seconds(1)

    /// Runs a cluster until ``ClusterHandle/stop()``, or until the task is cancelled.
    ///
    /// - Parameter onReady: called once the server accepts requests, and cancelled when the cluster ends. A node, which
    ///   is a client of the API, runs here. When it throws, so does `run`.
    public static func run(
        _ options: Options, logger: Logger, onReady: @escaping @Sendable (ClusterHandle) async throws -> Void
    ) async throws {
        let cluster = try LocalCluster(options, logger: logger)
        try await cluster.run(onReady)
    }

    /// Runs a cluster for as long as `body`, and returns its result.
    public static func with<Result: Sendable>(
        _ options: Options, logger: Logger, _ body: @escaping @Sendable (ClusterHandle) async throws -> Result
    ) async throws -> Result {
        let result = Locked<Result?>(nil)
        try await run(options, logger: logger) { handle in
            let value = try await body(handle)
            result.withLock { $0 = value }
            handle.stop()
        }
        guard let value = result.withLock({ $0 }) else { throw CancellationError() }
        return value
    }

    private let options: Options
    private let logger: Logger
    private let identity: ClusterIdentity
    private let apiServer: APIServerHost

    private init(_ options: Options, logger: Logger) throws {
        self.options = options
        self.logger = logger
        let addresses = options.host == "127.0.0.1" ? [] : [options.host]
        identity = try ClusterIdentity(
            names: options.additionalNames, addresses: addresses + options.additionalAddresses,
            now: options.time.wallNow())
        var serverOptions = options.apiServer
        serverOptions.rootCertificate = identity.authority.certificatePEM
        apiServer = APIServerHost(options: serverOptions, users: identity.users, time: options.time)
    }

    private func run(_ onReady: @escaping @Sendable (ClusterHandle) async throws -> Void) async throws {
        try Self.makeDirectory(options.dataDirectory)
        try Self.makeDirectory("\(options.dataDirectory)/volumes")
        let handler = RequestHandler(host: apiServer, time: options.time, logger: logger)
        var limits = HTTPServerLimits()
        limits.shutdownGrace = .seconds(1)
        let server = HTTPServer(
            host: options.host, port: options.port, tls: try identity.tls(), limits: limits, logger: logger,
            handler: { await handler.handle($0) })
        try await withHTTPServer(server) { port in
            let (stopped, stopSignal) = AsyncStream.makeStream(of: Void.self)
            let handle = try makeHandle(server, port: port, stopSignal)
            try writeKubeconfigs(handle)
            logger.info(
                "local cluster is ready; its objects are kept in memory only",
                metadata: ["url": "\(handle.url)", "kubeconfig": "\(handle.kubeconfigPath)"])
            try await runParts(handle, stopped, onReady)
            await apiServer.stop()
        }
    }

    private func makeHandle(
        _ server: HTTPServer, port: Int, _ stopSignal: AsyncStream<Void>.Continuation
    ) throws -> ClusterHandle {
        ClusterHandle(
            url: "https://\(options.host.contains(":") ? "[\(options.host)]" : options.host):\(port)", port: port,
            certificateAuthorityPEM: identity.authority.certificatePEM,
            kubeconfigPath: "\(options.dataDirectory)/kubeconfig",
            operatorKubeconfigPath: "\(options.dataDirectory)/operator.kubeconfig",
            dataDirectory: options.dataDirectory, host: apiServer, server: server,
            identity: identity, time: options.time,
            stopSignal: stopSignal)
    }

    private func writeKubeconfigs(_ handle: ClusterHandle) throws {
        let admin = try identity.authority.issue(
            CertificateRequest(commonName: ClusterHandle.adminName, organizations: ["system:masters"], usage: .client),
            now: options.time.wallNow())
        func file(_ user: String, _ credentials: KubeconfigFile.Credentials) -> KubeconfigFile {
            KubeconfigFile(
                cluster: options.name, server: handle.url, authorityPEM: handle.certificateAuthorityPEM, user: user,
                credentials: credentials)
        }
        let certificate = KubeconfigFile.Credentials.certificate(
            certificatePEM: admin.certificatePEM, keyPEM: admin.privateKeyPEM)
        try file("admin", certificate).write(to: handle.kubeconfigPath)
        let token = identity.tokens[.operator]?.revealed ?? ""
        try file("assay", .token(token)).write(to: handle.operatorKubeconfigPath)
    }

    /// Everything beside the HTTP server; the first part that ends, or fails, ends all.
    private func runParts(
        _ handle: ClusterHandle, _ stopped: AsyncStream<Void>,
        _ onReady: @escaping @Sendable (ClusterHandle) async throws -> Void
    ) async throws {
        let transport = try CurlTransport(handle.configuration(.controllerManager).transport)
        defer { transport.shutdown() }
        func client(_ user: ClusterUser, _ agent: String) -> KubernetesClient {
            KubernetesClient(
                transport: transport, credentials: handle.configuration(user).credentials, userAgent: agent,
                time: options.time)
        }
        let (time, logger) = (options.time, logger)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in stopped {}
                return true
            }
            group.addTask {
                try await onReady(handle)
                return false
            }
            group.addTask {
                while true {
                    try await time.sleep(for: Self.tickInterval)
                    await apiServer.tick()
                }
            }
            if options.runsControllers {
                var controllerOptions = BuiltInControllers.Options(
                    volumeDirectory: "\(options.dataDirectory)/volumes")
                controllerOptions.jobs = options.jobs
                let controllers = BuiltInControllers(
                    client: client(.controllerManager, "kube-controller-manager/assay"), options: controllerOptions,
                    time: time, logger: logger)
                group.addTask {
                    await controllers.run()
                    return false
                }
            }
            if options.runsScheduler {
                let scheduler = SchedulerLoop(
                    client: client(.scheduler, "kube-scheduler/assay"), time: time, logger: logger)
                group.addTask {
                    await scheduler.run()
                    return false
                }
            }
            defer { group.cancelAll() }
            while let isOver = try await group.next() {
                if isOver { return }
            }
        }
    }

    /// Makes a directory, and those above it, for its owner only.
    private static func makeDirectory(_ path: String) throws(ClusterStartError) {
        guard path.hasPrefix("/") else { throw ClusterStartError("the data directory \(path) is not an absolute path") }
        var prefix = ""
        for component in path.split(separator: "/") {
            prefix += "/\(component)"
            if mkdir(prefix, 0o700) != 0 && errno != EEXIST {
                throw ClusterStartError("make directory \(prefix)", errno)
            }
        }
    }
}
