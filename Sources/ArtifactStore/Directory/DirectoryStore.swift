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
/// Several processes may use it at once, on several machines where the file system is one. It blocks the threads that it is called on: for
/// programs that do nothing else meanwhile.
public struct DirectoryStore: BlobStore {
    public let root: String
    private let patience: Patience

    /// Makes nothing yet; the directory is made by the first write.
    /// - Parameter patience: for a disk that is full or a file server that is away.
    public init(_ root: String, patience: Patience = Patience(limit: .zero)) {
        self.root = root
        self.patience = patience
    }

    func path(of digest: Digest) -> String { "\(root)/blobs/sha256/\(digest.hex)" }

    // MARK: Blobs

    /// It is written beside the blobs, brought to the disk, and renamed: whatever happens meanwhile, a blob is whole or not there.
    public func add(
        _ content: any BlobContent, _ progress: @escaping Progress
    ) async throws(ArtifactError) -> ArtifactManifest.Blob {
        try await patience.run { () async throws(ArtifactError) in
            do throws(ArtifactError) { return try await write(content, progress) } catch {
                guard case .file(let failure) = error, Self.mayPass.contains(failure.errorNumber) else { throw error }
                throw .store(StoreFailure("\(failure)", isTransient: true))
            }
        }
    }

    /// What somebody may mend while it is waited for.
    private static let mayPass: Set<Int32> = [ENOSPC, EDQUOT, EIO, ESTALE, ETIMEDOUT]

    private func write(
        _ content: any BlobContent, _ progress: @escaping Progress
    ) async throws(ArtifactError) -> ArtifactManifest.Blob {
        let upload = try Upload(in: root)
        var hash = SHA256()
        var size = 0
        try await content.pieces { (piece) throws(ArtifactError) in
            hash.update(piece)
            try upload.write(piece)
            size += piece.count
            progress(piece.count)
        }
        let digest = Digest(hash)
        try upload.keep(as: path(of: digest))
        return ArtifactManifest.Blob(digest: digest, size: size)
    }

    public func pieces(
        of blob: ArtifactManifest.Blob, _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        let file: FileSource
        do { file = try FileSource(path(of: blob.digest)) } catch {
            throw error.errorNumber == ENOENT ? .missing(blob.digest) : .file(error)
        }
        try await withBuffer(of: LayerContent.pieceSize) { (buffer) async throws(ArtifactError) in
            while true {
                let count: Int
                do throws(FileError) { count = try file.read(into: buffer) } catch { throw .file(error) }
                guard count > 0 else { return }
                try await take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    // MARK: Manifests

    public func add(_ manifest: ArtifactManifest, tag: String?) async throws(ArtifactError) {
        if let tag { try Tag.check(tag) }
        _ = try await add(WholeContent(manifest.bytes)) { _ in }
        guard let tag else { return }
        let upload = try Upload(in: root)
        try upload.write(Array("\(manifest.digest)\n".utf8))
        try upload.keep(as: "\(root)/tags/\(tag)")
    }

    public func manifest(_ digest: Digest) async throws(ArtifactError) -> ArtifactManifest {
        let path = path(of: digest)
        guard FileSystem.kind(path) == .file else { throw .missing(digest) }
        let size: Int
        let bytes: [UInt8]
        do {
            size = Int(try FileSystem.status(path).st_size)
            bytes = size <= ArtifactManifest.largest ? try FileSystem.contents(path) : []
        } catch { throw .file(error) }
        guard size <= ArtifactManifest.largest else { throw .malformed("\(digest) is too large for a manifest") }
        return try ArtifactManifest(bytes: bytes, digest: digest)
    }

    // MARK: Tags

    public func resolve(_ tag: String) async throws(ArtifactError) -> Digest {
        try Tag.check(tag)
        let path = "\(root)/tags/\(tag)"
        guard FileSystem.kind(path) == .file else { throw .unknownTag(tag) }
        let text: String
        do { text = String(decoding: try FileSystem.contents(path), as: UTF8.self) } catch { throw .file(error) }
        guard text.hasSuffix("\n"), let digest = Digest(String(text.dropLast())) else {
            throw .malformed("\(path) has no digest in it")
        }
        return digest
    }

    public func tags() async throws(ArtifactError) -> [String] {
        guard FileSystem.kind("\(root)/tags") == .directory else { return [] }
        do { return try FileSystem.entries("\(root)/tags") } catch { throw .file(error) }
    }
}

/// A file that is read piece by piece.
private final class FileSource {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(FileError) {
        self.path = path
        descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw FileError("open", path) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path) }
            return count
        }
    }
}
