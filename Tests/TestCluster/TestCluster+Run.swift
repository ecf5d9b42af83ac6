import APIServerModel
import Concurrency
import CurlTransport
import FoundationEssentials
import Glibc
import KubernetesClient
import KubernetesModel
import LocalCluster
import Logging

extension TestCluster {
    /// Runs `body` on a cluster in which our kinds and the operator's rights are installed: a new LocalCluster, or the
    /// one Kubernetes that all stories share.
    public static func run<Result: Sendable>(
        on backend: Backend, images: [String: ImageTree] = ImageTree.standard,
        _ body: @escaping @Sendable (TestCluster) async throws -> Result
    ) async throws -> Result {
        switch backend {
        case .local: return try await runLocal(images, body)
        case .kubernetes(let source): return try await body(SharedKubernetes.cluster(source))
        }
    }

    public static var logger: Logger {
        var logger = Logger(label: "story")
        logger.logLevel = .error
        return logger
    }

    static func nodeOptions(_ images: [String: ImageTree], in directory: String) throws -> NodeOptions {
        guard let program = ProgramUnderTest.assay else {
            throw TestClusterError("build the product `assay` first: swift build")
        }
        var options = NodeOptions(name: "local", dataDirectory: "\(directory)/node", executable: program)
        options.images = try images.mapValues { try $0.write(below: directory) }
        options.images["assay:0.1.0"] = try operatorImage(of: program, in: directory)
        // Of the samples; there for those tests that build it before they ask for it.
        options.images["registry.local/wine:1.0"] = "\(ProgramUnderTest.repository)/.build/images/wine"
        return options
    }

    /// The image that our Deployment runs: the program, as it was just built.
    private static func operatorImage(of program: String, in directory: String) throws -> String {
        let image = "\(directory)/operator-image"
        try FileManager.default.createDirectory(atPath: "\(image)/bin", withIntermediateDirectories: true)
        if link(program, "\(image)/bin/assay") != 0 {
            try FileManager.default.copyItem(atPath: program, toPath: "\(image)/bin/assay")
        }
        return image
    }

    private static func runLocal<Result: Sendable>(
        _ images: [String: ImageTree], _ body: @escaping @Sendable (TestCluster) async throws -> Result
    ) async throws -> Result {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        var options = LocalCluster.Options(dataDirectory: "\(directory.path)/cluster")
        options.jobs = JobPlanner(backoffBase: .milliseconds(100))
        options.apiServer.authorization = .rbac
        options.apiServer.enforcesOwnerPermissions = true
        let node = try nodeOptions(images, in: directory.path)
        let result = Locked<Result?>(nil)
        try await LocalCluster.run(options, node: node, logger: logger) { handle in
            let configuration = try handle.adminConfiguration()
            let transport = try CurlTransport(configuration.transport)
            defer { transport.shutdown() }
            let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
            let cluster = TestCluster(
                backend: .local, minorVersion: try await client.serverVersion().minor,
                lacks: [.celValidation, .podSecurityAdmission], kubeconfigPath: handle.kubeconfigPath, client: client,
                url: handle.url, server: .local(handle))
            try await cluster.install()
            let value = try await body(cluster)
            result.withLock { $0 = value }
            handle.stop()
        }
        guard let value = result.withLock({ $0 }) else { throw CancellationError() }
        return value
    }

    /// - Parameter minorVersion: of Kubernetes 1.
    init(
        backend: Backend, minorVersion: Int, lacks: Set<ServerFeature> = [], kubeconfigPath: String,
        client: KubernetesClient, url: String, server: Server
    ) {
        version = "v1.\(minorVersion)"
        features = ServerFeature.all(in: minorVersion).subtracting(lacks)
        (self.backend, self.kubeconfigPath, self.client, self.url, self.server) =
            (backend, kubeconfigPath, client, url, server)
    }
}
