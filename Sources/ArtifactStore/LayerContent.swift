import OpenSSL

/// A layer that is packed while it is read.
struct LayerContent: BlobContent {
    static let pieceSize = 1 << 20

    let packer: ArchivePacker
    let entries: ArraySlice<ArchiveEntry>

    var known: ArtifactManifest.Blob? { nil }

    func pieces(
        _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        var stream = packer.stream(entries)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count: Int
            do { count = try stream.read(into: buffer) } catch { throw .archive(error) }
            guard count > 0 else { return }
            try await take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}

/// A blob of another store.
struct StoredContent: BlobContent {
    let store: any BlobStore
    let blob: ArtifactManifest.Blob

    var known: ArtifactManifest.Blob? { blob }

    func pieces(
        _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        try await store.read(blob, take)
    }
}
