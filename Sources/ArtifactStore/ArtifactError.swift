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
    /// It has more bytes than the manifest says.
    case larger(ArtifactManifest.Blob)
    case malformed(String)
    case store(StoreFailure)
    /// A store has forgotten an upload that was under way: it must begin anew.
    case lostUpload(StoreFailure)

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
        case .larger(let blob): "what the store has as \(blob.digest) is more than its \(blob.size) bytes"
        case .malformed(let what): what
        case .store(let failure), .lostUpload(let failure): "\(failure)"
        }
    }
}

/// What a store across the network did not do.
public struct StoreFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried and what came of it, without secrets.
    public var description: String
    /// It may go well later: the store was not reached, broke off, is overloaded, or says that the fault is its own.
    public var isTransient: Bool
    /// How long the store asks to be left alone.
    public var retryAfter: Duration?

    public init(_ description: String, isTransient: Bool = false, retryAfter: Duration? = nil) {
        self.description = description
        self.isTransient = isTransient
        self.retryAfter = retryAfter
    }
}
