import KubernetesModel
import OpenSSL

/// What keeps artifacts: blobs under the names of their digests, manifests, and tags that name them.
///
/// All of it waits for disks and networks; what is given to `take` is valid until it returns.
public protocol BlobStore: Sendable {
    /// Keeps a content under the name of its digest: whole, or not at all.
    /// - Parameter progress: told of bytes that are kept, or that need not be sent.
    func add(_ content: any BlobContent, _ progress: @escaping Progress) async throws(ArtifactError)
        -> ArtifactManifest.Blob

    /// Hands on what is kept as a blob, to its end or until `take` fails, unseen whether it is what it should be.
    func pieces(
        of blob: ArtifactManifest.Blob, _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError)

    /// Keeps a manifest, whose blobs are there; with a tag, under that name too, in place of what had it.
    func add(_ manifest: ArtifactManifest, tag: String?) async throws(ArtifactError)

    /// The manifest of an artifact.
    func manifest(_ digest: Digest) async throws(ArtifactError) -> ArtifactManifest

    /// The artifact that has this tag.
    func resolve(_ tag: String) async throws(ArtifactError) -> Digest

    /// All tags, sorted.
    func tags() async throws(ArtifactError) -> [String]

    // MARK: Forgetting

    /// Makes an artifact that is there as young as if it had just been sealed, so that nobody removes it as one that is not
    /// used. False where it is not there.
    func touch(_ digest: Digest) async throws(ArtifactError) -> Bool

    /// Everything under the names of digests; nil where a store does not tell, as registries.
    func contents() async throws(ArtifactError) -> [StoredBlob]?

    /// Forgets a tag, unless it was given at that time or later. Whether it is gone; one that never was is.
    func remove(tag: String, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool

    /// Removes what is under the name of a digest, unless it was kept at that time or later. Whether it is gone. A registry has
    /// manifests alone removed, knows no time, and forgets their tags with them.
    func remove(_ digest: Digest, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool

    /// Frees what uploads take up that came to no end, unless they were begun or got on at that time or later. A registry
    /// sees to its own.
    /// - Returns: how many there were.
    func abandonUploads(unlessSince time: Timestamp?) async throws(ArtifactError) -> Int
}

/// What a store has under the name of a digest: a layer, a configuration or a manifest.
public struct StoredBlob: Sendable, Hashable {
    public var digest: Digest
    /// In bytes.
    public var size: Int
    /// When it was kept last.
    public var time: Timestamp

    public init(digest: Digest, size: Int, time: Timestamp) {
        self.digest = digest
        self.size = size
        self.time = time
    }
}

/// Bytes that become a blob. They can be read again, and are the same then, or reading fails.
public protocol BlobContent: Sendable {
    /// What it becomes, where that is known without reading.
    var known: ArtifactManifest.Blob? { get }

    func pieces(
        _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError)
}

extension BlobContent {
    /// What it becomes; it is read to its end where that is not known.
    func measured() async throws(ArtifactError) -> ArtifactManifest.Blob {
        if let known { return known }
        var hash = SHA256()
        var size = 0
        try await pieces { piece in
            hash.update(piece)
            size += piece.count
        }
        return ArtifactManifest.Blob(digest: Digest(hash), size: size)
    }
}

/// What is told of a transfer: how many bytes it has got on by.
public typealias Progress = @Sendable (Int) -> Void

/// A content that is all here.
struct WholeContent: BlobContent {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var known: ArtifactManifest.Blob? { ArtifactManifest.Blob(digest: Digest(of: bytes), size: bytes.count) }

    func pieces(
        _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        try await give(bytes[...], take)
    }
}

/// Hands on bytes that stay where they are until `take` returns.
func give(
    _ bytes: ArraySlice<UInt8>, _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
) async throws(ArtifactError) {
    try await withBuffer(of: bytes.count) { (buffer) async throws(ArtifactError) in
        buffer.copyBytes(from: bytes)
        try await take(UnsafeRawBufferPointer(buffer))
    }
}

/// Runs the body with bytes that stay where they are while it waits.
func withBuffer(
    of size: Int, _ body: (UnsafeMutableRawBufferPointer) async throws(ArtifactError) -> Void
) async throws(ArtifactError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
    defer { buffer.deallocate() }
    try await body(buffer)
}
