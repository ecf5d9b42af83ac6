import FoundationEssentials
import JSON
import Subprocess

/// Kubernetes' own admission of today, as a process of this machine: says what an API server with certain policies would answer.
public struct AdmissionProgram: Sendable {
    /// An answer: nil where the request is allowed, else why it is not.
    public typealias Refusal = String?

    private let program: String

    /// What `scripts/crd-server` has built; nil where it has not.
    public static let built: AdmissionProgram? = {
        let cache = ControlPlanePrograms.cache(ProcessInfo.processInfo.environment) + "/crd-server"
        return ControlPlanePrograms.find("admission", in: [cache]).map(AdmissionProgram.init)
    }()

    /// Asks about requests, each with `user`, `namespace`, `name`, `object` and `oldObject`, the last two a Scale each.
    ///
    /// - Parameter policies: a file of the repository.
    public func review(_ requests: [JSONValue], policies: String) async throws -> [Refusal] {
        let lines = requests.map { $0.serialized() + "\n" }.joined()
        let result = try await Subprocess.run(
            .name("env"), arguments: [program, "\(ProgramUnderTest.repository)/\(policies)"], input: .string(lines),
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        guard result.terminationStatus.isSuccess else {
            throw TestClusterError("\(program): \(result.standardError)")
        }
        return try result.standardOutput.split(separator: "\n").map { line in
            let answer = try JSONValue(parsing: Array(line.utf8))
            return answer["allowed"] == true ? nil : answer["message"]?.string ?? ""
        }
    }
}
