import Subprocess
import TestCluster
import Testing

/// The program `simulate`, that was built beside the tests.
@Suite struct ProcessTests {
    /// What it printed, but for the last line, which tells how long it took.
    private func output(_ arguments: String...) async throws -> [Substring] {
        let program = try #require(ProgramUnderTest.simulate)
        let result = try await Subprocess.run(
            .name("env"),
            arguments: Arguments(
                ["-C", ProgramUnderTest.repository, "-u", "SWIFT_DETERMINISTIC_HASHING", program] + arguments),
            input: .none, output: .string(limit: 1_000_000), error: .currentStandardError)
        #expect(result.terminationStatus == .exited(0))
        return result.standardOutput.split(separator: "\n").dropLast()
    }

    /// Each process hashes with a seed of its own, so nothing may hang on the order of sets and dictionaries.
    @Test func theSameSeedsAreTheSameInEveryProcess() async throws {
        let first = try await output("--seeds", "15..<18", "--jobs", "1")
        #expect(first.first == "3 runs, 0 violations")
        #expect(try await output("--seeds", "15..<18", "--jobs", "2") == first)
    }
}
