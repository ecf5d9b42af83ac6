import KubernetesModel
import OpenSSL

/// What is to be removed from a store, in this order: at every point of it, what is left is whole or cannot be found.
public struct Removal: Sendable, Hashable {
    public struct Artifact: Sendable, Hashable {
        public var digest: Digest
        public var tags: [String]
        /// Of its layers.
        public var size: Int
    }

    /// Tags whose artifacts stay, or are gone already.
    public internal(set) var tags: [String] = []
    /// Records of results before the results.
    public internal(set) var artifacts: [Artifact] = []
    /// What no artifact that stays consists of.
    public internal(set) var blobs: [StoredBlob] = []
    /// What was to go and stays, for it was kept too lately, or the store does not tell when.
    public internal(set) var young: [Digest] = []

    public var isEmpty: Bool { tags.isEmpty && artifacts.isEmpty && blobs.isEmpty }
}

/// Which tags were given by the program itself, to find the result of a step again: one for the record of it, one for each
/// output.
public struct ResultTags: Sendable {
    /// The record's tag, for it and for those of its outputs; nil for a tag that somebody has given.
    let record: @Sendable (String) -> String?

    public init(record: @escaping @Sendable (String) -> String?) { self.record = record }
}

extension StoreInventory {
    /// What of the store nobody refers to.
    /// - Parameters:
    ///   - kept: referred to somewhere.
    ///   - time: What was kept at that time or later stays: it may belong to something that is under way. Nil takes all, and is
    ///     all that removes anything from a store that tells no times.
    public func garbage(keeping kept: Set<Digest>, unlessSince time: Timestamp?, _ results: ResultTags) -> Removal {
        var young: [Digest] = []
        var doomed: Set<Digest> = []
        for (digest, artifact) in artifacts where !kept.contains(digest) {
            // A tag that a person has given is a reference.
            guard artifact.tags.allSatisfy({ results.record($0) != nil }) else { continue }
            guard isOld(artifact, time) else {
                young.append(digest)
                continue
            }
            doomed.insert(digest)
        }
        // A record that was kept lately was found lately: its outputs are about to be used. One whose outputs all stay is good.
        let records = self.records(results)
        for (tag, digest) in records where young.contains(digest) { doomed.subtract(outputs(of: tag, results)) }
        for (tag, digest) in records where doomed.contains(digest) {
            let outputs = self.outputs(of: tag, results)
            if !outputs.isEmpty, doomed.isDisjoint(with: outputs) { doomed.remove(digest) }
        }
        var result = removal(of: doomed, unlessSince: time, results)
        result.tags += danglingTags.filter { results.record($0) != nil }
        result.tags.sort()
        result.young = young.sorted { $0.hex < $1.hex }
        return result
    }

    /// What goes with artifacts that somebody names, and with tags.
    /// - Parameter time: What was kept at that time or later stays.
    public func removal(
        of digests: Set<Digest>, tags: Set<String> = [], unlessSince time: Timestamp? = nil,
        blobsUnlessSince blobTime: Timestamp?, _ results: ResultTags
    ) -> Removal {
        var doomed = digests
        // An artifact whose last name goes goes too.
        for (digest, artifact) in artifacts where !artifact.tags.isEmpty && artifact.tags.isSubset(of: tags) {
            doomed.insert(digest)
        }
        let young = doomed.filter { digest in artifacts[digest].map { !isOld($0, time) } ?? false }
        doomed.subtract(young)
        var result = removal(of: doomed, unlessSince: blobTime, results)
        let gone = Set(result.artifacts.flatMap(\.tags) + result.tags)
        result.tags += tags.filter { tag in
            !gone.contains(tag) && !young.contains { artifacts[$0]?.tags.contains(tag) == true }
        }
        result.tags.sort()
        result.young = young.sorted { $0.hex < $1.hex }
        return result
    }

    /// What goes with artifacts that nobody needs any more, who had them made: of what belongs to nothing only what these
    /// consisted of, for the rest may be on its way here.
    /// - Parameter time: What was kept, or found by somebody else, at that time or later stays, its blobs too.
    public func withdrawal(
        of digests: Set<Digest>, unlessSince time: Timestamp?, _ results: ResultTags
    ) -> Removal {
        // A tag that a person has given is a reference.
        let unnamed = digests.filter { artifacts[$0]?.tags.allSatisfy { results.record($0) != nil } ?? true }
        var result = removal(of: unnamed, unlessSince: time, blobsUnlessSince: time, results)
        var parts: Set<Digest> = []
        for artifact in result.artifacts {
            guard let manifest = artifacts[artifact.digest]?.manifest else { continue }
            parts.formUnion([manifest.config.digest] + manifest.layers.map(\.digest))
        }
        result.blobs.removeAll { !parts.contains($0.digest) }
        return result
    }

    private func isOld(_ artifact: Artifact, _ time: Timestamp?) -> Bool {
        guard let time else { return true }
        return artifact.time.map { $0 < time } ?? false
    }

    private func records(_ results: ResultTags) -> [(tag: String, digest: Digest)] {
        artifacts.flatMap { digest, artifact in
            artifact.tags.filter { results.record($0) == $0 }.map { ($0, digest) }
        }
    }

    private func outputs(of record: String, _ results: ResultTags) -> Set<Digest> {
        Set(
            artifacts.filter { $0.value.tags.contains { $0 != record && results.record($0) == record } }.keys)
    }

    /// These artifacts, the records of results that they are of, and what then belongs to nothing.
    private func removal(of digests: Set<Digest>, unlessSince time: Timestamp?, _ results: ResultTags) -> Removal {
        var doomed = digests
        var result = Removal()
        // Whose outputs go goes too; where several results have the same record, the tag alone.
        for (tag, digest) in records(results) where !doomed.isDisjoint(with: outputs(of: tag, results)) {
            result.tags.append(tag)
            let others = artifacts[digest]?.tags.filter { other in
                results.record(other) != other || doomed.isDisjoint(with: outputs(of: other, results))
            }
            if others?.isEmpty == true { doomed.insert(digest) }
        }
        let recordDigests = Set(records(results).map(\.digest))
        for digest in doomed.sorted(by: {
            (recordDigests.contains($0) ? 0 : 1, $0.hex) < (recordDigests.contains($1) ? 0 : 1, $1.hex)
        }) {
            guard let artifact = artifacts[digest] else { continue }
            result.artifacts.append(
                Removal.Artifact(digest: digest, tags: artifact.tags.sorted(), size: artifact.manifest.size))
        }
        let covered = Set(result.artifacts.flatMap(\.tags))
        result.tags.removeAll { covered.contains($0) }
        result.blobs = unused(without: doomed).filter { blob in time.map { blob.time < $0 } ?? true }
        return result
    }

    private func unused(without doomed: Set<Digest>) -> [StoredBlob] {
        var used: Set<Digest> = []
        for (digest, artifact) in artifacts where !doomed.contains(digest) {
            used.insert(digest)
            used.insert(artifact.manifest.config.digest)
            used.formUnion(artifact.manifest.layers.map(\.digest))
        }
        return (blobs ?? []).filter { !used.contains($0.digest) && !doomed.contains($0.digest) }
    }
}

extension BlobStore {
    /// Removes tags, then manifests, then blobs: whatever ends this, what is left half is found by nobody.
    /// - Parameters:
    ///   - time: What was kept at that time or later stays, also where it was kept while this is under way.
    ///   - tell: told of each artifact that has gone.
    /// - Returns: the bytes that are free now.
    public func carryOut(
        _ removal: Removal, of inventory: StoreInventory, unlessSince time: Timestamp?,
        blobsUnlessSince blobTime: Timestamp?,
        _ tell: (Removal.Artifact) -> Void
    ) async throws(ArtifactError) -> Int {
        let tellsBlobs = inventory.blobs != nil
        for tag in removal.tags { _ = try await remove(tag: tag, unlessSince: time) }
        var left: Set<Digest> = []
        var freed = 0
        for artifact in removal.artifacts {
            // In a registry they go with the manifest, and often in no other way.
            if tellsBlobs {
                for tag in artifact.tags { _ = try await remove(tag: tag, unlessSince: time) }
            }
            if try await remove(artifact.digest, unlessSince: time) {
                if tellsBlobs { freed += artifactBytes(artifact.digest, inventory) }
                tell(artifact)
            } else {
                left.insert(artifact.digest)
            }
        }
        // What was kept again meanwhile needs its blobs.
        var needed: Set<Digest> = []
        for digest in left {
            guard let manifest = inventory.artifacts[digest]?.manifest else { continue }
            needed.formUnion([manifest.config.digest] + manifest.layers.map(\.digest))
        }
        for blob in removal.blobs where !needed.contains(blob.digest) {
            if try await remove(blob.digest, unlessSince: blobTime) { freed += blob.size }
        }
        return freed
    }

    private func artifactBytes(_ digest: Digest, _ inventory: StoreInventory) -> Int {
        inventory.artifacts[digest]?.manifest.bytes.count ?? 0
    }
}
