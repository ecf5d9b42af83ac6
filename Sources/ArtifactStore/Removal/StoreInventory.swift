import KubernetesModel
import OpenSSL

/// What a store has, as it was looked at.
public struct StoreInventory: Sendable, Hashable {
    public struct Artifact: Sendable, Hashable {
        public var manifest: ArtifactManifest
        public var tags: Set<String> = []
        /// When it was kept last; nil where the store does not tell.
        public var time: Timestamp?
    }

    public var artifacts: [Digest: Artifact]
    /// Tags that lead to nothing.
    public var danglingTags: Set<String>
    /// Nil where the store does not tell, and sees to its blobs itself.
    public var blobs: [StoredBlob]?

    public init(artifacts: [Digest: Artifact], danglingTags: Set<String> = [], blobs: [StoredBlob]? = nil) {
        self.artifacts = artifacts
        self.danglingTags = danglingTags
        self.blobs = blobs
    }
}

extension BlobStore {
    /// Looks at all of the store.
    /// - Parameter named: artifacts that are looked for though no list tells of them.
    /// - Throws: also where one of them or one with a tag cannot be read: nobody knows then what is its own.
    public func inventory(_ named: Set<Digest> = []) async throws(ArtifactError) -> StoreInventory {
        var inventory = StoreInventory(artifacts: [:], blobs: try await contents())
        for blob in inventory.blobs ?? [] {
            guard let manifest = try await manifest(in: blob) else { continue }
            inventory.artifacts[blob.digest] = .init(manifest: manifest, time: blob.time)
        }
        for digest in named where inventory.artifacts[digest] == nil {
            do throws(ArtifactError) {
                inventory.artifacts[digest] = .init(manifest: try await manifest(digest))
            } catch .missing {}
        }
        for tag in try await tags() {
            let digest: Digest
            do throws(ArtifactError) { digest = try await resolve(tag) } catch .unknownTag { continue }
            if inventory.artifacts[digest] == nil {
                do throws(ArtifactError) {
                    inventory.artifacts[digest] = .init(manifest: try await manifest(digest))
                } catch .missing {
                    inventory.danglingTags.insert(tag)
                }
            }
            inventory.artifacts[digest]?.tags.insert(tag)
        }
        return inventory
    }

    /// The manifest that a blob is; nil where it is something else, or gone.
    private func manifest(in blob: StoredBlob) async throws(ArtifactError) -> ArtifactManifest? {
        guard blob.size <= ArtifactManifest.largest else { return nil }
        var bytes: [UInt8] = []
        var isOther = false
        do throws(ArtifactError) {
            let whole = ArtifactManifest.Blob(digest: blob.digest, size: blob.size)
            try await pieces(of: whole) { (piece) throws(ArtifactError) in
                // A layer begins with the name of a file: no more of it is read.
                isOther = bytes.isEmpty && piece.first.map { $0 != UInt8(ascii: "{") } ?? false
                if isOther { throw .missing(blob.digest) }
                bytes += piece
            }
        } catch {
            if case .missing = error { return nil }
            throw error
        }
        // A configuration is no manifest; nor is what was changed, of which nothing can be fetched.
        do throws(ArtifactError) { return try ArtifactManifest(bytes: bytes, digest: blob.digest) } catch { return nil }
    }
}
