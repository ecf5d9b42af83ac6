import Files
import OpenSSL

/// Why an artifact could not be sealed, fetched or found.
public enum ArtifactError: Error, Sendable, Hashable, CustomStringConvertible {
    case archive(ArchiveError)
    case file(FileError)
    /// The directory to be sealed has nothing in it.
    case empty(String)
    /// The directory to fetch into is not empty.
    case occupied(String)
    case missing(Digest)
    case unknownTag(String)
    case invalidTag(String)
    /// What the store has under this name is something else.
    case corrupt(Digest, found: Digest, size: Int)
    case malformed(String)

    public var description: String {
        switch self {
        case .archive(let error): "\(error)"
        case .file(let error): "\(error)"
        case .empty(let path): "\(path) is empty: there is nothing to seal"
        case .occupied(let path): "\(path) is not empty; name a directory that is"
        case .missing(let digest): "the store has no \(digest)"
        case .unknownTag(let tag): "the store has no tag \(tag)"
        case .invalidTag(let tag):
            "\(tag) is no tag: it has at most 128 letters, digits, dots, dashes and underscores, and begins with none of "
                + "dot and dash"
        case .corrupt(let digest, let found, let size):
            "what the store has as \(digest) is \(size) bytes with the digest \(found): it was changed, or is broken"
        case .malformed(let what): what
        }
    }
}
