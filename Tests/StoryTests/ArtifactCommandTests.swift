import FoundationEssentials
import Subprocess
import TestCluster
import Testing

/// `assay artifact` as a person uses it.
@Suite struct ArtifactCommandTests {
    private struct Answer {
        var status: TerminationStatus
        var output: String
        var error: String
    }

    private static func assay(_ arguments: String..., in directory: String) async throws -> Answer {
        let program = try #require(ProgramUnderTest.assay)
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments(["-C", directory, program, "artifact"] + arguments), input: .none,
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        return Answer(
            status: result.terminationStatus, output: result.standardOutput, error: result.standardError)
    }

    @Test func whatIsPushedIsListedCheckedAndPulled() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try FileManager.default.createDirectory(atPath: directory.path + "/model", withIntermediateDirectories: false)
        try "weights".write(toFile: directory.path + "/model/weights.bin", atomically: false, encoding: .utf8)
        let store = "file://\(directory.path)/store"

        let push = try await Self.assay("push", "model", store + ":wine", in: directory.path)
        #expect(push.status == .exited(0), "\(push.error)")
        let name = String(push.output.dropLast())
        #expect(name.hasPrefix(store + "@sha256:"))
        let digest = name.dropFirst(store.count + 1)

        let list = try await Self.assay("ls", store, in: directory.path)
        #expect(list.output == "wine\t\(digest)\t2048\n")
        let check = try await Self.assay("check", store, in: directory.path)
        #expect(check.output == "\(store):wine: 2048 bytes, as \(digest) says\n")

        let pull = try await Self.assay("pull", name, "copy", in: directory.path)
        #expect(pull.output == push.output)
        let copy = try String(contentsOfFile: directory.path + "/copy/weights.bin", encoding: .utf8)
        #expect(copy == "weights")
        let again = try await Self.assay("push", "copy", store, in: directory.path)
        #expect(again.output == push.output)

        let occupied = try await Self.assay("pull", name, "copy", in: directory.path)
        #expect(occupied.status == .exited(1))
        #expect(occupied.error.contains("is not empty; name a directory that is"))
    }

    /// Who takes an artifact that was made elsewhere makes it young, so that nobody removes it as used by himself alone.
    @Test func whatIsTakenIsMarkedAsUsed() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try FileManager.default.createDirectory(atPath: directory.path + "/model", withIntermediateDirectories: false)
        try "weights".write(toFile: directory.path + "/model/weights.bin", atomically: false, encoding: .utf8)
        let store = "file://\(directory.path)/store"
        let push = try await Self.assay("push", "model", store, in: directory.path)
        let digest = String(push.output.dropLast().dropFirst(store.count + 1))
        let manifest = "\(directory.path)/store/blobs/sha256/\(digest.dropFirst(7))"
        let long = Date(timeIntervalSince1970: 1_000_000_000)
        try FileManager.default.setAttributes([.modificationDate: long], ofItemAtPath: manifest)
        let taken = try await Self.assay(
            "import", "--store", store, "--digest", digest, "--name", "model", "--scratch-directory", directory.path,
            "--report", directory.path + "/report", in: directory.path)
        #expect(taken.status == .exited(0), "\(taken.error)")
        let time = try FileManager.default.attributesOfItem(atPath: manifest)[.modificationDate] as? Date
        #expect(try #require(time) > long)
    }

    @Test func recordsAreHeldAgainstWhatIsExpected() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try FileManager.default.createDirectory(atPath: directory.path + "/rows", withIntermediateDirectories: false)
        try "alcohol,colour\n12.5,red\n131,blue\n".write(
            toFile: directory.path + "/rows/wine.csv", atomically: false, encoding: .utf8)
        let store = "file://\(directory.path)/store"
        #expect(try await Self.assay("push", "rows", store + ":rows", in: directory.path).status == .exited(0))
        func check(_ expectation: String) async throws -> Answer {
            try expectation.write(toFile: directory.path + "/expect.yaml", atomically: false, encoding: .utf8)
            return try await Self.assay(
                "check", store + ":rows", "--expect", "expect.yaml", in: directory.path)
        }
        let good = try await check("{format: CSV, columns: [{name: alcohol, type: Number}], rows: {min: 2}}")
        #expect(good.status == .exited(0), "\(good.error)")
        #expect(good.output.hasSuffix(":rows: its records are as expected\n"))
        let bad = try await check(
            "{format: CSV, columns: [{name: alcohol, type: Number, max: 20}, {name: colour, type: String, values: [red]}]}"
        )
        #expect(bad.status == .exited(1))
        #expect(
            bad.output.hasSuffix(
                """
                artifact: column alcohol: 1 of 2 values are not 20 or less, first in wine.csv line 3
                artifact: column colour: 1 of 2 values are none of those that are allowed, first in wine.csv line 3

                """), "\(bad.output)")
        #expect(!bad.output.contains("131") && !bad.output.contains("blue"))
        let none = try await check("{format: CSV}")
        #expect(none.status == .exited(64) && none.error.contains("expects nothing"), "\(none.error)")
    }

    @Test(arguments: [
        ("gs://bucket/x", "file:///PATH, oci://HOST/REPOSITORY and s3://BUCKET/PREFIX are"),
        ("s3://Bucket/x", "Bucket is no bucket: its name has 3 to 63 lower-case letters"),
        ("file://relative:x", "the path must be absolute"),
        ("file:///x@sha256:abc", "64 hexadecimal digits"),
    ]) func aNameThatIsNoneIsRefused(_ name: String, _ words: String) async throws {
        let answer = try await Self.assay("pull", name, "/nowhere/at/all", in: "/")
        #expect(answer.status == .exited(64))
        #expect(answer.error.contains(words), "\(answer.error)")
    }
}
