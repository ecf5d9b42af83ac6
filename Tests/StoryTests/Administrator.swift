import FoundationEssentials
import Subprocess
import TestCluster
import Testing

/// Somebody with kubectl and all rights on a cluster.
struct Administrator: Sendable {
    private let kubectl: String
    private let kubeconfig: String
    /// Where kubectl keeps what it has discovered of a server: new, since servers of tests share their addresses.
    private let home: TemporaryDirectory

    /// Does something as the administrator of a cluster.
    static func of<Result>(
        _ cluster: TestCluster, _ body: (Administrator) async throws -> Result
    ) async throws -> Result {
        let home = try TemporaryDirectory()
        defer { home.remove() }
        let kubectl = try #require(Rendering.all.first, "there is no kubectl").kubectl
        return try await body(
            Administrator(kubectl: kubectl, kubeconfig: cluster.kubeconfigPath, home: home))
    }

    /// Runs kubectl, expects success, and returns what it printed.
    @discardableResult
    func callAsFunction(_ arguments: String..., input: String = "") async throws -> String {
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments([kubectl] + arguments),
            environment: .inherit.updating(["KUBECONFIG": kubeconfig, "HOME": home.path]),
            input: .string(input), output: .string(limit: 4 << 20), error: .string(limit: 1 << 20))
        let words = "kubectl \(arguments.joined(separator: " "))"
        try #require(
            result.terminationStatus.isSuccess, "\(words): \(result.standardOutput)\(result.standardError)")
        return result.standardOutput
    }
}
