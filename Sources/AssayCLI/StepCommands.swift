import ArgumentParser
import ArtifactStore
import AssayCore
import Files
import FoundationEssentials
import Glibc
import JSON
import Logging
import OpenSSL

/// What runs before the container of a step or of a server: empties its directories and brings its inputs.
struct FetchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch", abstract: "Brings the inputs of a step or a server, in its pod.",
        discussion: "It ends with status 3 where it would come to the same if it were tried again.",
        shouldDisplay: false)

    @Option(help: "The store, without a name in it.", transform: ArtifactReference.init) var store: ArtifactReference?
    @Option(help: "Where the inputs go, each in a directory of its name.") var inputsDirectory: String
    @Option(
        name: .customLong("input"), parsing: .singleValue,
        help: ArgumentHelp("An input and its digest.", valueName: "name=digest"), transform: StepInput.init)
    var inputs: [StepInput] = []
    @Option(help: ArgumentHelp("The step's parameters.", valueName: "json")) var parameters: String?
    @Option(help: "Where the step leaves its outputs.") var outputsDirectory: String?
    @Option(name: .customLong("output"), parsing: .singleValue, help: "An output.") var outputs: [String] = []
    @OptionGroup var access: StoreAccess

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.fetch() }
    }

    private func fetch() async throws {
        // A node that starts a pod anew runs all of its containers again.
        try Self.empty(inputsDirectory)
        if let outputsDirectory {
            try Self.empty(outputsDirectory)
            for name in outputs {
                let path = "\(outputsDirectory)/\(name)"
                try FileSystem.makeDirectories(path)
                // Whoever the step runs as, it writes here.
                guard chmod(path, 0o777) == 0 else { throw FileError("change mode of", path) }
            }
        }
        if let parameters { try FileSystem.write(parameters, to: "\(inputsDirectory)/parameters.json") }
        guard !inputs.isEmpty else { return }
        guard let store else { throw ValidationError("--store: is required, for there are inputs") }
        let place = try access.store(store.place)
        for input in inputs {
            let progress = TransferProgress("fetched of \(input.name)")
            try await place.fetch(input.digest, to: "\(inputsDirectory)/\(input.name)", progress.add)
            print("\(input.name) is \(input.digest)")
        }
    }

    private static func empty(_ directory: String) throws(FileError) {
        try FileSystem.makeDirectories(directory)
        for name in try FileSystem.entries(directory) { try FileSystem.remove("\(directory)/\(name)") }
    }
}

struct StepInput: Sendable {
    var name: String
    var digest: Digest

    init(_ text: String) throws {
        guard let mark = text.firstIndex(of: "="), let digest = Digest(String(text[text.index(after: mark)...])) else {
            throw ValidationError("\(text): must be a name, =, and sha256: with 64 hexadecimal digits")
        }
        name = String(text[..<mark])
        self.digest = digest
    }
}

/// What runs after the container of a step: keeps its outputs in the store, and says under which digests.
struct SealCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seal", abstract: "Keeps the outputs of a step, in its pod.",
        discussion: "It ends with status 3 where it would come to the same if it were tried again.",
        shouldDisplay: false)

    @Option(help: "The store, without a name in it.", transform: ArtifactReference.init) var store: ArtifactReference
    @Option(help: "Where the step has left its outputs, each in a directory of its name.") var outputsDirectory: String
    @Option(name: .customLong("output"), parsing: .singleValue, help: "An output.") var outputs: [String]
    @Option(help: "The file that the digests are written to.") var report = "/dev/termination-log"
    @OptionGroup var access: StoreAccess

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.seal() }
    }

    private func seal() async throws {
        let place = try access.store(store.place)
        var sealed: [SealedArtifact] = []
        for name in outputs {
            let progress = TransferProgress("stored of \(name)")
            let manifest = try await place.seal("\(outputsDirectory)/\(name)", progress.add)
            print("\(name) is \(manifest.digest), \(manifest.size) bytes")
            sealed.append(SealedArtifact(name: name, digest: manifest.digest.description, size: Int64(manifest.size)))
        }
        // Last, and at once: who reads it may take all of it as kept.
        try FileSystem.write(SealReport(outputs: sealed).json.serialized(), to: report)
    }
}

/// Runs the work of one of our containers. What went wrong is said last, where the pod's status takes it from.
private func endingAsStep(_ work: @Sendable () async throws -> Void) async throws {
    do {
        try await work()
    } catch let error as ArtifactError {
        StandardError.say("\(error)")
        throw ExitCode(StepExit.permanentFailure)
    } catch let error as FileError {
        StandardError.say("\(error)")
        throw ExitCode(StepExit.permanentFailure)
    }
}
