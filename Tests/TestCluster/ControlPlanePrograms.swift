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
        do throws(TestClusterError) {
            return try ControlPlanePrograms(cache(environment) + "/kubernetes-1.20.2", environment)
        } catch {
            throw TestClusterError("\(error); scripts/kubernetes builds it, or KUBEBUILDER_ASSETS names another")
        }
    }

    /// Where `scripts/kubernetes`, `scripts/crd-server` and `scripts/s3-server` keep what they have built.
    public static func cache(_ environment: [String: String]) -> String {
        let home = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "/root") + "/.cache"
        return environment["ASSAY_CACHE"] ?? home + "/assay"
    }

    /// The first program of that name.
    static func find(_ name: String, in directories: [String]) -> String? {
        directories.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private init(_ directory: String, _ environment: [String: String]) throws(TestClusterError) {
        guard let apiServer = Self.find("kube-apiserver", in: [directory]) else {
            throw TestClusterError("there is no kube-apiserver in \(directory)")
        }
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        guard let etcd = Self.find("etcd", in: [directory] + path) else {
            throw TestClusterError("there is no etcd in \(directory) or on PATH")
        }
        self.etcd = etcd
        self.apiServer = apiServer
        controllerManager = Self.find("kube-controller-manager", in: [directory])
        scheduler = Self.find("kube-scheduler", in: [directory])
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
