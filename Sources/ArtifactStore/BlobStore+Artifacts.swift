import Files
import OpenSSL

extension BlobStore {
    /// Packs a directory and keeps it. The manifest comes last: an artifact that is there is whole.
    public func seal(
        _ directory: String, tag: String? = nil, _ progress: @escaping Progress = { _ in }
    ) async throws(ArtifactError) -> ArtifactManifest {
        let packer: ArchivePacker
        do { packer = try ArchivePacker(directory) } catch { throw .archive(error) }
        guard !packer.entries.isEmpty else { throw .empty(directory) }
        let contents = LayerDivision.layers(packer.entries).map { LayerContent(packer: packer, entries: $0) }
        let layers = try await sideBySide(contents) { (content) async throws(ArtifactError) in
            try await add(content, progress)
        }
        let (manifest, config) = ArtifactManifest.describing(layers)
        _ = try await add(WholeContent(config), progress)
        try await add(manifest, tag: tag)
        return manifest
    }

    /// Unpacks an artifact into a directory that is empty or not there. What fails leaves it empty.
    public func fetch(
        _ digest: Digest, to directory: String, limits: ArchiveLimits = ArchiveLimits(),
        _ progress: @escaping Progress = { _ in }
    ) async throws(ArtifactError) {
        let manifest = try await manifest(digest)
        let there: [String]
        do {
            try FileSystem.makeDirectories(directory)
            there = try FileSystem.entries(directory)
        } catch { throw .file(error) }
        guard there.isEmpty else { throw .occupied(directory) }
        do throws(ArtifactError) {
            try await unpack(manifest, to: directory, limits, progress)
        } catch {
            do throws(FileError) {
                for name in try FileSystem.entries(directory) { try FileSystem.remove("\(directory)/\(name)") }
            } catch let second {
                throw .malformed("\(error); and what was unpacked by then cannot be removed: \(second)")
            }
            throw error
        }
    }

    private func unpack(
        _ manifest: ArtifactManifest, to directory: String, _ limits: ArchiveLimits, _ progress: @escaping Progress
    ) async throws(ArtifactError) {
        var extractor: ArchiveExtractor
        do { extractor = try ArchiveExtractor(directory) } catch { throw .archive(error) }
        var limits = limits
        for layer in manifest.layers {
            var reader = ArchiveReader(limits: limits)
            try await read(layer) { (bytes) throws(ArtifactError) in
                do throws(ArchiveError) {
                    try reader.read(bytes) { (piece) throws(ArchiveError) in try extractor.take(piece) }
                } catch { throw .archive(error) }
                progress(bytes.count)
            }
            do { try reader.finish() } catch { throw .archive(error) }
            // What one layer has taken the next may not have again.
            limits = reader.rest
        }
        do { try extractor.finish() } catch { throw .archive(error) }
    }

    /// Reads all of an artifact.
    /// - Throws: ``ArtifactError`` for what is missing or has changed.
    public func check(_ digest: Digest) async throws(ArtifactError) -> ArtifactManifest {
        let manifest = try await manifest(digest)
        _ = try await sideBySide([manifest.config] + manifest.layers) { (blob) async throws(ArtifactError) in
            try await read(blob) { _ in }
        }
        return manifest
    }

    /// Keeps an artifact of another store in this one, under the same digest.
    public func copy(
        _ digest: Digest, from other: any BlobStore, tag: String? = nil, _ progress: @escaping Progress = { _ in }
    ) async throws(ArtifactError) -> ArtifactManifest {
        let manifest = try await other.manifest(digest)
        _ = try await sideBySide([manifest.config] + manifest.layers) { (blob) async throws(ArtifactError) in
            let kept = try await add(StoredContent(store: other, blob: blob), progress)
            guard kept == blob else { throw .corrupt(blob.digest, found: kept.digest, size: kept.size) }
        }
        try await add(manifest, tag: tag)
        return manifest
    }

    /// Hands on a blob's bytes, and only then says whether they were the right ones.
    func read(
        _ blob: ArtifactManifest.Blob, _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        var hash = SHA256()
        var size = 0
        var failure: ArtifactError?
        try await pieces(of: blob) { (piece) async throws(ArtifactError) in
            hash.update(piece)
            size += piece.count
            // What is wrong with the blob matters more than what it does to an archive; but nobody can make it endless.
            guard size <= blob.size else { throw .larger(blob) }
            guard failure == nil else { return }
            do throws(ArtifactError) { try await take(piece) } catch { failure = error }
        }
        let found = Digest(hash)
        guard found == blob.digest, size == blob.size else {
            throw .corrupt(blob.digest, found: found, size: size)
        }
        if let failure { throw failure }
    }
}

/// How many blobs of an artifact are on their way at once.
private let blobsAtOnce = 4

/// Does the same to all, some at a time, and answers in their order. The first failure ends the others.
private func sideBySide<Item: Sendable, Result: Sendable>(
    _ items: [Item], _ act: @escaping @Sendable (Item) async throws(ArtifactError) -> Result
) async throws(ArtifactError) -> [Result] {
    let outcome = await withTaskGroup(of: (Int, Swift.Result<Result, ArtifactError>).self) { group in
        var results: [Result?] = Array(repeating: nil, count: items.count)
        var next = 0
        func begin() {
            guard next < items.count else { return }
            let (index, item) = (next, items[next])
            next += 1
            group.addTask {
                do throws(ArtifactError) { return (index, .success(try await act(item))) } catch {
                    return (index, .failure(error))
                }
            }
        }
        for _ in 0..<blobsAtOnce { begin() }
        while let (index, result) = await group.next() {
            switch result {
            case .success(let value): results[index] = value
            case .failure(let error):
                group.cancelAll()
                return Swift.Result<[Result], ArtifactError>.failure(error)
            }
            begin()
        }
        return .success(results.compactMap(\.self))
    }
    return try outcome.get()
}
