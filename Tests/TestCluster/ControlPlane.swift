import Concurrency
import CurlTransport
import HTTPTransport
import KubernetesClient
import KubernetesModel
import LocalCluster
import Logging

/// Kubernetes' own control plane, as processes of this machine.
///
/// Where the controller manager or the scheduler is missing, our own controllers and scheduler stand in as clients.
struct ControlPlane: Sendable {
    let programs: ControlPlanePrograms
    let files: ControlPlaneFiles
    let network: NodeNetwork
    let logger: Logger
    /// Of Kubernetes 1.
    let minorVersion: Int
    private let port: Int
    private let etcdPort: Int
    private let etcdPeerPort: Int

    /// How long the API server may take to be ready.
    private static let startDeadline: Duration = .seconds(120)

    init(programs: ControlPlanePrograms, directory: String, network: NodeNetwork, logger: Logger) async throws {
        minorVersion = try await programs.minorVersion()
        self.programs = programs
        self.network = network
        self.logger = logger
        (port, etcdPort, etcdPeerPort) = (try FreePort.find(), try FreePort.find(), try FreePort.find())
        let own = network.serviceAddresses.split(separator: "/")[0].split(separator: ".").dropLast().joined(
            separator: ".")
        files = try ControlPlaneFiles(
            directory: directory, server: "https://127.0.0.1:\(port)", addresses: [network.hostAddress, own + ".1"])
    }

    var storage: Etcd { Etcd(port: etcdPort) }

    var auditPath: String { files.path("audit.json") }

    func administrator() throws -> ClientConfiguration {
        try files.configuration(user: ClusterHandle.adminName, groups: ["system:masters"])
    }

    /// Runs it for as long as `body`, which starts when the API server is ready. Throws when a part of it ends before.
    func run(_ body: @escaping @Sendable (KubernetesClient) async throws -> Void) async throws {
        try await runServer { client in try await runControllers(client) { try await body(client) } }
    }

    /// The API server alone, with what it stores its objects in.
    func runServer(_ body: @escaping @Sendable (KubernetesClient) async throws -> Void) async throws {
        let configuration = try administrator()
        let transport = try CurlTransport(configuration.transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport)
        let apiServer = apiServer
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for process in [etcd, apiServer] {
                group.addTask {
                    try await process.run()
                    return false
                }
            }
            group.addTask {
                try await waitUntilReady(client, apiServer)
                try await body(client)
                return true
            }
            defer { group.cancelAll() }
            while let isOver = try await group.next() {
                if isOver { return }
            }
        }
    }

    private func waitUntilReady(_ client: KubernetesClient, _ apiServer: ControlPlaneProcess) async throws {
        let deadline = ContinuousClock.now + Self.startDeadline
        while true {
            do throws(KubernetesError) {
                _ = try await client.send(HTTPRequest(.get, "/readyz", delivery: .unary(timeout: .seconds(5))))
                // Made a moment later, and by nobody else.
                _ = try await client.get(.namespaces, ObjectKey(namespace: nil, name: "default"))
                return
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw TestClusterError("kube-apiserver is not ready: \(error)\n\(apiServer.logEnd)")
                }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func runControllers(
        _ client: KubernetesClient, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        var processes: [ControlPlaneProcess] = []
        if let program = programs.controllerManager { processes.append(try controllerManager(program)) }
        if let program = programs.scheduler { processes.append(try scheduler(program)) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for process in processes {
                group.addTask {
                    try await process.run()
                    return false
                }
            }
            if programs.controllerManager == nil {
                var options = BuiltInControllers.Options(volumeDirectory: files.path("volumes"))
                options.jobs = JobPlanner(backoffBase: .milliseconds(100))
                options.writesEndpointSlices = minorVersion >= ServerFeature.endpointSliceV1.minorVersion
                let controllers = BuiltInControllers(client: client, options: options, logger: logger)
                group.addTask {
                    await controllers.run()
                    return false
                }
                group.addTask {
                    try await Housekeeping(client: client).run()
                    return false
                }
            }
            if programs.scheduler == nil {
                let scheduler = SchedulerLoop(client: client, logger: logger)
                group.addTask {
                    await scheduler.run()
                    return false
                }
            }
            group.addTask {
                try await body()
                return true
            }
            defer { group.cancelAll() }
            while let isOver = try await group.next() {
                if isOver { return }
            }
        }
    }

    // MARK: The programs

    private func process(_ program: String, _ name: String, _ arguments: [String]) -> ControlPlaneProcess {
        ControlPlaneProcess(program: program, arguments: arguments, logPath: files.path("\(name).log"))
    }

    private var etcd: ControlPlaneProcess {
        .etcd(programs.etcd, files, port: etcdPort, peerPort: etcdPeerPort)
    }

    private var apiServer: ControlPlaneProcess {
        var arguments = [
            "--etcd-servers=http://127.0.0.1:\(etcdPort)", "--secure-port=\(port)", "--bind-address=0.0.0.0",
            "--advertise-address=\(network.hostAddress)", "--cert-dir=\(files.directory)",
            "--tls-cert-file=\(files.path("apiserver.crt"))", "--tls-private-key-file=\(files.path("apiserver.key"))",
            "--client-ca-file=\(files.path("ca.crt"))",
            "--service-account-key-file=\(files.path("accounts.crt"))",
            "--service-account-signing-key-file=\(files.path("accounts.key"))",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--service-cluster-ip-range=\(network.serviceAddresses)", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
            "--audit-policy-file=\(files.path("audit-policy.yaml"))", "--audit-log-path=\(auditPath)",
            "--audit-log-mode=blocking", "--allow-privileged=true", "--profiling=false",
        ]
        if ServerFeature.gated.contains(minorVersion) { arguments.append("--feature-gates=WatchList=true") }
        // Its controller manager would make the accounts, and untaint the node when it is ready.
        if programs.controllerManager == nil {
            arguments.append("--disable-admission-plugins=ServiceAccount,TaintNodesByCondition")
        }
        return process(programs.apiServer, "kube-apiserver", arguments)
    }

    private func controllerManager(_ program: String) throws -> ControlPlaneProcess {
        process(
            program, "kube-controller-manager",
            common + [
                "--kubeconfig=\(try files.kubeconfig(user: "system:kube-controller-manager"))",
                "--use-service-account-credentials",
                "--service-account-private-key-file=\(files.path("accounts.key"))",
                "--root-ca-file=\(files.path("ca.crt"))",
                // A machine that is busy with the tests may be late with its heartbeats.
                "--node-monitor-grace-period=5m",
                "--concurrent-namespace-syncs=4",
            ])
    }

    private func scheduler(_ program: String) throws -> ControlPlaneProcess {
        process(
            program, "kube-scheduler",
            common + ["--kubeconfig=\(try files.kubeconfig(user: "system:kube-scheduler"))"])
    }

    /// One copy runs, serves nothing, and does not hold back its requests.
    private var common: [String] {
        ["--leader-elect=false", "--secure-port=0", "--kube-api-qps=1000", "--kube-api-burst=2000"]
            + (minorVersion < 24 ? ["--port=0"] : [])
    }
}
