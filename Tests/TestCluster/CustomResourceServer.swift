import CurlTransport
import FoundationEssentials
import HTTPTransport
import KubernetesClient

/// Kubernetes' own server of custom resources, as a process of this machine: today's, with CEL, and nothing beside it.
/// There are no namespaces and no built-in kinds; an object may be in any namespace.
public struct CustomResourceServer: Sendable, Hashable {
    private let program: String
    private let etcd: String

    /// What `scripts/crd-server` has built; nil where it has not.
    public static let built: CustomResourceServer? = {
        let environment = ProcessInfo.processInfo.environment
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let cache = ControlPlanePrograms.cache(environment) + "/crd-server"
        guard let program = ControlPlanePrograms.find("apiextensions-apiserver", in: [cache]),
            let etcd = ControlPlanePrograms.find("etcd", in: path)
        else { return nil }
        return CustomResourceServer(program: program, etcd: etcd)
    }()

    /// How long it may take to be ready.
    private static let startDeadline: Duration = .seconds(120)

    /// Runs it for as long as `body`, which gets a client of an administrator.
    public func run(_ body: @escaping @Sendable (KubernetesClient) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let (port, etcdPort, peerPort) = (try FreePort.find(), try FreePort.find(), try FreePort.find())
        let files = try ControlPlaneFiles(
            directory: directory.path, server: "https://127.0.0.1:\(port)", addresses: [])
        let database = ControlPlaneProcess.etcd(etcd, files, port: etcdPort, peerPort: peerPort)
        let server = try server(files, port: port, etcdPort: etcdPort)
        let transport = try CurlTransport(
            files.configuration(user: "administrator", groups: ["system:masters"]).transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for process in [database, server] {
                group.addTask {
                    try await process.run()
                    return false
                }
            }
            group.addTask {
                try await waitUntilReady(client, server)
                try await body(client)
                return true
            }
            defer { group.cancelAll() }
            while let isOver = try await group.next() {
                if isOver { return }
            }
        }
    }

    private func server(_ files: ControlPlaneFiles, port: Int, etcdPort: Int) throws -> ControlPlaneProcess {
        // It would ask the server of the built-in kinds who a caller is and what namespaces there are. There is none:
        // it is told to ask itself, and all that needs an answer is left out.
        let itself = try files.kubeconfig(user: "itself", groups: ["system:masters"])
        let admission = [
            "NamespaceLifecycle", "MutatingAdmissionWebhook", "ValidatingAdmissionWebhook",
            "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy",
        ]
        return ControlPlaneProcess(
            program: program,
            arguments: [
                "--etcd-servers=http://127.0.0.1:\(etcdPort)", "--secure-port=\(port)", "--bind-address=127.0.0.1",
                "--tls-cert-file=\(files.path("apiserver.crt"))",
                "--tls-private-key-file=\(files.path("apiserver.key"))", "--client-ca-file=\(files.path("ca.crt"))",
                "--kubeconfig=\(itself)", "--authentication-kubeconfig=\(itself)",
                "--authorization-kubeconfig=\(itself)", "--authentication-skip-lookup",
                "--enable-priority-and-fairness=false",
                "--disable-admission-plugins=\(admission.joined(separator: ","))",
            ], logPath: files.path("crd-server.log"))
    }

    private func waitUntilReady(_ client: KubernetesClient, _ server: ControlPlaneProcess) async throws {
        let deadline = ContinuousClock.now + Self.startDeadline
        while true {
            do throws(KubernetesError) {
                // Services are among what it waits for, and nobody serves them here.
                let target = "/readyz?exclude=informer-sync"
                _ = try await client.send(HTTPRequest(.get, target, delivery: .unary(timeout: .seconds(5))))
                return
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw TestClusterError("the server of custom resources is not ready: \(error)\n\(server.logEnd)")
                }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
