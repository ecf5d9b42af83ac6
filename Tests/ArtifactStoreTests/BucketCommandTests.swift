import FoundationEssentials
import HTTPTransport
import Subprocess
import TestCluster
import Testing

@testable import ArtifactStore

/// `assay artifact` with a bucket, as a person uses it.
@Suite struct BucketCommandTests {
    private struct Answer {
        var status: TerminationStatus
        var output: String
        var error: String
    }

    private static func assay(
        _ arguments: [String], in directory: String, _ variables: [String: String]
    ) async throws -> Answer {
        let program = try #require(ProgramUnderTest.assay)
        // What the machine's own are is not what is tried.
        let own = ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("AWS_") }.flatMap { ["-u", $0] }
        let settings = own + variables.map { "\($0)=\($1)" }
        let result = try await Subprocess.run(
            .name("env"),
            arguments: Arguments(["-C", directory] + settings + [program, "artifact"] + arguments),
            input: .none, output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        return Answer(
            status: result.terminationStatus, output: result.standardOutput, error: result.standardError)
    }

    private static func keys(_ bucket: TestBucket, _ more: [String: String]) -> [String: String] {
        [
            "AWS_ACCESS_KEY_ID": TestBucket.ann.accessKey, "AWS_SECRET_ACCESS_KEY": TestBucket.ann.secretKey,
            "AWS_ENDPOINT_URL": bucket.endpoint(),
        ].merging(more) { $1 }
    }

    private static func directory() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(
            atPath: directory.path + "/model", withIntermediateDirectories: false)
        try "weights".write(toFile: directory.path + "/model/weights.bin", atomically: false, encoding: .utf8)
        return directory
    }

    @Test func whatIsPushedIsListedCheckedCopiedAndPulled() async throws {
        let directory = try Self.directory()
        defer { directory.remove() }
        try await TestBucket.with(tls: true) { bucket in
            let variables = Self.keys(bucket, ["AWS_CA_BUNDLE": bucket.authorityPath])
            func assay(_ arguments: String...) async throws -> String {
                let answer = try await Self.assay(arguments, in: directory.path, variables)
                #expect(answer.status == .exited(0), "\(answer.error)")
                return answer.output
            }
            let store = "s3://models/team/wine"
            let name = try await assay("push", "model", store + ":best")
            #expect(name.hasPrefix(store + "@sha256:"))
            let digest = name.dropFirst(store.count + 1).dropLast()
            #expect(try await assay("ls", store) == "best\t\(digest)\t2048\n")
            #expect(try await assay("check", store) == "\(store):best: 2048 bytes, as \(digest) says\n")
            #expect(try await assay("copy", store + ":best", "s3://models:x") == "s3://models@\(digest)\n")
            #expect(try await assay("pull", "s3://models:x", "copy") == "s3://models@\(digest)\n")
            #expect(try await assay("push", "copy", "file://\(directory.path)/s").hasSuffix("\(digest)\n"))
            #expect(try await assay("copy", "file://\(directory.path)/s@\(digest)", store + ":y").contains(digest))

            let other = try await Self.assay(["ls", store], in: directory.path, Self.keys(bucket, [:]))
            #expect(other.status == .exited(1), "the authority is not one of the system's")
        }
    }

    @Test func whatIsMissingIsNamed() async throws {
        let directory = try Self.directory()
        defer { directory.remove() }
        try await TestBucket.with { bucket in
            func assay(_ variables: [String: String], _ flags: String...) async throws -> Answer {
                try await Self.assay(["push", "model", "s3://models/x"] + flags, in: directory.path, variables)
            }
            let none = try await assay([:])
            #expect(none.status == .exited(1))
            #expect(none.error.contains("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"), "\(none.error)")
            let plain = try await assay(Self.keys(bucket, [:]))
            #expect(plain.status == .exited(1) && plain.error.contains("--plain-http"), "\(plain.error)")
            let wrong = try await assay(Self.keys(bucket, ["AWS_SECRET_ACCESS_KEY": "hunter2"]), "--plain-http")
            #expect(wrong.status == .exited(1) && wrong.error.contains("SignatureDoesNotMatch"), "\(wrong.error)")
            #expect(!wrong.error.contains("hunter2"))
            let own = Self.keys(bucket, ["AWS_ENDPOINT_URL": bucket.endpoint("localhost")])
            let right = try await assay(own, "--plain-http", "--host-per-bucket")
            #expect(right.status == .exited(0), "\(right.error)")
        }
    }
}
