import OpenSSL

/// A store and, where one is named, an artifact in it: `file:///srv/models`, `file:///srv/models:wine` or
/// `file:///srv/models@sha256:…`.
public struct ArtifactReference: Sendable, Hashable, CustomStringConvertible {
    public enum Name: Sendable, Hashable {
        case tag(String)
        case digest(Digest)
    }

    /// The directory of the store.
    public var path: String
    public var name: Name?

    public init(path: String, name: Name? = nil) {
        self.path = path
        self.name = name
    }

    /// - Throws: ``ArtifactError`` with what is wrong.
    public init(_ text: String) throws(ArtifactError) {
        let scheme = "file://"
        guard text.hasPrefix(scheme) else {
            throw .malformed("\(text) is no store that is known here; file:///PATH is one")
        }
        var rest = text.dropFirst(scheme.count)
        guard rest.hasPrefix("/") else {
            throw .malformed("\(text): the path must be absolute, as in file:///srv/models")
        }
        if let at = rest.firstIndex(of: "@") {
            guard let digest = Digest(String(rest[rest.index(after: at)...])) else {
                throw .malformed("\(text): what follows the @ is no sha256: and 64 hexadecimal digits")
            }
            name = .digest(digest)
            rest = rest[..<at]
        } else if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            name = .tag(String(rest[rest.index(after: colon)...]))
            rest = rest[..<colon]
        }
        while rest.count > 1, rest.hasSuffix("/") { rest = rest.dropLast() }
        path = String(rest)
    }

    public var description: String {
        switch name {
        case nil: "file://\(path)"
        case .tag(let tag): "file://\(path):\(tag)"
        case .digest(let digest): "file://\(path)@\(digest)"
        }
    }

    public var store: DirectoryStore { DirectoryStore(path) }

    /// The digest that it names, as the store has it now.
    /// - Throws: ``ArtifactError`` where it names none.
    public func resolve() throws(ArtifactError) -> Digest {
        switch name {
        case .digest(let digest): digest
        case .tag(let tag): try store.resolve(tag)
        case nil: throw .malformed("\(self) names no artifact; add :TAG or @sha256:…")
        }
    }
}
