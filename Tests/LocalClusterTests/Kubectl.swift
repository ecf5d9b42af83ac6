import Subprocess
import Testing

@testable import LocalCluster

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A kubectl of this machine, pointed at one cluster.
struct Kubectl: Sendable, CustomStringConvertible {
    let executable: String
    var kubeconfig = ""
    var home = "/tmp"

    /// Those that are installed, and those that `KUBECTLS` names (paths, separated by colons).
    static let installed: [Kubectl] = {
        var paths = ["/usr/bin/kubectl", "/usr/local/bin/kubectl"]
        if let more = getenv("KUBECTLS").map({ String(cString: $0) }) {
            paths += more.split(separator: ":").map(String.init)
        }
        return paths.filter { access($0, X_OK) == 0 }.map { Kubectl(executable: $0) }
    }()

    static let hint: Comment = "there is no kubectl; apt-get install kubernetes-client, or name some in KUBECTLS"

    var description: String { executable }

    func on(_ cluster: TestCluster) -> Kubectl {
        var result = self
        result.kubeconfig = cluster.handle.kubeconfigPath
        result.home = cluster.handle.dataDirectory
        return result
    }

    struct Answer: Sendable {
        var isSuccess: Bool
        var output: String
        var error: String
    }

    /// Runs kubectl; a failure is the answer, not an error.
    func run(_ arguments: [String], input: String = "", editor: String? = nil) async throws -> Answer {
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments([executable] + arguments),
            environment: .inherit.updating([
                "KUBECONFIG": kubeconfig, "HOME": home, "EDITOR": editor, "KUBE_EDITOR": editor,
            ]),
            input: .string(input), output: .string(limit: 4 << 20), error: .string(limit: 1 << 20))
        return Answer(
            isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput,
            error: result.standardError)
    }

    /// Runs kubectl, expects success, and returns what it printed.
    @discardableResult
    func callAsFunction(
        _ arguments: String..., input: String = "", editor: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let answer = try await run(arguments, input: input, editor: editor)
        if !answer.isSuccess {
            Issue.record(
                "kubectl \(arguments.joined(separator: " ")): \(answer.error)", sourceLocation: sourceLocation)
        }
        return answer.output
    }
}
