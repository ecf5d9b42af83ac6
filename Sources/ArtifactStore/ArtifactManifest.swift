import JSON
import OpenSSL

/// What an artifact consists of: an OCI image manifest, whose layers are plain tar archives, so that a registry keeps it and a
/// kubelet mounts it as a volume.
///
/// It says nothing but its content: no time, no host, no name. Equal content has equal manifests, and the digest of
/// the manifest is the artifact's.
public struct ArtifactManifest: Sendable, Hashable {
    /// Bytes that a store keeps under the name of their digest.
    public struct Blob: Sendable, Hashable {
        public var digest: Digest
        /// In bytes.
        public var size: Int

        public init(digest: Digest, size: Int) {
            self.digest = digest
            self.size = size
        }
    }

    static let mediaType = "application/vnd.oci.image.manifest.v1+json"
    static let configType = "application/vnd.oci.image.config.v1+json"
    static let layerType = "application/vnd.oci.image.layer.v1.tar"
    /// The most bytes of a manifest or a configuration, as registries have it.
    static let largest = 4 << 20

    public let config: Blob
    public let layers: [Blob]
    /// The document that the digest is of.
    public let bytes: [UInt8]

    public var digest: Digest { Digest(of: bytes) }
    /// The bytes of all layers.
    public var size: Int { layers.reduce(0) { $0 + $1.size } }

    /// The manifest of these layers, and the configuration that it names.
    static func describing(_ layers: [Blob]) -> (manifest: ArtifactManifest, config: [UInt8]) {
        let config: JSONValue = [
            // An image must say for which machine it is. This one is for each, but a name that depended on the machine that
            // trained would be another artifact.
            "architecture": "amd64", "os": "linux", "config": [:],
            "rootfs": ["type": "layers", "diff_ids": .array(layers.map { .string($0.digest.description) })],
        ]
        let bytes = config.serializedBytes()
        return (ArtifactManifest(config: Blob(digest: Digest(of: bytes), size: bytes.count), layers: layers), bytes)
    }

    private init(config: Blob, layers: [Blob]) {
        self.config = config
        self.layers = layers
        let document: JSONValue = [
            "schemaVersion": 2, "mediaType": .string(Self.mediaType),
            "config": Self.descriptor(config, Self.configType),
            "layers": .array(layers.map { Self.descriptor($0, Self.layerType) }),
        ]
        bytes = document.serializedBytes()
    }

    private static func descriptor(_ blob: Blob, _ type: String) -> JSONValue {
        ["mediaType": .string(type), "digest": .string(blob.digest.description), "size": JSONValue(blob.size)]
    }

    /// Reads what a store has given as the manifest of that digest.
    public init(bytes: [UInt8], digest: Digest) throws(ArtifactError) {
        let found = Digest(of: bytes)
        guard found == digest else { throw .corrupt(digest, found: found, size: bytes.count) }
        try self.init(bytes: bytes)
    }

    /// - Throws: ``ArtifactError`` where it is none, or of an image that is no artifact.
    public init(bytes: [UInt8]) throws(ArtifactError) {
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes) } catch { throw .malformed("a manifest is no JSON: \(error)") }
        guard json["schemaVersion"]?.int == 2, let config = json["config"], let layers = json["layers"]?.array else {
            throw .malformed("it is not the manifest of an OCI image")
        }
        self.config = try Self.blob(config, Self.configType)
        var blobs: [Blob] = []
        for layer in layers { blobs.append(try Self.blob(layer, Self.layerType)) }
        self.layers = blobs
        self.bytes = bytes
    }

    private static func blob(_ json: JSONValue, _ type: String) throws(ArtifactError) -> Blob {
        let found = json["mediaType"]?.string ?? "none"
        guard found == type else {
            throw .malformed("it has a part of the type \(found) and not \(type); push it with `assay artifact push`")
        }
        guard let digest = json["digest"]?.string.flatMap({ Digest($0) }), let size = json["size"]?.int, size >= 0
        else {
            throw .malformed("a part of the manifest has no digest or no size")
        }
        return Blob(digest: digest, size: size)
    }
}
