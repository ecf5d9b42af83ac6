/// A file, a directory or a link in an archive, with all that counts of it: times, owners and other rights do not.
public struct ArchiveEntry: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case directory
        /// `size` in bytes.
        case file(size: Int, isExecutable: Bool)
        /// A symbolic link; `target` is relative to the directory that the link lies in, and leads to nothing outside.
        case link(target: String)
    }

    public var path: ArchivePath
    public var kind: Kind

    /// - Throws: ``ArchiveError`` for a link that leads, or could lead, out of the directory.
    public init(_ path: ArchivePath, _ kind: Kind) throws(ArchiveError) {
        self.path = path
        self.kind = kind
        if case .link(let target) = kind { try Self.check(target, at: path) }
    }

    /// The bytes of content that follow the entry's header.
    public var size: Int {
        if case .file(let size, _) = kind { size } else { 0 }
    }

    /// A link may go up only first, and no further than to the top. After a name, `..` would be the parent of wherever that
    /// name leads, which is not known here.
    private static func check(_ target: String, at path: ArchivePath) throws(ArchiveError) {
        let bytes = Array(target.utf8)
        guard let first = bytes.first, first != ArchivePath.slash, !bytes.contains(0) else {
            throw ArchiveError(path.text, .linkLeavesDirectory(target))
        }
        guard bytes.count <= ArchivePath.longest else { throw ArchiveError(path.text, .tooLong(ArchivePath.longest)) }
        var up = 0
        var hasName = false
        for name in bytes.split(separator: ArchivePath.slash) where !name.elementsEqual(".".utf8) {
            guard name.elementsEqual("..".utf8) else {
                hasName = true
                continue
            }
            up += 1
            guard !hasName, up <= path.depth else { throw ArchiveError(path.text, .linkLeavesDirectory(target)) }
        }
    }
}
