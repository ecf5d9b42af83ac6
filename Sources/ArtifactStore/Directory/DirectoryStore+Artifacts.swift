import Files
import Glibc
import OpenSSL

extension DirectoryStore {
    /// Packs a directory and keeps it. The manifest comes last: an artifact that is there is whole.
    public func seal(_ directory: String) throws(ArtifactError) -> ArtifactManifest {
        let packer: ArchivePacker
        do { packer = try ArchivePacker(directory) } catch { throw .archive(error) }
        guard !packer.entries.isEmpty else { throw .empty(directory) }
        var layers: [ArtifactManifest.Blob] = []
        for entries in LayerDivision.layers(packer.entries) {
            var stream = packer.stream(entries)
            layers.append(try add { (buffer) throws(ArchiveError) in try stream.read(into: buffer) })
        }
        let (manifest, config) = ArtifactManifest.describing(layers)
        _ = try add(config)
        _ = try add(manifest.bytes)
        return manifest
    }

    /// Unpacks an artifact into a directory that is empty or not there. What fails leaves it empty.
    public func fetch(
        _ digest: Digest, to directory: String, limits: ArchiveLimits = ArchiveLimits()
    ) throws(ArtifactError) {
        let manifest = try manifest(digest)
        let there: [String]
        do {
            try FileSystem.makeDirectories(directory)
            there = try FileSystem.entries(directory)
        } catch { throw .file(error) }
        guard there.isEmpty else { throw .occupied(directory) }
        do throws(ArtifactError) {
            try unpack(manifest, to: directory, limits)
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
        _ manifest: ArtifactManifest, to directory: String, _ limits: ArchiveLimits
    ) throws(ArtifactError) {
        var extractor: ArchiveExtractor
        do { extractor = try ArchiveExtractor(directory) } catch { throw .archive(error) }
        var limits = limits
        for layer in manifest.layers {
            var reader = ArchiveReader(limits: limits)
            try read(layer) { (bytes) throws(ArchiveError) in
                try reader.read(bytes) { (piece) throws(ArchiveError) in try extractor.take(piece) }
            }
            do { try reader.finish() } catch { throw .archive(error) }
            // What one layer has taken the next may not have again.
            limits = reader.rest
        }
        do { try extractor.finish() } catch { throw .archive(error) }
    }

    /// Reads all of an artifact.
    /// - Throws: ``ArtifactError`` for what is missing or has changed.
    public func check(_ digest: Digest) throws(ArtifactError) -> ArtifactManifest {
        let manifest = try manifest(digest)
        for blob in [manifest.config] + manifest.layers {
            try read(blob) { _ in }
        }
        return manifest
    }
}
