import ArgumentParser
import ArtifactStore
import AssayCore
import Files
import JSON
import OpenSSL

/// What writes a judged run into the store, in a pod of its own.
struct RecordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record", abstract: "Keeps what a judged run was, in a pod of its own.", shouldDisplay: false)

    @Option(help: "The store, without a name in it.", transform: ArtifactReference.init) var store: ArtifactReference
    @Option(help: ArgumentHelp("What to write.", valueName: "json"), transform: Self.request) var request: RecordRequest
    @Option(help: "Where files may be written for as long as it runs.") var scratchDirectory: String
    @Option(help: "The file that the record's digest is written to.") var report = "/dev/termination-log"
    @OptionGroup var access: StoreAccess

    private static func request(_ text: String) throws -> RecordRequest {
        try RecordRequest(json: JSONCursor(try JSONValue(parsing: text)))
    }

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.write() }
    }

    private func write() async throws {
        let place = try access.store(store.place)
        for (key, made) in request.steps.sorted(by: { $0.key < $1.key }) {
            for output in made.outputs {
                guard let digest = Digest(output.digest) else { continue }
                try await place.add(try await place.manifest(digest), tag: StepKey.tag(of: output.name, key: key))
            }
            try await place.keep(made, key: key, scratch: scratchDirectory)
        }
        let manifest = try await place.keep(
            request.record.json, file: RevisionRecord.fileName, tag: request.tag, scratch: scratchDirectory)
        print("\(request.tag) is \(manifest.digest)")
        try FileSystem.write(manifest.digest.description, to: report)
    }
}

/// What reads an artifact that was made elsewhere, every byte of it, and says what it is.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Reads an artifact that was made elsewhere, in a pod of its own.",
        shouldDisplay: false)

    @Option(help: "The store, without a name in it.", transform: ArtifactReference.init) var store: ArtifactReference
    @Option(help: "The artifact.", transform: Self.digest) var digest: Digest
    @Option(help: "What it is called if it is a model.") var name: String
    @Option(help: "Where files may be written for as long as it runs.") var scratchDirectory: String
    @Option(help: "The file that is told what it is.") var report = "/dev/termination-log"
    @OptionGroup var access: StoreAccess

    private static func digest(_ text: String) throws -> Digest {
        guard let digest = Digest(text) else {
            throw ValidationError("\(text): must be sha256: and 64 hexadecimal digits")
        }
        return digest
    }

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.read() }
    }

    private func read() async throws {
        let place = try access.store(store.place)
        let manifest = try await place.check(digest)
        print("\(digest) is whole, \(manifest.size) bytes")
        await use(digest, in: place)
        let found: ImportReport
        if let record = try await record(manifest, in: place) {
            found = ImportReport(record, digest: digest.description, artifacts: try await those(of: record, in: place))
        } else {
            found = ImportReport(
                model: SealedArtifact(name: name, digest: digest.description, size: Int64(manifest.size)))
        }
        try FileSystem.write(found.json.serialized(), to: report)
    }

    /// So that nobody removes it who takes himself for the only one that had it. Who may only read the store has to see to
    /// that by a tag.
    private func use(_ digest: Digest, in place: any BlobStore) async {
        do { _ = try await place.touch(digest) } catch { print("\(digest) is not marked as used: \(error)") }
    }

    /// Nil for a model.
    private func record(_ manifest: ArtifactManifest, in place: any BlobStore) async throws -> RevisionRecord? {
        // A tar archive of one file has some blocks around it.
        guard manifest.size <= RevisionRecord.longest + 10_240 else { return nil }
        let directory = "\(scratchDirectory)/.import"
        try FileSystem.remove(directory)
        try await place.fetch(digest, to: directory)
        guard try FileSystem.entries(directory) == [RevisionRecord.fileName] else { return nil }
        guard let text = FileSystem.text("\(directory)/\(RevisionRecord.fileName)"),
            let record = RevisionRecord(text: text)
        else { throw ArtifactError.malformed("\(digest): \(RevisionRecord.fileName) is no record that is known here") }
        return record
    }

    /// Those that were copied with it: of all that was made on the way, a server needs only some.
    private func those(of record: RevisionRecord, in place: any BlobStore) async throws -> [SealedArtifact] {
        var result: [SealedArtifact] = []
        for artifact in record.artifacts {
            guard let digest = Digest(artifact.digest) else { continue }
            do throws(ArtifactError) { _ = try await place.manifest(digest) } catch {
                if case .store = error { throw error }
                print("\(artifact.name) is not here: \(error)")
                continue
            }
            _ = try await place.check(digest)
            await use(digest, in: place)
            print("\(artifact.name) is \(digest), and whole")
            result.append(artifact)
        }
        return result
    }
}

extension BlobStore {
    /// Keeps a document as an artifact of one file.
    func keep(_ document: JSONValue, file: String, tag: String, scratch: String) async throws -> ArtifactManifest {
        let directory = "\(scratch)/.record"
        try FileSystem.remove(directory)
        try FileSystem.makeDirectories(directory)
        try FileSystem.write(document.serialized(), to: "\(directory)/\(file)")
        return try await seal(directory, tag: tag)
    }

    /// Keeps what came of a step under its key, after its outputs.
    func keep(_ record: StepRecord, key: String, scratch: String) async throws {
        _ = try await keep(record.json, file: StepRecord.fileName, tag: key, scratch: scratch)
    }

    /// The text of such an artifact; nil where there is none that can be read.
    func record(
        tagged tag: String, file: String, scratch: String
    ) async throws(ArtifactError) -> (digest: Digest, text: String)? {
        let digest: Digest
        do throws(ArtifactError) { digest = try await resolve(tag) } catch {
            if case .unknownTag = error { return nil }
            throw error
        }
        let directory = "\(scratch)/.record"
        do throws(ArtifactError) {
            do { try FileSystem.remove(directory) } catch { throw .file(error) }
            // It is somebody else's: no more is unpacked than one has.
            try await fetch(digest, to: directory, limits: ArchiveLimits(entries: 4, bytes: RevisionRecord.longest))
        } catch {
            if case .store = error { throw error }
            StandardError.say("\(tag): \(error)")
            return nil
        }
        return FileSystem.text("\(directory)/\(file)").map { (digest, $0) }
    }
}
