import CLinux
import Concurrency
import Files
import Glibc
import KubernetesModel
import OpenSSL
import Testing

@testable import ArtifactStore

/// Directories that forget.
@Suite struct DirectoryRemovalTests {
    private let scratch: ScratchDirectory
    private let store: DirectoryStore

    init() throws {
        scratch = try ScratchDirectory()
        store = DirectoryStore(scratch.path + "/store")
    }

    private static let hourAgo = Timestamp(seconds: Int64(time(nil)) - 3600)

    private func seal(_ text: String, tag: String? = nil) async throws -> ArtifactManifest {
        let source = scratch.path + "/source"
        try FileSystem.remove(source)
        try FileSystem.makeDirectories(source)
        try FileSystem.write(text, to: source + "/model.bin")
        return try await store.seal(source, tag: tag)
    }

    /// Makes all that is there a day old.
    private func age() throws {
        for directory in ["blobs/sha256", "tags"] where FileSystem.kind("\(store.root)/\(directory)") != nil {
            for name in try FileSystem.entries("\(store.root)/\(directory)") { try age("\(directory)/\(name)") }
        }
    }

    private func age(_ name: String) throws {
        let moment = timespec(tv_sec: time(nil) - 86_400, tv_nsec: 0)
        #expect(utimensat(AT_FDCWD, "\(store.root)/\(name)", [moment, moment], 0) == 0)
    }

    private func collect(keeping kept: Set<Digest>) async throws -> (removal: Removal, freed: Int) {
        let inventory = try await store.inventory()
        let removal = inventory.garbage(keeping: kept, unlessSince: Self.hourAgo, resultTags)
        let freed = try await store.carryOut(
            removal, of: inventory, unlessSince: Self.hourAgo, blobsUnlessSince: Self.hourAgo
        ) { _ in }
        return (removal, freed)
    }

    private func files() throws -> [String] { try FileSystem.entries(store.root + "/blobs/sha256") }

    @Test func whatNobodyRefersToGoesToTheLastByte() async throws {
        let first = try await seal("first", tag: "step-a.model")
        _ = try await seal("record", tag: "step-a")
        let second = try await seal("second")
        let third = try await seal("third", tag: "best")
        try age()
        let young = try await seal("young")
        let before = try files()
        let (removal, freed) = try await collect(keeping: [second.digest])
        #expect(removal.artifacts.count == 2)
        #expect(freed > first.size)
        #expect(try files().count == before.count - 6, "each of a manifest, a configuration and a layer")
        for manifest in [second, third, young] { #expect(try await store.check(manifest.digest) == manifest) }
        await #expect(throws: ArtifactError.missing(first.digest)) { try await store.manifest(first.digest) }
        #expect(try await store.tags() == ["best"])
        #expect(try FileSystem.entries(store.root + "/uploads").isEmpty)
        #expect(try await collect(keeping: [second.digest]).removal.isEmpty)
    }

    /// What a process was writing that was killed, unless it may still be written.
    @Test func uploadsThatCameToNoEndAreGivenUp() async throws {
        let manifest = try await seal("first", tag: "best")
        for name in ["old", "new"] { try FileSystem.write("part of a blob", to: store.root + "/uploads/" + name) }
        try age("uploads/old")
        #expect(try await store.abandonUploads(unlessSince: Self.hourAgo) == 1)
        #expect(try FileSystem.entries(store.root + "/uploads") == ["new"])
        #expect(try await store.abandonUploads(unlessSince: nil) == 1)
        #expect(try await store.check(manifest.digest) == manifest)
        #expect(try await DirectoryStore(scratch.path + "/none").abandonUploads(unlessSince: nil) == 0)
    }

    /// A seal that finds everything there already, between the look and the removal.
    @Test func whatIsSealedAgainMeanwhileStaysWhole() async throws {
        let manifest = try await seal("first", tag: "step-a.model")
        try age()
        let inventory = try await store.inventory()
        let removal = inventory.garbage(keeping: [], unlessSince: Self.hourAgo, resultTags)
        #expect(removal.artifacts.map(\.digest) == [manifest.digest] && removal.blobs.count == 2)
        _ = try await seal("first", tag: "step-a.model")
        let freed = try await store.carryOut(
            removal, of: inventory, unlessSince: Self.hourAgo, blobsUnlessSince: Self.hourAgo
        ) { _ in Issue.record("it was removed") }
        #expect(freed == 0)
        #expect(try await store.check(try await store.resolve("step-a.model")) == manifest)
    }

    @Test func whatWasFoundForReuseMeanwhileStaysWhole() async throws {
        let manifest = try await seal("first")
        try age()
        let inventory = try await store.inventory()
        let removal = inventory.garbage(keeping: [], unlessSince: Self.hourAgo, resultTags)
        #expect(try await store.touch(manifest.digest))
        _ = try await store.carryOut(removal, of: inventory, unlessSince: Self.hourAgo, blobsUnlessSince: Self.hourAgo)
        {
            _ in
        }
        #expect(try await store.check(manifest.digest) == manifest)
        #expect(try await store.touch(Digest(of: [])) == false)
    }

    /// Whoever removes may be killed between any two steps: what can still be found is whole.
    @Test func whateverEndsItLeavesNoHalfArtifactThatCanBeFound() async throws {
        var step = 0
        while true {
            try FileSystem.remove(store.root)
            _ = try await seal("first", tag: "step-a.model")
            _ = try await seal("record", tag: "step-a")
            try age()
            let dying = DyingStore(base: store, step: step)
            let inventory = try await store.inventory()
            let removal = inventory.garbage(keeping: [], unlessSince: Self.hourAgo, resultTags)
            do throws(ArtifactError) {
                _ = try await dying.carryOut(
                    removal, of: inventory, unlessSince: Self.hourAgo, blobsUnlessSince: Self.hourAgo
                ) { _ in }
                break
            } catch {
                #expect(error == .malformed("it was killed"))
            }
            for tag in try await store.tags() { _ = try await store.check(try await store.resolve(tag)) }
            for digest in try await store.inventory().artifacts.keys { _ = try await store.check(digest) }
            let tags = try await store.tags()
            #expect(!tags.contains("step-a") || tags.contains("step-a.model"), "the record goes first")
            step += 1
        }
        #expect(step == 2 + 2 + 4, "two tags, two manifests, and two parts of each")
        #expect(try files().isEmpty)
    }

    /// Who was killed after it had taken a blob aside that somebody had just kept.
    @Test func whatWasTakenAsideIsPutBack() async throws {
        let manifest = try await seal("first", tag: "best")
        let layer = manifest.layers[0].digest
        #expect(rename(store.path(of: layer), "\(store.root)/uploads/removed-blob-\(layer.hex)") == 0)
        #expect(rename("\(store.root)/tags/best", "\(store.root)/uploads/removed-tag-best") == 0)
        _ = try await store.inventory()
        #expect(try await store.check(try await store.resolve("best")) == manifest)
        #expect(try FileSystem.entries(store.root + "/uploads").isEmpty)
    }

    /// Where nobody knows what an artifact consists of, nothing is removed at all.
    @Test func aBrokenArtifactWithATagStopsIt() async throws {
        let manifest = try await seal("first", tag: "best")
        try FileSystem.write("{}", to: store.path(of: manifest.digest))
        await #expect(throws: ArtifactError.self) { try await store.inventory() }
    }
}

/// Fails at one removal.
private struct DyingStore: BlobStore {
    let base: DirectoryStore
    let step: Int
    private let done = Counter()

    init(base: DirectoryStore, step: Int) {
        self.base = base
        self.step = step
    }

    private func count() throws(ArtifactError) {
        guard done.next() != step else { throw .malformed("it was killed") }
    }

    func remove(tag: String, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try count()
        return try await base.remove(tag: tag, unlessSince: time)
    }

    func remove(_ digest: Digest, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try count()
        return try await base.remove(digest, unlessSince: time)
    }

    func add(_ content: any BlobContent, _ progress: @escaping Progress) async throws(ArtifactError)
        -> ArtifactManifest.Blob
    { try await base.add(content, progress) }
    func pieces(
        of blob: ArtifactManifest.Blob, _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) { try await base.pieces(of: blob, take) }
    func add(_ manifest: ArtifactManifest, tag: String?) async throws(ArtifactError) {
        try await base.add(manifest, tag: tag)
    }
    func manifest(_ digest: Digest) async throws(ArtifactError) -> ArtifactManifest { try await base.manifest(digest) }
    func resolve(_ tag: String) async throws(ArtifactError) -> Digest { try await base.resolve(tag) }
    func tags() async throws(ArtifactError) -> [String] { try await base.tags() }
    func touch(_ digest: Digest) async throws(ArtifactError) -> Bool { try await base.touch(digest) }
    func contents() async throws(ArtifactError) -> [StoredBlob]? { try await base.contents() }
    func abandonUploads(unlessSince time: Timestamp?) async throws(ArtifactError) -> Int {
        try await base.abandonUploads(unlessSince: time)
    }
}

private final class Counter: Sendable {
    private let value = Locked(0)

    func next() -> Int {
        value.withLock { value in
            defer { value += 1 }
            return value
        }
    }
}
