import FoundationEssentials
import JSON
import Subprocess
import TestCluster
import Testing
import YAML

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A kubectl of this machine, as the renderer of kustomizations.
struct Rendering: Sendable, CustomTestStringConvertible {
    let kubectl: String
    var testDescription: String { kubectl }

    /// The kubectls that are installed, and those that `KUBECTLS` names (paths, separated by colons).
    static let all: [Rendering] = {
        let named = getenv("KUBECTLS").map { String(cString: $0).split(separator: ":").map(String.init) } ?? []
        return (["/usr/bin/kubectl", "/usr/local/bin/kubectl"] + named).filter { access($0, X_OK) == 0 }
            .map { Rendering(kubectl: $0) }
    }()

    /// What `scripts/render` prints.
    func install() async throws -> String {
        try await output(of: "\(ProgramUnderTest.repository)/scripts/render", [])
    }

    /// The documents of a directory's kustomization.
    func documents(_ directory: String) async throws -> [JSONValue] {
        try JSONValue.documents(yaml: await output(of: kubectl, ["kustomize", directory]))
    }

    private func output(of program: String, _ arguments: [String]) async throws -> String {
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments([program] + arguments),
            environment: .inherit.updating(["KUBECTL": kubectl]),
            input: .none, output: .string(limit: 4 << 20), error: .string(limit: 1 << 20))
        try #require(result.terminationStatus.isSuccess, "\(program) \(arguments): \(result.standardError)")
        return result.standardOutput
    }
}

/// The manifests in a directory of their own, for kustomizations that build on them as users' do.
struct UserRepository: Sendable {
    let directory = "/tmp/assay-manifests-\(UInt64.random(in: .min ... .max))"

    init() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for name in ["manifests", "crds", "examples"] {
            try FileManager.default.copyItem(
                atPath: "\(ProgramUnderTest.repository)/\(name)", toPath: "\(directory)/\(name)")
        }
    }

    /// Writes a directory of files and returns its path.
    func write(_ name: String, _ files: [String: String]) throws -> String {
        let path = "\(directory)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (file, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(path)/\(file)")) }
        return path
    }

    func remove() {
        do {
            try FileManager.default.removeItem(atPath: directory)
        } catch {
            Issue.record("\(directory) cannot be removed: \(error)")
        }
    }
}

extension [JSONValue] {
    func of(kind: String) -> [JSONValue] { filter { $0["kind"]?.string == kind } }

    func first(kind: String) throws -> JSONValue { try #require(of(kind: kind).first, "no \(kind)") }
}
