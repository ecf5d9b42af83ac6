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

    @Test func whatWasSealedIsFetchedBitForBit() throws {
        let manifest = try store.seal(source)
        try store.fetch(manifest.digest, to: target)
        #expect(try text(target + "/model.bin") == "weights")
        #expect(try text(target + "/scaler/statistics.txt") == "mean 3")
        #expect(try store.seal(target).digest == manifest.digest)
        #expect(try store.check(manifest.digest) == manifest)
        // A layer, its configuration and its manifest; and nothing half done.
        #expect(try blobs().count == 3)
        #expect(try FileSystem.entries(store.root + "/uploads").isEmpty)
        // The format is part of every digest ever given.
        #expect(
            manifest.digest.description
                == "sha256:7fdcec4743440c0ccfea23ee366ff56090bf9191e296d1cff9183c889e3d08cb")
    }

    @Test func aManifestIsReadAsItWasWritten() throws {
        let manifest = try store.seal(source)
        #expect(try ArtifactManifest(bytes: manifest.bytes) == manifest)
        #expect(try store.manifest(manifest.digest) == manifest)
    }

    @Test(arguments: ["changed", "longer", "shorter", "gone"]) func whatIsBrokenIsNotFetched(_ how: String) throws {
        let manifest = try store.seal(source)
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
            answer = "was changed, or is broken"
        case "shorter":
            bytes.removeLast(512)
            answer = "was changed, or is broken"
        default: answer = "the store has no \(layer.digest)"
        }
        if how == "gone" { unlink(path) } else { try FileSystem.write(bytes, to: path) }
        for act in [{ try store.fetch(manifest.digest, to: target) }, { _ = try store.check(manifest.digest) }] {
            do {
                try act()
                Issue.record("it was taken")
            } catch {
                #expect("\(error)".contains(answer), "\(error)")
            }
        }
        #expect(try FileSystem.entries(target).isEmpty, "nothing half done is left")
    }

    @Test func aManifestThatIsAnothersIsNotTaken() throws {
        let digest = try store.seal(source).digest
        try FileSystem.write("{}", to: store.path(of: digest))
        #expect(throws: ArtifactError.self) { try store.manifest(digest) }
        let missing = Digest(of: [1, 2, 3])
        #expect(throws: ArtifactError.missing(missing)) { try store.manifest(missing) }
    }

    /// A layer of a foreign image is told from a wrong one.
    @Test func theManifestOfACompressedImageSaysWhatToDo() throws {
        let text =
            #"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\#(Digest(of: []))","size":0},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"\#(Digest(of: []))","size":0}]}"#
        do {
            _ = try ArtifactManifest(bytes: Array(text.utf8))
            Issue.record("it was taken")
        } catch {
            #expect("\(error)".contains("assay artifact push"))
        }
    }

    /// However far it came, a seal that fails leaves no blob.
    @Test func aSealThatIsCutOffLeavesNothing() throws {
        struct Cut: Error {}
        for cut in [0, 1, 5000, 1 << 20, 3 << 20] {
            var given = 0
            do {
                _ = try store.add { (buffer) throws(ArchiveError) in
                    guard given < cut else { throw ArchiveError("x", .cutOff) }
                    let count = min(buffer.count, cut - given)
                    given += count
                    return count
                }
                Issue.record("it was kept")
            } catch {
                #expect("\(error)" == "x: the archive is cut off")
            }
            #expect(FileSystem.kind(store.root + "/blobs") == nil)
            #expect(try FileSystem.entries(store.root + "/uploads").isEmpty)
        }
    }

    @Test func anEmptyDirectoryIsNoArtifactAndAFullOneIsNotFetchedInto() throws {
        let digest = try store.seal(source).digest
        try FileSystem.makeDirectories(target)
        #expect(throws: ArtifactError.empty(target)) { try store.seal(target) }
        try FileSystem.write("mine", to: target + "/mine")
        #expect(throws: ArtifactError.occupied(target)) { try store.fetch(digest, to: target) }
        #expect(try text(target + "/mine") == "mine")
    }

    @Test func limitsHoldForAllLayersTogether() throws {
        let digest = try store.seal(source).digest
        #expect(throws: ArtifactError.archive(ArchiveError("", .tooManyBytes(12)))) {
            try store.fetch(digest, to: target, limits: ArchiveLimits(bytes: 12))
        }
        #expect(try FileSystem.entries(target).isEmpty)
        try store.fetch(digest, to: target, limits: ArchiveLimits(entries: 3, bytes: 13))
    }

    @Test func tagsNameArtifacts() throws {
        let first = try store.seal(source).digest
        try store.tag(first, as: "wine")
        try FileSystem.write("other weights", to: source + "/model.bin")
        let second = try store.seal(source).digest
        try store.tag(second, as: "wine.2")
        #expect(try store.resolve("wine") == first)
        try store.tag(second, as: "wine")
        #expect(try store.resolve("wine") == second)
        #expect(try store.tags() == ["wine", "wine.2"])
        #expect(throws: ArtifactError.unknownTag("beer")) { try store.resolve("beer") }
        for name in ["", ".", "..", "../x", "a/b", "-a", "a b", String(repeating: "a", count: 129)] {
            #expect(throws: ArtifactError.invalidTag(name)) { try store.tag(first, as: name) }
        }
    }

    /// The order of the layers and their borders are part of the digest.
    @Test func largeArtifactsAreDivided() throws {
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

    @Test(
        arguments: [
            ("file:///srv/models", "/srv/models", nil), ("file:///srv/models:wine", "/srv/models", "wine"),
            ("file:///srv/a:b/models", "/srv/a:b/models", nil), ("file:///srv/models/", "/srv/models", nil),
        ] as [(String, String, String?)]) func referencesAreRead(_ text: String, _ path: String, _ tag: String?) throws
    {
        let reference = try ArtifactReference(text)
        #expect(reference.path == path)
        #expect(reference.name == tag.map { .tag($0) })
    }

    @Test(arguments: [
        "models", "/srv/models", "file://srv/models", "s3://bucket/x", "file:///srv@sha256:12", "file:///srv@md5:12",
    ]) func whatIsNoReferenceIsRefused(_ text: String) {
        #expect(throws: ArtifactError.self) { try ArtifactReference(text) }
    }

    @Test func aReferenceByDigestIsReadBack() throws {
        let digest = Digest(of: [7])
        let reference = try ArtifactReference("file:///srv/models@\(digest)")
        #expect(reference.name == .digest(digest))
        #expect(try ArtifactReference(reference.description) == reference)
        #expect(try reference.resolve() == digest)
        #expect(throws: ArtifactError.self) { try ArtifactReference("file:///srv/models").resolve() }
    }
}
