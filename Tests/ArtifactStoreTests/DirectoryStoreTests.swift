import Files
import Glibc
import OpenSSL
import Testing

@testable import ArtifactStore

@Suite struct DirectoryStoreTests {
    private let scratch: ScratchDirectory
    private let store: DirectoryStore
    private let source: String
    private let target: String

    init() throws {
        scratch = try ScratchDirectory()
        store = DirectoryStore(scratch.path + "/store")
        (source, target) = (scratch.path + "/source", scratch.path + "/target")
        try FileSystem.makeDirectories(source + "/scaler")
        try FileSystem.write("weights", to: source + "/model.bin")
        try FileSystem.write("mean 3", to: source + "/scaler/statistics.txt")
    }

    private func text(_ path: String) throws -> String {
        String(decoding: try FileSystem.contents(path), as: UTF8.self)
    }

    private func blobs() throws -> [String] { try FileSystem.entries(store.root + "/blobs/sha256") }

    @Test func whatWasSealedIsFetchedBitForBit() async throws {
        let manifest = try await store.seal(source)
        try await store.fetch(manifest.digest, to: target)
        #expect(try text(target + "/model.bin") == "weights")
        #expect(try text(target + "/scaler/statistics.txt") == "mean 3")
        #expect(try await store.seal(target).digest == manifest.digest)
        #expect(try await store.check(manifest.digest) == manifest)
        // A layer, its configuration and its manifest; and nothing half done.
        #expect(try blobs().count == 3)
        #expect(try FileSystem.entries(store.root + "/uploads").isEmpty)
        // The format is part of every digest ever given.
        #expect(
            manifest.digest.description
                == "sha256:7fdcec4743440c0ccfea23ee366ff56090bf9191e296d1cff9183c889e3d08cb")
    }

    @Test func aManifestIsReadAsItWasWritten() async throws {
        let manifest = try await store.seal(source)
        #expect(try ArtifactManifest(bytes: manifest.bytes) == manifest)
        #expect(try await store.manifest(manifest.digest) == manifest)
    }

    @Test(arguments: ["changed", "longer", "shorter", "gone"]) func whatIsBrokenIsNotFetched(_ how: String) async throws
    {
        let manifest = try await store.seal(source)
        let layer = try #require(manifest.layers.first)
        let path = store.path(of: layer.digest)
        var bytes = try FileSystem.contents(path)
        let answer: String
        switch how {
        case "changed":
            bytes[600] ^= 1
            answer = "was changed, or is broken"
        case "longer":
            bytes += [UInt8](repeating: 0, count: 512)
            answer = "is more than its 3584 bytes"
        case "shorter":
            bytes.removeLast(512)
            answer = "was changed, or is broken"
        default: answer = "the store has no \(layer.digest)"
        }
        if how == "gone" { unlink(path) } else { try FileSystem.write(bytes, to: path) }
        let acts: [() async throws -> Void] = [
            { try await store.fetch(manifest.digest, to: target) }, { _ = try await store.check(manifest.digest) },
        ]
        for act in acts {
            do {
                try await act()
                Issue.record("it was taken")
            } catch {
                #expect("\(error)".contains(answer), "\(error)")
            }
        }
        #expect(try FileSystem.entries(target).isEmpty, "nothing half done is left")
    }

    @Test func aManifestThatIsAnothersIsNotTaken() async throws {
        let digest = try await store.seal(source).digest
        try FileSystem.write("{}", to: store.path(of: digest))
        await #expect(throws: ArtifactError.self) { try await store.manifest(digest) }
        let missing = Digest(of: [1, 2, 3])
        await #expect(throws: ArtifactError.missing(missing)) { try await store.manifest(missing) }
    }

    /// A layer of a foreign image is told from a wrong one.
    @Test func theManifestOfACompressedImageSaysWhatToDo() async throws {
        let text =
            #"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\#(Digest(of: []))","size":0},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"\#(Digest(of: []))","size":0}]}"#
        do {
            _ = try ArtifactManifest(bytes: Array(text.utf8))
            Issue.record("it was taken")
        } catch {
            #expect("\(error)".contains("assay artifact push"))
        }
    }

    /// Breaks off after some bytes.
    private struct CutContent: BlobContent {
        var cut: Int
        var known: ArtifactManifest.Blob? { nil }

        func pieces(
            _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
        ) async throws(ArtifactError) {
            try await WholeContent([UInt8](repeating: 7, count: cut)).pieces(take)
            throw .archive(ArchiveError("x", .cutOff))
        }
    }

    /// However far it came, what fails leaves no blob.
    @Test func whatIsCutOffLeavesNothing() async throws {
        for cut in [0, 1, 5000, 1 << 20, 3 << 20] {
            await #expect(throws: ArtifactError.archive(ArchiveError("x", .cutOff))) {
                try await store.add(CutContent(cut: cut)) { _ in }
            }
            #expect(FileSystem.kind(store.root + "/blobs") == nil)
            #expect(try FileSystem.entries(store.root + "/uploads").isEmpty)
        }
    }

    @Test func anEmptyDirectoryIsNoArtifactAndAFullOneIsNotFetchedInto() async throws {
        let digest = try await store.seal(source).digest
        try FileSystem.makeDirectories(target)
        await #expect(throws: ArtifactError.empty(target)) { try await store.seal(target) }
        try FileSystem.write("mine", to: target + "/mine")
        await #expect(throws: ArtifactError.occupied(target)) { try await store.fetch(digest, to: target) }
        #expect(try text(target + "/mine") == "mine")
    }

    @Test func limitsHoldForAllLayersTogether() async throws {
        let digest = try await store.seal(source).digest
        await #expect(throws: ArtifactError.archive(ArchiveError("", .tooManyBytes(12)))) {
            try await store.fetch(digest, to: target, limits: ArchiveLimits(bytes: 12))
        }
        #expect(try FileSystem.entries(target).isEmpty)
        try await store.fetch(digest, to: target, limits: ArchiveLimits(entries: 3, bytes: 13))
    }

    @Test func tagsNameArtifacts() async throws {
        let first = try await store.seal(source, tag: "wine").digest
        try FileSystem.write("other weights", to: source + "/model.bin")
        let second = try await store.seal(source, tag: "wine.2")
        #expect(try await store.resolve("wine") == first)
        try await store.add(second, tag: "wine")
        #expect(try await store.resolve("wine") == second.digest)
        #expect(try await store.tags() == ["wine", "wine.2"])
        await #expect(throws: ArtifactError.unknownTag("beer")) { try await store.resolve("beer") }
        for name in ["", ".", "..", "../x", "a/b", "-a", "a b", String(repeating: "a", count: 129)] {
            await #expect(throws: ArtifactError.invalidTag(name)) { try await store.add(second, tag: name) }
        }
    }

    @Test func anArtifactIsTheSameInAnotherStore() async throws {
        let other = DirectoryStore(scratch.path + "/other")
        let manifest = try await store.seal(source)
        #expect(try await other.copy(manifest.digest, from: store, tag: "wine") == manifest)
        #expect(try await other.check(try await other.resolve("wine")) == manifest)
        try FileSystem.write("x", to: store.path(of: manifest.layers[0].digest))
        let third = DirectoryStore(scratch.path + "/third")
        await #expect(throws: ArtifactError.self) { try await third.copy(manifest.digest, from: store) }
        await #expect(throws: ArtifactError.missing(manifest.digest)) { try await third.manifest(manifest.digest) }
    }

    /// The order of the layers and their borders are part of the digest.
    @Test func largeArtifactsAreDivided() async throws {
        func entries(_ sizes: [Int]) throws -> [ArchiveEntry] {
            try sizes.enumerated().map { index, size in
                try ArchiveEntry(ArchivePath("f\(index)"), .file(size: size, isExecutable: false))
            }
        }
        let megabyte = 1 << 20
        func counts(_ sizes: [Int]) throws -> [Int] { LayerDivision.layers(try entries(sizes)).map(\.count) }
        #expect(try counts([1, 2, 3]) == [3])
        #expect(try counts([64 * megabyte, 1]) == [1, 1])
        #expect(try counts([1, 64 * megabyte, 1]) == [2, 1])
        #expect(try counts([63 * megabyte, megabyte, megabyte]) == [2, 1])
        #expect(try counts([64 * megabyte]) == [1])
        #expect(try counts([Int](repeating: 100 * megabyte, count: 1000)).count <= LayerDivision.most + 1)
    }
}
