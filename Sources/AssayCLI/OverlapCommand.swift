import ArgumentParser
import ArtifactStore
import AssayCore
import Files
import JSON
import OpenSSL

/// `assay artifact overlap`: for people, and in the pod that the operator makes for a training with a holdout.
struct OverlapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "overlap",
        abstract: "Tells which rows of a holdout are among what a training reads.",
        discussion: """
            Rows are those of CSV and JSON Lines, or what files row-hashes list. It ends with status 1 where more of them are \
            than --max-overlap allows, and with status 2 where it cannot tell.
            """)

    private static let undecided = ExitCode(2)

    @Option(
        help: ArgumentHelp("The unseen data: file:///srv/data:holdout", valueName: "artifact"),
        transform: ArtifactReference.init)
    var holdout: ArtifactReference?
    @Option(
        name: .customLong("training"), parsing: .singleValue,
        help: ArgumentHelp("What training reads, as often as it reads artifacts.", valueName: "artifact"),
        transform: ArtifactReference.init)
    var training: [ArtifactReference] = []
    @Option(help: ArgumentHelp("Which part of the holdout's rows may be among them.", valueName: "fraction"))
    var maxOverlap: Double = 0
    @Flag(help: "Print the result as JSON.") var json = false

    @Option(help: .hidden, transform: ArtifactReference.init) var store: ArtifactReference?
    @Option(help: .hidden, transform: Self.request) var request: OverlapRequest?
    @Option(help: .hidden) var scratchDirectory: String?
    @Option(help: .hidden) var report = "/dev/termination-log"
    @OptionGroup var access: StoreAccess

    private static func request(_ text: String) throws -> OverlapRequest {
        try OverlapRequest(json: JSONCursor(try JSONValue(parsing: text)))
    }

    func validate() throws {
        guard (0...1).contains(maxOverlap) else { throw ValidationError("--max-overlap: must be from 0 to 1") }
        if request != nil {
            guard store != nil, scratchDirectory != nil else {
                throw ValidationError("--store and --scratch-directory: are required beside --request")
            }
        } else if holdout?.name == nil || training.isEmpty || training.contains(where: { $0.name == nil }) {
            throw ValidationError("name one artifact with --holdout, and one or more with --training")
        }
    }

    mutating func run() async throws {
        let command = self
        if let request, let store, let scratchDirectory {
            try await endingAsStep {
                let place = try command.access.store(store.place)
                var count = OverlapCount(request)
                try await count.compare(request, scratch: scratchDirectory) { _ in place }
                let result = count.result
                print(result.words)
                try FileSystem.write(result.report, to: command.report)
            }
        } else if let holdout {
            do { try await compare(holdout) } catch let error as ExitCode { throw error } catch {
                StandardError.say("\(error)")
                throw Self.undecided
            }
        }
    }

    private func compare(_ holdout: ArtifactReference) async throws {
        let scratch = try TemporaryPlace()
        defer { scratch.remove() }
        var places: [String: ArtifactReference.Place] = [:]
        func artifact(_ reference: ArtifactReference) async throws -> OverlapRequest.Artifact {
            let digest = try await reference.resolve(in: try access.store(reference.place))
            places["\(reference)"] = reference.place
            return OverlapRequest.Artifact(name: "\(reference)", digest: "\(digest)")
        }
        let unseen = try await artifact(holdout)
        var read: [OverlapRequest.Artifact] = []
        for reference in training { read.append(try await artifact(reference)) }
        let request = OverlapRequest(holdout: unseen, training: read)
        var count = OverlapCount(request)
        try await count.compare(request, scratch: scratch.path) { try access.store(places[$0] ?? holdout.place) }
        try tell(count.result)
    }

    private func tell(_ result: Independence) throws {
        if json {
            print(result.json.serialized())
        } else {
            if result.rows != nil { print(result.words) }
            if let message = result.message { print(result.method == .unproven ? "unproven: \(message)" : message) }
        }
        if !result.isWithin(maxOverlap) { throw ExitCode.failure }
        if result.method == .unproven { throw Self.undecided }
    }
}

extension OverlapCount {
    /// Brings one artifact after the other, and reads it.
    fileprivate mutating func compare(
        _ request: OverlapRequest, scratch: String, _ store: (String) throws -> any BlobStore
    ) async throws {
        let directory = "\(scratch)/.overlap"
        func bring(_ artifact: OverlapRequest.Artifact) async throws -> [ArtifactFile] {
            guard let digest = Digest(artifact.digest) else {
                throw ValidationError("\(artifact.digest): must be sha256: and 64 hexadecimal digits")
            }
            try FileSystem.remove(directory)
            try await store(artifact.name).fetch(
                digest, to: directory, TransferProgress("fetched of \(artifact.name)").add)
            return try ArtifactFile.files(in: directory)
        }
        try readHoldout(try await bring(request.holdout))
        guard isComparable else { return }
        // One that has several names is brought once.
        let indices = Dictionary(grouping: request.training.indices) { request.training[$0].digest }
        for index in request.training.indices {
            guard let same = indices[request.training[index].digest], same.first == index else { continue }
            let files = try await bring(request.training[index])
            for index in same { try readTraining(index, files) }
        }
        try FileSystem.remove(directory)
    }
}

extension ArtifactFile {
    /// All files in a directory. Links are not followed: what they lead to is a file of the artifact too.
    fileprivate static func files(in directory: String, below prefix: String = "") throws(FileError) -> [ArtifactFile] {
        var result: [ArtifactFile] = []
        for name in try FileSystem.entries(directory) {
            let path = "\(directory)/\(name)"
            switch FileSystem.kind(path, followingLinks: false) {
            case .directory: result += try files(in: path, below: "\(prefix)\(name)/")
            case .file:
                result.append(ArtifactFile(name: prefix + name) { take in try FileSystem.readWhile(path) { take($0) } })
            default: break
            }
        }
        return result
    }
}
