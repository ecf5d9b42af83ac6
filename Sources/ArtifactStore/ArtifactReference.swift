import OpenSSL

/// A store and, where one is named, an artifact in it: `file:///srv/models`, `file:///srv/models:wine`,
/// `oci://registry.local:5000/team/wine@sha256:…`, `s3://models/team:wine`.
public struct ArtifactReference: Sendable, Hashable, CustomStringConvertible {
    public enum Place: Sendable, Hashable, CustomStringConvertible {
        /// The directory of a ``DirectoryStore``.
        case directory(String)
        case registry(RegistryRepository)
        case bucket(BucketLocation)

        public var description: String {
            switch self {
            case .directory(let path): "file://\(path)"
            case .registry(let repository): "oci://\(repository)"
            case .bucket(let location): "s3://\(location)"
            }
        }
    }

    public enum Name: Sendable, Hashable {
        case tag(String)
        case digest(Digest)
    }

    public var place: Place
    public var name: Name?

    public init(_ place: Place, _ name: Name? = nil) {
        self.place = place
        self.name = name
    }

    /// - Throws: ``ArtifactError`` with what is wrong.
    public init(_ text: String) throws(ArtifactError) {
        guard let mark = text.firstRange(of: "://") else { throw Self.unknown(text) }
        let scheme = text[..<mark.lowerBound]
        var rest = text[mark.upperBound...]
        if let at = rest.firstIndex(of: "@") {
            guard let digest = Digest(String(rest[rest.index(after: at)...])) else {
                throw .malformed("\(text): what follows the @ is no sha256: and 64 hexadecimal digits")
            }
            name = .digest(digest)
            rest = rest[..<at]
        } else if let colon = rest.lastIndex(of: ":"), scheme == "s3" || rest.contains("/"),
            !rest[colon...].contains("/")
        {
            let tag = String(rest[rest.index(after: colon)...])
            try Tag.check(tag)
            name = .tag(tag)
            rest = rest[..<colon]
        }
        switch scheme {
        case "file":
            guard rest.hasPrefix("/") else {
                throw .malformed("\(text): the path must be absolute, as in file:///srv/models")
            }
            while rest.count > 1, rest.hasSuffix("/") { rest = rest.dropLast() }
            place = .directory(String(rest))
        case "oci":
            guard let slash = rest.firstIndex(of: "/") else {
                throw .malformed("\(text) names no repository, as in oci://registry.local/team/wine")
            }
            place = .registry(
                try RegistryRepository(host: String(rest[..<slash]), name: String(rest[rest.index(after: slash)...])))
        case "s3":
            let bucket = rest.prefix { $0 != "/" }
            place = .bucket(
                try BucketLocation(bucket: String(bucket), prefix: String(rest[bucket.endIndex...].dropFirst())))
        default: throw Self.unknown(text)
        }
    }

    private static func unknown(_ text: String) -> ArtifactError {
        .malformed(
            "\(text) is no store that is known here; file:///PATH, oci://HOST/REPOSITORY and "
                + "s3://BUCKET/PREFIX are")
    }

    public var description: String {
        switch name {
        case nil: "\(place)"
        case .tag(let tag): "\(place):\(tag)"
        case .digest(let digest): "\(place)@\(digest)"
        }
    }

    /// The digest that it names, as the store has it now.
    /// - Throws: ``ArtifactError`` where it names none.
    public func resolve(in store: any BlobStore) async throws(ArtifactError) -> Digest {
        switch name {
        case .digest(let digest): return digest
        case .tag(let tag): return try await store.resolve(tag)
        case nil: throw .malformed("\(self) names no artifact; add :TAG or @sha256:…")
        }
    }
}
