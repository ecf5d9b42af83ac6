import CLinux
import Files
import Glibc
import OpenSSL

/// Artifacts in a directory: that of a mounted volume (`pvc://`), or of this machine (`file://`).
///
/// ```
/// blobs/sha256/HEX   layers, configurations and manifests; only whole ones ever have such a name
/// tags/NAME          the digest of a manifest
/// uploads/           what is being written
/// ```
/// Several processes may use it at once, on several machines where the file system is one.
public struct DirectoryStore: Sendable {
    private static let pieceSize = 1 << 20

    public let root: String

    /// Makes nothing yet; the directory is made by the first write.
    public init(_ root: String) { self.root = root }

    // MARK: Blobs

    func path(of digest: Digest) -> String { "\(root)/blobs/sha256/\(digest.hex)" }

    /// Keeps what `read` fills its buffers with, until it fills none, under the name of its digest.
    ///
    /// It is written beside the blobs, brought to the disk, and renamed: whatever happens meanwhile, a blob is whole or not there.
    func add(
        _ read: (UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int
    ) throws(ArtifactError) -> ArtifactManifest.Blob {
        let upload = try Upload(in: root)
        var hash = SHA256()
        var size = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count: Int
            do { count = try read(buffer) } catch { throw .archive(error) }
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hash.update(piece)
            try upload.write(piece)
            size += count
        }
        let digest = Digest(hash)
        try upload.keep(as: path(of: digest))
        return ArtifactManifest.Blob(digest: digest, size: size)
    }

    func add(_ bytes: [UInt8]) throws(ArtifactError) -> ArtifactManifest.Blob {
        var rest = bytes[...]
        return try add { buffer in
            let piece = rest.prefix(buffer.count)
            buffer.copyBytes(from: piece)
            rest = rest.dropFirst(piece.count)
            return piece.count
        }
    }

    /// Hands on a blob's bytes, and only then says whether they were the right ones.
    func read(
        _ blob: ArtifactManifest.Blob, _ take: (UnsafeRawBufferPointer) throws(ArchiveError) -> Void
    ) throws(ArtifactError) {
        var hash = SHA256()
        var size = 0
        var failure: ArchiveError?
        do {
            try FileSystem.read(path(of: blob.digest), piece: Self.pieceSize) { piece in
                hash.update(piece)
                size += piece.count
                // What is wrong with the blob matters more than what it does to an archive.
                guard failure == nil, size <= blob.size else { return }
                do throws(ArchiveError) { try take(piece) } catch { failure = error }
            }
        } catch {
            throw error.errorNumber == ENOENT ? .missing(blob.digest) : .file(error)
        }
        let found = Digest(hash)
        guard found == blob.digest, size == blob.size else {
            throw .corrupt(blob.digest, found: found, size: size)
        }
        if let failure { throw .archive(failure) }
    }

    /// The manifest of an artifact.
    public func manifest(_ digest: Digest) throws(ArtifactError) -> ArtifactManifest {
        let path = path(of: digest)
        guard FileSystem.kind(path) == .file else { throw .missing(digest) }
        let size: Int
        let bytes: [UInt8]
        do {
            size = Int(try FileSystem.status(path).st_size)
            bytes = size <= ArtifactManifest.largest ? try FileSystem.contents(path) : []
        } catch { throw .file(error) }
        guard size <= ArtifactManifest.largest else { throw .malformed("\(digest) is too large for a manifest") }
        let found = Digest(of: bytes)
        guard found == digest else { throw .corrupt(digest, found: found, size: bytes.count) }
        return try ArtifactManifest(bytes: bytes)
    }
}
