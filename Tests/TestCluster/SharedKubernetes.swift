import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import Testing

/// The one real Kubernetes of a suite: started when the first story asks for it, stopped when the suite is over.
actor SharedKubernetes {
    @TaskLocal private static var current: SharedKubernetes?

    private var outcome: Result<TestCluster, any Error>?
    private var waiting: [CheckedContinuation<TestCluster, any Error>] = []
    private nonisolated let orders = AsyncStream.makeStream(of: Backend.KubernetesSource.self)

    static func cluster(_ source: Backend.KubernetesSource) async throws -> TestCluster {
        guard let current else {
            throw TestClusterError("this suite is not below one with the trait `.sharedKubernetes`")
        }
        return try await current.cluster(source)
    }

    private func cluster(_ source: Backend.KubernetesSource) async throws -> TestCluster {
        if let outcome { return try outcome.get() }
        orders.continuation.yield(source)
        return try await withCheckedThrowingContinuation { waiting.append($0) }
    }

    private func settle(_ result: Result<TestCluster, any Error>) {
        outcome = result
        for continuation in waiting { continuation.resume(with: result) }
        waiting = []
    }

    static func with(_ body: @Sendable () async throws -> Void) async throws {
        let shared = SharedKubernetes()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await shared.serve() }
            defer { group.cancelAll() }
            try await $current.withValue(shared) { try await body() }
        }
    }

    /// A cluster that fails is not started again: each story that asks for it later is told why.
    private func serve() async {
        for await source in orders.stream {
            do {
                try await Self.run(source) { cluster in
                    await self.settle(.success(cluster))
                    try await Task.sleep(for: .seconds(86_400))
                }
            } catch {
                // Cancelled: the suite is over.
                if !Task.isCancelled { print("*** Kubernetes has failed: \(error) ***") }
                settle(.failure(error))
            }
        }
    }
}

extension SharedKubernetes {
    /// Starts Kubernetes, with a node of ours, for as long as `body`.
    private static func run(
        _ source: Backend.KubernetesSource, _ body: @escaping @Sendable (TestCluster) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        switch source {
        case .missing(let reason): throw TestClusterError(reason)
        case .existing(let path):
            let configuration = try ClientConfiguration.kubeconfig(path: path)
            let transport = try CurlTransport(configuration.transport)
            defer { transport.shutdown() }
            let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
            let node = try TestCluster.nodeOptions(ImageTree.standard, in: directory.path)
            let network = try await NodeNetwork.open(node.network, logger: TestCluster.logger)
            let cluster = TestCluster(
                backend: .kubernetes(source), minorVersion: try await client.serverVersion().minor,
                kubeconfigPath: path ?? "", client: client,
                url: configuration.transport.server, server: .existing(configuration))
            try await cluster.run(
                Node(client: client, options: node, network: network, logger: TestCluster.logger), body)
        case .programs(let programs):
            var node = try TestCluster.nodeOptions(ImageTree.standard, in: directory.path)
            node.network.mode = .bridge
            let network = try await NodeNetwork.open(node.network, logger: TestCluster.logger)
            let plane = try await ControlPlane(
                programs: programs, directory: directory.path, network: network, logger: TestCluster.logger)
            try await plane.run { [node] client in
                let cluster = TestCluster(
                    backend: .kubernetes(source), minorVersion: plane.minorVersion,
                    kubeconfigPath: try plane.files.kubeconfig(
                        user: ClusterHandle.adminName, groups: ["system:masters"]),
                    client: client, url: plane.files.server,
                    server: .started(plane.files, AuditLog(path: plane.auditPath), plane.storage))
                try await cluster.letNodeProxy()
                let configuration = try plane.files.configuration(user: nodeUser, groups: ["system:nodes"])
                let transport = try CurlTransport(configuration.transport)
                defer { transport.shutdown() }
                let worker = Node(
                    client: KubernetesClient(transport: transport), options: node, network: network,
                    logger: TestCluster.logger)
                try await cluster.run(worker, body)
            }
        }
    }

    fileprivate static let nodeUser = "system:node:local"
}

extension TestCluster {
    /// Our node is its own kube-proxy, for which Kubernetes has a role.
    fileprivate func letNodeProxy() async throws {
        let type = ResourceType(
            group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterrolebindings",
            kind: "ClusterRoleBinding", isNamespaced: false)
        let group: JSONValue = "rbac.authorization.k8s.io"
        _ = try await client.create(
            type,
            [
                "metadata": ["name": "local-node-proxier"],
                "roleRef": ["apiGroup": group, "kind": "ClusterRole", "name": "system:node-proxier"],
                "subjects": [["apiGroup": group, "kind": "User", "name": .string(SharedKubernetes.nodeUser)]],
            ], fieldManager: "test")
    }

    /// Runs a node beside the cluster, and `body` once the node takes pods.
    fileprivate func run(_ node: Node, _ body: @escaping @Sendable (TestCluster) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.run() }
            group.addTask {
                try await install()
                try await eventually("the node takes pods") {
                    try await client.listAll(.nodes).items.contains { node in
                        let conditions = node["status", "conditions"]?.array ?? []
                        return conditions.contains { $0["type"] == "Ready" && $0["status"] == "True" }
                            && (node["spec", "taints"]?.array ?? []).isEmpty
                    }
                }
                try await body(self)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
