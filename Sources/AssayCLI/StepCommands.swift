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
    @Option(help: "The file that the step has written metrics to, if it has.") var metricsFile: String?
    @Option(help: "What the step was told in ASSAY_RUN.") var run: String?
    @Option(help: "The tag by which the result is found again; none is given unless told.") var key: String?
    @Option(
        name: .customLong("expectation"), parsing: .singleValue,
        help: ArgumentHelp("What an output has to be like to be kept.", valueName: "json"),
        transform: Self.expectation)
    var expectations: [DataExpectation] = []
    @Option(help: "Where files may be written for as long as it runs.") var scratchDirectory: String?
    @Option(help: "Which of the step's pods this is, from 0; the first alone keeps its outputs.") var rank = 0
    @Option(help: "The file that the digests are written to.") var report = "/dev/termination-log"
    @OptionGroup var access: StoreAccess

    private static func expectation(_ text: String) throws -> DataExpectation {
        try DataExpectation(json: JSONCursor(try JSONValue(parsing: text)))
    }

    func validate() throws {
        guard key == nil || scratchDirectory != nil else {
            throw ValidationError("--scratch-directory: is required beside --key")
        }
    }

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.seal() }
    }

    private func seal() async throws {
        guard rank == 0 else {
            print("the pod of rank 0 keeps the outputs; this one is of rank \(rank)")
            return
        }
        for expectation in expectations {
            try DataCheck.check("\(outputsDirectory)/\(expectation.output)", expectation)
        }
        let place = try access.store(store.place)
        var sealed: [SealedArtifact] = []
        for name in outputs {
            let progress = TransferProgress("stored of \(name)")
            let tag = key.map { StepKey.tag(of: name, key: $0) }
            let manifest = try await place.seal("\(outputsDirectory)/\(name)", tag: tag, progress.add)
            print("\(name) is \(manifest.digest), \(manifest.size) bytes")
            sealed.append(SealedArtifact(name: name, digest: manifest.digest.description, size: Int64(manifest.size)))
        }
        let record = try record(of: sealed)
        // After the outputs: who finds the record finds them too.
        if let key, let scratchDirectory { try await place.keep(record, key: key, scratch: scratchDirectory) }
        // Last, and at once: who reads it may take all of it as kept.
        try FileSystem.write(record.json.serialized(), to: report)
    }

    /// Whatever the metrics file is, what was trained is kept. A link is not followed: here it would lead to files of ours.
    private func record(of sealed: [SealedArtifact]) throws -> StepRecord {
        guard let metricsFile, let kind = FileSystem.kind(metricsFile, followingLinks: false) else {
            return StepRecord(outputs: sealed, run: run)
        }
        let size = try FileSystem.size(metricsFile)
        guard kind == .file, size <= 1 << 20 else {
            let problem = kind == .file ? "ASSAY_METRICS_FILE has \(size) bytes" : "ASSAY_METRICS_FILE is no file"
            return StepRecord(outputs: sealed, metricsProblem: problem, run: run)
        }
        let text = String(decoding: try FileSystem.contents(metricsFile), as: UTF8.self)
        return StepRecord(outputs: sealed, metricsFile: text, run: run)
    }
}

/// Runs the work of one of our containers. What went wrong is said last, where the pod's status takes it from.
func endingAsStep(_ work: @Sendable () async throws -> Void) async throws {
    do {
        try await work()
    } catch let error as ArtifactError {
        StandardError.say("\(error)")
        throw ExitCode(StepExit.permanentFailure)
    } catch let error as FileError {
        StandardError.say("\(error)")
        throw ExitCode(StepExit.permanentFailure)
    } catch let error as UnexpectedData {
        StandardError.say("\(error)")
        throw ExitCode(StepExit.permanentFailure)
    }
}
