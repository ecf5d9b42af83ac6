import FoundationEssentials
import LocalCluster
import Subprocess
import TestCluster
import Testing

/// A program of this project that runs beside a story, and is ended by it.
struct ProgramRun {
    /// The path, then the arguments.
    var command: [String]
    var environment: [String: String] = [:]

    /// Starts the program and ends it by `signal` once `body` is over; nil where it is to end by itself. What it printed is
    /// told where `body` fails.
    func during(
        endedBy signal: Signal?, _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> TerminationStatus {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let log = "\(directory.path)/output"
        let variables = environment.map { "\($0)=\($1)" }
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments(variables + ["sh", "-c", "exec \"$@\" >\"$0\" 2>&1", log] + command),
            input: .none, output: .discarded, error: .discarded
        ) { execution in
            do {
                try await body()
            } catch {
                try execution.send(signal: .kill)
                Issue.record("\(command) printed \(try String(contentsOfFile: log, encoding: .utf8).suffix(10_000))")
                throw error
            }
            if let signal { try execution.send(signal: signal) }
        }
        return result.terminationStatus
    }
}

extension ProgramRun {
    /// Runs `assay operator` on the world's cluster, with the rights that it has there, until `signal` ends it once `body` is over; nil
    /// where it is to end by itself.
    static func ofOperator(
        _ options: [String] = [], on world: StoryWorld, endedBy signal: Signal?,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> TerminationStatus {
        let program = try #require(ProgramUnderTest.assay)
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let kubeconfig = try await world.cluster.serviceAccountKubeconfig(
            TestCluster.operatorAccount, in: directory.path)
        let command = [program, "operator", "--kubeconfig", kubeconfig, "--health-address", "none"]
        return try await ProgramRun(command: command + options).during(endedBy: signal, body)
    }
}
