import FoundationEssentials
import Subprocess

/// Where the programs of a real control plane are.
public struct ControlPlanePrograms: Sendable, Hashable {
    var etcd: String
    var apiServer: String
    /// Nil where there is none: then our own controllers stand in.
    var controllerManager: String?
    /// Nil where there is none: then our own scheduler stands in.
    var scheduler: String?

    /// Those that `KUBEBUILDER_ASSETS` names, else those that `scripts/kubernetes` has built.
    static func find(_ environment: [String: String]) throws(TestClusterError) -> ControlPlanePrograms {
        if let directory = environment["KUBEBUILDER_ASSETS"], !directory.isEmpty {
            return try ControlPlanePrograms(directory, environment)
        }
        let home = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "/root") + "/.cache"
        let cache = environment["ASSAY_CACHE"] ?? home + "/assay"
        do throws(TestClusterError) {
            return try ControlPlanePrograms(cache + "/kubernetes-1.20.2", environment)
        } catch {
            throw TestClusterError("\(error); scripts/kubernetes builds it, or KUBEBUILDER_ASSETS names another")
        }
    }

    private init(_ directory: String, _ environment: [String: String]) throws(TestClusterError) {
        func find(_ name: String, in directories: [String]) -> String? {
            directories.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        }
        guard let apiServer = find("kube-apiserver", in: [directory]) else {
            throw TestClusterError("there is no kube-apiserver in \(directory)")
        }
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        guard let etcd = find("etcd", in: [directory] + path) else {
            throw TestClusterError("there is no etcd in \(directory) or on PATH")
        }
        self.etcd = etcd
        self.apiServer = apiServer
        controllerManager = find("kube-controller-manager", in: [directory])
        scheduler = find("kube-scheduler", in: [directory])
    }

    /// Of Kubernetes 1, as `kube-apiserver --version` says: `Kubernetes v1.20.2`.
    func minorVersion() async throws -> Int {
        let result = try await Subprocess.run(
            .name("env"), arguments: [apiServer, "--version"], output: .string(limit: 1000), error: .discarded)
        let text = result.standardOutput
        guard let match = text.firstMatch(of: /v1\.(\d+)\./), let minor = Int(match.1) else {
            throw TestClusterError("\(apiServer) --version says \(text)")
        }
        return minor
    }
}
