import Files
import JSON
import OpenSSL
import Subprocess
import TestCluster
import Testing

@testable import ArtifactStore

/// Which digest the tag of an image leads to.
@Suite struct RegistryImageTests {
    @Test(arguments: [
        ("wine", "registry-1.docker.io/library/wine", "latest", "index.docker.io"),
        ("wine:1.4", "registry-1.docker.io/library/wine", "1.4", "index.docker.io"),
        ("team/wine:1.4", "registry-1.docker.io/team/wine", "1.4", "index.docker.io"),
        ("docker.io/team/wine", "registry-1.docker.io/team/wine", "latest", "index.docker.io"),
        ("registry.local/wine:1.4", "registry.local/wine", "1.4", "registry.local"),
        ("registry.local:5000/team/wine", "registry.local:5000/team/wine", "latest", "registry.local:5000"),
        ("localhost/wine:x", "localhost/wine", "x", "localhost"),
    ]) func namesAreReadAsAKubeletReadsThem(_ text: String, _ repository: String, _ tag: String, _ host: String) throws
    {
        let image = try RegistryImage(text)
        #expect("\(image.repository)" == repository)
        #expect(image.tag == tag)
        #expect(image.credentialsHost == host)
    }

    @Test(arguments: [
        "", "wine@sha256:\(String(repeating: "a", count: 64))", "Wine", "a b", "registry.local/", "x:", ":1",
    ])
    func whatNamesNoTagOfAnImageIsRefused(_ text: String) {
        #expect(throws: ArtifactError.self) { try RegistryImage(text) }
    }

    @Test(arguments: TestRegistry.Access.allCases) func aTagLeadsToADigest(_ access: TestRegistry.Access) async throws {
        let scratch = try ScratchDirectory()
        try FileSystem.makeDirectories(scratch.path + "/image")
        try FileSystem.write("weights", to: scratch.path + "/image/model.bin")
        try await TestRegistry.with(access) { registry in
            try await registry.running {
                let store = try registry.store()
                let manifest = try await store.seal(scratch.path + "/image", tag: "best")
                #expect(try await store.imageDigest("best") == manifest.digest)
                await #expect(throws: ArtifactError.unknownTag("none")) { try await store.imageDigest("none") }
            }
        }
    }

    // MARK: `assay artifact resolve`

    private struct Answer {
        var status: TerminationStatus
        var error: String
        var report: JSONValue
    }

    private static func resolve(_ request: JSONValue, in directory: String, _ secrets: [String]) async throws -> Answer
    {
        let program = try #require(ProgramUnderTest.assay)
        let report = directory + "/report.json"
        try FileSystem.remove(report)
        try FileSystem.makeDirectories(directory + "/scratch")
        var arguments = [
            "artifact", "resolve", "--store", "file://\(directory)/store", "--request", request.serialized(),
            "--scratch-directory", directory + "/scratch", "--report", report,
        ]
        for secret in secrets { arguments += ["--pull-secret-directory", secret] }
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments([program] + arguments), input: .none, output: .discarded,
            error: .string(limit: 1 << 20))
        let text = FileSystem.text(report) ?? "null"
        return Answer(
            status: result.terminationStatus, error: result.standardError, report: try JSONValue(parsing: text))
    }

    @Test func theProgramAsksWithThePullSecrets() async throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path
        for name in ["image", "good", "bad", "none"] { try FileSystem.makeDirectories("\(path)/\(name)") }
        try FileSystem.write("weights", to: path + "/image/model.bin")
        try await TestRegistry.with { registry in
            try registry.writePullSecret(to: path + "/good")
            try registry.writePullSecret(to: path + "/bad", password: "hunter2")
            try await registry.running {
                let manifest = try await registry.store("team/wine").seal(path + "/image", tag: "1.4")
                let image = "\(registry.host)/team/wine:1.4"
                let request: JSONValue = ["images": [.string(image)], "steps": []]
                let answer = try await Self.resolve(request, in: path, [path + "/none", path + "/bad", path + "/good"])
                #expect(answer.status == .exited(0), "\(answer.error)")
                #expect(answer.report["images", image]?.string == manifest.digest.description)

                let refused = try await Self.resolve(request, in: path, [path + "/bad"])
                #expect(refused.status == .exited(0), "\(refused.error)")
                #expect(refused.report["images"] == [:])
                #expect(refused.report["problem"]?.string?.contains("401") == true, "\(refused.report)")
                #expect(!refused.error.contains("hunter2"))
            }
        }
    }

    /// What a record tells of is taken only while all of it is there.
    @Test func aRecordWhoseOutputIsGoneIsNotTold() async throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path
        try FileSystem.makeDirectories(path + "/model")
        try FileSystem.write("weights", to: path + "/model/model.bin")
        let store = DirectoryStore(path + "/store")
        let model = try await store.seal(path + "/model")
        let output: JSONValue = [
            "name": "model", "digest": .string(model.digest.description), "size": JSONValue(model.size),
        ]
        func request(_ candidate: JSONValue?) -> JSONValue {
            var step: JSONValue = [
                "name": "train", "recipe": "r",
                "images": ["main": .string("sha256:" + String(repeating: "a", count: 64))],
                "inputs": [:], "outputs": ["model"],
            ]
            step["candidate"] = candidate
            return ["images": [], "steps": [step]]
        }
        #expect(try await Self.resolve(request(nil), in: path, []).report["steps"] == [:])
        let candidate: JSONValue = ["outputs": [output], "metrics": #"{"loss": 1}"#, "run": "wine-1"]
        #expect(try await Self.resolve(request(candidate), in: path, []).report["steps", "train"] == candidate)
        // The store knows it from then on.
        let tags = try await store.tags()
        #expect(tags.count == 2 && tags.allSatisfy { $0.hasPrefix("step-") } && tags[1] == tags[0] + ".model")
        #expect(try await Self.resolve(request(nil), in: path, []).report["steps", "train"] == candidate)
        try FileSystem.remove(path + "/store/blobs/sha256/\(model.digest.hex)")
        for candidate in [candidate, nil] {
            let answer = try await Self.resolve(request(candidate), in: path, [])
            #expect(answer.status == .exited(0), "\(answer.error)")
            #expect(answer.report["steps"] == [:])
        }
    }
}
